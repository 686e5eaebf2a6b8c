//! What a failed request looks like, and what it leaves behind.

use std::convert::Infallible;

use http::{Request, Response, StatusCode};
use session_tower::{
    EditsDropped, Error, ErrorKind, OnEnded, Session, SessionFailure, SessionOptions, Store,
};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::support::Probe;
use crate::visit::{Visitor, layer, session, session_cookies};

/// Does what the path says with the session, in this order, and answers with its last part as the
/// status: `/edit/save/500`.
async fn handle(request: Request<()>) -> Result<Response<String>, Infallible> {
    let session = session(&request).await;
    let mut status = 200;
    for step in request.uri().path().split('/').skip(1) {
        match step {
            "edit" => edit(&session),
            "more" => session.insert("more", &true).expect("a boolean"),
            "save" => session.save().await.expect("the store works"),
            "regenerate" => session.regenerate(),
            "cycle-id" => session.cycle_id(),
            "destroy" => session.destroy().await.expect("the store works"),
            "unset" => session.unset(),
            number => status = number.parse().expect("a status"),
        }
    }
    let mut response = Response::new("the handler's".to_owned());
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    Ok(response)
}

fn edit(session: &Session) {
    session.insert("edit", &true).expect("a boolean");
}

type Site<F> = <session_tower::SessionLayer<F> as Layer<Handler>>::Service;
type Handler = tower::util::BoxCloneService<Request<()>, Response<String>, Infallible>;

fn handler() -> Handler {
    Handler::new(service_fn(handle))
}

fn lenient(options: SessionOptions) -> Site<session_tower::EmptyResponse> {
    layer(options).save_on_server_error(false).layer(handler())
}

/// The keys of the session that the browser's cookie leads to, and the number of sessions.
async fn left(store: &Probe, visitor: &Visitor) -> (Option<String>, u64) {
    let record = match &visitor.cookie {
        Some(_) => store.record(&visitor.id()).await,
        None => None,
    };
    let keys = record.map(|record| {
        let data = record.data();
        let keys: Vec<_> = data.keys().map(|key| key.into_owned()).collect();
        keys.join(" ")
    });
    (keys, store.len().await)
}

#[tokio::test]
async fn the_error_is_in_the_response() {
    let store = Probe::new();
    let service = layer(store.options()).layer(handler());
    let mut visitor = Visitor::default();
    visitor.visit(&service, "/edit/200").await;
    for (method, kind) in [
        ("get", ErrorKind::Unavailable),
        ("replace", ErrorKind::Timeout),
    ] {
        store.fail(method, kind);
        let response = visitor.visit(&service, "/more/200").await;
        let failure = response.extensions().get::<SessionFailure>();
        let failure = failure.expect("the layer says why");
        assert_eq!((failure.kind(), failure.operation()), (kind, method));
        assert_eq!(response.status(), failure.status());
        assert_eq!(response.body(), "");
    }
}

#[tokio::test]
async fn an_application_says_what_a_failure_looks_like() {
    let store = Probe::new();
    let explain = |error: &Error| {
        let mut response = Response::new(format!("sorry: {:?}", error.kind()));
        *response.status_mut() = StatusCode::IM_A_TEAPOT;
        response
    };
    let service = layer(store.options()).on_error(explain).layer(handler());
    let mut visitor = Visitor::default();
    visitor.visit(&service, "/edit/200").await;

    store.fail("get", ErrorKind::Unavailable);
    let response = visitor.visit(&service, "/edit/200").await;
    assert_eq!(response.body(), "sorry: Unavailable");
    assert_eq!(response.status(), 418);
    assert!(response.extensions().get::<SessionFailure>().is_some());

    // The old session may still be there: nobody is shown the new one.
    store.fail("replace", ErrorKind::Timeout);
    let response = visitor.visit(&service, "/regenerate/edit/200").await;
    assert_eq!(response.body(), "sorry: Timeout");
    assert_eq!(session_cookies(response.headers()).len(), 0);
    assert_eq!(left(&store, &visitor).await.0.as_deref(), Some("edit"));
}

#[tokio::test]
async fn the_default_saves_whatever_the_status_is() {
    let store = Probe::new();
    let service = layer(store.options()).layer(handler());
    let mut visitor = Visitor::default();
    visitor.visit(&service, "/edit/500").await;
    let expected = (Some("edit".to_owned()), 1);
    assert_eq!(left(&store, &visitor).await, expected);
}

