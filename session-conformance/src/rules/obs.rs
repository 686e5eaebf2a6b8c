//! What an operator sees of a store.

use crate::Rule;

pub(crate) const RULES: &[Rule] = &[];
