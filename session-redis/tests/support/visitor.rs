//! A visitor of a site, whose requests go through the real lifecycle as an adapter makes them. The
//! tests of `session-sqlx` have it from here.

use std::time::Duration;

use http::{HeaderMap, Method, Uri};
use session_core::{
    Clock, Connection, CookieOptions, Exchange, Lifecycle, RequestHead, Result, Secrets, SessionId,
    SessionOptions, Store,
};

/// How long the session lasts.
pub(crate) const MAX_AGE: Duration = Duration::from_secs(3_600);

/// How long to wait for an answer that has no reason to wait for anything, however busy the machine
/// is.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whose every page view is to extend the session, for which it waits so long at most.
pub(crate) fn lifecycle(store: impl Store, clock: &Clock, touch_limit: Duration) -> Lifecycle {
    let options = SessionOptions::new(store, Secrets::new("keyboard cat").unwrap())
        .cookie(CookieOptions::new().max_age(MAX_AGE))
        .clock(clock.clone())
        .touch_after(Duration::ZERO)
        .touch_limit(touch_limit);
    Lifecycle::new(options).unwrap()
}

/// A visitor with a browser that has a session's cookie.
pub(crate) struct Visitor(HeaderMap);

impl Visitor {
    /// Whose session counts 1.
    pub(crate) async fn with_session(lifecycle: &Lifecycle) -> Self {
        let mut visitor = Self(HeaderMap::new());
        let exchange = visitor.begin(lifecycle);
        let session = exchange.session().await.unwrap().unwrap();
        session.insert("count", &1).unwrap();
        let outcome = exchange.finish().await.unwrap();
        let cookie = outcome.cookies().next().unwrap().to_str().unwrap();
        let pair = cookie.split(';').next().unwrap();
        visitor.0.insert("cookie", pair.parse().unwrap());
        visitor
    }

    /// The id in the cookie.
    pub(crate) fn id(&self) -> SessionId {
        let cookie = self.0["cookie"].to_str().unwrap();
        let signed = cookie.strip_prefix("connect.sid=s%3A").unwrap();
        SessionId::new(signed.split('.').next().unwrap()).unwrap()
    }

    /// A page that does nothing but show the count.
    pub(crate) async fn reads(&self, lifecycle: &Lifecycle) -> Result<u32> {
        let page = self.page(lifecycle, async |exchange| {
            let session = exchange.session().await?.unwrap();
            Ok(session.get("count")?.unwrap())
        });
        page.await
    }

    /// A page that counts.
    pub(crate) async fn counts(&self, lifecycle: &Lifecycle) -> Result<()> {
        let page = self.page(lifecycle, async |exchange| {
            let session = exchange.session().await?.unwrap();
            session.update("count", |count: Option<u32>| count.unwrap() + 1)?;
            Ok(())
        });
        page.await
    }

    /// A page that has no use for the session.
    pub(crate) async fn passes_by(&self, lifecycle: &Lifecycle) -> Result<()> {
        self.page(lifecycle, async |_| Ok(())).await
    }

    async fn page<T>(
        &self,
        lifecycle: &Lifecycle,
        handler: impl AsyncFnOnce(&Exchange) -> Result<T>,
    ) -> Result<T> {
        let answering = async {
            let exchange = self.begin(lifecycle);
            if exchange.loads_first() {
                exchange.load().await?;
            }
            let shown = handler(&exchange).await?;
            let _headers = exchange.finish().await?;
            Ok(shown)
        };
        let answered = tokio::time::timeout(PATIENCE, answering).await;
        answered.expect("the page waits")
    }

    fn begin(&self, lifecycle: &Lifecycle) -> Exchange {
        let head = RequestHead {
            method: &Method::GET,
            uri: &Uri::from_static("/"),
            headers: &self.0,
            connection: Connection::Plain,
        };
        lifecycle.begin(&head).unwrap()
    }
}
