//! A store that writes down what it is asked, and a visitor with a browser.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use http::{HeaderMap, HeaderValue, Method, Uri};
use session_core::{
    Capabilities, Clock, Connection, Created, Error, ErrorKind, Lifecycle, Outcome, Record,
    Replaced, RequestHead, Result, Secrets, Session, SessionCookie, SessionId, SessionOptions,
    Store, StoredExpiry, Touched,
};

pub const ALL: Capabilities = Capabilities::NONE.with_touch().with_create().with_replace();

/// What is left under an old id says where its session went.
pub const FORWARD: &str = r#""@session":{"moved":"#;

/// 2026-01-02T03:04:05.678Z.
pub fn start() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(1_767_323_045_678)
}

/// Records in a map, and the names of the methods that were called. Clones share both.
#[derive(Clone, Debug)]
pub struct Recorder {
    inner: Arc<Mutex<Inner>>,
    capabilities: Capabilities,
    clock: Clock,
}

#[derive(Debug, Default)]
pub struct Inner {
    pub records: HashMap<SessionId, Record>,
    calls: Vec<&'static str>,
    /// Every call of the method with this name fails.
    fails: Option<(&'static str, ErrorKind)>,
    /// Calls of the method with this name never end.
    hangs: Option<&'static str>,
    /// The next call of the method with this name is done, and its answer lost.
    loses: Option<&'static str>,
}

impl Inner {
    /// The answer of a method that has done its work, unless it is lost.
    fn answer<T>(&mut self, call: &'static str, answer: T) -> Result<T> {
        match self.loses.take_if(|lost| *lost == call) {
            Some(call) => Err(Error::new(ErrorKind::Timeout, call)),
            None => Ok(answer),
        }
    }
}

impl Recorder {
    pub fn new(capabilities: Capabilities) -> Self {
        let clock = Clock::manual(start());
        Self {
            inner: Arc::default(),
            capabilities,
            clock,
        }
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    pub fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// The calls since the last time somebody asked, joined.
    pub fn calls(&self) -> String {
        std::mem::take(&mut self.inner().calls).join(" ")
    }

    pub fn fail(&self, call: &'static str, kind: ErrorKind) {
        self.inner().fails = Some((call, kind));
    }

    pub fn lose_answer(&self, call: &'static str) {
        self.inner().loses = Some(call);
    }

    pub fn hang(&self, call: &'static str) {
        self.inner().hangs = Some(call);
    }

    pub fn heal(&self) {
        let mut inner = self.inner();
        (inner.fails, inner.hangs) = (None, None);
    }

    /// The texts of the sessions, without what only says where a session went.
    pub fn sessions(&self) -> Vec<String> {
        let inner = self.inner();
        let texts = inner
            .records
            .values()
            .map(|record| record.json().to_owned());
        texts.filter(|text| !text.contains(FORWARD)).collect()
    }

    /// Whether there is a session under this id.
    pub fn has(&self, id: &SessionId) -> bool {
        let inner = self.inner();
        let record = inner.records.get(id);
        record.is_some_and(|record| !record.json().contains(FORWARD))
    }

    /// How many sessions there are.
    pub fn len(&self) -> usize {
        self.sessions().len()
    }

    /// The JSON of the only session.
    pub fn only(&self) -> String {
        let mut sessions = self.sessions();
        assert_eq!(sessions.len(), 1);
        sessions.remove(0)
    }

    /// When the only session ends.
    pub fn end(&self) -> SystemTime {
        let inner = self.inner();
        assert_eq!(inner.records.len(), 1);
        inner.records.values().next().unwrap().expires().unwrap()
    }

    /// With every request extending its session, as in express-session.
    pub fn options(&self) -> SessionOptions {
        SessionOptions::new(self.clone(), Secrets::new("keyboard cat").unwrap())
            .clock(self.clock.clone())
            .touch_after(Duration::ZERO)
    }

    fn call(&self, name: &'static str) -> Result<MutexGuard<'_, Inner>> {
        let mut inner = self.inner();
        inner.calls.push(name);
        match inner.fails {
            Some((call, kind)) if call == name => Err(Error::new(kind, name)),
            _ => Ok(inner),
        }
    }

    /// The live record, read from its text as a backend's are: what was written is not handed out
    /// as it is.
    fn live(&self, inner: &Inner, id: &SessionId) -> Option<Record> {
        let now = self.clock.now();
        let record = inner.records.get(id)?;
        let read = || Record::decode(record.json(), StoredExpiry::from(record.expires()));
        (!record.is_expired(now)).then(|| read().unwrap())
    }
}

#[async_trait]
impl Store for Recorder {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let inner = self.call("get")?;
        Ok(self.live(&inner, id))
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let mut inner = self.call("set")?;
        inner.records.insert(id.clone(), record.clone());
        inner.answer("set", ())
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        let mut inner = self.call("destroy")?;
        inner.records.remove(id);
        inner.answer("destroy", ())
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        if self.inner().hangs == Some("touch") {
            std::future::pending::<()>().await;
        }
        let mut inner = self.call("touch")?;
        let Some(mut record) = self.live(&inner, id) else {
            return Ok(Touched::Missing);
        };
        record.touch(cookie, cookie.expires());
        inner.records.insert(id.clone(), record);
        Ok(Touched::Touched)
    }

    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        let mut inner = self.call("create")?;
        if self.live(&inner, id).is_some() {
            return Ok(Created::Exists);
        }
        inner.records.insert(id.clone(), record.clone());
        inner.answer("create", Created::Created)
    }

    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        let mut inner = self.call("replace")?;
        match self.live(&inner, id) {
            None => return Ok(Replaced::Missing),
            Some(stored) if !stored.same_json(old) => return Ok(Replaced::Conflict),
            Some(_) if new.is_expired(self.clock.now()) => drop(inner.records.remove(id)),
            Some(_) => drop(inner.records.insert(id.clone(), new.clone())),
        }
        inner.answer("replace", Replaced::Replaced)
    }
}

