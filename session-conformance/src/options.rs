//! What to run, and what counts.

use std::time::Duration;

use crate::Rule;

/// What to run, and what counts. All setters are chained:
///
/// ```
/// use session_conformance::Options;
///
/// let options = Options::new().filter("GET").strict(true).seed(7);
/// ```
///
/// | option | default |
/// |---|---|
/// | [`filter`](Self::filter), [`exact`](Self::exact), [`skip`](Self::skip) | every rule |
/// | [`strict`](Self::strict) | a broken *should* is a warning |
/// | [`allow_incomplete`](Self::allow_incomplete) | what was not run makes the run incomplete |
/// | [`repeat`](Self::repeat) | once |
/// | [`seed`](Self::seed) | new in each run |
/// | [`programs`](Self::programs) | as many random programs as there is time for |
/// | [`scale`](Self::scale) | as many records as there is time for |
/// | [`limit`](Self::limit) | 20 seconds for a step of a rule, waiting for an expiry not counted |
/// | [`jobs`](Self::jobs) | 8 rules at the same time |
/// | [`progress`](Self::progress) | none |
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) filters: Vec<String>,
    pub(crate) exact: bool,
    pub(crate) skips: Vec<String>,
    pub(crate) strict: bool,
    pub(crate) allow_incomplete: bool,
    pub(crate) repeat: u32,
    pub(crate) seed: Option<u64>,
    pub(crate) programs: Option<u32>,
    pub(crate) scale: bool,
    pub(crate) limit: Duration,
    pub(crate) jobs: usize,
    pub(crate) progress: bool,
    pub(crate) rerun: Rerun,
}

/// How a rule is run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rerun {
    /// By a library call.
    Library,
    /// By a `harness = false` main.
    Main,
    /// By a test of [`suite!`](crate::suite).
    Suite,
    /// By the example `broken`, on the store of this name, or on this fault in a method.
    #[cfg(feature = "self-check")]
    Broken(&'static str, Option<crate::Method>),
}

impl Options {
    /// Every rule, once.
    #[must_use]
    pub fn new() -> Self {
        Self {
            filters: Vec::new(),
            exact: false,
            skips: Vec::new(),
            strict: false,
            allow_incomplete: false,
            repeat: 1,
            seed: None,
            programs: None,
            scale: false,
            limit: Duration::from_secs(20),
            jobs: 8,
            progress: false,
            rerun: Rerun::Library,
        }
    }

    /// Only rules whose id or test name contains `part`, whatever the case of its letters. Given
    /// more than once, any of the parts will do.
    #[must_use]
    pub fn filter(mut self, part: impl Into<String>) -> Self {
        self.filters.push(part.into());
        self
    }

    /// Whether filters and skips are whole names instead of parts.
    #[must_use]
    pub fn exact(mut self, exact: bool) -> Self {
        self.exact = exact;
        self
    }

    /// Leaves out rules whose id or test name contains `part`.
    #[must_use]
    pub fn skip(mut self, part: impl Into<String>) -> Self {
        self.skips.push(part.into());
        self
    }

    /// Whether a broken *should* is a failure.
    #[must_use]
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// Whether a run in which something was not run may still end well.
    #[must_use]
    pub fn allow_incomplete(mut self, allow: bool) -> Self {
        self.allow_incomplete = allow;
        self
    }

    /// Runs each rule this often, with another seed each time; the first round that does not pass
    /// counts.
    #[must_use]
    pub fn repeat(mut self, rounds: u32) -> Self {
        self.repeat = rounds.max(1);
        self
    }

    /// The seed of everything that is random.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// How many random programs each rule of the group MOD runs, however long that takes.
    #[must_use]
    pub fn programs(mut self, programs: u32) -> Self {
        self.programs = Some(programs);
        self
    }

    /// Whether the rules of the group SCL write all of their records, however long that takes.
    #[must_use]
    pub fn scale(mut self, scale: bool) -> Self {
        self.scale = scale;
        self
    }

    /// How long a step of a rule may take before the rule counts as hanging; waiting for a record
    /// to expire is not counted. A rule whose steps all end may take six times as long.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// How many rules work at the same time; those that wait for a record to expire do not count.
    #[must_use]
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = jobs.max(1);
        self
    }

    /// Whether each result is written to standard error as it comes.
    #[must_use]
    pub fn progress(mut self, progress: bool) -> Self {
        self.progress = progress;
        self
    }

    pub(crate) fn rerun(mut self, rerun: Rerun) -> Self {
        self.rerun = rerun;
        self
    }

    pub(crate) fn selects(&self, rule: &Rule) -> bool {
        let name = rule.test_name();
        let id = rule.id.to_ascii_lowercase();
        let matches = |part: &String| {
            let part = part.to_ascii_lowercase();
            if self.exact {
                part == name || part == id
            } else {
                name.contains(&part) || id.contains(&part)
            }
        };
        (self.filters.is_empty() || self.filters.iter().any(matches))
            && !self.skips.iter().any(matches)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}
