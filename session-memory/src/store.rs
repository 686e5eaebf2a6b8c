use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use session_core::{
    Capabilities, Created, Record, Renewal, Renewed, Replaced, Result, SessionCookie, SessionId,
    Store, StoreStream, Swept, Touched,
};

use crate::sessions::Sessions;
use crate::walk::Walk;
use crate::{MemoryStoreBuilder, Sweeper};

/// A session store in the memory of this process.
///
/// Clones are handles on the same sessions. Its operations never wait for anything but a short
/// lock on one of the store's shards, and none of them fails.
///
/// # Expiry
///
/// A session that has ended is gone for readers at once, to the millisecond. Its memory is given
/// back by a [`sweeper`](Self::sweeper), by [`sweep`](Store::sweep), or by other operations on its
/// shard, each of which removes up to two expired sessions on its way.
///
/// # Eviction
///
/// With [`max_sessions`](MemoryStoreBuilder::max_sessions) the store never holds more than that
/// many, expired ones whose memory was not given back yet included. A new session that finds no
/// place takes that of another one in its shard. A hand goes round the shard for this ("clock", or
/// second chance): a session that was read, touched or written again since the hand last passed it
/// is spared once, and the first one that was not, or has expired, goes. When 64 in a row were
/// spared, the next one goes in any case, so that no write takes long. No session is evicted by its
/// own write. Where the shard is empty, a session of another shard goes.
#[derive(Clone)]
pub struct MemoryStore {
    sessions: Arc<Sessions>,
}

impl MemoryStore {
    /// What the store can do: everything but what takes a server or a disk.
    pub const CAPABILITIES: Capabilities = Capabilities::NONE
        .with_touch()
        .with_get_and_touch()
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
        self.sessions.set(id, record);
        Ok(())
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        self.sessions.destroy(id);
        Ok(())
    }

    fn capabilities(&self) -> Capabilities {
        Self::CAPABILITIES.with_default_ttl(self.sessions.default_ttl())
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

    async fn get_and_touch(
        &self,
        id: &SessionId,
        renewal: &Renewal,
    ) -> Result<Option<(Record, Renewed)>> {
        Ok(self.sessions.get_and_touch(id, renewal))
    }

    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        Ok(self.sessions.create(id, record))
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
