use std::fmt;
use std::future::Future;
use std::pin::Pin;

use http::Response;
use session_core::{Error, Lifecycle, Result, SessionOptions};
use tower_layer::Layer;

use crate::{EmptyResponse, FinishingLayer, SessionService};

/// Gives the requests that pass through it a session.
///
/// Around a whole application or a part of it. Several layers with different cookie names may lie
/// around one another; of two with the same name only the outer one acts.
///
/// Layers that share both a store and secrets share their sessions, as in express-session: the
/// value of one's cookie, sent under the other's name, opens the same session there. Where one of
/// them is trusted with more than the other (a shop and its office), give each a store, a table or
/// prefix in it, or secrets of its own, or bind the cookies to their names with
/// [`SessionOptions::bind_to_name`].
///
/// ```
/// use session_memory::MemoryStore;
/// use session_tower::{Secrets, SessionLayer, SessionOptions};
///
/// # fn main() -> session_core::Result<()> {
/// let options = SessionOptions::new(MemoryStore::new(), Secrets::new("keyboard cat")?);
/// let app: axum::Router = axum::Router::new().layer(SessionLayer::new(options)?);
/// # Ok(())
/// # }
/// ```
///
/// What a session is and how long it lives is for the [`SessionOptions`] to say; what a response
/// looks like, for the layer:
///
/// | option | default |
/// |---|---|
/// | [`on_error`](Self::on_error) | an empty response with the error's status |
/// | [`save_on_server_error`](Self::save_on_server_error) | `true`, as in express-session |
/// | [`finish_on`](Self::finish_on) | a request ends where its client hangs up |
///
/// # When the client hangs up
///
/// Servers drop the future of a request whose client has gone, wherever its handler waits at that
/// moment, and so does a timeout around the layer. What comes after that `await` does not happen: a
/// handler that waits for a database before its `session.destroy().await` **has not signed anybody
/// out**, and edits that were not saved yet are lost. Three ways out:
///
/// - [`finish_on`](Self::finish_on), which lets such requests go on to their end;
/// - to end the session first, and do what takes time after that;
/// - to spawn a task that does both, with a clone of the [`Session`](crate::Session), and to await it.
#[derive(Clone)]
pub struct SessionLayer<F = EmptyResponse> {
    pub(crate) lifecycle: Lifecycle,
    pub(crate) on_error: F,
    pub(crate) save_on_server_error: bool,
}

impl SessionLayer {
    /// A layer with these options.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](session_core::ErrorKind::Config) for options that cannot work.
    pub fn new(options: SessionOptions) -> Result<Self> {
        Lifecycle::new(options).map(Self::from)
    }
}

impl<F> SessionLayer<F> {
    /// What to answer when a session cannot be loaded or saved, in place of an empty response. The
    /// error's [status](Error::status) is the one to take, unless you know better.
    ///
    /// The error is also in the response's extensions, as a [`SessionFailure`](crate::SessionFailure);
    /// there a layer further out finds what a handler failed with, too.
    ///
    /// ```
    /// # #[cfg(feature = "axum")] {
    /// use axum::response::{Html, IntoResponse};
    /// # use session_memory::MemoryStore;
    /// # use session_tower::{Error, Secrets, SessionLayer, SessionOptions};
    /// # fn layer(options: SessionOptions) -> Result<(), Error> {
    /// let sessions = SessionLayer::new(options)?.on_error(|error: &Error| {
    ///     (error.status(), Html("<p>Please try again in a minute.")).into_response()
    /// });
    /// # let app: axum::Router = axum::Router::new().layer(sessions);
    /// # Ok(())
    /// # }
    /// # }
    /// ```
    #[must_use]
    pub fn on_error<G, R>(self, respond: G) -> SessionLayer<G>
    where
        G: Fn(&Error) -> Response<R> + Clone,
    {
        SessionLayer {
            lifecycle: self.lifecycle,
            on_error: respond,
            save_on_server_error: self.save_on_server_error,
        }
    }

    /// Whether a session is saved when its handler answers with a status from 500 on: `true`, as in
    /// express-session.
    ///
    /// With `false`, what such a handler has edited and not [saved](session_core::Session::save)
    /// itself is dropped, a change of the id with it. What it has saved or
    /// [destroyed](session_core::Session::destroy) stays so, and the session lives on as after any
    /// request that reads it.
    #[must_use]
    pub fn save_on_server_error(mut self, save: bool) -> Self {
        self.save_on_server_error = save;
        self
    }

    /// Lets requests go on to their end when nobody waits for their response any more, because the
    /// client has hung up or a timeout around this layer has struck: what is left of the handler
    /// and of saving its session is handed to `spawn`, which gives it to a runtime.
    ///
    /// ```
    /// # #[cfg(feature = "axum")] {
    /// # use session_tower::{Error, SessionLayer, SessionOptions};
    /// # async fn layer(options: SessionOptions) -> Result<(), Error> {
    /// let runtime = tokio::runtime::Handle::current();
    /// let sessions = SessionLayer::new(options)?.finish_on(move |rest| {
    ///     runtime.spawn(rest);
    /// });
    /// # let app: axum::Router = axum::Router::new().layer(sessions);
    /// # Ok(())
    /// # }
    /// # }
    /// ```
    ///
    /// A request that is answered never sees `spawn`; it costs one allocation. `spawn` is called
    /// where the request is dropped: it must not block, and a panic in it is one in a destructor.
    /// What is around this layer (a span, a timeout, a limit) is not around the rest. A server
    /// that shuts down does not wait for it, unless `spawn` goes through something that does, such
    /// as `tokio_util`'s `TaskTracker`. A new cookie reaches nobody any more: where the handler has
    /// changed the session's id, its visitor has to sign in again.
    ///
    /// A body that is still being sent is not part of this: it ends with the connection.
    #[must_use]
    pub fn finish_on<G>(self, spawn: G) -> FinishingLayer<F>
    where
        G: Fn(Pin<Box<dyn Future<Output = ()> + Send>>) + Send + Sync + 'static,
    {
        FinishingLayer::new(self, spawn)
    }

    /// The lifecycle behind the layer, to open sessions outside of a request with.
    #[must_use]
    pub fn lifecycle(&self) -> &Lifecycle {
        &self.lifecycle
    }
}

impl From<Lifecycle> for SessionLayer {
    fn from(lifecycle: Lifecycle) -> Self {
        Self {
            lifecycle,
            on_error: EmptyResponse,
            save_on_server_error: true,
        }
    }
}

impl<S, F: Clone> Layer<S> for SessionLayer<F> {
    type Service = SessionService<S, F>;

    fn layer(&self, inner: S) -> SessionService<S, F> {
        SessionService::new(inner, self.clone())
    }
}

impl<F> fmt::Debug for SessionLayer<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionLayer")
            .field("lifecycle", &self.lifecycle)
            .field("save_on_server_error", &self.save_on_server_error)
            .finish_non_exhaustive()
    }
}
