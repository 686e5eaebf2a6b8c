//! How large a record may be.

use crate::Rule;

pub(crate) const RULES: &[Rule] = &[];
