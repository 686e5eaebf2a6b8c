//! What was destroyed or has expired is not brought back by a conditional write.

use crate::Rule;

pub(crate) const RULES: &[Rule] = &[];
