//! R. `req.session`. (120 is with 32.)

use axum::extract::OriginalUri;
use session_tower::{CookieOptions, ErrorKind, OnStoreError, Session};

use crate::site::{classic, count, serve};
use crate::support::{MINUTE, Probe};

async fn count_at_root(OriginalUri(uri): OriginalUri, session: Option<Session>) -> String {
    match session {
        None => "no session".to_owned(),
        Some(session) if uri.path() == "/" => count(session).await,
        Some(session) => session.is_new().to_string(),
    }
}

#[tokio::test]
async fn r118_the_session_is_kept_and_found_by_its_id() {
    let store = Probe::new();
    let server = serve(&store, classic(&store), count).await;
    let mut browser = server.browser();
    browser.get("/").await;
    assert_eq!(browser.get("/").await.text(), "2");
    let session = store.open(&browser.id()).await.expect("it is stored");
    assert_eq!(session.get("views").unwrap(), Some(2));
}

#[tokio::test]
async fn r119_with_a_max_age_the_cookie_is_sent_when_the_session_was_changed() {
    let store = Probe::new();
    let options = classic(&store).cookie(CookieOptions::new().max_age(MINUTE));
    let server = serve(&store, options, count_at_root).await;
    let mut browser = server.browser();
    browser.get("/").await.set();
    browser.get("/").await.set();
    assert_eq!(browser.get("/look").await.cookie(), None);
    assert_eq!(browser.get("/").await.text(), "3");
}

/// There are no `disconnect` and `connect` events; each request finds out for itself whether the
/// store answers.
#[tokio::test]
async fn r121_r122_while_the_store_is_away_there_is_no_session_and_then_there_is_again() {
    let store = Probe::new();
    let options = classic(&store).on_store_error(OnStoreError::ServeWithoutSession);
    let server = serve(&store, options, count_at_root).await;
    let mut browser = server.browser();
    browser.get("/").await;
    store.fail("get", ErrorKind::Unavailable);
    let reply = browser.get("/").await;
    assert_eq!((reply.status.as_u16(), reply.text()), (200, "no session"));
    assert_eq!(reply.cookie(), None);
    store.heal();
    assert_eq!(browser.get("/").await.text(), "2");
}
