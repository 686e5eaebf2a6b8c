use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, io};

use session_core::{Clock, Result};
use sled::Db;

use crate::error::{failed, is_locked, not_opened};
use crate::policy::{Flush, Options, Reads};
use crate::pool::{Lane, offload};
use crate::sessions::Sessions;
use crate::store::SledStore;

/// How long opening waits for a database to be closed: sled keeps its lock for some milliseconds
/// after the last handle is gone, and a process that is being replaced may take a moment to end.
const LOCK_WAIT: Duration = Duration::from_secs(1);
const LOCK_POLL: Duration = Duration::from_millis(5);

/// The options of a [`SledStore`], from [`SledStore::builder`].
///
/// | option | default |
/// |---|---|
/// | [`namespace`](Self::namespace) | `sessions` |
/// | [`ttl`](Self::ttl) | 86,400 s |
/// | [`flush`](Self::flush) | [`Flush::Every`] 500 ms |
/// | [`reads`](Self::reads) | [`Reads::OnTheCaller`] |
/// | [`cache_bytes`](Self::cache_bytes) | 64 MiB |
/// | [`clock`](Self::clock) | the system's |
///
/// The last call says where the sessions are: [`open`](Self::open) or [`build_on`](Self::build_on).
#[derive(Clone, Debug)]
#[must_use]
pub struct SledStoreBuilder {
    namespace: String,
    ttl: Option<Duration>,
    flush: Flush,
    reads: Reads,
    cache_bytes: u64,
    clock: Clock,
}

impl Default for SledStoreBuilder {
    fn default() -> Self {
        Self {
            namespace: "sessions".into(),
            ttl: Some(Duration::from_secs(86_400)),
            flush: Flush::default(),
            reads: Reads::default(),
            cache_bytes: 64 << 20,
            clock: Clock::system(),
        }
    }
}

impl SledStore {
    /// A store with the default options in a directory; see [`SledStoreBuilder::open`].
    ///
    /// # Errors
    ///
    /// As [`SledStoreBuilder::open`].
    pub async fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::builder().open(path).await
    }

    /// The options of a store.
    pub fn builder() -> SledStoreBuilder {
        SledStoreBuilder::default()
    }
}

impl SledStoreBuilder {
    /// The name of this store within its database, any text. Its sessions are in the trees
    /// `NAME/records` and `NAME/expiries`; no other tree is touched.
    pub fn namespace(mut self, name: impl Into<String>) -> Self {
        self.namespace = name.into();
        self
    }

    /// How long a session whose cookie ends with the browser lives after it was last written or
    /// touched, at least a millisecond; `None` for until it is destroyed.
    pub fn ttl(mut self, ttl: impl Into<Option<Duration>>) -> Self {
        self.ttl = ttl.into().map(|ttl| ttl.max(Duration::from_millis(1)));
        self
    }

    /// When writes leave this process's memory.
    pub fn flush(mut self, flush: Flush) -> Self {
        self.flush = flush;
        self
    }

    /// Which thread reads.
    pub fn reads(mut self, reads: Reads) -> Self {
        self.reads = reads;
        self
    }

    /// How many bytes of the database sled keeps in memory, about; of one that [`open`](Self::open)
    /// opens.
    pub fn cache_bytes(mut self, bytes: u64) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// The clock that decides what has expired: for tests.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// A store in a directory, which is made if it is not there, for this user alone. One process
    /// can have it open at a time; one that still has it is waited for, for a second.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](session_core::ErrorKind::Unavailable) if the directory cannot be used or is
    /// in use.
    pub async fn open(self, path: impl AsRef<Path>) -> Result<SledStore> {
        let path = path.as_ref().to_owned();
        offload(Lane::Long, "open", move || {
            let db = self.database(&path)?;
            self.build(&db)
        })
        .await
    }

    /// A store in a database that is open already: beside other stores under other names, or beside
    /// the application's own trees. Stores of one name share their sessions.
    ///
    /// The database is flushed as it was configured, and with [`Flush::EveryWrite`] also after each
    /// write of this store.
    ///
    /// # Errors
    ///
    /// As sled has them.
    pub fn build_on(self, db: &Db) -> Result<SledStore> {
        self.build(db)
    }

    fn database(&self, path: &PathBuf) -> Result<Db> {
        let every = match self.flush {
            Flush::Every(every) => {
                Some(u64::try_from(every.as_millis()).unwrap_or(u64::MAX).max(1))
            }
            Flush::EveryWrite | Flush::ByCaller => None,
        };
        let config = sled::Config::new()
            .path(path)
            .cache_capacity(self.cache_bytes)
            .flush_every_ms(every);
        private_directory(path).map_err(|error| not_opened(path, error.into()))?;
        let started = Instant::now();
        loop {
            match config.open() {
                Ok(db) => return Ok(db),
                Err(error) if is_locked(&error) && started.elapsed() < LOCK_WAIT => {
                    std::thread::sleep(LOCK_POLL);
                }
                Err(error) => return Err(not_opened(path, error)),
            }
        }
    }

    fn build(self, db: &Db) -> Result<SledStore> {
        let tree = |suffix: &str| {
            let tree = db.open_tree(format!("{}/{suffix}", self.namespace));
            tree.map_err(|error| failed("open", error))
        };
        let sessions = Sessions {
            db: db.clone(),
            records: tree("records")?,
            expiries: tree("expiries")?,
            clock: self.clock.clone(),
            ttl: self.ttl,
            flushes: self.flush == Flush::EveryWrite,
        };
        let options = Options {
            namespace: self.namespace,
            flush: self.flush,
            reads: self.reads,
        };
        Ok(SledStore::new(sessions, options))
    }
}

/// Sessions are secrets: a directory of our own making is for its owner alone.
fn private_directory(path: &Path) -> io::Result<()> {
    let mut directory = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut directory, 0o700);
    directory.recursive(true).create(path)
}
