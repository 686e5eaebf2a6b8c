//! What survives the end of a process.

use crate::Rule;

pub(crate) const RULES: &[Rule] = &[];
