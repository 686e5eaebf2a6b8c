//! Broken stores of the group CON.

use super::Broken;

pub(super) const BROKEN: &[Broken] = &[];
