//! A store that keeps every rule: small, plain and slow. The broken stores are variants of it.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use futures_util::stream;
use session_core::{
    Capabilities, Clock, Created, Error, ErrorKind, Record, Replaced, Result, SessionCookie,
    SessionId, Store, StoreStream, Swept, Touched,
};

use crate::{Backend, Need};

pub(crate) mod hooks;

pub use hooks::ReferenceHarness;

/// What the backend keeps of a session.
#[derive(Clone, Debug)]
pub struct Row {
    /// The session's JSON.
    pub text: Arc<str>,
    /// When it ends.
    pub expires: Option<SystemTime>,
}

impl Row {
    /// The row of a record that is set.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        Self {
            text: Arc::clone(record.shared_json()),
            expires: record.expires(),
        }
    }

    /// Whether it has not ended at `now`.
    #[must_use]
    pub fn is_live(&self, now: SystemTime) -> bool {
        self.expires.is_none_or(|expires| expires > now)
    }

    /// The record in it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] if there is none.
    pub fn decode(&self) -> Result<Record> {
        Record::decode(Arc::clone(&self.text), self.expires.into())
    }
}

/// The rows of a namespace, in the order of their ids.
pub type Rows = BTreeMap<String, Row>;

/// What all handles of a namespace share.
#[derive(Debug, Default)]
struct Shelf {
    rows: Mutex<Rows>,
    foreign: AtomicBool,
    schema: AtomicBool,
    down: AtomicBool,
    lost_answer: AtomicBool,
    trips: AtomicU64,
    /// The backend's own clock: that of the first handle, whatever later ones are opened with.
    clock: OnceLock<Clock>,
}

/// The backend: namespaces by their names. It outlives the handles, as a server does.
#[derive(Clone, Debug, Default)]
pub struct Server(Arc<Mutex<HashMap<String, Arc<Shelf>>>>);

impl Server {
    /// A handle on a namespace, which is made if it is not there.
    #[must_use]
    pub fn open(&self, namespace: &str, clock: Clock) -> Reference {
        let mut shelves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let shelf = Arc::clone(shelves.entry(namespace.to_owned()).or_default());
        shelf.clock.get_or_init(|| clock.clone());
        Reference {
            shelf,
            server: self.clone(),
            namespace: namespace.to_owned(),
            clock,
            connections: None,
        }
    }

    fn remove(&self, namespace: &str) {
        let mut shelves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shelves.remove(namespace);
    }
}

/// A handle on the reference store. Clones are further handles on the same namespace.
#[derive(Clone)]
pub struct Reference {
    shelf: Arc<Shelf>,
    server: Server,
    namespace: String,
    clock: Clock,
    connections: Option<u32>,
}

/// Without the rows, which are full of ids and data.
impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reference")
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

impl Reference {
    /// Everything that a store can declare, but not [`server_ttl`](Capabilities::server_ttl):
    /// records of the past wait for a sweep.
    pub const CAPABILITIES: Capabilities = Capabilities::NONE
        .with_touch()
        .with_length()
        .with_clear()
        .with_all()
        .with_create()
        .with_replace()
        .with_sweep()
        .with_durable()
        .with_max_id_bytes(16 * 1024)
        .with_max_record_bytes(2 * 1024 * 1024);

    /// Every hook but the one for a clock that is not the suite's.
    pub const BACKEND: Backend = Backend::SERVER
        .offers(Need::Undecodable)
        .offers(Need::Fault)
        .offers(Need::RoundTrips)
        .offers(Need::Foreign)
        .offers(Need::Count)
        .offers(Need::Schema)
        .offers(Need::Crash)
        .offers(Need::Fixture)
        .lacks(Need::Skew, "the store reads the suite's clock");

    /// The same handle with so many connections; the reference needs none.
    #[must_use]
    pub fn with_connections(mut self, connections: Option<u32>) -> Self {
        self.connections = connections;
        self
    }

    /// How many connections the suite asked for.
    #[must_use]
    pub fn connections(&self) -> Option<u32> {
        self.connections
    }

    /// The rows as they are stored.
    pub fn rows(&self) -> MutexGuard<'_, Rows> {
        self.shelf
            .rows
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The time by which records end.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// The clock by which records end.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The backend's own time, for stores that end records by it.
    #[must_use]
    pub fn backend_now(&self) -> SystemTime {
        self.shelf.clock.get_or_init(|| self.clock.clone()).now()
    }

    /// The name of its namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Another handle, on another namespace of the same backend.
    #[must_use]
    pub fn elsewhere(&self, namespace: &str) -> Self {
        self.server.open(namespace, self.clock.clone())
    }

    /// Handles on every namespace of the backend.
    #[must_use]
    pub fn everywhere(&self) -> Vec<Self> {
        let shelves = self.server.0.lock().unwrap_or_else(PoisonError::into_inner);
        let names: Vec<_> = shelves.keys().cloned().collect();
        drop(shelves);
        names.iter().map(|name| self.elsewhere(name)).collect()
    }

    /// Whether things that are no sessions stand next to them.
    #[must_use]
    pub fn foreign(&self) -> &AtomicBool {
        &self.shelf.foreign
    }