#[tokio::test]
async fn a_new_visitor_leaves_nothing_behind_an_error() {
    for (path, saved) in [
        ("/edit/500", None),
        ("/regenerate/edit/503", None),
        ("/destroy/edit/500", None),
        ("/edit/404", Some("edit")),
        ("/edit/200", Some("edit")),
        ("/edit/save/500", Some("edit")),
        ("/edit/save/more/500", Some("edit")),
    ] {
        let store = Probe::new();
        let mut visitor = Visitor::default();
        let response = visitor.visit(&lenient(store.options()), path).await;
        assert_eq!(response.body(), "the handler's", "{path}");
        let expected = (saved.map(str::to_owned), u64::from(saved.is_some()));
        assert_eq!(left(&store, &visitor).await, expected, "{path}");
        let cookies = session_cookies(response.headers());
        assert_eq!(cookies.len(), usize::from(saved.is_some()), "{path}");
    }
}

#[tokio::test]
async fn an_error_leaves_a_session_as_the_handler_has_saved_it() {
    for (path, keys, sessions) in [
        ("/more/500", Some("edit"), 1),
        ("/more/404", Some("edit more"), 1),
        ("/more/save/500", Some("edit more"), 1),
        ("/regenerate/more/500", Some("edit"), 1),
        ("/cycle-id/more/500", Some("edit"), 1),
        ("/regenerate/more/save/500", Some("more"), 1),
        ("/cycle-id/save/more/500", Some("edit"), 1),
        // What was stored under an id that was given up is nobody's.
        ("/regenerate/save/regenerate/500", Some("edit"), 1),
        ("/destroy/500", None, 0),
        ("/destroy/more/500", None, 0),
        ("/unset/500", Some("edit"), 1),
    ] {
        let store = Probe::new();
        let service = lenient(store.options());
        let mut visitor = Visitor::default();
        visitor.visit(&service, "/edit/200").await;
        let old = visitor.cookie.clone();
        let response = visitor.visit(&service, path).await;
        assert_eq!(response.body(), "the handler's", "{path}");
        let expected = (keys.map(str::to_owned), sessions);
        assert_eq!(left(&store, &visitor).await, expected, "{path}");
        // A destroyed session's cookie is dropped, and only a new id that was saved is sent.
        let kept = visitor.cookie == old;
        let changes = path.contains("save/") && !path.starts_with("/more");
        let changes = changes && !path.ends_with("regenerate/500");
        assert_eq!(kept, keys.is_some() && !changes, "{path}");
    }
}

#[tokio::test]
async fn a_session_lives_on_after_an_error() {
    let store = Probe::new();
    let service = lenient(store.options());
    let mut visitor = Visitor::default();
    visitor.visit(&service, "/edit/200").await;
    store.calls();
    visitor.visit(&service, "/more/500").await;
    assert_eq!(store.calls(), "get touch");
}

#[tokio::test]
async fn a_store_that_fails_beside_the_handler_is_told() {
    let store = Probe::new();
    let mut service = lenient(store.options());
    let mut visitor = Visitor::default();
    visitor.visit(&service, "/edit/200").await;
    store.fail("destroy", ErrorKind::Unavailable);
    let request = visitor.request("/regenerate/save/regenerate/500");
    let response = service.call(request).await.expect("it cannot fail");
    assert_eq!(response.status(), 503);
    assert!(response.extensions().get::<SessionFailure>().is_some());
}

#[tokio::test]
async fn a_response_whose_edits_are_lost_says_so() {
    for (on_ended, status) in [(OnEnded::Drop, 200), (OnEnded::Fail, 401)] {
        let store = Probe::new();
        let service = layer(store.options().on_ended(on_ended)).layer(handler());
        let mut visitor = Visitor::default();
        visitor.visit(&service, "/edit/200").await;
        let gate = store.gate("replace");
        let late = service.clone().oneshot(visitor.request("/more/200"));
        let sign_out = async {
            gate.reached().await;
            store.destroy(&visitor.id()).await.expect("the store works");
            gate.open();
        };
        let (response, ()) = tokio::join!(late, sign_out);
        let response = response.expect("it cannot fail");
        assert_eq!(response.status(), status);
        assert!(response.extensions().get::<EditsDropped>().is_some());
    }
}
