//! Concurrency without conditional writes.

use crate::Rule;

pub(crate) const RULES: &[Rule] = &[];
