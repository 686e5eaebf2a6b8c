//! B. The basics of the middleware.

use axum::body::{Body, Bytes};
use axum::response::IntoResponse;
use futures_util::stream;
use session_memory::MemoryStore;
use session_tower::{
    CookieOptions, ErrorKind, Secrets, Session, SessionCookie, SessionOptions, Store,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::site::{app, classic, count, idle, layer, serve};
use crate::support::{Gate, MINUTE, Probe, Server};

#[tokio::test]
async fn b19_the_parts_are_there_to_be_built_upon() {
    fn is_store(_: &impl Store) {}
    let store = MemoryStore::new();
    is_store(&store);
    let options = SessionOptions::new(store, Secrets::new("keyboard cat").unwrap());
    let lifecycle = layer(options).lifecycle().clone();
    let id = session_tower::SessionId::random();
    let session: Option<session_core::Session> = lifecycle.open(&id).await.unwrap();
    assert!(session.is_none());
    assert_eq!(SessionCookie::new().path(), "/");
}

#[tokio::test]
async fn b20_a_request_that_has_a_session_already_is_passed_through() {
    let (outer, inner) = (Probe::new(), Probe::new());
    let app = app(classic(&inner), count).layer(layer(classic(&outer)));
    let server = Server::http(app, outer.clock()).await;
    let mut browser = server.browser();
    for expected in ["1", "2"] {
        assert_eq!(browser.get("/").await.text(), expected);
    }
    assert_eq!(outer.len().await, 1);
    assert_eq!(inner.calls(), "", "the inner layer does nothing");
    assert_eq!(browser.jar.len(), 1);
}

#[test]
fn b21_without_a_secret_there_are_no_sessions() {
    let error = Secrets::new("").expect_err("an empty secret protects nothing");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("secret"), "{error}");
}

#[tokio::test]
async fn b23_b24_a_new_session_sets_the_cookie_and_is_found_again() {
    let store = Probe::new();
    let server = serve(&store, classic(&store), count).await;
    let mut browser = server.browser();
    let reply = browser.get("/").await;
    assert_eq!(reply.text(), "1");
    assert!(store.record(&reply.id()).await.is_some());
    assert_eq!(store.len().await, 1);
    assert_eq!(browser.get("/").await.text(), "2");
    assert_eq!(store.len().await, 1);
}

/// The visitor is not shown what went wrong, unlike in express; that is for the log.
#[tokio::test]
async fn b25_a_store_that_cannot_be_read_fails_the_request() {
    let store = Probe::new();
    let server = serve(&store, classic(&store), count).await;
    let mut browser = server.browser();
    browser.get("/").await;
    for (kind, status) in [(ErrorKind::Other, 500), (ErrorKind::Unavailable, 503)] {
        store.fail("get", kind);
        store.calls();
        let reply = browser.get("/").await;
        assert_eq!((reply.status.as_u16(), reply.text()), (status, ""));
        assert_eq!(reply.cookie(), None);
        assert_eq!(
            store.calls(),
            "get",
            "nothing is written after a failed read"
        );
    }
    store.heal();
    assert_eq!(browser.get("/").await.text(), "2");
}

#[tokio::test]
async fn b27_two_visitors_have_two_sessions() {
    let store = Probe::new();
    let server = serve(&store, classic(&store), count).await;
    let (one, two) = (
        server.browser().get("/").await,
        server.browser().get("/").await,
    );
    assert_eq!((one.text(), two.text()), ("1", "1"));
    assert_ne!(one.id(), two.id());
    assert_eq!(store.len().await, 2);
}

/// A request target without a path can only be in the absolute form.
#[tokio::test]
async fn b28_a_url_without_a_path_is_the_root() {
    let store = Probe::new();
    let server = serve(&store, classic(&store), count).await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let request =
        "GET http://shop.example HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    assert!(
        response.contains("set-cookie: connect.sid=s%3A"),
        "{response}"
    );
}

#[tokio::test]
async fn b30_an_empty_response_is_an_empty_200() {
    let store = Probe::new();
    let server = serve(&store, classic(&store), idle).await;
    let reply = server.browser().get("/").await;
    assert_eq!((reply.status.as_u16(), reply.text()), (200, ""));
    assert_eq!(reply.headers["content-length"], "0");
    reply.set();
}

#[tokio::test]
async fn b31_a_stored_key_called_like_a_method_breaks_nothing() {
    let store = Probe::new();
    let row = r#"{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"},"save":"of the store","views":1}"#;
    let value = store.put_row("a-row-of-nodes", row).await;
    let server = serve(&store, classic(&store), async |session: Session| {
        session.save().await.expect("saving works");
        count(session).await
    })
    .await;
    let mut browser = server.browser();
    browser.jar.insert("connect.sid".to_owned(), value);
    assert_eq!(browser.get("/").await.text(), "2");
    assert_eq!(browser.get("/").await.text(), "3");
}

#[tokio::test]
async fn b32_r120_the_session_shows_its_data_and_its_cookie_alone() {
    let store = Probe::new();
    let server = serve(&store, classic(&store), async |session: Session| {
        session.insert("foo", "foo").unwrap();
        session.insert("bar", "bar").unwrap();
        session.keys().join(",")
    })
    .await;
    let mut browser = server.browser();
    assert_eq!(browser.get("/").await.text(), "foo,bar");
    let json: serde_json::Value = serde_json::from_str(&store.json(&browser.id()).await).unwrap();
    let keys: Vec<&str> = json.as_object().unwrap().keys().map(|k| &**k).collect();
    assert_eq!(keys.len(), 3, "{keys:?}");
    assert!(json["cookie"].is_object() && json["foo"] == "foo" && json["bar"] == "bar");
}

#[tokio::test]
async fn b34_a_rolling_cookie_moves_with_responses_that_are_streamed_slowly() {
    let store = Probe::new();
    let clock = store.clock().clone();
    let options = classic(&store)
        .rolling(true)
        .cookie(CookieOptions::new().max_age(MINUTE));
    let gate = Gate::new();
    let slow = {
        let (clock, gate) = (clock.clone(), gate.clone());
        move |session: Session| {
            let (clock, gate) = (clock.clone(), gate.clone());
            async move {
                count(session).await;
                let chunks = stream::unfold(0, move |n| {
                    let (clock, gate) = (clock.clone(), gate.clone());
                    async move {
                        if n == 1 {
                            gate.pass().await;
                            clock.advance(MINUTE / 4);
                        }
                        (n < 2).then(|| (Ok::<_, std::io::Error>(Bytes::from("part ")), n + 1))
                    }
                });
                Body::from_stream(chunks).into_response()
            }
        }
    };
    let server = serve(&store, options, slow).await;
    let mut browser = server.browser();
    gate.open();
    let first = browser.get("/").await;
    let second = browser.get("/").await;
    assert_eq!((first.text(), second.text()), ("part part ", "part part "));
    assert_eq!(second.expires() - first.expires(), 15);
}
