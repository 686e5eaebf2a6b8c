//! Requests that are dropped half way: the client has gone away, or a timeout has struck.
//!
//! The store yields before and after each of its operations, so that a request can be dropped
//! before an operation, and after it was done but before anybody has heard of it. Each test drives
//! the service by hand, polls it k times and drops it, for every k until it answers.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use futures_util::StreamExt;
use http::{Request, Response};
use session_core::{Capabilities, Created, Record, Replaced, Result, StoreStream, Swept, Touched};
use session_memory::MemoryStore;
use session_tower::{
    Error, ErrorKind, Secrets, Session, SessionCookie, SessionId, SessionOptions, Store,
};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::support::SECRET;
use crate::visit::{Visitor, count, layer, session};

/// A memory store that is not there before and after each operation for one poll, and whose
/// method of this name fails after it has done its work.
#[derive(Clone, Debug)]
pub(crate) struct Distant {
    store: MemoryStore,
    fails_late: Option<&'static str>,
}

pub(crate) async fn yield_once() {
    let mut yielded = false;
    poll_fn(|_| match std::mem::replace(&mut yielded, true) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
}

impl Distant {
    pub(crate) fn new(store: MemoryStore) -> Self {
        Self {
            store,
            fails_late: None,
        }
    }

    async fn travel<T>(
        &self,
        method: &'static str,
        operation: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        yield_once().await;
        let result = operation.await;
        yield_once().await;
        if self.fails_late == Some(method) {
            return Err(Error::new(ErrorKind::Timeout, method));
        }
        result
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for Distant {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        self.travel("get", self.store.get(id)).await
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        self.travel("set", self.store.set(id, record)).await
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        self.travel("destroy", self.store.destroy(id)).await
    }

    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    async fn length(&self) -> Result<u64> {
        self.travel("length", self.store.length()).await
    }

    async fn clear(&self) -> Result<()> {
        self.travel("clear", self.store.clear()).await
    }

    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        self.travel("touch", self.store.touch(id, cookie)).await
    }

    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        self.travel("create", self.store.create(id, record)).await
    }

    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        self.travel("replace", self.store.replace(id, old, new))
            .await
    }

    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        self.store.all()
    }

    fn ids(&self) -> StoreStream<'_, SessionId> {
        self.store.ids()
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        self.travel("sweep", self.store.sweep(limit)).await
    }
}

/// A handler's work with the session, by the request's path.
async fn work(path: &str, session: &Session) -> Result<()> {
    match path {
        "/insert" => session.insert("user", "alice")?,
        "/insert-and-save" => {
            session.insert("user", "alice")?;
            session.save().await?;
        }
        "/save-twice" => {
            session.insert("user", "alice")?;
            session.save().await?;
            session.insert("again", &true)?;
        }
        "/regenerate" | "/regenerate-and-save" | "/regenerate-save-and-go-on" => {
            session.regenerate();
            session.insert("user", "alice")?;
        }
        "/cycle-id" | "/cycle-id-and-save" => {
            session.cycle_id();
            session.insert("user", "alice")?;
        }
        "/keep" => {
            session.regenerate_keeping(["cart"]);
            session.insert("user", "alice")?;
        }
        _ => _ = count(session),
    }
    match path {
        "/regenerate-and-save" | "/cycle-id-and-save" => session.save().await?,
        "/regenerate-save-and-go-on" => {
            session.save().await?;
            // Something else that takes its time: a mail, a query.
            yield_once().await;
            yield_once().await;
        }
        _ => {}
    }
    Ok(())
}

fn site(
    store: impl Store,
) -> impl Service<Request<()>, Response = Response<()>, Error = Infallible> + Clone {
    let secrets = Secrets::new(SECRET).expect("not empty");
    let options = SessionOptions::new(store, secrets);
    layer(options).layer(service_fn(|request: Request<()>| async move {
        let session = session(&request).await;
        let status = match work(request.uri().path(), &session).await {
            Ok(()) => 200,
            Err(error) => error.status().as_u16(),
        };
        let response = Response::builder().status(status).body(());
        Ok(response.expect("a response"))
    }))
}

/// A visitor with a cart, whose session is in `store`.
pub(crate) async fn visitor_with_cart(store: &MemoryStore) -> Visitor {
    let secrets = Secrets::new(SECRET).expect("not empty");
    let options = SessionOptions::new(store.clone(), secrets);
    let service = layer(options).layer(service_fn(|request: Request<()>| async move {
        let session = session(&request).await;
        session.insert("cart", "book").expect("a text");
        Ok::<_, Infallible>(Response::new(()))
    }));
    let mut visitor = Visitor::default();
    visitor.visit(&service, "/").await;
    visitor
}

pub(crate) fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// What is there after a request was dropped, or has been answered.
struct Aftermath {
    /// The visitor, with the cookie that the browser now has.
    visitor: Visitor,
    old: Option<Record>,
    /// Sessions under other ids.
    new: Vec<(SessionId, Record)>,
    status: Option<u16>,
}

