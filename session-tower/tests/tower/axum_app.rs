//! The extractors, and axum's own ways.

use axum::Router;
use axum::body::Body;
use axum::extract::OriginalUri;
use axum::response::Redirect;
use axum::routing::{any, get};
use http::Method;
use session_tower::{
    CookieOptions, ErrorKind, OnStoreError, Session, SessionFailure, SessionHandle,
    SessionRejection,
};
use tower::ServiceExt;

use crate::support::{Probe, Server};
use crate::visit::{Visitor, count, layer};

async fn views(session: Session) -> String {
    count(&session).to_string()
}

async fn maybe(session: Option<Session>) -> &'static str {
    if session.is_some() { "session" } else { "none" }
}

async fn why(session: Result<Session, SessionRejection>) -> String {
    match session {
        Ok(_) => "session".to_owned(),
        Err(rejection) => rejection.to_string(),
    }
}

fn routes() -> Router {
    Router::new()
        .route("/views", any(views))
        .route("/maybe", any(maybe))
        .route("/why", any(why))
}

#[tokio::test]
async fn without_the_layer_the_extractor_says_what_to_do() {
    let server = Server::http(routes(), Probe::new().clock()).await;
    let mut browser = server.browser();
    let reply = browser.get("/views").await;
    // The visitor is not told about the program's mistakes.
    assert_eq!(
        (reply.status.as_u16(), reply.text()),
        (500, "Internal Server Error")
    );
    assert_eq!(browser.get("/maybe").await.text(), "none");
    let why = browser.get("/why").await;
    assert!(
        why.text().contains("put a SessionLayer around the router"),
        "{}",
        why.text()
    );
}

#[tokio::test]
async fn outside_of_the_cookies_path_it_is_the_same() {
    let store = Probe::new();
    let options = store.options().cookie(CookieOptions::new().path("/shop"));
    let app = Router::new()
        .merge(routes())
        .nest("/shop", routes())
        .layer(layer(options));
    let server = Server::http(app, store.clock()).await;
    let mut browser = server.browser();
    assert_eq!(browser.get("/views").await.status, 500);
    assert_eq!(browser.get("/maybe").await.text(), "none");
    assert!(
        browser
            .get("/why")
            .await
            .text()
            .contains("a path that covers this one")
    );
    assert_eq!(browser.get("/shop/views").await.text(), "1");
    assert_eq!(browser.get("/shop/maybe").await.text(), "session");
}

#[tokio::test]
async fn while_the_store_is_away_the_extractor_is_a_503_and_the_optional_one_is_none() {
    let store = Probe::new();
    let options = store
        .options()
        .on_store_error(OnStoreError::ServeWithoutSession);
    let server = Server::http(routes().layer(layer(options)), store.clock()).await;
    let mut browser = server.browser();
    browser.get("/views").await;
    store.fail("get", ErrorKind::Unavailable);
    let reply = browser.get("/views").await;
    assert_eq!(
        (reply.status.as_u16(), reply.text()),
        (503, "Service Unavailable")
    );
    assert_eq!(browser.get("/maybe").await.text(), "none");
    assert_eq!(
        browser.get("/why").await.text(),
        "the session store is unavailable"
    );
}

#[tokio::test]
async fn a_lazy_session_that_cannot_be_loaded_rejects_with_the_errors_status() {
    let store = Probe::new();
    let app = routes().layer(layer(store.options().lazy(true)));
    let server = Server::http(app, store.clock()).await;
    let mut browser = server.browser();
    browser.get("/views").await;
    store.fail("get", ErrorKind::Unavailable);
    assert_eq!(browser.get("/views").await.status, 503);
    assert_eq!(browser.get("/maybe").await.status, 503);
    assert_eq!(
        browser.get("/why").await.text(),
        "get: the session store is unavailable"
    );
}

#[tokio::test]
async fn a_handler_may_return_the_sessions_errors() {
    let store = Probe::new();
    let app = Router::new()
        .fallback(async |session: Session| -> Result<(), SessionRejection> {
            session.insert("cookie", "a key that express-session would erase")?;
            Ok(())
        })
        .layer(layer(store.options()));
    let server = Server::http(app, store.clock()).await;
    let reply = server.browser().get("/").await;
    assert_eq!(
        (reply.status.as_u16(), reply.text()),
        (500, "Internal Server Error")
    );
    assert_eq!(store.calls(), "");
}

