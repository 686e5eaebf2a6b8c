//! What happens to a session in the course of a request.

mod caches;
pub(crate) mod exchange;
pub(crate) mod outcome;
mod policy;

use std::fmt;
use std::sync::Arc;

use crate::context::config::Config;
use crate::session::Shared;
use crate::{
    Clock, Counts, Exchange, RequestHead, Result, Session, SessionId, SessionOptions, Store,
};

/// The request lifecycle, free of any web framework: every decision about loading, saving,
/// touching and setting a cookie is made here.
///
/// An adapter calls [`begin`](Self::begin) with what it knows of a request, hands the
/// [`Exchange`]'s session to the handler, and puts what [`Exchange::finish`] returns into the
/// response's headers before it sends them.
///
/// ```
/// # use session_core::*;
/// # async fn adapter(store: impl Store, request: http::Request<()>) -> Result<http::Response<()>> {
/// let lifecycle = Lifecycle::new(SessionOptions::new(store, Secrets::new("keyboard cat")?))?;
///
/// let head = RequestHead {
///     method: request.method(),
///     uri: request.uri(),
///     headers: request.headers(),
///     connection: Connection::Plain,
/// };
/// let mut response = http::Response::new(());
/// if let Some(exchange) = lifecycle.begin(&head) {
///     if let Some(session) = exchange.session().await? {
///         session.update("views", |views: Option<u32>| views.unwrap_or(0) + 1)?;
///     }
///     exchange.finish().await?.apply(response.headers_mut());
/// }
/// # Ok(response)
/// # }
/// ```
#[derive(Clone)]
pub struct Lifecycle(Arc<Config>);

impl Lifecycle {
    /// Checks the options.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for a name that is no cookie name, for
    /// cookie attributes that a header cannot hold and for a maximal size that no session has.
    pub fn new(options: SessionOptions) -> Result<Self> {
        Ok(Self(Arc::new(Config::new(options)?)))
    }

    /// The name of the session cookie.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.options.name
    }

    /// How often each thing has happened that an operator may want to know of.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.0.notices.counts()
    }

    /// The clock that max ages are counted on.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        self.0.clock()
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.0.options.store
    }

    /// Starts a request: finds its cookie. Asks the store nothing.
    ///
    /// `None` if the cookie's path does not cover the request, which is then served without a
    /// session.
    #[must_use]
    pub fn begin(&self, head: &RequestHead<'_>) -> Option<Exchange> {
        let config = &self.0;
        config.covers(head).then(|| {
            let origin = config.origin(head);
            Exchange::new(Shared::new(Arc::clone(config), origin))
        })
    }

    /// Opens a stored session outside of a request: for a task that outlives its request, a
    /// command-line tool, a background job. Nothing is saved but by [`Session::save`].
    ///
    /// `None` if there is no such session.
    ///
    /// # Errors
    ///
    /// Those of [`Store::get`].
    pub async fn open(&self, id: &SessionId) -> Result<Option<Session>> {
        let record = self.0.store().get(id).await?;
        let record = record.filter(|record| !record.is_forward());
        Ok(record.map(|record| Session::opened(Arc::clone(&self.0), id.clone(), record)))
    }
}

impl fmt::Debug for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lifecycle").field(&self.0.options).finish()
    }
}
