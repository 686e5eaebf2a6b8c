//! HTTP/2, whose requests carry their scheme and may carry each cookie in a line of its own.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::{Empty, Full};
use hyper::body::Incoming;
use hyper::client;
use hyper::server;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use session_tower::CookieOptions;
use tower::{Layer, ServiceExt, service_fn};

use crate::support::Probe;
use crate::visit::{Visitor, count, layer, session, session_cookies};

#[tokio::test]
async fn the_scheme_of_a_request_counts_and_so_does_each_cookie_line() {
    let store = Probe::new();
    let options = store.options().cookie(CookieOptions::new().secure(true));
    let service = layer(options).layer(service_fn(|request: Request<Incoming>| async move {
        count(&session(&request).await);
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    }));
    let (ours, theirs) = tokio::io::duplex(4096);
    tokio::spawn(async move {
        server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(theirs), TowerToHyperService::new(service))
            .await
            .expect("the client behaves");
    });
    let (mut sender, connection) =
        client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(ours))
            .await
            .expect("HTTP/2 is spoken");
    tokio::spawn(connection);
    let mut send = async |uri: &str, cookies: &[&str]| {
        let mut request = Request::builder().uri(uri);
        for cookie in cookies {
            request = request.header("cookie", *cookie);
        }
        let request = request.body(Empty::<Bytes>::new()).expect("a request");
        sender.send_request(request).await.expect("a response")
    };

    let plain = send("http://shop.example/", &[]).await;
    assert!(session_cookies(plain.headers()).is_empty());
    assert_eq!(store.calls(), "");

    let secure = send("https://shop.example/", &[]).await;
    let cookies = session_cookies(secure.headers());
    assert!(cookies[0].ends_with("; Secure"), "{cookies:?}");
    let mut visitor = Visitor::default();
    visitor.receive(secure.headers());
    let cookie = visitor.cookie.as_deref().expect("it was set");
    send("https://shop.example/", &["theme=dark", cookie, "lang=en"]).await;
    assert_eq!(store.calls(), "create get replace");
    assert!(store.json(&visitor.id()).await.contains(r#""views":2"#));
}

/// `GET https://host/ HTTP/1.1` is how a client speaks to a proxy, and anybody can write it on a
/// plain connection.
#[tokio::test]
async fn the_scheme_of_an_http1_request_does_not_count() {
    let store = Probe::new();
    let options = store.options().cookie(CookieOptions::new().secure(true));
    let service = layer(options).layer(service_fn(|request: Request<()>| async move {
        count(&session(&request).await);
        Ok::<_, Infallible>(Response::new(()))
    }));
    for (version, cookies) in [(Version::HTTP_11, 0), (Version::HTTP_2, 1)] {
        let request = Request::builder()
            .version(version)
            .uri("https://shop.example/");
        let request = request.body(()).expect("a request");
        let response = service.clone().oneshot(request).await.expect("infallible");
        assert_eq!(
            session_cookies(response.headers()).len(),
            cookies,
            "{version:?}"
        );
    }
}
