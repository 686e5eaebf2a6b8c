//! A site with a session around one handler.

use axum::Router;
use axum::handler::Handler;
use session_tower::{Session, SessionLayer, SessionOptions};

use crate::support::{Probe, Server};

/// The options that express-session's suite runs with: 1.x saves new sessions, and each session
/// again, unless it is told otherwise.
pub(crate) fn classic(store: &Probe) -> SessionOptions {
    store.options().resave(true).save_uninitialized(true)
}

pub(crate) fn layer(options: SessionOptions) -> SessionLayer {
    SessionLayer::new(options).expect("the options can work")
}

/// Every path and method goes to `handler`.
pub(crate) fn app<T: 'static>(options: SessionOptions, handler: impl Handler<T, ()>) -> Router {
    Router::new().fallback(handler).layer(layer(options))
}

pub(crate) async fn serve<T: 'static>(
    store: &Probe,
    options: SessionOptions,
    handler: impl Handler<T, ()>,
) -> Server {
    Server::http(app(options, handler), store.clock()).await
}

/// Looks at the session and changes nothing.
pub(crate) async fn idle(_: Session) {}

/// Counts the visits: changes the session each time.
pub(crate) async fn count(session: Session) -> String {
    let views = session.update("views", |views: Option<u32>| views.unwrap_or(0) + 1);
    views.expect("views is a number").to_string()
}
