//! What the page's script asks for: to count at the same time, to write late, to see the row.

use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use session_tower::{Session, SessionRejection};
use tokio::time::{Instant, sleep};

use crate::app::Demo;

/// Between a request's reading and its writing, so that requests overlap.
const OVERLAP: Duration = Duration::from_millis(25);
/// How long a slow request waits for its visitor to sign out.
const LONGEST: Duration = Duration::from_secs(10);

/// Counts one of many views.
pub(crate) async fn count(session: Session) -> Result<StatusCode, SessionRejection> {
    // The session was loaded before this; the others of the hundred are writing it meanwhile.
    sleep(OVERLAP).await;
    session.update("views", |views: Option<u64>| views.unwrap_or(0) + 1)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Begins an order, and completes it only when its visitor has signed out.
pub(crate) async fn late(
    State(demo): State<Demo>,
    session: Session,
) -> Result<Response, SessionRejection> {
    let id = session.id();
    session.insert("order", "under way")?;
    session.save().await?;

    let begun = Instant::now();
    while demo.store.get(&id).await?.is_some() && begun.elapsed() < LONGEST {
        sleep(OVERLAP).await;
    }
    session.insert("order", "complete")?;
    let refusal = session.save().await.err().map(|error| error.to_string());
    let alive = demo.store.get(&id).await?.is_some();
    Ok(json(&json!({ "refusal": refusal, "alive": alive })))
}

/// The visitor's row as the store holds it, and how long the session lives from now on.
pub(crate) async fn row(
    State(demo): State<Demo>,
    session: Session,
) -> Result<Response, SessionRejection> {
    let record = demo.store.get(&session.id()).await?;
    // The layer does this when the response ends.
    session.touch();
    let remaining = session.max_age().map(|left| left.as_millis());
    let row = record.as_ref().map(|record| record.json());
    Ok(json(&json!({ "row": row, "remaining": remaining })))
}

fn json(value: &serde_json::Value) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (kind, value.to_string()).into_response()
}
