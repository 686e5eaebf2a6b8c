//! sled lets one process have a database open. The suite's rules on crashes let another process
//! write while handles are open here: these let go of it and take it up again.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, RwLock, Weak};

use async_trait::async_trait;
use futures_util::StreamExt as _;
use futures_util::stream;
use session_conformance::NotRun;
use session_core::{
    Capabilities, Created, Record, Replaced, Result, SessionCookie, SessionId, Store, StoreStream,
    Swept, Touched,
};
use session_sled::{SledStore, SledStoreBuilder, sled};

/// The databases that are open, by path: a second opening of a namespace shares the first one's.
static OPEN: LazyLock<Mutex<HashMap<PathBuf, Weak<Database>>>> = LazyLock::new(Mutex::default);

pub(crate) struct Database {
    path: PathBuf,
    db: RwLock<Option<sled::Db>>,
    passing: AtomicBool,
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.passing.load(Ordering::Relaxed) {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

impl Database {
    /// The database of a namespace, opened if it is not.
    pub(crate) fn of(namespace: &str) -> std::result::Result<Arc<Self>, NotRun> {
        Self::at(&Path::new(env!("CARGO_TARGET_TMPDIR")).join(namespace))
    }

    /// The same, to be removed with the last that uses it.
    pub(crate) fn passing(namespace: &str) -> std::result::Result<Arc<Self>, NotRun> {
        let database = Self::of(namespace)?;
        database.passing.store(true, Ordering::Relaxed);
        Ok(database)
    }

    fn at(path: &Path) -> std::result::Result<Arc<Self>, NotRun> {
        let mut open = OPEN.lock().unwrap();
        if let Some(database) = open.get(path).and_then(Weak::upgrade) {
            return Ok(database);
        }
        let database = Arc::new(Self {
            path: path.to_owned(),
            db: RwLock::default(),
            passing: AtomicBool::new(false),
        });
        database.open()?;
        open.insert(path.to_owned(), Arc::downgrade(&database));
        Ok(database)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn db(&self) -> sled::Db {
        self.db.read().unwrap().clone().expect("it is open")
    }

    pub(crate) fn close(&self) {
        *self.db.write().unwrap() = None;
    }

    /// sled keeps its lock for a moment after the last handle is gone.
    pub(crate) fn open(&self) -> std::result::Result<(), NotRun> {
        let config = sled::Config::new().path(&self.path).flush_every_ms(None);
        let started = std::time::Instant::now();
        let db = loop {
            match config.open() {
                Err(error) if started.elapsed().as_secs() < 10 => {
                    assert!(error.to_string().contains("lock"), "{error}");
                    std::thread::yield_now();
                }
                opened => break opened?,
            }
        };
        *self.db.write().unwrap() = Some(db);
        Ok(())
    }
}

/// A handle on a database that may be closed and opened meanwhile.
pub(crate) struct Handle {
    pub(crate) database: Arc<Database>,
    pub(crate) builder: SledStoreBuilder,
}

impl Handle {
    fn store(&self) -> Result<SledStore> {
        self.builder.clone().build_on(&self.database.db())
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store().fmt(f)
    }
}

#[async_trait]
impl Store for Handle {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        self.store()?.get(id).await
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        self.store()?.set(id, record).await
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        self.store()?.destroy(id).await
    }

    fn capabilities(&self) -> Capabilities {
        self.store().unwrap().capabilities()
    }

    async fn length(&self) -> Result<u64> {
        self.store()?.length().await
    }

    async fn clear(&self) -> Result<()> {
        self.store()?.clear().await
    }

    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        self.store()?.touch(id, cookie).await
    }

    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        self.store()?.create(id, record).await
    }

    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        self.store()?.replace(id, old, new).await
    }

    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        // Collected at once: the store may have to let go of its database.
        let all = async { self.store().unwrap().all().collect::<Vec<_>>().await };
        stream::once(all).flat_map(stream::iter).boxed()
    }

    fn ids(&self) -> StoreStream<'_, SessionId> {
        let ids = async { self.store().unwrap().ids().collect::<Vec<_>>().await };
        stream::once(ids).flat_map(stream::iter).boxed()
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        self.store()?.sweep(limit).await
    }
}
