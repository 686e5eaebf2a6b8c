//! The extractors for axum.

use std::fmt;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;
use session_core::Error;

use crate::{Session, SessionHandle};

/// Why a handler did not get its session, or could not use it.
///
/// A handler may return it, too: the errors of a session's methods turn into it with `?`.
#[derive(Debug)]
#[non_exhaustive]
pub enum SessionRejection {
    /// There is no session layer around the handler, or its cookie path does not cover the
    /// request. Status 500.
    NoLayer,
    /// The store failed, and the request is served without a session. Status 503.
    NoSession,
    /// The session failed. The status is that of the [error](Error::status).
    Failed(Error),
}

impl From<Error> for SessionRejection {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl fmt::Display for SessionRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLayer => f.write_str(
                "no session for this request: put a SessionLayer around the router, and give its \
                 cookie a path that covers this one",
            ),
            Self::NoSession => f.write_str("the session store is unavailable"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SessionRejection {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(error) => std::error::Error::source(error),
            Self::NoLayer | Self::NoSession => None,
        }
    }
}

impl IntoResponse for SessionRejection {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::NoLayer => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NoSession => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed(error) => error.status(),
        };
        tracing::error!(error = %self, "a handler failed because of its session");
        // What went wrong is for the log; the reason phrase is enough for a visitor.
        (status, status.canonical_reason().unwrap_or_default()).into_response()
    }
}

/// The innermost layer's session.
impl<S: Sync> FromRequestParts<S> for Session {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, SessionRejection> {
        let handle = parts
            .extensions
            .get::<SessionHandle>()
            .ok_or(SessionRejection::NoLayer)?;
        handle.session().await?.ok_or(SessionRejection::NoSession)
    }
}

/// `None` outside of a session layer or of its cookie's path, and where the store failed and the
/// request is served without a session.
impl<S: Sync> OptionalFromRequestParts<S> for Session {
    type Rejection = SessionRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> Result<Option<Self>, SessionRejection> {
        match parts.extensions.get::<SessionHandle>() {
            Some(handle) => Ok(handle.session().await?),
            None => Ok(None),
        }
    }
}

/// The handle, to reach the sessions of layers further out.
impl<S: Sync> FromRequestParts<S> for SessionHandle {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, SessionRejection> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or(SessionRejection::NoLayer)
    }
}
