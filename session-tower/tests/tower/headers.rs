//! The headers that the layer adds, and those that it leaves alone.

use std::convert::Infallible;

use http::{Request, Response};
use session_tower::SessionOptions;
use tower::{Layer, service_fn};

use crate::support::Probe;
use crate::visit::{Visitor, count, layer, session};

/// What a handler does with the session.
#[derive(Clone, Copy, PartialEq)]
enum Act {
    Ignore,
    Read,
    Change,
}

/// The response to a new visitor, its headers `name` among them.
async fn respond(
    options: impl FnOnce(SessionOptions) -> SessionOptions,
    act: Act,
    own: &'static [(&'static str, &'static str)],
) -> Response<()> {
    let store = Probe::new();
    let service =
        layer(options(store.options())).layer(service_fn(move |request: Request<()>| async move {
            if act != Act::Ignore {
                let session = session(&request).await;
                if act == Act::Change {
                    count(&session);
                }
            }
            let mut response = Response::builder();
            for (name, value) in own {
                response = response.header(*name, *value);
            }
            Ok::<_, Infallible>(response.body(()).expect("a response"))
        }));
    Visitor::default().visit(&service, "/").await
}

fn same(options: SessionOptions) -> SessionOptions {
    options
}

fn all<'a>(response: &'a Response<()>, name: &str) -> Vec<&'a str> {
    response
        .headers()
        .get_all(name)
        .iter()
        .map(|value| value.to_str().expect("ASCII"))
        .collect()
}

#[tokio::test]
async fn the_cookie_stands_beside_the_handlers_own() {
    let own = &[("set-cookie", "theme=dark"), ("set-cookie", "lang=en")];
    let response = respond(same, Act::Change, own).await;
    let cookies = all(&response, "set-cookie");
    assert_eq!(cookies[..2], ["theme=dark", "lang=en"]);
    assert!(cookies.len() == 3 && cookies[2].starts_with("connect.sid=s%3A"));
}

#[tokio::test]
async fn a_response_that_sets_the_cookie_is_not_to_be_stored() {
    let response = respond(same, Act::Change, &[]).await;
    assert_eq!(all(&response, "cache-control"), ["no-store"]);
    let response = respond(same, Act::Read, &[]).await;
    assert!(all(&response, "cache-control").is_empty());
}

#[tokio::test]
async fn a_cache_control_of_the_handlers_own_stays() {
    let own = &[("cache-control", "private, max-age=60")];
    let response = respond(same, Act::Change, own).await;
    assert_eq!(all(&response, "cache-control"), ["private, max-age=60"]);
}

#[tokio::test]
async fn a_cookie_goes_out_with_nothing_that_lets_a_shared_cache_store_it() {
    let own = &[
        ("cache-control", "public, max-age=43200"),
        ("cdn-cache-control", "max-age=600"),
    ];
    let response = respond(same, Act::Change, own).await;
    assert_eq!(all(&response, "cache-control"), ["private, max-age=43200"]);
    assert_eq!(all(&response, "cdn-cache-control"), ["no-store"]);
    let response = respond(same, Act::Read, own).await;
    assert_eq!(all(&response, "cache-control"), ["public, max-age=43200"]);
    assert_eq!(all(&response, "cdn-cache-control"), ["max-age=600"]);
}

#[tokio::test]
async fn a_rolling_cookie_and_a_dropped_one_are_no_less_private() {
    let store = Probe::new();
    let service =
        layer(store.options().rolling(true)).layer(service_fn(|request: Request<()>| async move {
            let session = session(&request).await;
            match request.uri().path() {
                "/in" => session.insert("user", "alice").expect("text"),
                "/out" => session.destroy().await.expect("the store works"),
                _ => {}
            }
            let response = Response::builder().header("cache-control", "Public, s-maxage=60");
            Ok::<_, Infallible>(response.body(()).expect("a response"))
        }));
    let mut visitor = Visitor::default();
    for path in ["/in", "/", "/out"] {
        let response = visitor.visit(&service, path).await;
        assert_eq!(all(&response, "set-cookie").len(), 1, "{path}");
        assert_eq!(all(&response, "cache-control"), ["private"], "{path}");
    }
    let response = visitor.visit(&service, "/").await;
    assert_eq!(all(&response, "cache-control"), ["Public, s-maxage=60"]);
}

#[tokio::test]
async fn an_option_leaves_the_handlers_word_to_caches_alone() {
    let leave = |options: SessionOptions| options.no_store(false);
    let response = respond(leave, Act::Change, &[]).await;
    assert!(all(&response, "cache-control").is_empty());
    assert_eq!(all(&response, "set-cookie").len(), 1);
    let own = &[
        ("cache-control", "public"),
        ("surrogate-control", "max-age=1"),
    ];
    let response = respond(leave, Act::Change, own).await;
    assert_eq!(all(&response, "cache-control"), ["public"]);
    assert_eq!(all(&response, "surrogate-control"), ["max-age=1"]);
}

#[tokio::test]
async fn a_response_varies_by_cookie_if_the_handler_asked_for_the_session() {
    for (act, vary) in [
        (Act::Ignore, [].as_slice()),
        (Act::Read, &["cookie"]),
        (Act::Change, &["cookie"]),
    ] {
        let response = respond(same, act, &[]).await;
        assert_eq!(all(&response, "vary"), vary);
    }
}

#[tokio::test]
async fn vary_is_added_to_and_not_said_twice() {
    for (own, vary) in [
        (
            [("vary", "accept")].as_slice(),
            ["accept", "cookie"].as_slice(),
        ),
        (&[("vary", "accept, Cookie")], &["accept, Cookie"]),
        (&[("vary", "*")], &["*"]),
    ] {
        let response = respond(same, Act::Read, own).await;
        assert_eq!(all(&response, "vary"), vary);
    }
}

#[tokio::test]
async fn an_untouched_request_adds_nothing() {
    for act in [Act::Ignore, Act::Read] {
        let response = respond(same, act, &[]).await;
        assert!(all(&response, "set-cookie").is_empty());
    }
    assert!(respond(same, Act::Ignore, &[]).await.headers().is_empty());
}