/// What a rejection says to visitors is one thing; a layer around the application sees the reason.
#[tokio::test]
async fn a_rejection_tells_the_layers_around_it_why() {
    let store = Probe::new();
    let lenient = store
        .options()
        .on_store_error(OnStoreError::ServeWithoutSession);
    let refused = Router::new()
        .fallback(async |session: Session| -> Result<(), SessionRejection> {
            Ok(session.insert("cookie", "a key that express-session would erase")?)
        })
        .layer(layer(store.options()));
    let mut visitor = Visitor::default();
    let site = routes().layer(layer(store.options()));
    visitor.visit::<_, Body, _>(&site, "/views").await;
    store.fail("get", ErrorKind::Unavailable);
    for (app, visitor, kind, status) in [
        (refused, Visitor::default(), ErrorKind::ReservedKey, 500),
        (routes(), Visitor::default(), ErrorKind::Config, 500),
        (
            routes().layer(layer(lenient)),
            visitor,
            ErrorKind::Unavailable,
            503,
        ),
    ] {
        let request = visitor.request::<Body>("/views");
        let response = app.oneshot(request).await.expect("it is answered");
        let failure = response.extensions().get::<SessionFailure>();
        let failure = failure.expect("the rejection says why");
        assert_eq!((failure.kind(), failure.status().as_u16()), (kind, status));
        assert_eq!(response.status(), failure.status());
    }
}

/// Inside a nested router the path that axum leaves of it is not the cookie's.
#[tokio::test]
async fn nested_layers_see_the_original_path() {
    let store = Probe::new();
    let options = store.options().cookie(CookieOptions::new().path("/a/b"));
    let inner = routes().layer(layer(options));
    let app = Router::new().nest("/a", Router::new().nest("/b", inner.clone()).merge(inner));
    let server = Server::http(app, store.clock()).await;
    let mut browser = server.browser();
    let reply = browser.get("/a/b/views").await;
    assert_eq!((reply.text(), reply.set().path()), ("1", Some("/a/b")));
    assert_eq!(browser.get("/a/b/views").await.text(), "2");
    assert_eq!(server.browser().get("/a/maybe").await.text(), "none");
}

#[tokio::test]
async fn a_head_request_has_the_session_and_no_body() {
    let store = Probe::new();
    let app = Router::new()
        .route("/", get(views))
        .layer(layer(store.options()));
    let server = Server::http(app, store.clock()).await;
    let mut browser = server.browser();
    let reply = browser.send(Method::HEAD, "/", []).await;
    assert_eq!((reply.status.as_u16(), reply.text()), (200, ""));
    assert_eq!(reply.headers["content-length"], "1");
    reply.set();
    assert_eq!(browser.get("/").await.text(), "2");
}

/// The redirect's own test is with the streams; this is what a browser makes of it.
#[tokio::test]
async fn a_login_that_redirects_is_signed_in_when_it_gets_there() {
    let store = Probe::new();
    let login = async |session: Session| {
        session.cycle_id();
        session.insert("user", "alice").unwrap();
        Redirect::to("/")
    };
    let home = async |session: Session| session.get::<String>("user").unwrap().unwrap_or_default();
    let app = Router::new()
        .route("/", get(home))
        .route("/login", get(login))
        .route("/views", get(views))
        .layer(layer(store.options()));
    let server = Server::http(app, store.clock()).await;
    let mut browser = server.browser();
    browser.get("/views").await;
    let before = browser.id();
    let reply = browser.get("/login").await;
    assert_eq!(
        (reply.status.as_u16(), &reply.headers["location"]),
        (303, &"/".parse().unwrap())
    );
    assert!(browser.id() != before, "a new id against session fixation");
    assert_eq!(browser.get("/").await.text(), "alice");
    assert_eq!(
        browser.get("/views").await.text(),
        "2",
        "and the data came along"
    );
    assert!(store.record(&before).await.is_none());
}

#[tokio::test]
async fn handles_reach_the_sessions_of_layers_further_out() {
    let (staff, shop) = (Probe::new(), Probe::new());
    let both = async |uri: OriginalUri, handle: SessionHandle, inner: Session| {
        let staff = handle.named("staff").expect("the outer layer").session();
        let outer = staff.await.unwrap().expect("the store works");
        if uri.path() == "/staff" {
            count(&outer)
        } else {
            count(&inner)
        }
        .to_string()
    };
    let app = Router::new()
        .fallback(both)
        .layer(layer(shop.options()))
        .layer(layer(staff.options().name("staff")));
    let server = Server::http(app, shop.clock()).await;
    let mut browser = server.browser();
    assert_eq!(browser.get("/").await.text(), "1");
    assert_eq!(browser.get("/").await.text(), "2");
    assert_eq!(browser.get("/staff").await.text(), "1");
    assert_eq!(
        browser.jar.keys().collect::<Vec<_>>(),
        ["connect.sid", "staff"]
    );
}
