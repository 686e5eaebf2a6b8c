//! S. The session's methods.

use axum::Router;
use axum::extract::{OriginalUri, State};
use axum::routing::get;
use session_tower::{CookieOptions, ErrorKind, Session, SessionOptions, SessionRejection};

use crate::site::{classic, count, layer, serve};
use crate::support::{Gate, MINUTE, Probe, Server};

#[tokio::test]
async fn s123_a_destroyed_session_is_empty_and_sets_no_cookie() {
    let store = Probe::new();
    let server = serve(&store, classic(&store), async |session: Session| {
        count(session.clone()).await;
        session.destroy().await.expect("memory does not fail");
        session.keys().join(",")
    })
    .await;
    let reply = server.browser().get("/").await;
    assert_eq!((reply.text(), reply.cookie()), ("", None));
    assert_eq!(store.len().await, 0);
}

#[tokio::test]
async fn s123_the_browser_drops_the_cookie_of_a_destroyed_session() {
    let store = Probe::new();
    let server = serve(
        &store,
        classic(&store),
        async |uri: OriginalUri, session: Session| {
            match uri.path() {
                "/logout" => session.destroy().await.map(|()| String::new()),
                _ => Ok(count(session).await),
            }
            .map_err(SessionRejection::from)
        },
    )
    .await;
    let mut browser = server.browser();
    browser.get("/").await;
    let reply = browser.get("/logout").await;
    assert_eq!(
        reply.line(),
        "connect.sid=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly"
    );
    assert!(browser.jar.is_empty());
    assert_eq!(store.len().await, 0);
    assert_eq!(browser.get("/").await.text(), "1");
}

#[tokio::test]
async fn s124_regenerate_gives_a_new_id_and_its_cookie() {
    let store = Probe::new();
    let server = serve(
        &store,
        classic(&store),
        async |uri: OriginalUri, session: Session| {
            if uri.path() == "/login" {
                session.regenerate();
            }
            count(session).await
        },
    )
    .await;
    let mut browser = server.browser();
    browser.get("/").await;
    let old = browser.id();
    let reply = browser.get("/login").await;
    assert_eq!(reply.text(), "1", "the data is not kept");
    assert_ne!(reply.id(), old);
    assert!(store.record(&old).await.is_none());
    assert_eq!(browser.get("/").await.text(), "2");
}

/// Waits at the gate between two looks at the session.
async fn look_twice(State(gate): State<Gate>, uri: OriginalUri, session: Session) -> String {
    if uri.path() != "/twice" {
        return match uri.path() {
            "/logout" => format!("{:?}", session.destroy().await.is_ok()),
            _ => count(session).await,
        };
    }
    let first: Option<u32> = session.get("views").expect("a number");
    gate.pass().await;
    match session.reload().await {
        Ok(()) => format!(
            "{first:?} {:?}",
            session.get::<u32>("views").expect("a number")
        ),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Missing);
            // Again and again: it stays an error, and the session stays as it was.
            for _ in 0..19 {
                let again = session.reload().await.expect_err("still not there");
                assert_eq!(again.kind(), ErrorKind::Missing);
            }
            format!(
                "{error}; still {:?}",
                session.get::<u32>("views").expect("a number")
            )
        }
    }
}

async fn between_two_looks(path: &'static str) -> String {
    let store = Probe::new();
    let gate = Gate::new();
    let app = Router::new()
        .fallback(look_twice)
        .layer(layer(store.options()))
        .with_state(gate.clone());
    let server = Server::http(app, store.clock()).await;
    let mut browser = server.browser();
    browser.get("/").await;
    let mut other = browser.clone();
    let looking = tokio::spawn(async move { browser.get("/twice").await });
    gate.reached().await;
    assert_eq!(other.get(path).await.status, 200);
    gate.open();
    let reply = looking.await.expect("the request is answered");
    assert_eq!(reply.cookie(), None);
    reply.text().to_owned()
}

#[tokio::test]
async fn s125_reload_shows_what_another_request_has_written() {
    assert_eq!(between_two_looks("/").await, "Some(1) Some(2)");
}

#[tokio::test]
async fn s126_s127_reload_of_a_session_that_is_gone_fails_however_often() {
    assert_eq!(
        between_two_looks("/logout").await,
        "reload: the session is not there any more: failed to load session; still Some(1)"
    );
}

/// Saves within the handler and says how many sessions are stored then.
async fn save_and_look(store: Probe, reload: bool, session: Session) -> String {
    if reload {
        session.reload().await.expect("the session is stored");
    }
    count(session.clone()).await;
    session.save().await.expect("memory does not fail");
    let stored = store.open(&session.id()).await.expect("it is stored now");
    format!("{:?}", stored.get::<u32>("views").expect("a number"))
}

fn saving(store: &Probe, options: SessionOptions) -> Router {
    let (first, second) = (store.clone(), store.clone());
    Router::new()
        .route(
            "/reload",
            get(move |session| save_and_look(first, true, session)),
        )
        .fallback(move |session| save_and_look(second, false, session))
        .layer(layer(options))
}

#[tokio::test]
async fn s128_s129_an_explicit_save_stores_at_once_and_is_the_only_one() {
    let store = Probe::new();
    let server = Server::http(saving(&store, classic(&store)), store.clock()).await;
    let mut browser = server.browser();
    assert_eq!(browser.get("/").await.text(), "Some(1)");
    assert_eq!(store.calls(), "create get");
    assert_eq!(browser.get("/").await.text(), "Some(2)");
    assert_eq!(store.calls(), "get replace get");
}

#[tokio::test]
async fn s130_an_explicit_save_after_a_reload_is_the_only_one() {
    let store = Probe::new();
    let server = Server::http(saving(&store, classic(&store)), store.clock()).await;
    let mut browser = server.browser();
    browser.get("/").await;
    store.calls();
    assert_eq!(browser.get("/reload").await.text(), "Some(2)");
    assert_eq!(store.calls(), "get get replace get");
}

#[tokio::test]
async fn s131_the_same_without_save_uninitialized() {
    let store = Probe::new();
    let options = classic(&store).save_uninitialized(false);
    let server = Server::http(saving(&store, options), store.clock()).await;
    let reply = server.browser().get("/").await;
    reply.set();
    assert_eq!(store.calls(), "create get");
}

#[tokio::test]
async fn s132_touch_extends_the_stored_expiry() {
    let store = Probe::new();
    let options = store.options().cookie(CookieOptions::new().max_age(MINUTE));
    let server = serve(
        &store,
        options,
        async |uri: OriginalUri, session: Session| {
            if uri.path() == "/" {
                count(session).await;
            } else {
                session.touch();
            }
        },
    )
    .await;
    let mut browser = server.browser();
    browser.get("/").await;
    store.calls();
    store.clock().advance(MINUTE / 2);
    browser.get("/touch").await;
    assert_eq!(store.calls(), "get touch");
    let record = store.record(&browser.id()).await.expect("it is stored");
    assert_eq!(record.expires(), Some(store.clock().now() + MINUTE));
}
