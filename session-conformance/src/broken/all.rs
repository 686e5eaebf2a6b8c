//! Broken stores of the group ALL.

use super::Broken;

pub(super) const BROKEN: &[Broken] = &[];
