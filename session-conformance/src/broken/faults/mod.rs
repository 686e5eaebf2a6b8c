//! Broken behaviours, a file for each property that they break.

mod apart;
mod bytes;
mod dropped;
mod ends;
mod ids;
mod outages;
mod seen;
mod steps;
mod tally;
mod texts;
mod threads;

use super::mutant::Fault;

pub(super) use tally::Forgets;
pub(super) use texts::with_text;

pub(super) const FAULTS: &[&[Fault]] = &[
    apart::FAULTS,
    bytes::FAULTS,
    ids::FAULTS,
    ends::FAULTS,
    tally::FAULTS,
    seen::FAULTS,
    dropped::FAULTS,
    steps::FAULTS,
    outages::FAULTS,
    texts::FAULTS,
    threads::FAULTS,
];
