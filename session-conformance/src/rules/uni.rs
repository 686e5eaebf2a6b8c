//! What a record may hold.

use crate::Rule;

pub(crate) const RULES: &[Rule] = &[];