/// Polls a request to `path` at most `polls` times and drops it.
async fn after(path: &str, polls: usize) -> Aftermath {
    let store = MemoryStore::new();
    let mut visitor = visitor_with_cart(&store).await;
    let old = visitor.id();
    let distant = Distant::new(store.clone());
    let mut status = None;
    {
        let request = visitor.request(path);
        let mut answer = pin!(site(distant).call(request));
        for _ in 0..polls {
            if let Poll::Ready(response) = poll(answer.as_mut()) {
                let response = response.expect("it cannot fail");
                visitor.receive(response.headers());
                status = Some(response.status().as_u16());
                break;
            }
        }
    }
    aftermath(&store, old, visitor, status).await
}

async fn aftermath(
    store: &MemoryStore,
    old: SessionId,
    visitor: Visitor,
    status: Option<u16>,
) -> Aftermath {
    let all: Vec<_> = store.all().collect().await;
    let mut new: Vec<_> = all
        .into_iter()
        .map(|entry| entry.expect("a record"))
        .filter(|(_, record)| !record.is_forward())
        .collect();
    let at = new.iter().position(|(id, _)| *id == old);
    Aftermath {
        visitor,
        old: at.map(|at| new.remove(at).1),
        new,
        status,
    }
}

impl Aftermath {
    /// The record of the session whose cookie the browser has.
    fn browsers(&self) -> Option<&Record> {
        let id = self.visitor.id();
        let new = self.new.iter().find(|(new, _)| *new == id);
        match new {
            Some((_, record)) => Some(record),
            None => self.old.as_ref(),
        }
    }
}

/// Drops a request to `path` after each number of polls, and returns those after which the browser
/// has a cookie whose session is gone, with the number of polls that the answer takes.
///
/// Whenever it is dropped, the old session is in the store as it was, or the new one is as it
/// is to be, or both are.
async fn stranded(path: &str) -> (Vec<usize>, usize) {
    let mut stranded = Vec::new();
    for polls in 0.. {
        let after = after(path, polls).await;
        let at = format!("{path} dropped after {polls} polls");
        assert!(
            after.old.is_some() || !after.new.is_empty(),
            "{at}: nothing is left"
        );
        assert!(
            after.new.len() <= 1,
            "{at}: {} new sessions",
            after.new.len()
        );
        for (_, new) in &after.new {
            let data = new.data();
            let keeps = !path.starts_with("/regenerate");
            assert_eq!(data.contains_key("cart"), keeps, "{at}: {}", new.json());
            assert_eq!(data.raw("user"), Some("\"alice\""), "{at}");
        }
        if let Some(old) = &after.old {
            assert!(old.data().contains_key("cart"), "{at}: {}", old.json());
        }
        if let Some(status) = after.status {
            assert_eq!(status, 200, "{at}");
            let record = after.browsers().expect("the browser has the new cookie");
            assert!(record.data().contains_key("user"), "{at}");
            return (stranded, polls);
        }
        if after.browsers().is_none() {
            stranded.push(polls);
        }
    }
    unreachable!("the request is answered at some time")
}

/// The session keeps its id: whatever was written, the browser's cookie leads to it.
#[tokio::test]
async fn a_save_that_is_dropped_leaves_the_session_as_it_was_or_as_it_is_to_be() {
    // Two polls for the load, two for each write, one for the answer.
    for (path, polls) in [("/insert", 5), ("/insert-and-save", 5), ("/save-twice", 7)] {
        assert_eq!(stranded(path).await, (vec![], polls), "{path}");
    }
}

/// A session that changes its id. The order of things is
///
/// | polls | has happened |
/// |---|---|
/// | 1, 2 | the old session was loaded |
/// | 3, 4 | the new one was created |
/// | 5, 6 | the old one was removed |
/// | 7 | the response, with the new cookie |
///
/// A request that is dropped within the first five leaves the old session, and with it the
/// browser's cookie, as it was. One that is dropped at the sixth, after the store has removed the
/// old session and before the response was handed over, leaves a browser that knows of the old
/// one alone: the new one is in the store, but its visitor has to sign in again.
#[tokio::test]
async fn a_change_of_id_that_is_dropped_leaves_the_old_session_until_it_is_removed() {
    for path in ["/regenerate", "/cycle-id", "/keep"] {
        assert_eq!(stranded(path).await, (vec![6], 7), "{path}");
    }
}

/// A handler that saves by itself and then goes on does not make that time longer: the old session
/// goes with the response, whenever the new one was saved.
#[tokio::test]
async fn an_explicit_save_of_a_new_id_leaves_the_old_session_until_the_response() {
    for path in ["/regenerate-and-save", "/cycle-id-and-save"] {
        assert_eq!(stranded(path).await, (vec![6], 7), "{path}");
    }
    let path = "/regenerate-save-and-go-on";
    assert_eq!(stranded(path).await, (vec![8], 9));
}

