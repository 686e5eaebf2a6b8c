//! Errors that a caller can act on.

use crate::Rule;

pub(crate) const RULES: &[Rule] = &[];
