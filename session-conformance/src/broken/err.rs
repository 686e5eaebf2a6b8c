//! Broken stores of the group ERR.

use super::Broken;

pub(super) const BROKEN: &[Broken] = &[];
