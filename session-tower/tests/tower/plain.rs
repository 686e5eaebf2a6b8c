//! The layer on tower services that know nothing of axum.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use http::{Request, Response, Version};
use session_tower::{Connection, CookieOptions, SessionHandle};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::support::Probe;
use crate::visit::{Visitor, count, layer, session, session_cookies};

#[tokio::test]
async fn bodies_may_be_of_any_kind() {
    #[derive(Default)]
    struct Upload(Vec<u8>);
    #[derive(Default)]
    struct Page {
        views: u32,
    }
    let store = Probe::new();
    let service = layer(store.options()).layer(service_fn(|request: Request<Upload>| async move {
        assert!(request.body().0.is_empty());
        let views = count(&session(&request).await);
        Ok::<_, Infallible>(Response::new(Page { views }))
    }));
    let mut visitor = Visitor::default();
    for expected in 1..=3 {
        let page: Response<Page> = visitor.visit(&service, "/").await;
        assert_eq!(page.into_body().views, expected);
    }
}

#[tokio::test]
async fn an_error_of_the_inner_service_is_passed_on_and_nothing_is_saved() {
    let store = Probe::new();
    let service = layer(store.options()).layer(service_fn(|request: Request<()>| async move {
        let views = count(&session(&request).await);
        match request.uri().path() {
            "/" => Ok(Response::new(views)),
            _ => Err("the inner service's own error"),
        }
    }));
    let mut visitor = Visitor::default();
    visitor.visit(&service, "/").await;
    store.calls();
    for visitor in [&visitor, &Visitor::default()] {
        let failed = service.clone().oneshot(visitor.request("/fail")).await;
        assert_eq!(failed.unwrap_err(), "the inner service's own error");
    }
    assert_eq!(store.calls(), "get", "the one visitor's, and no write");
    assert_eq!(visitor.visit(&service, "/").await.into_body(), 2);
}

/// A service that must be asked whether it is ready before each call; a clone has not been.
#[derive(Default)]
struct AskFirst {
    asked: bool,
}

impl Clone for AskFirst {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Service<Request<()>> for AskFirst {
    type Response = Response<()>;
    type Error = &'static str;
    type Future = Ready<Result<Response<()>, &'static str>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        self.asked = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        assert!(self.asked, "called without having been asked");
        self.asked = false;
        ready(Ok(Response::new(())))
    }
}

#[tokio::test]
async fn the_service_that_said_it_is_ready_is_the_one_that_is_called() {
    let store = Probe::new();
    let options = store.options().save_uninitialized(true);
    let mut service = layer(options).layer(AskFirst::default());
    let mut visitor = Visitor::default();
    // Without a cookie the inner service is called at once, with one after the session was loaded.
    for _ in 0..3 {
        let service = service.ready().await.unwrap();
        let response = service.call(visitor.request("/")).await.unwrap();
        visitor.receive(response.headers());
    }
    assert_eq!(store.calls(), "create get touch get touch");
}

#[tokio::test]
async fn that_the_inner_service_is_not_ready_is_passed_on() {
    #[derive(Clone)]
    struct Broken;
    impl Service<Request<()>> for Broken {
        type Response = Response<()>;
        type Error = &'static str;
        type Future = Ready<Result<Response<()>, &'static str>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
            Poll::Ready(Err("out of order"))
        }

        fn call(&mut self, _: Request<()>) -> Self::Future {
            unreachable!("it is never ready")
        }
    }
    let service = layer(Probe::new().options()).layer(Broken);
    let failed = service.oneshot(Request::new(())).await;
    assert_eq!(failed.unwrap_err(), "out of order");
}

#[tokio::test]
async fn the_layer_does_not_act_outside_of_its_cookies_path() {
    let store = Probe::new();
    let options = store.options().cookie(CookieOptions::new().path("/shop"));
    let service = layer(options).layer(service_fn(|request: Request<()>| async move {
        let handle = request.extensions().get::<SessionHandle>();
        Ok::<_, Infallible>(Response::new(handle.is_some()))
    }));
    for (path, covered) in [("/shop", true), ("/shop/cart", true), ("/shopping", false)] {
        let response = Visitor::default().visit(&service, path).await;
        assert_eq!(response.into_body(), covered, "{path}");
    }
}

#[tokio::test]
async fn the_session_is_in_any_of_several_cookie_lines() {
    let store = Probe::new();
    let service = layer(store.options()).layer(service_fn(|request: Request<()>| async move {
        Ok::<_, Infallible>(Response::new(count(&session(&request).await)))
    }));
    let mut visitor = Visitor::default();
    visitor.visit(&service, "/").await;
    let request = Request::builder()
        .header("cookie", "theme=dark; connect.sid=s%3Astale.signature")
        .header("cookie", "lang=en")
        .header("cookie", visitor.cookie.as_ref().unwrap())
        .body(())
        .unwrap();
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(response.into_body(), 2);
}

/// What the server says of the connection comes first, then the scheme of an HTTP/2 request.
#[tokio::test]
async fn a_connection_is_encrypted_if_the_server_or_the_scheme_says_so() {
    let store = Probe::new();
    let options = store.options().cookie(CookieOptions::new().secure(true));
    let service = layer(options).layer(service_fn(|request: Request<()>| async move {
        count(&session(&request).await);
        Ok::<_, Infallible>(Response::new(()))
    }));
    for (uri, connection, secure) in [
        ("/", None, false),
        ("http://shop.example/", None, false),
        ("https://shop.example/", None, true),
        ("https://shop.example/", Some(Connection::Plain), false),
        ("/", Some(Connection::Encrypted), true),
        ("/", Some(Connection::VouchedFor), true),
    ] {
        let mut request = Visitor::default().request(uri);
        *request.version_mut() = Version::HTTP_2;
        if let Some(connection) = connection {
            request.extensions_mut().insert(connection);
        }
        let response = service.clone().oneshot(request).await.unwrap();
        let cookies = session_cookies(response.headers());
        assert_eq!(!cookies.is_empty(), secure, "{uri} {connection:?}");
    }
}
