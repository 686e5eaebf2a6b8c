//! J, K. The options `genid` and `name` (formerly `key`).

use session_tower::{ErrorKind, SessionId, SessionLayer};

use crate::site::{classic, count, idle, serve};
use crate::support::Probe;

fn id(text: &str) -> SessionId {
    SessionId::new(text).expect("not empty")
}

#[tokio::test]
async fn j79_ids_are_24_random_bytes_by_default() {
    let store = Probe::new();
    let server = serve(&store, classic(&store), idle).await;
    let id = server.browser().get("/").await.id();
    assert_eq!(id.as_str().len(), 32);
    let is_base64url = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    assert!(id.as_str().chars().all(is_base64url));
}

#[tokio::test]
async fn j80_j81_the_applications_ids_are_signed_and_encoded_as_in_node() {
    for (text, value) in [
        (
            "apple",
            "s%3Aapple.D8Y%2BpkTAmeR0PobOhY4G97PRW%2Bj7bUnP%2F5m6%2FOn1MCU",
        ),
        ("%", "s%3A%25.kzQ6x52kKVdF35Qh62AWk4ZekS28K5XYCXKa%2FOTZ01g"),
    ] {
        let store = Probe::new();
        let options = classic(&store).genid(move |_| id(text));
        let server = serve(&store, options, count).await;
        let mut browser = server.browser();
        assert_eq!(browser.get("/").await.set().value(), value);
        assert_eq!(browser.get("/").await.text(), "2");
        assert!(store.record(&id(text)).await.is_some());
    }
}

#[tokio::test]
async fn j82_ids_may_depend_on_the_request() {
    let store = Probe::new();
    let options = classic(&store).genid(|request| id(request.uri.path()));
    let server = serve(&store, options, idle).await;
    let reply = server.browser().get("/foo").await;
    assert_eq!(
        reply.set().value(),
        "s%3A%2Ffoo.paEKBtAHbV5s1IB8B2zPnzAgYmmnRPIqObW4VRYj%2FMQ"
    );
}

#[tokio::test]
async fn k83_k85_the_cookie_is_called_connect_sid() {
    let store = Probe::new();
    let server = serve(&store, classic(&store), idle).await;
    let mut browser = server.browser();
    browser.get("/").await;
    assert_eq!(browser.jar.keys().collect::<Vec<_>>(), ["connect.sid"]);
}

#[tokio::test]
async fn k84_k86_the_cookie_may_have_another_name() {
    let store = Probe::new();
    let server = serve(&store, classic(&store).name("session_id"), count).await;
    let mut browser = server.browser();
    browser.get("/").await;
    assert_eq!(browser.jar.keys().collect::<Vec<_>>(), ["session_id"]);
    assert_eq!(browser.get("/").await.text(), "2");
}

#[test]
fn a_name_that_is_none_is_refused_when_the_layer_is_built() {
    let error = SessionLayer::new(Probe::new().options().name("a b")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}
