//! Broken stores of the group RES.

use super::Broken;

pub(super) const BROKEN: &[Broken] = &[];
