//! L, M, N. The options `rolling`, `resave` and `saveUninitialized`.

use serde_json::json;
use session_tower::{CookieOptions, ErrorKind, Session, SessionOptions};

use crate::site::{classic, count, idle, serve};
use crate::support::{MINUTE, Probe, Reply};

fn with_max_age(options: SessionOptions) -> SessionOptions {
    options.cookie(CookieOptions::new().max_age(MINUTE))
}

/// What the second request of a visitor whose session exists gets and costs, if it looks and
/// changes nothing.
async fn second_look(options: impl FnOnce(&Probe) -> SessionOptions) -> (Reply, String) {
    let store = Probe::new();
    let options = with_max_age(options(&store)).save_uninitialized(true);
    let server = serve(&store, options, idle).await;
    let mut browser = server.browser();
    browser.get("/").await.set();
    store.calls();
    (browser.get("/").await, store.calls())
}

/// What the first request of a visitor gets and costs, with a handler that changes the session or
/// one that does not.
async fn first(changes: bool, options: impl FnOnce(&Probe) -> SessionOptions) -> (bool, String) {
    let store = Probe::new();
    let options = options(&store);
    let server = if changes {
        serve(&store, options, count).await
    } else {
        serve(&store, options, idle).await
    };
    let reply = server.browser().get("/").await;
    (reply.cookie().is_some(), store.calls())
}

#[tokio::test]
async fn l87_by_default_the_cookie_is_not_sent_again() {
    let (reply, _) = second_look(classic).await;
    assert_eq!(reply.cookie(), None);
}

#[tokio::test]
async fn l88_a_rolling_cookie_is_sent_with_every_response() {
    let (reply, _) = second_look(|store| classic(store).rolling(true)).await;
    reply.set();
}

#[tokio::test]
async fn l89_a_rolling_cookie_needs_a_session() {
    let options = |store: &Probe| classic(store).rolling(true).save_uninitialized(false);
    assert_eq!(first(false, options).await, (false, String::new()));
}

#[tokio::test]
async fn l90_an_uninitialized_session_that_is_saved_has_its_cookie() {
    let options = |store: &Probe| classic(store).rolling(true);
    assert_eq!(first(false, options).await, (true, "create".to_owned()));
}

#[tokio::test]
async fn l91_a_new_session_that_was_changed_is_saved_and_has_its_cookie() {
    let options = |store: &Probe| classic(store).rolling(true).save_uninitialized(false);
    assert_eq!(first(true, options).await, (true, "create".to_owned()));
}

#[tokio::test]
async fn m92_m94_by_default_an_unchanged_session_is_touched_and_not_saved_again() {
    let (_, calls) = second_look(Probe::options).await;
    assert_eq!(calls, "get touch");
    let (_, calls) = second_look(|store| store.options().resave(false)).await;
    assert_eq!(calls, "get touch");
}

#[tokio::test]
async fn m93_resave_saves_an_unchanged_session_again() {
    let (_, calls) = second_look(|store| store.options().resave(true)).await;
    assert_eq!(calls, "get replace");
}

#[tokio::test]
async fn m95_a_changed_session_is_saved_on_each_request_that_changes_it() {
    let store = Probe::new();
    let server = serve(&store, store.options(), count).await;
    let mut browser = server.browser();
    let mut calls = Vec::new();
    for _ in 0..3 {
        browser.get("/").await;
        calls.push(store.calls());
    }
    assert_eq!(calls, ["create", "get replace", "get replace"]);
}

#[tokio::test]
async fn m96_a_nested_key_called_cookie_is_data() {
    let store = Probe::new();
    let server = serve(&store, store.options(), async |session: Session| {
        let taste = if session.is_new() {
            "plain"
        } else {
            "chocolate"
        };
        let snack = json!({"cookie": {"taste": taste}});
        session.insert("snack", &snack).unwrap();
    })
    .await;
    let mut browser = server.browser();
    browser.get("/").await;
    store.calls();
    browser.get("/").await;
    assert_eq!(store.calls(), "get replace");
    assert!(store.json(&browser.id()).await.contains("chocolate"));
}

#[tokio::test]
async fn m97_a_touch_that_fails_fails_no_response() {
    let store = Probe::new();
    let options = with_max_age(store.options()).save_uninitialized(true);
    let server = serve(&store, options, idle).await;
    let mut browser = server.browser();
    browser.get("/").await;
    store.fail("touch", ErrorKind::Unavailable);
    assert_eq!(browser.get("/").await.status, 200);
}

#[tokio::test]
async fn n98_n100_by_default_an_uninitialized_session_is_neither_saved_nor_sent() {
    let nothing = (false, String::new());
    assert_eq!(first(false, Probe::options).await, nothing);
    let off = |store: &Probe| store.options().save_uninitialized(false);
    assert_eq!(first(false, off).await, nothing);
}

#[tokio::test]
async fn n99_save_uninitialized_saves_and_sends() {
    let on = |store: &Probe| store.options().save_uninitialized(true);
    assert_eq!(first(false, on).await, (true, "create".to_owned()));
}

#[tokio::test]
async fn n101_a_new_session_that_was_changed_is_saved_and_sent() {
    let off = |store: &Probe| store.options().save_uninitialized(false);
    assert_eq!(first(true, off).await, (true, "create".to_owned()));
}

#[tokio::test]
async fn n102_a_save_that_fails_fails_the_response() {
    let store = Probe::new();
    let server = serve(&store, classic(&store), count).await;
    store.fail("create", ErrorKind::Unavailable);
    let reply = server.browser().get("/").await;
    assert_eq!((reply.status.as_u16(), reply.text()), (503, ""));
    assert_eq!(reply.cookie(), None, "the cookie would lead nowhere");
    assert_eq!(store.len().await, 0);
}

#[tokio::test]
async fn n103_an_uninitialized_session_is_not_touched() {
    let off = |store: &Probe| with_max_age(store.options()).save_uninitialized(false);
    let (_, calls) = first(false, off).await;
    assert_eq!(calls, "");
}