    /// Whether the schema is there.
    #[must_use]
    pub fn schema(&self) -> &AtomicBool {
        &self.shelf.schema
    }

    /// One round trip to the backend.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] while the backend is broken.
    pub fn trip(&self, operation: &'static str) -> Result<()> {
        self.shelf.trips.fetch_add(1, Ordering::SeqCst);
        if self.shelf.down.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Unavailable, operation));
        }
        Ok(())
    }

    /// The way back: the answer may be lost after the work was done.
    fn answer<T>(&self, operation: &'static str, value: T) -> Result<T> {
        if self.shelf.lost_answer.swap(false, Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Unavailable, operation));
        }
        Ok(value)
    }

    fn check(operation: &'static str, id: &SessionId, record: Option<&Record>) -> Result<()> {
        let limits = Self::CAPABILITIES;
        if limits
            .max_id_bytes
            .is_some_and(|limit| id.as_str().len() > limit)
        {
            return Err(Error::new(ErrorKind::InvalidId, operation));
        }
        let size = record.map_or(0, |record| record.json().len());
        if limits.max_record_bytes.is_some_and(|limit| size > limit) {
            return Err(Error::new(ErrorKind::TooLarge, operation));
        }
        Ok(())
    }

    fn live(&self) -> Vec<(SessionId, Row)> {
        let now = self.now();
        self.rows()
            .iter()
            .filter(|(_, row)| row.is_live(now))
            .filter_map(|(id, row)| Some((SessionId::new(id).ok()?, row.clone())))
            .collect()
    }
}

#[async_trait]
impl Store for Reference {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        Self::check("get", id, None)?;
        self.trip("get")?;
        let now = self.now();
        let row = self.rows().get(id.as_str()).cloned();
        let record = row
            .filter(|row| row.is_live(now))
            .map(|row| row.decode())
            .transpose()?;
        self.answer("get", record)
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        Self::check("set", id, Some(record))?;
        self.trip("set")?;
        self.rows().insert(id.as_str().to_owned(), Row::of(record));
        self.answer("set", ())
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        Self::check("destroy", id, None)?;
        self.trip("destroy")?;
        self.rows().remove(id.as_str());
        self.answer("destroy", ())
    }

    fn capabilities(&self) -> Capabilities {
        Self::CAPABILITIES
    }

    async fn length(&self) -> Result<u64> {
        self.trip("length")?;
        let length = u64::try_from(self.live().len()).unwrap_or(u64::MAX);
        self.answer("length", length)
    }

    async fn clear(&self) -> Result<()> {
        self.trip("clear")?;
        self.rows().clear();
        self.answer("clear", ())
    }

    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        Self::check("touch", id, None)?;
        self.trip("touch")?;
        let now = self.now();
        let touched = match self
            .rows()
            .get_mut(id.as_str())
            .filter(|row| row.is_live(now))
        {
            Some(row) => {
                row.expires = cookie.expires();
                Touched::Touched
            }
            None => Touched::Missing,
        };
        self.answer("touch", touched)
    }

    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        Self::check("create", id, Some(record))?;
        self.trip("create")?;
        let now = self.now();
        let created = {
            let mut rows = self.rows();
            if rows.get(id.as_str()).is_some_and(|row| row.is_live(now)) {
                Created::Exists
            } else {
                rows.insert(id.as_str().to_owned(), Row::of(record));
                Created::Created
            }
        };
        self.answer("create", created)
    }

    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        Self::check("replace", id, Some(new))?;
        self.trip("replace")?;
        let now = self.now();
        let replaced = match self
            .rows()
            .get_mut(id.as_str())
            .filter(|row| row.is_live(now))
        {
            None => Replaced::Missing,
            Some(row) if *row.text != *old.json() => Replaced::Conflict,
            Some(row) => {
                *row = Row::of(new);
                Replaced::Replaced
            }
        };
        self.answer("replace", replaced)
    }

    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        if let Err(error) = self.trip("all") {
            return Box::pin(stream::iter([Err(error)]));
        }
        let found = match self.answer("all", self.live()) {
            Ok(found) => found.into_iter(),
            Err(error) => return Box::pin(stream::iter([Err(error)])),
        };
        Box::pin(stream::iter(found.map(|(id, row)| Ok((id, row.decode()?)))))
    }

    fn ids(&self) -> StoreStream<'_, SessionId> {
        if let Err(error) = self.trip("ids") {
            return Box::pin(stream::iter([Err(error)]));
        }
        match self.answer("ids", self.live()) {
            Ok(found) => Box::pin(stream::iter(found.into_iter().map(|(id, _)| Ok(id)))),
            Err(error) => Box::pin(stream::iter([Err(error)])),
        }
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        self.trip("sweep")?;
        let now = self.now();
        let swept = {
            let mut rows = self.rows();
            let expired = |rows: &Rows| -> Vec<String> {
                let over = rows.iter().filter(|(_, row)| !row.is_live(now));
                over.map(|(id, _)| id.clone()).collect()
            };
            let over = expired(&rows);
            for id in over.iter().take(limit) {
                rows.remove(id);
            }
            Swept {
                removed: over.len().min(limit),
                more: over.len() > limit,
            }
        };
        self.answer("sweep", swept)
    }
}
