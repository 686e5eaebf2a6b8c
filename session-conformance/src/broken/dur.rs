//! Broken stores of the group DUR.

use super::Broken;

pub(super) const BROKEN: &[Broken] = &[];
