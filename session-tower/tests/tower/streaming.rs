//! Redirects and streamed bodies: the session is finished before the head is sent.

use std::convert::Infallible;
use std::pin::pin;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request as AxumRequest;
use futures_util::stream;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{Gate, Probe, Server};
use crate::visit::{Visitor, count, layer, poll_once, session};

/// A client that follows a redirect at once finds what the redirecting handler wrote.
#[tokio::test]
async fn a_redirect_is_not_seen_before_the_save_has_finished() {
    let store = Probe::new();
    let service = layer(store.options()).layer(service_fn(|request: Request<()>| async move {
        let user = session(&request).await;
        if request.uri().path() == "/" {
            let name: Option<String> = user.get("user").unwrap();
            return Ok(Response::new(name.unwrap_or_default()));
        }
        user.regenerate();
        user.insert("user", "alice").unwrap();
        let response = Response::builder().status(303).header("location", "/");
        Ok::<_, Infallible>(response.body(String::new()).unwrap())
    }));
    let gate = store.gate("create");
    let mut visitor = Visitor::default();
    let mut redirect = pin!(service.clone().oneshot(visitor.request("/login")));
    for _ in 0..3 {
        assert!(poll_once(redirect.as_mut()).await.is_pending());
    }
    gate.reached().await;
    gate.open();
    let response = redirect.await.unwrap();
    assert_eq!(response.headers()["location"], "/");
    visitor.receive(response.headers());
    assert_eq!(visitor.visit(&service, "/").await.body(), "alice");
}

/// The parts of a body, the second one made when the gate is open.
fn parts<F>(gate: Gate, second: impl FnOnce() -> F + Send + 'static) -> Body
where
    F: Future<Output = String> + Send + 'static,
{
    let first = stream::iter([Ok::<_, Infallible>(Bytes::from("first "))]);
    let second = stream::once(async move {
        gate.pass().await;
        Ok(Bytes::from(second().await))
    });
    Body::from_stream(futures_util::StreamExt::chain(first, second))
}

#[tokio::test]
async fn a_streamed_body_may_use_the_session_and_has_to_save_it() {
    let store = Probe::new();
    let gate = Gate::new();
    let streaming = {
        let gate = gate.clone();
        move |request: AxumRequest| {
            let gate = gate.clone();
            async move {
                let session = session(&request).await;
                let path = request.uri().path().to_owned();
                if path == "/" {
                    return Body::from(count(&session).to_string());
                }
                session.insert("before", &path).unwrap();
                parts(gate, move || async move {
                    session.insert("during", &path).unwrap();
                    if path == "/save" {
                        session.save().await.unwrap();
                    }
                    "second".to_owned()
                })
            }
        }
    };
    let app = Router::new()
        .fallback(streaming)
        .layer(layer(store.options()));
    let server = Server::http(app, store.clock()).await;
    let mut browser = server.browser();
    browser.get("/").await;
    store.calls();

    let response = browser.open(Method::GET, "/forget", []).await;
    // The head is here, the body is held up: what the handler wrote is stored.
    gate.reached().await;
    assert_eq!(store.calls(), "get replace");
    let before = store.json(&browser.id()).await;
    assert!(before.contains(r#""before":"/forget""#), "{before}");
    gate.open();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "first second");
    assert_eq!(
        store.json(&browser.id()).await,
        before,
        "nobody saved the rest"
    );

    let reply = browser.get("/save").await;
    assert_eq!(reply.text(), "first second");
    assert_eq!(store.calls(), "get replace replace");
    let after = store.json(&browser.id()).await;
    assert!(
        after.ends_with(r#""before":"/save","during":"/save"}"#),
        "{after}"
    );
}

/// A session that only the body makes could not be found by anybody: its cookie is too late.
#[tokio::test]
async fn a_new_session_cannot_be_saved_after_the_head() {
    let store = Probe::new();
    let gate = Gate::new();
    gate.open();
    let streaming = move |request: AxumRequest| {
        let gate = gate.clone();
        async move {
            let session = session(&request).await;
            parts(gate, move || async move {
                count(&session);
                session.save().await.expect_err("too late").to_string()
            })
        }
    };
    let app = Router::new()
        .fallback(streaming)
        .layer(layer(store.options()));
    let server = Server::http(app, store.clock()).await;
    let reply = server.browser().get("/").await;
    assert!(
        reply.text().contains("there is no response any more"),
        "{}",
        reply.text()
    );
    assert_eq!(store.calls(), "");
}
