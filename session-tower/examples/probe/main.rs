//! A server that does to its session what a request tells it to, so that one script can drive the
//! Rust and the Node implementation: `cargo run -p session-tower --example probe`. The same in
//! Node is `ci/express/probe.js`; `ci/express/README.md` describes the protocol.
//!
//! | variable | default | meaning |
//! |---|---|---|
//! | `PORT` | 0, any free port | where to listen on 127.0.0.1; `listening PORT` is printed |
//! | `STORE` | `memory:` | where the sessions live, a URL |
//! | `SESSION_OPTIONS` | `{"secret": "keyboard cat"}` | express-session's options, as JSON |

mod cookie;
mod json;
mod options;
mod steps;
#[expect(dead_code, reason = "it has more to say than a probe prints")]
#[path = "../store/mod.rs"]
mod store;

use std::env;
use std::net::Ipv4Addr;
use std::process::ExitCode;

use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use session_tower::{Session, SessionLayer};
use tokio::net::TcpListener;

use crate::steps::Runner;

const LARGEST_BODY: usize = 16 * 1024 * 1024;

#[tokio::main]
#[expect(
    clippy::print_stderr,
    reason = "this is where a program says why it ends"
)]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("probe: {problem}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "whoever started it waits for the port")]
async fn serve() -> Result<(), String> {
    let port = match variable("PORT") {
        None => 0,
        Some(text) => text
            .parse()
            .map_err(|_| format!("PORT is a number from 0 to 65535, not {text:?}"))?,
    };
    let opened = store::open(variable("STORE").as_deref().unwrap_or("memory:"))
        .await
        .map_err(|error| format!("STORE cannot be used: {error}"))?;
    let options = variable("SESSION_OPTIONS");
    let options = options::parse(
        options.as_deref().unwrap_or(r#"{"secret":"keyboard cat"}"#),
        opened.store.clone(),
    )
    .map_err(|error| format!("SESSION_OPTIONS cannot be used: {error}"))?;
    let sessions = SessionLayer::new(options).map_err(|error| error.to_string())?;

    let app = Router::new()
        .fallback(run)
        .layer(Extension(Runner::new(opened.store.clone())))
        .layer(sessions)
        .layer(DefaultBodyLimit::max(LARGEST_BODY));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|error| format!("cannot listen on port {port}: {error}"))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    println!("listening {}", address.port());
    axum::serve(listener, app)
        .await
        .map_err(|error| format!("the server failed: {error}"))
}

/// Any request: its body says what to do.
async fn run(
    Extension(runner): Extension<Runner>,
    session: Option<Session>,
    body: Bytes,
) -> Response {
    let (status, json) = match runner.run(session.as_ref(), &body).await {
        Ok(json) => (StatusCode::OK, json),
        Err(json) => (StatusCode::BAD_REQUEST, json),
    };
    let kind = [(header::CONTENT_TYPE, "application/json; charset=utf-8")];
    (status, kind, json).into_response()
}

/// A variable that is set to nothing counts as not set.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|text| !text.is_empty())
}
