//! What can be measured.

mod counts;
mod curves;
mod http;
mod memory;

use crate::options::Options;
use crate::plot::Plot;
use crate::table::Table;

/// A part of the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Counts,
    Http,
    Memory,
    Curves,
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
    pub(crate) const ALL: [Self; 4] = [Self::Counts, Self::Http, Self::Memory, Self::Curves];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Counts => "counts",
            Self::Http => "http",
            Self::Memory => "memory",
            Self::Curves => "curves",
        }
    }

    pub(crate) fn about(self) -> &'static str {
        match self {
            Self::Counts => "round trips, bytes, instructions, allocations for a request",
            Self::Http => "requests over HTTP: CPU for a request, latency, throughput",
            Self::Memory => "stores in memory, without HTTP: time, threads, bytes, growth",
            Self::Curves => "throughput and latency over HTTP against concurrency",
        }
    }

    pub(crate) fn run(self, options: &Options) -> Result<Results, String> {
        match self {
            Self::Counts => counts::run(options).map(Results::from),
            Self::Http => http::run(options).map(Results::from),
            Self::Memory => memory::run(options),
            Self::Curves => curves::run(options),
        }
    }
}
