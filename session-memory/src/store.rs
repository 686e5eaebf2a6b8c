use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use session_core::{
    Capabilities, Created, Error, ErrorKind, Record, Replaced, Result, SessionCookie, SessionId,
    Store, StoreStream, Swept, Touched,
};

use crate::builder::DAY;
use crate::sessions::{Full, Sessions};
use crate::walk::Walk;
use crate::{MemoryStoreBuilder, Sweeper};

/// A session store in the memory of this process.
///
/// Clones are handles on the same sessions. Its operations never wait for anything but a short
/// lock on one of the store's shards, and none of them fails but for want of [room](#eviction).
///
/// # Expiry
///
/// A session that has ended is gone for readers at once, to the millisecond. Its memory is given
/// back by a [`sweeper`](Self::sweeper), by [`sweep`](Store::sweep), or by other operations on its
/// shard, each of which removes up to two expired sessions on its way.
///
/// A session whose cookie ends with the browser ends [a day](MemoryStoreBuilder::ttl) after it was
/// last written or touched.
///
/// # Eviction
///
/// The store never holds more than [`max_sessions`](MemoryStoreBuilder::max_sessions) sessions, by
/// default 100,000, expired ones whose memory was not given back yet included. What holds at that
/// bound:
///
/// - **A session that has come back is never evicted**: once it was read or touched after it was
///   made, it stays until it ends. A visitor's has, with the second request.
/// - A new session takes the place of one that nobody has come back to, of its own shard if there is
///   one there, each in turn. Crawlers and scripts that never send a cookie again leave only such.
/// - Where every session has come back, a new one is refused: `set` and `create` fail with
///   [`ErrorKind::Unavailable`], which is a 503. This includes a change of an id, as at a sign-in:
///   the old session goes only after the new one was stored. Those that are there can be read, changed,
///   extended and destroyed as ever. It takes as many visitors who come back, or one who plays them
///   all: how fast somebody may make sessions is for a limit on requests to say.
///
/// An empty session takes about 250 bytes, all others that and their data.
#[derive(Clone)]
pub struct MemoryStore {
    sessions: Arc<Sessions>,
}

impl MemoryStore {
    /// What the store can do with its default options: everything but what takes a server or a disk.
    pub const CAPABILITIES: Capabilities = Capabilities::NONE
        .with_default_ttl(Some(DAY))
        .with_touch()
        .with_length()
        .with_clear()
        .with_all()
        .with_create()
        .with_replace()
        .with_sweep();

    /// An empty store with the default options.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// The options of a store.
    pub fn builder() -> MemoryStoreBuilder {
        MemoryStoreBuilder::default()
    }

    pub(crate) fn from_sessions(sessions: Sessions) -> Self {
        Self {
            sessions: Arc::new(sessions),
        }
    }

    /// Starts a thread that removes expired sessions every `interval` (at least a millisecond),
    /// until the returned handle is dropped.
    ///
    /// It works in short turns, so that no operation waits long for it. A minute is a good
    /// interval: readers do not see expired sessions in the meantime.
    ///
    /// # Panics
    ///
    /// If the operating system refuses to start a thread.
    pub fn sweeper(&self, interval: Duration) -> Sweeper {
        let sessions = Arc::downgrade(&self.sessions);
        Sweeper::start(interval, move |limit| {
            Some(Ok(sessions.upgrade()?.sweep(limit)))
        })
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("stored", &self.sessions.stored())
            .field("shards", &self.sessions.shard_count())
            .finish_non_exhaustive()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for MemoryStore {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        Ok(self.sessions.get(id))
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        self.sessions
            .set(id, record)
            .map_err(|full| refused("set", full))
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        self.sessions.destroy(id);
        Ok(())
    }

    fn capabilities(&self) -> Capabilities {
        Self::CAPABILITIES.with_default_ttl(self.sessions.ttl())
    }

    async fn length(&self) -> Result<u64> {
        Ok(self.sessions.length() as u64)
    }

    async fn clear(&self) -> Result<()> {
        self.sessions.clear();
        Ok(())
    }

    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        Ok(self.sessions.touch(id, cookie))
    }

    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        self.sessions
            .create(id, record)
            .map_err(|full| refused("create", full))
    }

    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        Ok(self.sessions.replace(id, old, new))
    }

    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        Box::pin(Walk::new(&self.sessions, |sessions, id| {
            let record = sessions.peek(&id)?;
            Some((id, record))
        }))
    }

    fn ids(&self) -> StoreStream<'_, SessionId> {
        Box::pin(Walk::new(&self.sessions, |sessions, id| {
            sessions.contains(&id).then_some(id)
        }))
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        Ok(self.sessions.sweep(limit))
    }
}

fn refused(operation: &'static str, full: Full) -> Error {
    Error::new(ErrorKind::Unavailable, operation).with_message(format!(
        "the memory store holds its {} sessions, and all of them are in use; max_sessions sets how \
         many there may be",
        full.max_sessions
    ))
}
