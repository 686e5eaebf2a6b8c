//! Broken behaviours, a file for each property that they break.

mod bytes;
mod dropped;
mod ends;
mod ids;
mod seen;
mod steps;
mod tally;

use super::mutant::Fault;

pub(super) use tally::Forgets;

pub(super) const FAULTS: &[&[Fault]] = &[
    bytes::FAULTS,
    ids::FAULTS,
    ends::FAULTS,
    tally::FAULTS,
    seen::FAULTS,
    dropped::FAULTS,
    steps::FAULTS,
];
