//! Broken stores of the group CAS.

use super::Broken;

pub(super) const BROKEN: &[Broken] = &[];