/// Whatever a dropped request has left, the visitor's next one is served.
#[tokio::test]
async fn the_visitor_is_served_after_a_dropped_request() {
    for path in ["/insert-and-save", "/cycle-id", "/regenerate"] {
        for polls in 0..7 {
            let store = MemoryStore::new();
            let mut visitor = visitor_with_cart(&store).await;
            // Both requests go through one layer, whose state a dropped request might spoil.
            let service = site(Distant::new(store.clone()));
            {
                let mut first = pin!(service.clone().call(visitor.request(path)));
                for _ in 0..polls {
                    if poll(first.as_mut()).is_ready() {
                        break;
                    }
                }
            }
            let mut second = pin!(service.clone().call(visitor.request("/count")));
            let response = (0..100).find_map(|_| match poll(second.as_mut()) {
                Poll::Ready(response) => response.ok(),
                Poll::Pending => None,
            });
            let response = response.expect("the second request is answered");
            assert_eq!(response.status(), 200, "{path} {polls}");
            visitor.receive(response.headers());
            let record = store.get(&visitor.id()).await.unwrap().expect("a session");
            assert_eq!(
                record.data().get("views").unwrap(),
                Some(1),
                "{path} {polls}"
            );
        }
    }
}

/// Drives a request to its answer.
pub(crate) fn drive<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let answer = (0..1000).find_map(|_| match poll(future.as_mut()) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    });
    answer.expect("it is answered at some time")
}

/// What is there after a handler gave up on a save after so many polls (a timeout around it, say)
/// and the request went on to its answer; and whether the save was done by then.
async fn after_giving_up_a_save(path: &'static str, polls: usize) -> (Aftermath, bool) {
    let store = MemoryStore::new();
    let mut visitor = visitor_with_cart(&store).await;
    let old = visitor.id();
    let distant = Distant::new(store.clone());
    let secrets = Secrets::new(SECRET).expect("not empty");
    let service = layer(SessionOptions::new(distant, secrets)).layer(service_fn(
        move |request: Request<()>| async move {
            let session = session(&request).await;
            work(path, &session).await.expect("no save is made here");
            let mut save = pin!(session.save());
            let done = (0..polls).any(|_| match poll(save.as_mut()) {
                Poll::Ready(saved) => saved.is_ok(),
                Poll::Pending => false,
            });
            Ok::<_, Infallible>(Response::new(done))
        },
    ));
    let response = drive(service.clone().oneshot(visitor.request("/"))).expect("it cannot fail");
    visitor.receive(response.headers());
    let status = Some(response.status().as_u16());
    let done = response.into_body();
    (aftermath(&store, old, visitor, status).await, done)
}

#[tokio::test]
async fn a_handler_that_gives_up_a_save_and_goes_on_has_its_session_saved_at_the_end() {
    for path in ["/insert", "/regenerate", "/keep", "/cycle-id"] {
        for polls in 0.. {
            let (after, done) = after_giving_up_a_save(path, polls).await;
            let at = format!("{path}, save given up after {polls} polls");
            assert_eq!(after.status, Some(200), "{at}");
            let record = after.browsers();
            let record = record.unwrap_or_else(|| {
                panic!(
                    "{at}: the browser's session is gone; {} others",
                    after.new.len()
                )
            });
            assert_eq!(record.data().raw("user"), Some("\"alice\""), "{at}");
            if done {
                break;
            }
        }
    }
}

/// What is there after a request whose store did what it was told and then failed to say so.
async fn after_a_late_failure(path: &str, method: &'static str) -> Aftermath {
    let store = MemoryStore::new();
    let mut visitor = visitor_with_cart(&store).await;
    let old = visitor.id();
    let service = site(Distant {
        store: store.clone(),
        fails_late: Some(method),
    });
    let response = drive(service.clone().oneshot(visitor.request(path))).expect("it cannot fail");
    visitor.receive(response.headers());
    let status = Some(response.status().as_u16());
    aftermath(&store, old, visitor, status).await
}

/// The old session is still there, or the browser's session has kept its id.
#[tokio::test]
async fn a_write_whose_answer_is_lost_leaves_the_browser_with_its_session() {
    for (path, method) in [
        ("/insert", "replace"),
        ("/regenerate", "create"),
        ("/cycle-id", "create"),
        ("/keep", "create"),
    ] {
        let after = after_a_late_failure(path, method).await;
        assert_eq!(after.status, Some(503), "{path}, {method}");
        assert!(after.browsers().is_some(), "{path}, {method}");
    }
}

/// What was done is found out: the request has succeeded.
#[tokio::test]
async fn a_removal_whose_answer_is_lost_is_looked_at() {
    for path in ["/regenerate", "/cycle-id", "/keep"] {
        let after = after_a_late_failure(path, "replace").await;
        assert_eq!(after.status, Some(200), "{path}");
        assert!(after.old.is_none() && after.new.len() == 1, "{path}");
        assert!(after.browsers().is_some(), "{path}");
    }
}
