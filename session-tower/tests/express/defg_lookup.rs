//! D, E, F, G. Cookies whose session is not there, not theirs, over, or unreadable.

use futures_util::StreamExt;
use session_tower::{CookieOptions, Store};

use crate::site::{classic, count, serve};
use crate::support::{MINUTE, Probe};

/// A store answers `Ok(None)` for what it does not have: node's `ENOENT`.
#[tokio::test]
async fn b26_d40_d41_an_unknown_id_gives_a_new_session_under_a_new_id() {
    let store = Probe::new();
    let server = serve(&store, classic(&store), count).await;
    let mut browser = server.browser();
    browser.get("/").await;
    let old = browser.id();
    store.clear().await.unwrap();
    store.calls();

    let reply = browser.get("/").await;
    assert_eq!((reply.status.as_u16(), reply.text()), (200, "1"));
    assert_ne!(
        reply.id(),
        old,
        "an id that a client brings is never adopted"
    );
    assert_eq!(store.calls(), "get create");
    assert_eq!(store.len().await, 1);
}

#[tokio::test]
async fn e42_an_id_without_a_signature_is_no_session() {
    let store = Probe::new();
    let server = serve(&store, classic(&store), count).await;
    let mut browser = server.browser();
    browser.get("/").await;
    let id = browser.id();
    for bare in [id.as_str().to_owned(), format!("s%3A{}", id.as_str())] {
        let mut thief = server.browser();
        thief.jar.insert("connect.sid".to_owned(), bare);
        let reply = thief.get("/").await;
        assert_eq!(reply.text(), "1");
        assert_ne!(reply.id(), id);
    }
}

#[tokio::test]
async fn e43_a_corrupted_signature_is_no_session_and_asks_the_store_nothing() {
    let store = Probe::new();
    let server = serve(&store, classic(&store), count).await;
    let mut browser = server.browser();
    browser.get("/").await;
    let id = browser.id();
    let value = browser.jar.get_mut("connect.sid").unwrap();
    let last = value.pop().unwrap();
    value.push(if last == 'A' { 'B' } else { 'A' });
    store.calls();
    let reply = browser.get("/").await;
    assert_eq!(reply.text(), "1");
    assert_ne!(reply.id(), id);
    assert_eq!(store.calls(), "create");
}

#[tokio::test]
async fn f44_f46_an_expired_session_is_gone() {
    let store = Probe::new();
    let options = classic(&store).cookie(CookieOptions::new().max_age(MINUTE));
    let server = serve(&store, options, count).await;
    let mut browser = server.browser();
    browser.get("/").await;
    let old = browser.id();
    store.clock().advance(MINUTE);

    let reply = browser.get("/").await;
    assert_eq!(reply.text(), "1");
    assert_ne!(reply.id(), old);
    let listed: Vec<_> = store.all().map(|entry| entry.unwrap().0).collect().await;
    assert!(
        listed == [reply.id()],
        "the expired session is listed no more"
    );
}

#[tokio::test]
async fn g47_a_row_without_a_cookie_counts_as_no_session_and_is_left_alone() {
    let store = Probe::new();
    let value = store.put_row("not-a-session", r#"{"foo":"bar"}"#).await;
    let server = serve(&store, classic(&store), count).await;
    let mut browser = server.browser();
    browser.jar.insert("connect.sid".to_owned(), value);
    let reply = browser.get("/").await;
    assert_eq!((reply.status.as_u16(), reply.text()), (200, "1"));
    assert_ne!(reply.id().as_str(), "not-a-session");
    assert!(store.has_foreign_row("not-a-session"));
    assert_eq!(browser.get("/").await.text(), "2");
}
