//! Handlers that panic, with tower-http's `CatchPanic` on either side of the layer.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, service_fn};
use tower_http::catch_panic::CatchPanicLayer;

use crate::support::Probe;
use crate::visit::{Visitor, count, layer, session, session_cookies};

async fn handle(request: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
    let session = session(&request).await;
    let views = count(&session);
    match request.uri().path() {
        "/" => Ok(Response::new(Full::from(views.to_string()))),
        "/update" => {
            let _: u32 = session
                .update("views", |_: Option<u32>| panic!("inside an update"))
                .expect("it does not return");
            unreachable!()
        }
        _ => panic!("in the handler"),
    }
}

async fn text<S, B>(visitor: &mut Visitor, service: &S) -> String
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible> + Clone,
    B: http_body::Body,
    B::Error: std::fmt::Debug,
{
    let response = visitor.visit(service, "/").await;
    let body = response.into_body().collect().await.expect("a body");
    String::from_utf8(body.to_bytes().to_vec()).expect("text")
}

/// The layer never sees a response: nothing is saved, and no cookie set.
#[tokio::test]
async fn a_panic_that_passes_through_the_layer_saves_nothing() {
    for path in ["/panic", "/update"] {
        let store = Probe::new();
        let service =
            CatchPanicLayer::new().layer(layer(store.options()).layer(service_fn(handle)));
        let response = Visitor::default().visit(&service, path).await;
        assert_eq!(response.status(), 500);
        assert!(session_cookies(response.headers()).is_empty());
        assert_eq!(store.calls(), "");

        let mut visitor = Visitor::default();
        assert_eq!(text(&mut visitor, &service).await, "1");
        let response = visitor.visit(&service, path).await;
        assert_eq!(response.status(), 500);
        assert_eq!(store.calls(), "create get");
        assert_eq!(
            text(&mut visitor, &service).await,
            "2",
            "as if it had not been"
        );
    }
}

/// The layer sees a response like any other: what the handler did until then is saved.
#[tokio::test]
async fn a_panic_that_was_caught_within_the_layer_is_a_response() {
    for path in ["/panic", "/update"] {
        let store = Probe::new();
        let service =
            layer(store.options()).layer(CatchPanicLayer::new().layer(service_fn(handle)));
        let mut visitor = Visitor::default();
        let response = visitor.visit(&service, path).await;
        assert_eq!(response.status(), 500);
        assert_eq!(session_cookies(response.headers()).len(), 1);
        assert_eq!(text(&mut visitor, &service).await, "2");
        assert_eq!(visitor.visit(&service, path).await.status(), 500);
        assert_eq!(text(&mut visitor, &service).await, "4");
    }
}
