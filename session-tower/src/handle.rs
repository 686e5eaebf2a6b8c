use std::ops::Deref;
use std::sync::Arc;

use session_core::{Exchange, Result};

/// The way to a request's session, in its extensions.
///
/// A tower service without an extractor takes it from there:
///
/// ```
/// use session_tower::SessionHandle;
///
/// # async fn serve(request: http::Request<()>) -> session_core::Result<()> {
/// if let Some(handle) = request.extensions().get::<SessionHandle>() {
///     if let Some(session) = handle.session().await? {
///         session.insert("seen", &true)?;
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SessionHandle {
    exchange: Exchange,
    /// The handle of the layer around this one.
    outer: Option<Arc<SessionHandle>>,
}

impl SessionHandle {
    pub(crate) fn new(exchange: Exchange, outer: Option<SessionHandle>) -> Self {
        Self {
            exchange,
            outer: outer.map(Arc::new),
        }
    }

    /// The name of the session's cookie.
    #[must_use]
    pub fn name(&self) -> &str {
        self.exchange.name()
    }

    /// The handle of the layer with this cookie name: this one or one around it.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&SessionHandle> {
        std::iter::successors(Some(self), |handle| handle.outer.as_deref())
            .find(|handle| handle.name() == name)
    }

    /// The session; with the `lazy` option it is loaded now.
    ///
    /// `None` if the store failed and the request is served without a session
    /// ([`OnStoreError::ServeWithoutSession`](session_core::OnStoreError)).
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn session(&self) -> Result<Option<Session>> {
        Ok(self.exchange.session().await?.map(Session))
    }
}

/// A visitor's session, as handlers get it: with the feature `axum` it is an extractor.
///
/// It dereferences to [`session_core::Session`], which has all the methods (further down on this page)
/// and is the same in every framework; this one is a name of our own for axum's traits to be on.
///
/// In an axum handler, [`SessionRejection`](crate::SessionRejection) is the error that all of them turn
/// into with `?`:
///
/// ```
/// # #[cfg(feature = "axum")] {
/// use axum::Router;
/// use axum::routing::get;
/// use session_tower::{Session, SessionRejection};
///
/// async fn views(session: Session) -> Result<String, SessionRejection> {
///     let views = session.update("views", |views: Option<u32>| views.unwrap_or(0) + 1)?;
///     Ok(format!("views: {views}"))
/// }
///
/// let app: Router = Router::new().route("/", get(views));
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Session(pub session_core::Session);

impl Deref for Session {
    type Target = session_core::Session;

    fn deref(&self) -> &session_core::Session {
        &self.0
    }
}

impl From<Session> for session_core::Session {
    fn from(session: Session) -> Self {
        session.0
    }
}
