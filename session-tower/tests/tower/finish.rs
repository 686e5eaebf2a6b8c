//! Requests that go on although nobody waits for their answer any more.

use std::convert::Infallible;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use session_core::Store;
use session_memory::MemoryStore;
use session_tower::{Secrets, Session, SessionLayer, SessionOptions};
use tower::{Layer, Service, service_fn};

use crate::cancel::{Distant, drive, poll, visitor_with_cart, yield_once};
use crate::support::{Probe, SECRET, sessions};
use crate::visit::{Visitor, layer, session};

type Rest = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A runtime that does nothing by itself.
#[derive(Clone, Default)]
struct Rests(Arc<Mutex<Vec<Rest>>>);

impl Rests {
    fn take(&self) -> Vec<Rest> {
        std::mem::take(&mut self.0.lock().expect("no test panics here"))
    }

    fn len(&self) -> usize {
        self.0.lock().expect("no test panics here").len()
    }

    fn spawn(&self) -> impl Fn(Rest) + Send + Sync + 'static {
        let rests = Arc::clone(&self.0);
        move |rest| rests.lock().expect("no test panics here").push(rest)
    }
}

async fn work(path: &str, session: &Session) -> session_core::Result<()> {
    // Something that takes its time comes first: a mail, a query.
    yield_once().await;
    yield_once().await;
    match path {
        "/destroy" => return session.destroy().await,
        "/cycle-id" => session.cycle_id(),
        _ => {}
    }
    session.insert("user", "alice")
}

/// A request to `path` that is dropped after so many polls, and whose rest then runs to its end.
async fn after(path: &str, polls: usize) -> (MemoryStore, Visitor, bool, usize) {
    let store = MemoryStore::new();
    let visitor = visitor_with_cart(&store).await;
    let rests = Rests::default();
    let secrets = Secrets::new(SECRET).expect("not empty");
    let options = SessionOptions::new(Distant::new(store.clone()), secrets);
    let mut service = layer(options).finish_on(rests.spawn()).layer(service_fn(
        |request: Request<()>| async move {
            let session = session(&request).await;
            let done = work(request.uri().path(), &session).await;
            done.expect("the store works");
            Ok::<_, Infallible>(Response::new(()))
        },
    ));
    let answered = {
        let mut answer = pin!(service.call(visitor.request(path)));
        (0..polls).any(|_| poll(answer.as_mut()).is_ready())
    };
    let rests = rests.take();
    let handed_over = rests.len();
    rests.into_iter().for_each(drive);
    (store, visitor, answered, handed_over)
}

