//! Broken stores of the group OBS.

use super::Broken;

pub(super) const BROKEN: &[Broken] = &[];
