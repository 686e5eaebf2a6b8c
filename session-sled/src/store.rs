use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use session_core::{
    Capabilities, Created, Record, Replaced, Result, SessionCookie, SessionId, Store, StoreStream,
    Sweeper, Swept, Touched,
};

use crate::policy::{Flush, Options, Reads};
use crate::pool::{Lane, contained, offload};
use crate::sessions::Sessions;
use crate::walk;

/// A session store in a directory of this machine, without a server.
///
/// Clones are handles on the same sessions, and so are stores of one
/// [`namespace`](crate::SledStoreBuilder::namespace) on one `sled::Db`. The database closes, flushed, with
/// the last of them: that drop waits for the disk.
///
/// # Writes
///
/// A session is a record and an entry in an index by expiry, under its end or an earlier time. What
/// changes whether there is a session, or lets it end before that time, writes both and the count of
/// all in one transaction: sled has one lock for the transactions of a process, so that they wait for
/// each other, and for a moment everything else does. What changes or extends a session writes its
/// record alone; the entry follows when a sweep comes to it after that time. A `touch` leaves the data as it is, and copies it: it costs what writing the record does. The
/// first byte of a record is the version of its layout.
///
/// A call that is dropped half way either changes nothing or comes to its end on its thread.
///
/// # Expiry
///
/// Ended sessions are gone for readers at once, to the millisecond. Their space is given back by a
/// [`sweeper`](Self::sweeper) or by [`sweep`](Store::sweep), which takes as long as there are
/// sessions that have ended, or were extended beyond the time that they are filed under (each comes
/// up once in its max age), however many others there are. A sweeper does that in short turns; one
/// call of `sweep` goes on until there is nothing left to be removed, or its limit is reached and
/// there is. `length` reads the same entries, and writes nothing: it does not walk over the others.
#[derive(Clone)]
pub struct SledStore {
    sessions: Arc<Sessions>,
    options: Arc<Options>,
}

impl SledStore {
    /// What the store can do with the default options. With [`Flush::EveryWrite`] it is also
    /// [`durable`](Capabilities::durable).
    pub const CAPABILITIES: Capabilities = Capabilities::NONE
        .with_touch()
        .with_length()
        .with_clear()
        .with_all()
        .with_create()
        .with_replace()
        .with_sweep()
        .with_default_ttl(Some(Duration::from_secs(86_400)));

    pub(crate) fn new(sessions: Sessions, options: Options) -> Self {
        Self {
            sessions: Arc::new(sessions),
            options: Arc::new(options),
        }
    }

    /// Writes out what every store of this database has written; see [`Flush`].
    ///
    /// # Errors
    ///
    /// [`Unavailable`](session_core::ErrorKind::Unavailable) for a disk that is full or broken.
    pub async fn flush(&self) -> Result<()> {
        self.offload(Lane::Long, "flush", |sessions| sessions.flush("flush"))
            .await
    }

    /// Starts a thread that removes ended sessions every `interval` (at least a millisecond), until
    /// the returned handle is dropped. A minute is a good interval.
    ///
    /// # Panics
    ///
    /// If the operating system refuses to start a thread.
    pub fn sweeper(&self, interval: Duration) -> Sweeper {
        let sessions = Arc::downgrade(&self.sessions);
        Sweeper::start(interval, move |limit| {
            let sessions = sessions.upgrade()?;
            Some(contained("sweep", || sessions.sweep_some(limit, limit)))
        })
    }

    async fn offload<T: Send + 'static>(
        &self,
        lane: Lane,
        operation: &'static str,
        work: impl FnOnce(&Sessions) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let sessions = Arc::clone(&self.sessions);
        offload(lane, operation, move || work(&sessions)).await
    }
}

impl fmt::Debug for SledStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SledStore")
            .field("namespace", &self.options.namespace)
            .field("ttl", &self.sessions.ttl)
            .field("flush", &self.options.flush)
            .field("reads", &self.options.reads)
            .finish_non_exhaustive()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for SledStore {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        match self.options.reads {
            Reads::OnTheCaller => contained("get", || self.sessions.get(id)),
            Reads::OnThePool => {
                let id = id.clone();
                self.offload(Lane::Short, "get", move |sessions| sessions.get(&id))
                    .await
            }
        }
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let (id, record) = (id.clone(), record.clone());
        self.offload(Lane::Short, "set", move |sessions| {
            sessions.set(&id, &record)
        })
        .await
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        let id = id.clone();
        self.offload(Lane::Short, "destroy", move |sessions| {
            sessions.destroy(&id)
        })
        .await
    }

    fn capabilities(&self) -> Capabilities {
        let capabilities = Self::CAPABILITIES.with_default_ttl(self.sessions.ttl);
        match self.options.flush {
            Flush::EveryWrite => capabilities.with_durable(),
            Flush::Every(_) | Flush::ByCaller => capabilities,
        }
    }

    async fn length(&self) -> Result<u64> {
        self.offload(Lane::Long, "length", Sessions::length).await
    }

    async fn clear(&self) -> Result<()> {
        self.offload(Lane::Long, "clear", Sessions::clear).await
    }

    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        let (id, cookie) = (id.clone(), cookie.clone());
        self.offload(Lane::Short, "touch", move |sessions| {
            sessions.touch(&id, &cookie)
        })
        .await
    }

    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        let (id, record) = (id.clone(), record.clone());
        self.offload(Lane::Short, "create", move |sessions| {
            sessions.create(&id, &record)
        })
        .await
    }

    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        let (id, old, new) = (id.clone(), old.clone(), new.clone());
        self.offload(Lane::Short, "replace", move |sessions| {
            sessions.replace(&id, &old, &new)
        })
        .await
    }

    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        walk::records(Arc::clone(&self.sessions)).boxed()
    }

    fn ids(&self) -> StoreStream<'_, SessionId> {
        walk::ids(Arc::clone(&self.sessions)).boxed()
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        self.offload(Lane::Long, "sweep", move |sessions| sessions.sweep(limit))
            .await
    }
}
