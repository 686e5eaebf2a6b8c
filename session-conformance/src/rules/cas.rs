//! Conditional writes are atomic.

use crate::Rule;

pub(crate) const RULES: &[Rule] = &[];
