//! The routes, whatever keeps the sessions.

use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::SET_COOKIE;
use axum::response::{AppendHeaders, IntoResponse};
use axum::routing::get;

use crate::cookie::{Id, Signer, new_id};
use crate::row;

/// Where the sessions are. That something fails is no case for a server under measurement: each
/// method panics then.
pub(crate) trait Sessions: Send + Sync + 'static {
    /// A session's text.
    type Text: Deref<Target = str> + Send + Sync;

    fn get(&self, id: &Id) -> impl Future<Output = Self::Text> + Send;
    /// The same, and the session ends later.
    fn get_and_extend(&self, id: &Id) -> impl Future<Output = Self::Text> + Send;
    fn create(&self, id: &Id, text: String) -> impl Future<Output = ()> + Send;
    /// Whether `old` was still there, and `new` is now.
    fn replace(&self, id: &Id, old: &Self::Text, new: String) -> impl Future<Output = bool> + Send;
}

struct App<S> {
    signer: Signer,
    sessions: S,
    extend: bool,
}

pub(crate) fn app<S: Sessions>(sessions: S, extend: bool) -> Router {
    Router::new()
        .route("/none", get(async || "0"))
        .route("/new", get(new::<S>))
        .route("/read", get(read::<S>))
        .route("/edit", get(edit::<S>))
        .with_state(Arc::new(App {
            signer: Signer::new(),
            sessions,
            extend,
        }))
}

async fn new<S: Sessions>(State(app): State<Arc<App<S>>>) -> impl IntoResponse {
    let id = new_id();
    app.sessions.create(&id, row::first()).await;
    (AppendHeaders([(SET_COOKIE, app.signer.cookie(&id))]), "1")
}

async fn read<S: Sessions>(State(app): State<Arc<App<S>>>, request: Request) -> String {
    let id = app.signer.id(request.headers()).expect("a signed cookie");
    let text = if app.extend {
        app.sessions.get_and_extend(&id).await
    } else {
        app.sessions.get(&id).await
    };
    row::parse(&text).views.to_string()
}

async fn edit<S: Sessions>(
    State(app): State<Arc<App<S>>>,
    request: Request,
) -> impl IntoResponse + use<S> {
    let id = app.signer.id(request.headers()).expect("a signed cookie");
    let views = loop {
        let text = app.sessions.get(&id).await;
        let mut row = row::parse(&text);
        row.views += 1;
        if app.sessions.replace(&id, &text, row.write()).await {
            break row.views;
        }
    };
    let cookie = AppendHeaders([(SET_COOKIE, app.signer.cookie(&id))]);
    (cookie, views.to_string())
}
