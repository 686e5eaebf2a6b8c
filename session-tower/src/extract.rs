//! The extractors for axum.

use std::fmt;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;
use session_core::{Error, ErrorKind};

use crate::{Session, SessionFailure, SessionHandle, failure};

/// Why a handler did not get its session, or could not use it: the error for handlers to return.
///
/// The errors of a session's methods turn into it with `?`:
///
/// ```
/// use session_tower::{Session, SessionRejection};
///
/// async fn logout(session: Session) -> Result<&'static str, SessionRejection> {
///     session.destroy().await?;
///     Ok("bye")
/// }
/// # let app: axum::Router = axum::Router::new().route("/logout", axum::routing::post(logout));
/// ```
///
/// Its response has the status below and says no more than that; the reason is in the log, and as a
/// [`SessionFailure`] in the response's extensions.
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

impl From<SessionRejection> for Error {
    fn from(rejection: SessionRejection) -> Self {
        match rejection {
            SessionRejection::Failed(error) => error,
            SessionRejection::NoSession => Self::new(ErrorKind::Unavailable, "extract"),
            SessionRejection::NoLayer => {
                Self::new(ErrorKind::Config, "extract").with_message(rejection.to_string())
            }
        }
    }
}

impl IntoResponse for SessionRejection {
    fn into_response(self) -> Response {
        let error = Error::from(self);
        failure::log(&error);
        let status = error.status();
        // What went wrong is for the log; the reason phrase is enough for a visitor.
        let mut response = (status, status.canonical_reason().unwrap_or_default()).into_response();
        response.extensions_mut().insert(SessionFailure::new(error));
        response
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
