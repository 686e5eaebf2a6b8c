use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use http::Response;
use session_core::Error;

/// Why a request failed because of its session, in the extensions of its response: both of one that
/// the layer made and of a [`SessionRejection`](crate::SessionRejection)'s.
///
/// A layer around this one can look there, to count failures or to give all of them one face:
///
/// ```
/// # #[cfg(feature = "axum")] {
/// use axum::middleware::map_response;
/// use axum::response::{IntoResponse, Response};
/// use session_tower::SessionFailure;
///
/// async fn explain(response: Response) -> Response {
///     match response.extensions().get::<SessionFailure>() {
///         Some(failure) => {
///             let mut explained = (failure.status(), "Please try again in a minute.").into_response();
///             // A cookie that the failed request set all the same.
///             explained.headers_mut().extend(response.headers().clone());
///             explained
///         }
///         None => response,
///     }
/// }
/// # let app: axum::Router = axum::Router::new();
/// let app = app.layer(map_response(explain)); // after the session layer: around it
/// # let _app: axum::Router = app;
/// # }
/// ```
///
/// It dereferences to the [`Error`].
#[derive(Clone)]
pub struct SessionFailure(Arc<Error>);

impl SessionFailure {
    pub(crate) fn new(error: Error) -> Self {
        Self(Arc::new(error))
    }
}

/// In the extensions of a response whose handler changed a session that had ended meanwhile: its
/// edits are lost. The visitor was signed out or has got another session, in another request, or
/// was away too long.
///
/// [`SessionOptions::on_ended`](crate::SessionOptions::on_ended) makes a failure of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EditsDropped;

impl Deref for SessionFailure {
    type Target = Error;

    fn deref(&self) -> &Error {
        &self.0
    }
}

impl fmt::Debug for SessionFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for SessionFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a [layer](crate::SessionLayer) answers with when a session cannot be loaded or saved: a
/// function from the error to a response, or [`EmptyResponse`].
pub trait ErrorResponse<R> {
    /// The response in place of the handler's.
    fn respond(&self, error: &Error) -> Response<R>;
}

/// Answers with the [status](Error::status) of the error and an empty body: the default.
#[derive(Clone, Copy, Debug, Default)]
pub struct EmptyResponse;

impl<R: Default> ErrorResponse<R> for EmptyResponse {
    fn respond(&self, error: &Error) -> Response<R> {
        let mut response = Response::new(R::default());
        *response.status_mut() = error.status();
        response
    }
}

impl<R, F: Fn(&Error) -> Response<R>> ErrorResponse<R> for F {
    fn respond(&self, error: &Error) -> Response<R> {
        self(error)
    }
}

/// The response to a request whose session could not be loaded or saved.
pub(crate) fn failed<R>(respond: &impl ErrorResponse<R>, error: Error) -> Response<R> {
    log(&error);
    let mut response = respond.respond(&error);
    response.extensions_mut().insert(SessionFailure::new(error));
    response
}

/// An operator is told of what is wrong with the server; a visitor who was signed out meanwhile, or
/// has met another request of his own, is no fault.
pub(crate) fn log(error: &Error) {
    if error.status().is_server_error() {
        tracing::error!(%error, "a request failed because of its session");
    } else {
        tracing::debug!(%error, "a request was refused because of its session");
    }
}