#[tokio::test]
async fn a_request_that_was_begun_ends_whenever_it_is_dropped() {
    for path in ["/destroy", "/insert", "/cycle-id"] {
        for polls in 0.. {
            let (store, visitor, answered, handed_over) = after(path, polls).await;
            let at = format!("{path} dropped after {polls} polls");
            let begun = polls > 0;
            assert_eq!(handed_over, usize::from(begun && !answered), "{at}");
            let old = store.get(&visitor.id()).await.expect("memory works");
            let old = old.filter(|record| !record.is_forward());
            let sessions = sessions(&store).await;
            match path {
                _ if !begun => assert!(!old.expect(&at).data().contains_key("user"), "{at}"),
                "/destroy" => assert_eq!((old, sessions), (None, 0), "{at}"),
                "/insert" => assert!(old.expect(&at).data().contains_key("user"), "{at}"),
                _ => assert_eq!((old, sessions), (None, 1), "{at}"),
            }
            if answered {
                assert!(polls > 4, "{at}");
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_handler_that_has_panicked_does_not_go_on() {
    let rests = Rests::default();
    let mut service = layer(Probe::new().options())
        .finish_on(rests.spawn())
        .layer(service_fn(|request: Request<()>| async move {
            yield_once().await;
            assert_ne!(request.uri().path(), "/", "a fault of the handler's");
            Ok::<_, Infallible>(Response::new(()))
        }));
    let mut answer = Box::pin(service.call(Visitor::default().request("/")));
    assert!(poll(answer.as_mut()).is_pending());
    let panicked = catch_unwind(AssertUnwindSafe(|| poll(answer.as_mut()).is_ready()));
    assert!(panicked.is_err());
    drop(answer);
    assert_eq!(rests.len(), 0);
}

#[test]
fn the_options_of_the_layer_can_be_combined_and_shown() {
    let sessions = SessionLayer::new(Probe::new().options())
        .expect("the options can work")
        .on_error(|error: &session_tower::Error| {
            let mut response = Response::new(String::from("sorry"));
            *response.status_mut() = error.status();
            response
        })
        .save_on_server_error(false);
    let shown = format!("{sessions:?}");
    assert!(shown.contains("save_on_server_error: false"), "{shown}");
    assert!(!shown.contains(SECRET), "{shown}");
    let _ = sessions.finish_on(drop);
}

/// A client that closes its connection while the handler is at work.
#[cfg(feature = "axum")]
mod over_http {
    use axum::Router;
    use axum::routing::post;
    use session_tower::{SessionHandle, SessionId, SessionRejection};
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpStream;
    use tokio::sync::mpsc::{self, UnboundedSender};

    use super::*;
    use crate::support::{Browser, Gate, Server};

    /// Tells when it is dropped.
    struct Told(UnboundedSender<()>);

    impl Drop for Told {
        fn drop(&mut self) {
            // A test that has ended hears no more.
            let _ = self.0.send(());
        }
    }

    /// Signs in at `/in`; `/out` and `/edit` wait at the gate before they do their work.
    fn app(gate: &Gate, ended: UnboundedSender<()>) -> Router {
        let wait = move |gate: Gate, ended: UnboundedSender<()>| async move {
            let told = Told(ended);
            gate.pass().await;
            told
        };
        let (out, edit) = ((gate.clone(), ended.clone()), (gate.clone(), ended));
        Router::new()
            .route(
                "/in",
                post(|session: Session| async move {
                    session.insert("user", "alice")?;
                    Ok::<_, SessionRejection>(())
                }),
            )
            .route(
                "/out",
                post(move |session: Session| async move {
                    let _told = wait(out.0, out.1).await;
                    session.destroy().await?;
                    Ok::<_, SessionRejection>(())
                }),
            )
            .route(
                "/edit",
                post(move |handle: SessionHandle| async move {
                    let _told = wait(edit.0, edit.1).await;
                    let session = handle.session().await?.ok_or(SessionRejection::NoSession)?;
                    session.insert("edited", &true)?;
                    Ok::<_, SessionRejection>(())
                }),
            )
    }

    async fn signed_in(server: &Server) -> (Browser, SessionId) {
        let mut browser = server.browser();
        browser.send(http::Method::POST, "/in", []).await;
        let id = browser.id();
        (browser, id)
    }

    /// Sends a request, and hangs up once its handler waits at the gate.
    async fn hang_up(browser: &Browser, path: &str, gate: &Gate) {
        let mut stream = TcpStream::connect(browser.address).await.expect("a server");
        let cookie = browser.cookie_header();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: shop.example\r\ncookie: {cookie}\r\ncontent-length: 0\r\n\r\n"
        );
        let sent = stream.write_all(request.as_bytes()).await;
        sent.expect("the server reads");
        gate.reached().await;
    }

    #[tokio::test]
    async fn a_handler_is_dropped_where_its_client_hangs_up() {
        let (store, gate) = (Probe::new(), Gate::new());
        let (ended, mut heard) = mpsc::unbounded_channel();
        let app = app(&gate, ended).layer(layer(store.options()));
        let server = Server::http(app, store.clock()).await;
        let (browser, id) = signed_in(&server).await;

        hang_up(&browser, "/out", &gate).await;
        heard.recv().await.expect("the handler is dropped");
        gate.open();
        assert!(store.record(&id).await.is_some(), "nobody was signed out");
    }

    #[tokio::test]
    async fn a_handler_goes_on_where_it_may() {
        for path in ["/out", "/edit"] {
            let (store, gate) = (Probe::new(), Gate::new());
            let (ended, _) = mpsc::unbounded_channel();
            let (dropped, mut hung_up) = mpsc::unbounded_channel();
            let (done, mut finished) = mpsc::unbounded_channel();
            let sessions = layer(store.options()).finish_on(move |rest| {
                dropped.send(()).expect("the test listens");
                let done = done.clone();
                tokio::spawn(async move {
                    rest.await;
                    done.send(()).expect("the test listens");
                });
            });
            let server = Server::http(app(&gate, ended).layer(sessions), store.clock()).await;
            let (browser, id) = signed_in(&server).await;

            hang_up(&browser, path, &gate).await;
            hung_up.recv().await.expect("the server notices");
            assert!(store.record(&id).await.is_some(), "{path}: not yet");
            gate.open();
            finished.recv().await.expect("the request goes on");
            let left = store.record(&id).await;
            match path {
                "/out" => assert!(left.is_none()),
                _ => assert!(left.expect("a session").data().contains_key("edited")),
            }
        }
    }
}
