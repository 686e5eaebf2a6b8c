//! What a store author implements.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use session_core::{
    Capabilities, Clock, Created, Error, ErrorKind, Record, Replaced, SessionCookie, SessionId,
    Store, Touched,
};

use crate::Backend;

/// How the suite opens a store: the one thing that a store author writes.
///
/// ```
/// # use std::collections::HashMap;
/// # use std::sync::{Arc, Mutex};
/// # use session_conformance::__doc::MapStore;
/// use session_conformance::{Backend, Harness, Namespace, NotRun, Opening, Time};
/// use session_core::{Capabilities, Store};
///
/// struct Maps;
///
/// impl Harness for Maps {
///     const NAME: &'static str = "a map behind a mutex";
///     const CAPABILITIES: Capabilities = Capabilities::NONE;
///     const BACKEND: Backend = Backend::IN_PROCESS;
///     const TIME: Time = Time::Manual;
///
///     async fn open(&self, opening: Opening) -> Result<Namespace, NotRun> {
///         let store = MapStore::with_clock(opening.clock);
///         Ok(Namespace::new(store.clone(), store))
///     }
/// }
/// # let report = session_conformance::run(Maps, session_conformance::Options::new());
/// # assert_eq!(report.exit_code(), 0, "{}", report.to_text());
/// ```
pub trait Harness: Send + Sync + 'static {
    /// The store's name in reports.
    const NAME: &'static str;

    /// What the store declares; the same as its [`Store::capabilities`] (PRE-04).
    const CAPABILITIES: Capabilities;

    /// What kind of backend it has, and which [`Hooks`] are offered.
    const BACKEND: Backend;

    /// Whose clock ends the records.
    const TIME: Time;

    /// Opens a part of the backend that nobody else uses, empty unless it was opened before under
    /// the same name.
    ///
    /// An error means that the environment is missing (no server, no permission), not that the
    /// store is wrong: the rule is NOT RUN. Any error converts with `?`.
    fn open(&self, opening: Opening) -> impl Future<Output = Result<Namespace, NotRun>> + Send;
}

impl<H: Harness> Harness for Arc<H> {
    const NAME: &'static str = H::NAME;
    const CAPABILITIES: Capabilities = H::CAPABILITIES;
    const BACKEND: Backend = H::BACKEND;
    const TIME: Time = H::TIME;

    fn open(&self, opening: Opening) -> impl Future<Output = Result<Namespace, NotRun>> + Send {
        (**self).open(opening)
    }
}

/// Whose clock ends the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// The store reads [`Opening::clock`] and nothing else: the suite moves that clock and never
    /// sleeps.
    Manual,
    /// The backend has a clock of its own: the suite sleeps, all rules at the same time.
    Real {
        /// The smallest step in which the backend's clock or its answers move.
        resolution: Duration,
        /// How much later than due the backend may let go of a record. The time of a round trip
        /// and the offset between its clock and this machine's count, too.
        lag: Duration,
    },
}

/// What the suite wants opened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Opening {
    /// A name of lower-case letters, digits and underscores, at most 40 characters, new in each
    /// rule of each run: a key prefix, a table, a schema, a directory.
    pub namespace: String,
    /// The clock that the store must read: a manual one under [`Time::Manual`].
    pub clock: Clock,
    /// If set, the number of connections that each handle's pool is to have.
    pub connections: Option<u32>,
    /// Whether all handles of this namespace were closed before, and what is in it must be there
    /// still. Where it is `false` and the name is known, further handles are opened beside others.
    pub reopened: bool,
}

impl Opening {
    /// A fresh namespace of this name, for a test of one's own.
    ///
    /// ```
    /// use session_conformance::Opening;
    /// use session_core::Clock;
    ///
    /// let opening = Opening::new("one_of_mine", Clock::system());
    /// assert!(!opening.reopened && opening.connections.is_none());
    /// ```
    #[must_use]
    pub fn new(namespace: impl Into<String>, clock: Clock) -> Self {
        Self {
            namespace: namespace.into(),
            clock,
            connections: None,
            reopened: false,
        }
    }
}

