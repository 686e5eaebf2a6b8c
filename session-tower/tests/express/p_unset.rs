//! P. The `unset` option: what becomes of a session that a handler lets go of
//! (`req.session = null`).

use axum::extract::OriginalUri;
use session_tower::{ErrorKind, Session, Unset};

use crate::site::{classic, count, serve};
use crate::support::Probe;

async fn count_or_let_go(OriginalUri(uri): OriginalUri, session: Session) -> String {
    let views = count(session.clone()).await;
    if uri.path() == "/let-go" {
        session.unset();
    }
    views
}

#[tokio::test]
async fn p111_by_default_the_row_stays_as_it_was() {
    let store = Probe::new();
    let server = serve(&store, classic(&store), count_or_let_go).await;
    let mut browser = server.browser();
    browser.get("/").await;
    let reply = browser.get("/let-go").await;
    assert_eq!((reply.text(), reply.cookie()), ("2", None));
    assert_eq!(browser.get("/").await.text(), "2", "the change was dropped");
}

#[tokio::test]
async fn p112_destroy_removes_the_row_and_the_cookie() {
    let store = Probe::new();
    let options = classic(&store).unset(Unset::Destroy);
    let server = serve(&store, options, count_or_let_go).await;
    let mut browser = server.browser();
    browser.get("/").await;
    browser.get("/let-go").await;
    assert_eq!(store.len().await, 0);
    assert!(browser.jar.is_empty());
    assert_eq!(browser.get("/").await.text(), "1");
}

#[tokio::test]
async fn p113_a_new_session_that_was_let_go_leaves_nothing() {
    for unset in [Unset::Keep, Unset::Destroy] {
        let store = Probe::new();
        let options = classic(&store).unset(unset);
        let server = serve(&store, options, count_or_let_go).await;
        let reply = server.browser().get("/let-go").await;
        assert_eq!((reply.text(), reply.cookie()), ("1", None));
        assert_eq!(store.calls(), "", "{unset:?}");
    }
}

#[tokio::test]
async fn p114_a_destroy_that_fails_fails_the_response() {
    let store = Probe::new();
    let options = classic(&store).unset(Unset::Destroy);
    let server = serve(&store, options, count_or_let_go).await;
    let mut browser = server.browser();
    browser.get("/").await;
    store.fail("replace", ErrorKind::Unavailable);
    assert_eq!(browser.get("/let-go").await.status, 503);
    store.heal();
    assert_eq!(
        browser.get("/").await.text(),
        "2",
        "the session is still there"
    );
}
