//! A harness as a value: many stores in one binary.

use std::sync::Arc;

use futures_util::FutureExt;
use session_core::Capabilities;

use crate::options::Rerun;
use crate::subject::Subject;
use crate::{Backend, Harness, Namespace, NotRun, Opening, Options, Report, Time, runner};

/// A harness as a value, for programs that hold several stores to the rules, or one in several
/// configurations that are known only when they run.
///
/// ```
/// # use session_conformance::__doc::MapStore;
/// use session_conformance::{Backend, Namespace, NotRun, Options, Stand, Time};
/// use session_core::Capabilities;
///
/// let stand = Stand::new("a map", Capabilities::NONE, Backend::IN_PROCESS, Time::Manual, |opening| {
///     async move {
///         let store = MapStore::with_clock(opening.clock);
///         Ok::<_, NotRun>(Namespace::new(store.clone(), store))
///     }
/// });
/// let report = stand.run(&Options::new().filter("GET-"));
/// assert_eq!(report.failures().count(), 0, "{}", report.to_text());
/// ```
///
/// [`main_of`](crate::main_of) makes a command line of several.
#[derive(Clone, Debug)]
pub struct Stand(pub(crate) Subject);

impl Stand {
    /// What [`Harness`] says in constants, and how to open the store.
    #[must_use]
    pub fn new<F, Fut>(
        name: impl Into<String>,
        capabilities: Capabilities,
        backend: Backend,
        time: Time,
        open: F,
    ) -> Self
    where
        F: Fn(Opening) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Namespace, NotRun>> + Send + 'static,
    {
        Self(Subject {
            name: name.into(),
            capabilities,
            backend,
            time,
            open: Arc::new(move |opening| open(opening).boxed()),
        })
    }

    /// A harness without its type.
    #[must_use]
    pub fn of<H: Harness>(harness: H) -> Self {
        Self(Subject::new(harness))
    }

    /// The store's name in reports.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Runs the rules that `options` select, as [`run`](crate::run) does.
    #[must_use]
    pub fn run(&self, options: &Options) -> Report {
        runner::run(self.0.clone(), &options.clone().rerun(Rerun::Library))
    }
}