/// An opened namespace: two handles, and the hooks that the harness offers.
pub struct Namespace {
    pub(crate) handles: [Arc<dyn Store>; 2],
    pub(crate) hooks: Arc<dyn Hooks>,
    pub(crate) secrets: Vec<String>,
}

impl Namespace {
    /// Two handles on one namespace, opened independently of each other where the backend allows
    /// it: two connections or pools, as two processes would have.
    #[must_use]
    pub fn new(first: impl Store, second: impl Store) -> Self {
        Self::shared(Arc::new(first), Arc::new(second))
    }

    /// The same for handles that are shared already.
    #[must_use]
    pub fn shared(first: Arc<dyn Store>, second: Arc<dyn Store>) -> Self {
        Self {
            handles: [first, second],
            hooks: Arc::new(NoHooks),
            secrets: Vec::new(),
        }
    }

    /// One handle, for a store that allows no second one; the harness says so with
    /// [`Backend::lacks`] and [`Need::SecondHandle`](crate::Need::SecondHandle).
    #[must_use]
    pub fn single(handle: impl Store) -> Self {
        let handle: Arc<dyn Store> = Arc::new(handle);
        Self::shared(Arc::clone(&handle), handle)
    }

    /// Adds what the harness can do behind the store's back.
    #[must_use]
    pub fn with_hooks(mut self, hooks: impl Hooks) -> Self {
        self.hooks = Arc::new(hooks);
        self
    }

    /// Adds a text that must not appear in any error or `Debug`: a password, a connection string.
    /// Of a URL only the user info and the query are secret: an error may name the host.
    #[must_use]
    pub fn with_secret(mut self, secret: impl Into<String>) -> Self {
        self.secrets.extend(crate::secret::parts(&secret.into()));
        self
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Namespace")
            .field("handles", &self.handles)
            .finish_non_exhaustive()
    }
}

/// A write of a process that is about to die. All of them do what they are to do: nobody else
/// writes meanwhile.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Write {
    /// [`Store::set`].
    Set(SessionId, Record),
    /// [`Store::destroy`].
    Destroy(SessionId),
    /// [`Store::create`], where no live record is.
    Create(SessionId, Record),
    /// [`Store::replace`] of the first record by the second one.
    Replace(SessionId, Record, Record),
    /// [`Store::touch`] of a live record.
    Touch(SessionId, SessionCookie),
    /// [`Store::clear`].
    Clear,
}

impl Write {
    /// Does it: for a harness that has a process of its own to kill.
    ///
    /// # Errors
    ///
    /// Those of the store; [`ErrorKind::Other`] if it answered that it wrote nothing.
    pub async fn apply(&self, store: &dyn Store) -> session_core::Result<()> {
        let done = match self {
            Self::Set(id, record) => store.set(id, record).await.map(|()| true)?,
            Self::Destroy(id) => store.destroy(id).await.map(|()| true)?,
            Self::Create(id, record) => store.create(id, record).await? == Created::Created,
            Self::Replace(id, old, new) => store.replace(id, old, new).await? == Replaced::Replaced,
            Self::Touch(id, cookie) => store.touch(id, cookie).await? == Touched::Touched,
            Self::Clear => store.clear().await.map(|()| true)?,
        };
        if done {
            Ok(())
        } else {
            Err(Error::new(ErrorKind::Other, "a write that did nothing"))
        }
    }
}

