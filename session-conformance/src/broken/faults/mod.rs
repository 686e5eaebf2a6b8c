//! Broken behaviours, a file for each property that they break.

mod bytes;
mod ends;
mod ids;

use super::mutant::Fault;

pub(super) const FAULTS: &[&[Fault]] = &[bytes::FAULTS, ids::FAULTS, ends::FAULTS];
