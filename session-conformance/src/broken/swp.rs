//! Broken stores of the group SWP.

use super::Broken;

pub(super) const BROKEN: &[Broken] = &[];
