use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use session_memory::MemoryStore;
use session_tower::{
    Clock, Error, ErrorKind, Lifecycle, Secrets, SessionCookie, SessionId, SessionOptions, Store,
};
use tokio::sync::Semaphore;

use session_core::{
    Capabilities, Created, Record, Replaced, Result, StoreStream, StoredExpiry, Swept, Touched,
};

use super::{SECRET, start};

/// A memory store with a manual clock that writes down what it is asked, fails on demand and
/// waits at gates. Clones are handles on the same one.
#[derive(Clone, Debug)]
pub struct Probe {
    inner: MemoryStore,
    clock: Clock,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    calls: Mutex<Vec<&'static str>>,
    fault: Mutex<Option<(&'static str, ErrorKind)>>,
    gate: Mutex<Option<(&'static str, Gate)>>,
    /// Rows of other programs that are no sessions.
    foreign_rows: Mutex<HashMap<SessionId, String>>,
}

/// Where a store operation waits until a test lets it on.
#[derive(Clone, Debug)]
pub struct Gate {
    reached: Arc<Semaphore>,
    open: Arc<Semaphore>,
}

impl Gate {
    pub fn new() -> Self {
        Self {
            reached: Arc::new(Semaphore::new(0)),
            open: Arc::new(Semaphore::new(0)),
        }
    }

    /// Waits until one more operation stands at the gate.
    pub async fn reached(&self) {
        let permit = self.reached.acquire().await;
        permit.expect("the semaphore is never closed").forget();
    }

    /// Lets everybody pass, now and later.
    pub fn open(&self) {
        self.open.close();
    }

    /// Waits until the gate is opened.
    pub async fn pass(&self) {
        self.reached.add_permits(1);
        let closed = self.open.acquire().await;
        assert!(closed.is_err(), "a gate opens by closing its semaphore");
    }
}

impl Probe {
    pub fn new() -> Self {
        let clock = Clock::manual(start());
        Self {
            inner: MemoryStore::builder().clock(clock.clone()).build(),
            clock,
            shared: Arc::default(),
        }
    }

    /// Options with this store and its clock.
    /// With every request extending its session, as in express-session.
    pub fn options(&self) -> SessionOptions {
        let secrets = Secrets::new(SECRET).expect("the secret is not empty");
        SessionOptions::new(self.clone(), secrets)
            .clock(self.clock.clone())
            .touch_after(Duration::ZERO)
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The calls since the last time somebody asked, joined.
    pub fn calls(&self) -> String {
        std::mem::take(&mut *self.shared.calls.lock().expect("no test panics here")).join(" ")
    }

    /// Makes every call of this method fail, until [`heal`](Self::heal).
    pub fn fail(&self, method: &'static str, kind: ErrorKind) {
        *self.shared.fault.lock().expect("no test panics here") = Some((method, kind));
    }

    pub fn heal(&self) {
        *self.shared.fault.lock().expect("no test panics here") = None;
    }

    /// Puts a gate before this method.
    pub fn gate(&self, method: &'static str) -> Gate {
        let gate = Gate::new();
        *self.shared.gate.lock().expect("no test panics here") = Some((method, gate.clone()));
        gate
    }

    /// How many live sessions there are.
    /// How many sessions there are, without what is left under old ids.
    pub async fn len(&self) -> u64 {
        sessions(&self.inner).await
    }

    /// The stored record, without a note of the call.
    pub async fn record(&self, id: &SessionId) -> Option<Record> {
        let record = self.inner.get(id).await.expect("memory does not fail");
        record.filter(|record| !record.is_forward())
    }

    /// The JSON of the stored record.
    pub async fn json(&self, id: &SessionId) -> String {
        let record = self.record(id).await.expect("the session is stored");
        record.json().to_owned()
    }

    /// Puts a row into the store as another program writes it, and returns the cookie's value.
    pub async fn put_row(&self, id: &str, json: &str) -> String {
        let id = SessionId::new(id).expect("not empty");
        match Record::decode(json, StoredExpiry::InJson) {
            Ok(record) => self
                .inner
                .set(&id, &record)
                .await
                .expect("memory does not fail"),
            Err(_) => {
                let mut rows = self
                    .shared
                    .foreign_rows
                    .lock()
                    .expect("no test panics here");
                rows.insert(id.clone(), json.to_owned());
            }
        }
        let signed = Secrets::new(SECRET).expect("not empty").sign(&id);
        cookie::Cookie::new("", signed)
            .encoded()
            .to_string()
            .trim_start_matches('=')
            .to_owned()
    }

    /// Whether a row that is no session is still there.
    pub fn has_foreign_row(&self, id: &str) -> bool {
        let id = SessionId::new(id).expect("not empty");
        let rows = self
            .shared
            .foreign_rows
            .lock()
            .expect("no test panics here");
        rows.contains_key(&id)
    }

    /// What a program that knows the id reads.
    pub async fn open(&self, id: &SessionId) -> Option<session_core::Session> {
        let lifecycle = Lifecycle::new(self.options()).expect("the defaults work");
        lifecycle.open(id).await.expect("memory does not fail")
    }

    async fn call(&self, method: &'static str) -> Result<()> {
        let gate = {
            let mut calls = self.shared.calls.lock().expect("no test panics here");
            calls.push(method);
            let gate = self.shared.gate.lock().expect("no test panics here");
            gate.clone().filter(|(gated, _)| *gated == method)
        };
        if let Some((_, gate)) = gate {
            gate.pass().await;
        }
        match *self.shared.fault.lock().expect("no test panics here") {
            Some((failing, kind)) if failing == method => Err(Error::new(kind, method)),
            _ => Ok(()),
        }
    }
}

impl Probe {
    fn foreign_row(&self, id: &SessionId) -> Result<Option<Record>> {
        let rows = self.shared.foreign_rows.lock();
        let json = rows.expect("no test panics here").get(id).cloned();
        json.map(|json| Record::decode(json, StoredExpiry::InJson))
            .transpose()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for Probe {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        self.call("get").await?;
        match self.foreign_row(id)? {
            None => self.inner.get(id).await,
            row => Ok(row),
        }
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        self.call("set").await?;
        self.inner.set(id, record).await
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        self.call("destroy").await?;
        self.inner.destroy(id).await
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn length(&self) -> Result<u64> {
        self.call("length").await?;
        self.inner.length().await
    }

    async fn clear(&self) -> Result<()> {
        self.call("clear").await?;
        self.inner.clear().await
    }

    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        self.call("touch").await?;
        self.inner.touch(id, cookie).await
    }

    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        self.call("create").await?;
        self.inner.create(id, record).await
    }

    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        self.call("replace").await?;
        self.inner.replace(id, old, new).await
    }

    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        self.inner.all()
    }

    fn ids(&self) -> StoreStream<'_, SessionId> {
        self.inner.ids()
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        self.call("sweep").await?;
        self.inner.sweep(limit).await
    }
}

/// How many sessions a store holds, without what is left under old ids.
pub async fn sessions(store: &MemoryStore) -> u64 {
    let all: Vec<_> = store.all().collect().await;
    let is_session = |entry: &Result<(SessionId, Record)>| {
        entry.as_ref().is_ok_and(|(_, record)| !record.is_forward())
    };
    all.iter().filter(|entry| is_session(entry)).count() as u64
}