/// What a harness can do with a namespace behind the store's back. Each method is declared in
/// [`Backend`]; [`remove`](Self::remove) and [`leftovers`](Self::leftovers) are not, because no
/// rule depends on them.
///
/// A hook that cannot do its work this time answers [`NotRun`], and so does the rule.
#[async_trait]
pub trait Hooks: Send + Sync + 'static {
    /// Puts something under `id` that is no record: half a JSON text, for example (GET-06).
    async fn write_undecodable(&self, id: &SessionId) -> Result<(), NotRun> {
        let _ = id;
        not_offered("write_undecodable")
    }

    /// Makes the backend unreachable for this namespace's handles: a stopped server, a closed
    /// proxy (ERR-01).
    async fn break_backend(&self) -> Result<(), NotRun> {
        not_offered("break_backend")
    }

    /// Undoes [`break_backend`](Self::break_backend) (ERR-02).
    async fn heal_backend(&self) -> Result<(), NotRun> {
        not_offered("heal_backend")
    }

    /// Cuts the connection after the backend has received the next request and before its answer
    /// arrives (ERR-05).
    async fn lose_next_answer(&self) -> Result<(), NotRun> {
        not_offered("lose_next_answer")
    }

    /// How many round trips this namespace's handles have made so far (TCH-07, OBS-02).
    async fn round_trips(&self) -> Result<u64, NotRun> {
        not_offered("round_trips")
    }

    /// Puts things next to the sessions that are none: keys without the prefix, keys that a
    /// careless pattern would match, another table (LEN-06, CLR-07).
    async fn write_foreign(&self) -> Result<(), NotRun> {
        not_offered("write_foreign")
    }

    /// Whether all that [`write_foreign`](Self::write_foreign) wrote is still there.
    async fn foreign_intact(&self) -> Result<bool, NotRun> {
        not_offered("foreign_intact")
    }

    /// How many ids have something physically stored in this namespace (EXP-12, CLR-05, SWP-01):
    /// a record, expired or not, or an entry of an index whose record is gone. A record and its
    /// own index entries count once.
    async fn count(&self) -> Result<u64, NotRun> {
        not_offered("count")
    }

    /// Runs the store's migration once, as a starting process would (CON-09). The inner result is
    /// the store's own: an error in it is a failure of the rule.
    async fn migrate(&self) -> Result<session_core::Result<()>, NotRun> {
        not_offered("migrate")
    }

    /// Does the writes in another process and kills it without warning as soon as the last one
    /// has returned (DUR-02, DUR-04, KIL-SET and the others of that group).
    async fn write_and_crash(&self, writes: Vec<Write>) -> Result<(), NotRun> {
        let _ = writes;
        not_offered("write_and_crash")
    }

    /// Puts what an older version of the store wrote into the namespace, and says what is to be
    /// read from it (DUR-03).
    async fn load_fixture(&self) -> Result<Vec<(SessionId, Record)>, NotRun> {
        not_offered("load_fixture")
    }

    /// Removes the namespace with all that is in it: drop the table, delete the directory. Without
    /// it, the suite destroys the ids that it used.
    async fn remove(&self) -> Result<(), NotRun> {
        not_offered("remove")
    }

    /// Names what is left in the namespace, for the report of a rule that failed.
    async fn leftovers(&self) -> Result<Vec<String>, NotRun> {
        not_offered("leftovers")
    }
}

fn not_offered<T>(hook: &str) -> Result<T, NotRun> {
    Err(NotRun::because(format!(
        "the harness declares the hook `{hook}`, but does not implement it"
    )))
}

#[derive(Debug)]
struct NoHooks;

impl Hooks for NoHooks {}

/// Why something could not be tried: the environment is missing. Never a pass, never a failure.
///
/// Converts from any error, so that `?` works in [`Harness::open`] and in [`Hooks`].
#[derive(Clone)]
pub struct NotRun(pub(crate) String);

impl NotRun {
    /// Says what is missing.
    #[must_use]
    pub fn because(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Debug for NotRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NOT RUN: {}", self.0)
    }
}

impl<E: std::error::Error> From<E> for NotRun {
    fn from(error: E) -> Self {
        let mut reason = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            reason.push_str(": ");
            reason.push_str(&cause.to_string());
            source = cause.source();
        }
        Self(reason)
    }
}
