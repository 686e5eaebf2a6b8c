//! When the store fails.

use std::convert::Infallible;

use http::{Request, Response, StatusCode};
use session_tower::{ErrorKind, OnConflict, OnStoreError, SessionHandle, SessionOptions};
use tower::{Layer, Service, service_fn};

use crate::support::{Gate, Probe};
use crate::visit::{Visitor, count, layer, session_cookies};

/// Counts at `/`, looks at `/look`, and does not ask for the session at `/ignore`.
async fn handle(request: Request<()>) -> Result<Response<String>, Infallible> {
    let handle = request
        .extensions()
        .get::<SessionHandle>()
        .expect("a layer");
    let path = request.uri().path();
    let text = match path {
        "/ignore" => "ignored".to_owned(),
        _ => match handle.session().await {
            Ok(Some(session)) if path == "/" => count(&session).to_string(),
            Ok(Some(_)) => "looked".to_owned(),
            Ok(None) => "no session".to_owned(),
            Err(error) => format!("the handler got {:?}", error.kind()),
        },
    };
    let response = Response::builder().header("x-handler", "ran").body(text);
    Ok(response.expect("a response"))
}

fn site(
    options: SessionOptions,
) -> impl Service<Request<()>, Response = Response<String>, Error = Infallible, Future: Send>
+ Clone
+ Send {
    layer(options).layer(service_fn(handle))
}

fn is_bare(response: &Response<String>, status: u16) {
    assert_eq!(response.status(), status);
    assert_eq!(response.body(), "");
    // Nothing of the handler's, no cookie; that the answer depends on the cookie may be said.
    let names: Vec<_> = response
        .headers()
        .keys()
        .filter(|name| *name != "vary")
        .collect();
    assert!(names.is_empty(), "{names:?}");
}

#[tokio::test]
async fn a_failed_load_is_answered_without_asking_the_handler() {
    for (kind, status) in [
        (ErrorKind::Unavailable, 503),
        (ErrorKind::Timeout, 503),
        (ErrorKind::Other, 500),
    ] {
        let store = Probe::new();
        let service = site(store.options());
        let mut visitor = Visitor::default();
        visitor.visit(&service, "/").await;
        store.fail("get", kind);
        is_bare(&visitor.visit(&service, "/").await, status);
        store.heal();
        assert_eq!(visitor.visit(&service, "/").await.body(), "2");
    }
}

#[tokio::test]
async fn a_failed_save_takes_the_place_of_the_response() {
    let store = Probe::new();
    let service = site(store.options());
    let mut visitor = Visitor::default();
    store.fail("create", ErrorKind::Unavailable);
    is_bare(&visitor.visit(&service, "/").await, 503);
    assert_eq!(store.len().await, 0);

    store.heal();
    visitor.visit(&service, "/").await;
    store.fail("replace", ErrorKind::Unavailable);
    is_bare(&visitor.visit(&service, "/").await, 503);
    store.heal();
    assert_eq!(visitor.visit(&service, "/").await.body(), "2");
}

#[tokio::test]
async fn a_failed_touch_fails_no_request() {
    let store = Probe::new();
    let service = site(store.options());
    let mut visitor = Visitor::default();
    visitor.visit(&service, "/").await;
    store.fail("touch", ErrorKind::Timeout);
    let response = visitor.visit(&service, "/look").await;
    assert_eq!(
        (response.status().as_u16(), &**response.body()),
        (200, "looked")
    );
}

#[tokio::test]
async fn a_conflict_that_is_not_to_be_merged_is_a_409() {
    let store = Probe::new();
    let service = site(store.options().on_conflict(OnConflict::Fail));
    let mut visitor = Visitor::default();
    visitor.visit(&service, "/").await;
    let gate: Gate = store.gate("replace");
    let (mut slow, mut quick) = (visitor.clone(), visitor.clone());
    let (first, second) = (service.clone(), service.clone());
    let requests =
        tokio::spawn(
            async move { tokio::join!(slow.visit(&first, "/"), quick.visit(&second, "/")) },
        );
    gate.reached().await;
    gate.reached().await;
    gate.open();
    let (one, other) = requests.await.expect("both are answered");
    let mut statuses = [one.status(), other.status()];
    statuses.sort();
    assert_eq!(statuses, [StatusCode::OK, StatusCode::CONFLICT]);
    assert!(store.json(&visitor.id()).await.contains(r#""views":2"#));
}

#[tokio::test]
async fn a_store_failure_may_be_served_without_a_session() {
    let store = Probe::new();
    let service = site(
        store
            .options()
            .on_store_error(OnStoreError::ServeWithoutSession),
    );
    let mut visitor = Visitor::default();
    visitor.visit(&service, "/").await;
    store.calls();

    store.fail("get", ErrorKind::Unavailable);
    let response = visitor.visit(&service, "/").await;
    assert_eq!(
        (response.status().as_u16(), &**response.body()),
        (200, "no session")
    );
    assert!(session_cookies(response.headers()).is_empty());
    assert_eq!(
        store.calls(),
        "get",
        "an empty session is never saved over the visitor's"
    );

    store.fail("touch", ErrorKind::Unavailable);
    assert_eq!(visitor.visit(&service, "/look").await.body(), "looked");
    // What the handler wanted saved is lost: that is not to look like success.
    store.fail("replace", ErrorKind::Unavailable);
    is_bare(&visitor.visit(&service, "/").await, 503);
}

#[tokio::test]
async fn a_lazy_session_fails_in_the_handler_and_only_if_it_asks() {
    let store = Probe::new();
    let service = site(store.options().lazy(true));
    let mut visitor = Visitor::default();
    visitor.visit(&service, "/").await;
    store.calls();
    store.fail("get", ErrorKind::Unavailable);
    let response = visitor.visit(&service, "/ignore").await;
    assert_eq!(
        (&**response.body(), store.calls()),
        ("ignored", String::new())
    );
    let response = visitor.visit(&service, "/").await;
    assert_eq!(response.body(), "the handler got Unavailable");
    assert!(session_cookies(response.headers()).is_empty());
    assert_eq!(store.len().await, 1);
}
