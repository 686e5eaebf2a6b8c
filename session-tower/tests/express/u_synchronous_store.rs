//! U. A store that answers at once: the memory store never waits.

use axum::body::{Body, Bytes};
use axum::extract::OriginalUri;
use axum::response::Response;
use futures_util::stream;
use session_memory::MemoryStore;
use session_tower::{Clock, Secrets, Session, SessionOptions, Store};

use crate::site::{count, serve};
use crate::support::{Probe, SECRET};

async fn in_parts(uri: OriginalUri, session: Session) -> Response {
    let last = match uri.path() {
        "/logout" => {
            session.destroy().await.expect("memory does not fail");
            "destroyed".to_owned()
        }
        _ => count(session).await,
    };
    let parts = ["hello, ".to_owned(), last].map(|part| Ok::<_, std::io::Error>(Bytes::from(part)));
    Response::new(Body::from_stream(stream::iter(parts)))
}

#[tokio::test]
async fn u155_u156_a_synchronous_store_saves_and_destroys() {
    let store = MemoryStore::new();
    let secrets = Secrets::new(SECRET).unwrap();
    let options = SessionOptions::new(store.clone(), secrets).clock(Clock::system());
    let server = serve(&Probe::new(), options, in_parts).await;
    let mut browser = server.browser();
    assert_eq!(browser.get("/").await.text(), "hello, 1");
    assert_eq!(browser.get("/").await.text(), "hello, 2");
    assert_eq!(store.length().await.unwrap(), 1);
    assert_eq!(browser.get("/logout").await.text(), "hello, destroyed");
    assert_eq!(store.length().await.unwrap(), 0);
    assert_eq!(browser.get("/").await.text(), "hello, 1");
}
