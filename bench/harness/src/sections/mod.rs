//! What can be measured.

mod counts;
mod curves;
mod failures;
mod growth;
mod http;
mod memory;
mod safety;
mod targets;

use crate::options::Options;
use crate::plot::Plot;
use crate::table::Table;

/// A part of the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Counts,
    Http,
    Memory,
    Safety,
    Growth,
    Curves,
    Targets,
}

/// What a section found.
#[derive(Debug, Default)]
pub(crate) struct Results {
    pub(crate) tables: Vec<Table>,
    pub(crate) plots: Vec<Plot>,
}

impl From<Vec<Table>> for Results {
    fn from(tables: Vec<Table>) -> Self {
        Self {
            tables,
            plots: Vec::new(),
        }
    }
}

impl Section {
    pub(crate) const ALL: [Self; 7] = [
        Self::Counts,
        Self::Http,
        Self::Memory,
        Self::Safety,
        Self::Growth,
        Self::Curves,
        Self::Targets,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Counts => "counts",
            Self::Http => "http",
            Self::Memory => "memory",
            Self::Safety => "safety",
            Self::Growth => "growth",
            Self::Curves => "curves",
            Self::Targets => "targets",
        }
    }

    pub(crate) fn about(self) -> &'static str {
        match self {
            Self::Counts => "round trips, bytes, instructions, allocations for a request",
            Self::Http => "requests over HTTP: CPU for a request, latency, throughput",
            Self::Memory => "stores in memory, without HTTP: time, threads, bytes",
            Self::Safety => "conditional writes against plain ones, and the price of a conflict",
            Self::Growth => "operations with few sessions and with many, and what a sweep costs",
            Self::Curves => "throughput and latency over HTTP against concurrency",
            Self::Targets => "what was aimed at and what the results say, met or not",
        }
    }

    pub(crate) fn run(self, options: &Options) -> Result<Results, String> {
        match self {
            Self::Counts => counts::run(options).map(Results::from),
            Self::Http => http::run(options).map(Results::from),
            Self::Memory => memory::run(options),
            Self::Safety => safety::run(options).map(Results::from),
            Self::Growth => growth::run(options),
            Self::Curves => curves::run(options),
            Self::Targets => targets::run(options).map(Results::from),
        }
    }
}
