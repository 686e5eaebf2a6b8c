//! Broken stores of the group LEN.

use super::Broken;

pub(super) const BROKEN: &[Broken] = &[];