/// A visitor whose browser keeps the cookie that it is given.
#[derive(Clone, Default)]
pub struct Visitor {
    /// What the `Cookie` header says.
    pub cookie: Option<String>,
    pub path: Option<&'static str>,
    pub connection: Connection,
    pub headers: HeaderMap,
}

/// The `Set-Cookie` headers of a response.
#[derive(Debug)]
pub struct Response(pub Vec<String>);

impl Response {
    pub fn sets_cookie(&self) -> bool {
        self.0
            .iter()
            .any(|cookie| !cookie.starts_with("connect.sid=;"))
    }

    pub fn drops_cookie(&self) -> bool {
        self.0
            .iter()
            .any(|cookie| cookie.starts_with("connect.sid=;"))
    }
}

impl Visitor {
    /// A visitor whose session holds `seed: 1`.
    pub fn with_session(lifecycle: &Lifecycle) -> Self {
        let mut visitor = Self::default();
        visitor.visit(lifecycle, |session| session.insert("seed", &1).unwrap());
        assert!(visitor.cookie.is_some());
        visitor
    }

    pub fn begin(&self, lifecycle: &Lifecycle) -> Option<session_core::Exchange> {
        let mut headers = self.headers.clone();
        if let Some(cookie) = &self.cookie {
            headers.insert("cookie", HeaderValue::from_str(cookie).unwrap());
        }
        lifecycle.begin(&RequestHead {
            method: &Method::GET,
            uri: &Uri::from_static(self.path.unwrap_or("/")),
            headers: &headers,
            connection: self.connection,
        })
    }

    /// Takes the cookies of a response into the browser.
    pub fn receive(&mut self, outcome: &Outcome) -> Response {
        let response = Response(
            outcome
                .cookies()
                .map(|c| c.to_str().unwrap().to_owned())
                .collect(),
        );
        for cookie in &response.0 {
            let pair = cookie.split(';').next().unwrap();
            self.cookie = (!pair.ends_with('=')).then(|| pair.to_owned());
        }
        response
    }

    /// One request, as an adapter makes it, with a handler that edits the session.
    pub fn try_visit(
        &mut self,
        lifecycle: &Lifecycle,
        handler: impl AsyncFnOnce(Session),
    ) -> Result<Response> {
        pollster::block_on(async {
            let exchange = self.begin(lifecycle).expect("the path is covered");
            if exchange.loads_first() {
                exchange.load().await?;
            }
            if let Some(session) = exchange.session().await? {
                handler(session).await;
            }
            match exchange.finish().await {
                Ok(outcome) => Ok(self.receive(&outcome)),
                Err(unfinished) => {
                    self.receive(&unfinished.outcome);
                    Err(unfinished.error)
                }
            }
        })
    }

    pub fn visit(&mut self, lifecycle: &Lifecycle, handler: impl FnOnce(Session)) -> Response {
        self.visit_async(lifecycle, async |session| handler(session))
    }

    pub fn visit_async(
        &mut self,
        lifecycle: &Lifecycle,
        handler: impl AsyncFnOnce(Session),
    ) -> Response {
        self.try_visit(lifecycle, handler).unwrap()
    }

    /// The session id in the cookie.
    pub fn id(&self) -> SessionId {
        let value = self
            .cookie
            .as_ref()
            .unwrap()
            .strip_prefix("connect.sid=s%3A")
            .unwrap();
        SessionId::new(value.split('.').next().unwrap()).unwrap()
    }
}
