//! Broken stores of the group UNI.

use super::Broken;

pub(super) const BROKEN: &[Broken] = &[];
