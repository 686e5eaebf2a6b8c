use std::sync::Arc;
use std::time::Duration;

use redis::aio::ConnectionLike;
use session_core::{Clock, Result};

use crate::RedisStore;
use crate::connection::Connection;
use crate::keys::Keys;
use crate::link::{Limits, Link};
use crate::options::Options;
use crate::url;

/// The options of a [`RedisStore`], from [`RedisStore::builder`].
///
/// | option | default |
/// |---|---|
/// | [`prefix`](Self::prefix) | `sess:` |
/// | [`ttl`](Self::ttl) | 86,400 s |
/// | [`scan_count`](Self::scan_count) | 100 |
/// | [`connect_timeout`](Self::connect_timeout) | 3 s |
/// | [`response_timeout`](Self::response_timeout) | 5 s |
/// | [`clock`](Self::clock) | the system's |
///
/// The last call says where the server is: [`connect`](Self::connect),
/// [`connect_lazily`](Self::connect_lazily) or [`build_on`](Self::build_on).
#[derive(Clone, Debug)]
#[must_use]
pub struct RedisStoreBuilder {
    prefix: String,
    ttl: Option<Duration>,
    scan_count: usize,
    limits: Limits,
    clock: Clock,
}

impl Default for RedisStoreBuilder {
    fn default() -> Self {
        Self {
            prefix: "sess:".into(),
            ttl: Some(Duration::from_secs(86_400)),
            scan_count: 100,
            limits: Limits {
                connect: Duration::from_secs(3),
                response: Duration::from_secs(5),
            },
            clock: Clock::system(),
        }
    }
}

impl RedisStoreBuilder {
    /// What the keys begin with; the session id follows. It is taken literally, whatever
    /// characters it has. With an empty one, every string in the database is a session of this
    /// store, and [`clear`](session_core::Store::clear) removes it.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How long a session whose cookie ends with the browser lives after it was last written or
    /// touched, at least a millisecond; `None` for until it is destroyed.
    pub fn ttl(mut self, ttl: impl Into<Option<Duration>>) -> Self {
        self.ttl = ttl.into().map(|ttl| ttl.max(Duration::from_millis(1)));
        self
    }

    /// How many keys the server looks at for one page of [`length`], [`clear`], [`all`] and
    /// [`ids`], at least 1. More of them take fewer round trips, and hold up other clients for
    /// longer.
    ///
    /// [`length`]: session_core::Store::length
    /// [`clear`]: session_core::Store::clear
    /// [`all`]: session_core::Store::all
    /// [`ids`]: session_core::Store::ids
    pub fn scan_count(mut self, keys: usize) -> Self {
        self.scan_count = keys.max(1);
        self
    }

    /// How long an operation waits for a connection, from looking up the name to logging in,
    /// before it fails with [`Unavailable`](session_core::ErrorKind::Unavailable).
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.limits.connect = limit;
        self
    }

    /// How long an operation waits for each answer before it fails with
    /// [`Timeout`](session_core::ErrorKind::Timeout). The connection is given up then, and the
    /// next operation makes another one.
    pub fn response_timeout(mut self, limit: Duration) -> Self {
        self.limits.response = limit;
        self
    }

    /// The clock that says how long a record has to live: for tests. The server counts down by
    /// its own.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// A store on the server of a URL, once it has been connected to:
    /// `redis://USER:PASSWORD@HOST:PORT/DATABASE` or `unix:///PATH?db=DATABASE&user=..&pass=..`.
    ///
    /// # Errors
    ///
    /// [`Config`](session_core::ErrorKind::Config) for a URL that cannot be used and for a wrong
    /// password, [`Unavailable`](session_core::ErrorKind::Unavailable) for a server that cannot be
    /// reached.
    pub async fn connect(self, url: &str) -> Result<RedisStore> {
        let link = self.link(url)?;
        link.connect()
            .await
            .map_err(|failure| failure.of("connect"))?;
        Ok(self.build(Connection::Own(link)))
    }

    /// The same without waiting: the first operation connects. For programs that should start
    /// while the server is down.
    ///
    /// # Errors
    ///
    /// [`Config`](session_core::ErrorKind::Config) for a URL that cannot be used.
    pub fn connect_lazily(self, url: &str) -> Result<RedisStore> {
        let link = self.link(url)?;
        Ok(self.build(Connection::Own(link)))
    }

    /// A store on a connection that there is already: a `MultiplexedConnection`, a
    /// `ConnectionManager` or anything like them, to a single server (not a `ClusterConnection`).
    /// Its own time limits and its own reconnection apply. Those of the redis crate wait for an
    /// answer for half a second only.
    #[must_use]
    pub fn build_on(
        self,
        connection: impl ConnectionLike + Clone + Send + Sync + 'static,
    ) -> RedisStore {
        self.build(Connection::given(connection))
    }

    fn link(&self, url: &str) -> Result<Arc<Link>> {
        Ok(Arc::new(Link::new(url::client(url)?, self.limits)))
    }

    fn build(self, connection: Connection) -> RedisStore {
        let options = Options {
            keys: Keys::new(self.prefix),
            ttl: self.ttl,
            scan_count: self.scan_count,
            clock: self.clock,
        };
        RedisStore::new(connection, options)
    }
}
