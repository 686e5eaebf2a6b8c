//! Broken stores of the group SIZ.

use super::Broken;

pub(super) const BROKEN: &[Broken] = &[];
