//! Broken stores of the group CLR.

use super::Broken;

pub(super) const BROKEN: &[Broken] = &[];
