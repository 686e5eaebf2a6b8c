use session_core::{Lifecycle, Result, SessionOptions};
use tower_layer::Layer;

use crate::SessionService;

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
#[derive(Clone, Debug)]
pub struct SessionLayer(Lifecycle);

impl SessionLayer {
    /// A layer with these options.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](session_core::ErrorKind::Config) for options that cannot work.
    pub fn new(options: SessionOptions) -> Result<Self> {
        Lifecycle::new(options).map(Self)
    }

    /// The lifecycle behind the layer, to open sessions outside of a request with.
    #[must_use]
    pub fn lifecycle(&self) -> &Lifecycle {
        &self.0
    }
}

impl From<Lifecycle> for SessionLayer {
    fn from(lifecycle: Lifecycle) -> Self {
        Self(lifecycle)
    }
}

impl<S> Layer<S> for SessionLayer {
    type Service = SessionService<S>;

    fn layer(&self, inner: S) -> SessionService<S> {
        SessionService::new(inner, self.0.clone())
    }
}
