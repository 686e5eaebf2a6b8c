//! Q. Other middleware that changes the response: express's suite patches `res.write` and
//! `res.end`, here layers inside and outside of the session's rewrite it.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::middleware::map_response;
use axum::response::Response;

use crate::site::{classic, count, layer};
use crate::support::{Probe, Server};

async fn sign(name: &'static str, response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let body = to_bytes(body, 1024).await.expect("a short body");
    parts.headers.remove("content-length");
    let cookie = format!("{name}=was-here").parse().expect("a header");
    parts.headers.append("set-cookie", cookie);
    let body = [&*body, b" ", name.as_bytes()].concat();
    Response::from_parts(parts, Body::from(body))
}

#[tokio::test]
async fn q115_q116_layers_inside_and_outside_may_rewrite_the_response() {
    let store = Probe::new();
    let app = Router::new()
        .fallback(count)
        .layer(map_response(async |response| sign("inner", response).await))
        .layer(layer(classic(&store)))
        .layer(map_response(async |response| sign("outer", response).await));
    let server = Server::http(app, store.clock()).await;
    let mut browser = server.browser();
    for text in ["1 inner outer", "2 inner outer"] {
        let reply = browser.get("/").await;
        assert_eq!(reply.text(), text);
        assert!(reply.cookie_named("inner").is_some() && reply.cookie_named("outer").is_some());
    }
    assert_eq!(browser.jar.len(), 3);
}
