//! C. When the response ends. express holds back its end until the session is saved; here not even
//! its head is sent before (departure 1).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::{Body, Bytes};
use axum::extract::OriginalUri;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::Method;
use http_body_util::BodyExt;
use session_tower::{CookieOptions, Session};

use crate::site::{count, serve};
use crate::support::{MINUTE, Probe, seconds};

async fn answer(OriginalUri(uri): OriginalUri, session: Session) -> Response {
    let shape = uri.path().trim_start_matches('/');
    if shape == "idle" {
        return "".into_response();
    }
    session
        .insert("shape", shape)
        .expect("a text has a JSON form");
    let parts = || {
        stream::iter(["hello, ", "world"].map(|part| Ok::<_, std::io::Error>(Bytes::from(part))))
    };
    match shape {
        "chunked" => Body::from_stream(parts()).into_response(),
        "empty" => ([("content-length", "0")], "").into_response(),
        "parts" => ([("content-length", "12")], Body::from_stream(parts())).into_response(),
        _ => ([("content-length", "12")], "hello, world").into_response(),
    }
}

async fn the_head_waits_for_the_save(shape: &'static str, body: &str) {
    let store = Probe::new();
    let server = serve(&store, store.options(), answer).await;
    let gate = store.gate("create");
    let opened = Arc::new(AtomicBool::new(false));

    let mut browser = server.browser();
    let waiting = tokio::spawn({
        let opened = Arc::clone(&opened);
        async move {
            let response = browser.open(Method::GET, &format!("/{shape}"), []).await;
            assert!(
                opened.load(Ordering::SeqCst),
                "the head came before the save"
            );
            let cookie = browser.jar.get("connect.sid").cloned();
            (
                cookie,
                response
                    .into_body()
                    .collect()
                    .await
                    .expect("the body arrives whole")
                    .to_bytes(),
            )
        }
    });
    gate.reached().await;
    // Whole round trips on the same server, in which the head could have arrived.
    for _ in 0..3 {
        server.browser().get("/idle").await;
    }
    assert!(!waiting.is_finished());
    assert_eq!(store.len().await, 0);
    opened.store(true, Ordering::SeqCst);
    gate.open();
    let (cookie, received) = waiting.await.expect("the request is answered");
    assert_eq!(received, body);
    let id = crate::support::decoded_id(&cookie.expect("the cookie came with the head"));
    assert!(store.json(&id).await.contains(shape));
}

#[tokio::test]
async fn c35_a_chunked_response_waits_for_the_save() {
    the_head_waits_for_the_save("chunked", "hello, world").await;
}

#[tokio::test]
async fn c36_an_empty_response_waits_for_the_save() {
    the_head_waits_for_the_save("empty", "").await;
}

#[tokio::test]
async fn c37_a_response_of_known_length_in_parts_waits_for_the_save() {
    the_head_waits_for_the_save("parts", "hello, world").await;
}

#[tokio::test]
async fn c38_a_response_of_known_length_waits_for_the_save() {
    the_head_waits_for_the_save("whole", "hello, world").await;
}

#[tokio::test]
async fn c39_the_stored_expiry_is_that_of_the_cookie_and_both_move() {
    let store = Probe::new();
    let options = store.options().cookie(CookieOptions::new().max_age(MINUTE));
    let server = serve(&store, options, count).await;
    let mut browser = server.browser();
    let mut last = 0;
    for _ in 0..2 {
        let reply = browser.get("/").await;
        let record = store.record(&reply.id()).await.unwrap();
        assert_eq!(seconds(record.expires().unwrap()), reply.expires());
        assert_eq!(reply.expires(), seconds(store.clock().now() + MINUTE));
        assert!(reply.expires() > last, "the expiry moves on");
        last = reply.expires();
        store.clock().advance(MINUTE / 2);
    }
}
