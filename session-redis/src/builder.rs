use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::ConnectionLike;
#[cfg(feature = "cluster")]
use redis::cluster_async::ClusterConnection;
use redis::io::AsyncDNSResolver;
use redis::{Client, ConnectionInfo};
use session_core::{Clock, Result};

#[cfg(feature = "cluster")]
use crate::address::Address;
#[cfg(feature = "cluster")]
use crate::cluster::{Cluster, Topology};
use crate::connector::{Connector, Limits};
#[cfg(feature = "cluster")]
use crate::external::ExternalCluster;
use crate::keys::Keys;
use crate::manager::{Manager, Target};
use crate::options::Options;
use crate::permissions;
#[cfg(feature = "sentinel")]
use crate::sentinel::Sentinels;
use crate::servers::Servers;
use crate::store::RedisStore;
use crate::tls::Tls;
use crate::url::{self, Place, config};

/// The options of a [`RedisStore`], from [`RedisStore::builder`].
///
/// | option | default |
/// |---|---|
/// | [`prefix`](Self::prefix) | `sess:` |
/// | [`ttl`](Self::ttl) | 86,400 s |
/// | [`scan_count`](Self::scan_count) | 100 |
/// | [`connect_timeout`](Self::connect_timeout) | 3 s |
/// | [`response_timeout`](Self::response_timeout) | 5 s |
/// | [`trust_idle`](Self::trust_idle) | 5 s |
/// | [`resolver`](Self::resolver) | the system's |
/// | `tls_root` (feature `tls`) | the authorities that the system trusts |
/// | `tls_client` (feature `tls`) | no certificate |
/// | [`clock`](Self::clock) | the system's |
///
/// The last call says where the server is: [`connect`](Self::connect),
/// [`connect_lazily`](Self::connect_lazily) or [`build_on`](Self::build_on) (for a cluster,
/// `build_on_cluster`).
///
/// # URLs
///
/// | | |
/// |---|---|
/// | `redis://USER:PASSWORD@HOST:PORT/DATABASE` | one server; by TLS with `rediss` (feature `tls`) |
/// | `unix:///PATH?db=DATABASE&user=USER&pass=PASSWORD` | one server, by its socket |
/// | `redis+cluster://USER:PASSWORD@HOST:PORT,HOST:PORT` | a cluster, by some of its nodes (feature `cluster`); by TLS with `rediss+cluster` |
/// | `redis+sentinel://USER:PASSWORD@HOST:PORT,HOST:PORT/SERVICE/DATABASE` | the master that Sentinels watch as `SERVICE`, by some of them (feature `sentinel`); by TLS with `rediss+sentinel` |
///
/// `valkey` and `valkeys` stand for `redis` and `rediss`. What is not needed can be left out; the
/// port is 6379 then, a Sentinel's 26379. Special characters in user and password are
/// percent-encoded. One of several hosts that is down does no harm.
///
/// With `?protocol=2` the store speaks RESP2 instead of RESP3. It works, but notices a lost
/// connection only by an operation that fails.
///
/// User and password are those of the Redis servers, and are shown to Sentinels, too. Where those
/// have others, `?sentinel_user=USER&sentinel_pass=PASSWORD` says so; an empty `sentinel_pass` is
/// none.
///
/// # Waiting
///
/// An operation on one server waits for a connection as long as
/// [`connect_timeout`](Self::connect_timeout), and then for its answer as long as
/// [`response_timeout`](Self::response_timeout). On a cluster and with Sentinel, the first of the two
/// also covers the search for the master: while a failover is under way, and somebody knows of one,
/// an operation waits for its end so long, and fails with
/// [`Unavailable`](session_core::ErrorKind::Unavailable) after that. A longer time than the servers
/// need for a failover (`cluster-node-timeout`, `down-after-milliseconds`, and some seconds more)
/// hides most of it from the visitors. It does so too when the host of a master vanishes without a
/// word: what was under way on a connection to it fails after the `response_timeout`, and what comes
/// later asks again every second or so who the master is, instead of waiting for the old one.
///
/// A connection that was idle may have been forgotten by the network between. It is asked for after
/// [`trust_idle`](Self::trust_idle), and replaced before anything is sent that might be lost.
#[derive(Clone)]
#[must_use]
pub struct RedisStoreBuilder {
    prefix: String,
    ttl: Option<Duration>,
    scan_count: usize,
    connector: Connector,
    tls: Tls,
    clock: Clock,
}

impl fmt::Debug for RedisStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStoreBuilder")
            .field("prefix", &self.prefix)
            .field("ttl", &self.ttl)
            .field("scan_count", &self.scan_count)
            .field("limits", &self.connector.limits)
            .finish_non_exhaustive()
    }
}

impl Default for RedisStoreBuilder {
    fn default() -> Self {
        Self {
            prefix: "sess:".into(),
            ttl: Some(Duration::from_secs(86_400)),
            scan_count: 100,
            connector: Connector {
                limits: Limits {
                    connect: Duration::from_secs(3),
                    response: Duration::from_secs(5),
                    trust: Duration::from_secs(5),
                },
                resolver: None,
            },
            tls: Tls::default(),
            clock: Clock::system(),
        }
    }
}

impl RedisStore {
    /// A store with the default options on the server of a URL; see
    /// [`RedisStoreBuilder::connect`].
    ///
    /// # Errors
    ///
    /// As [`RedisStoreBuilder::connect`].
    pub async fn connect(url: &str) -> Result<Self> {
        Self::builder().connect(url).await
    }

    /// The options of a store.
    pub fn builder() -> RedisStoreBuilder {
        RedisStoreBuilder::default()
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
        self.connector.limits.connect = limit;
        self
    }

    /// How long an operation waits for each answer before it fails with
    /// [`Timeout`](session_core::ErrorKind::Timeout). The connection is given up then, and the
    /// next operation makes another one.
    pub fn response_timeout(mut self, limit: Duration) -> Self {
        self.connector.limits.response = limit;
        self
    }

    /// A connection that was idle for longer is asked first whether it is still there, which is a
    /// round trip. If it does not say so within a quarter of a second, the operation takes a new
    /// one: a network that forgets idle connections without a word costs no session. Zero asks each
    /// time.
    pub fn trust_idle(mut self, limit: Duration) -> Self {
        self.connector.limits.trust = limit;
        self
    }

    /// The clock that says how long a record has to live: for tests. The server counts down by
    /// its own.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// How host names and ports become addresses to connect to, also those that the nodes of a
    /// cluster and Sentinels name: for servers that are reached by other addresses than the ones
    /// they know of themselves (address translation, containers). Certificates are still checked
    /// for the name.
    pub fn resolver(mut self, resolver: impl AsyncDNSResolver) -> Self {
        self.connector.resolver = Some(Arc::new(resolver));
        self
    }

    /// Trusts the authorities in this PEM text and no others, instead of those that the system
    /// trusts.
    #[cfg(feature = "tls")]
    pub fn tls_root(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.tls.root = Some(pem.into());
        self
    }

    /// The certificate and its key, both in PEM, to show to a server that asks for one.
    #[cfg(feature = "tls")]
    pub fn tls_client(mut self, certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.tls.client = Some((certificate.into(), key.into()));
        self
    }

    /// A store on the server or the servers of a [URL](Self#urls), once it has been connected to
    /// and has allowed every command of the store: on a key that is not there, in one round trip.
    ///
    /// # Errors
    ///
    /// [`Config`](session_core::ErrorKind::Config) for a URL that cannot be used, a wrong password,
    /// a user whom the access rules (ACL) do not allow what the store needs (the error names it, as
    /// in `+evalsha ~sess:*`), a certificate that is not trusted and a server of another kind than
    /// the URL says;
    /// [`Unavailable`](session_core::ErrorKind::Unavailable) for a server that cannot be reached.
    /// No error holds the URL or a part of it.
    pub async fn connect(self, url: &str) -> Result<RedisStore> {
        let connection = self.connection(url)?;
        let ready = connection.ready().await;
        ready.map_err(|failure| failure.of("connect"))?;
        let probes = permissions::probes(&Keys::new(self.prefix.clone()), self.ttl);
        let answers = connection.probe(&probes).await;
        let answers = answers.map_err(|failure| failure.of("connect"))?;
        let store = self.build(connection);
        permissions::check(&store.options().keys, &answers)?;
        Ok(store)
    }

    /// The same without waiting: the first operation connects. For programs that should start
    /// while the server is down. What the user may not do is said by the operations that need it.
    ///
    /// # Errors
    ///
    /// [`Config`](session_core::ErrorKind::Config) for a URL that cannot be used.
    pub fn connect_lazily(self, url: &str) -> Result<RedisStore> {
        let connection = self.connection(url)?;
        Ok(self.build(connection))
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
        self.build(Servers::external(connection))
    }

    /// A store on a cluster connection that there is already. Its own time limits and its own
    /// reconnection apply, and its task ends with the runtime that it was made on.
    ///
    /// By default, the redis crate's cluster connection sends a command again whose answer was
    /// lost. `create` and `replace` then find their own work and answer
    /// [`Exists`](session_core::Created::Exists) and
    /// [`Conflict`](session_core::Replaced::Conflict), although they have written. With `retries(0)`
    /// at its builder it sends nothing twice, and follows no redirection either: operations on slots
    /// that move fail with [`Unavailable`](session_core::ErrorKind::Unavailable) once.
    /// [`connect`](Self::connect) has neither of the two.
    #[cfg(feature = "cluster")]
    #[must_use]
    pub fn build_on_cluster(self, connection: ClusterConnection) -> RedisStore {
        let external = ExternalCluster(connection);
        self.build(Servers::ExternalCluster(Box::new(external)))
    }

    /// The connection to what a URL names, which is not spoken to yet.
    fn connection(&self, url: &str) -> Result<Servers> {
        let equip = |info| {
            let equipped = self.tls.equip(info);
            equipped.map_err(|_| config("the certificates or the key cannot be read; they are PEM"))
        };
        let target = match url::parse(url)? {
            Place::Server(info) => Target::Server(Box::new(client(equip(info)?)?)),
            #[cfg(feature = "cluster")]
            Place::Cluster(nodes) => {
                let seeds = nodes.iter().filter_map(Address::of).collect();
                let Some(like) = nodes.into_iter().next() else {
                    return Err(config("the URL names no node of the cluster"));
                };
                let topology = Topology::new(seeds, equip(like)?, self.connector.clone());
                return Ok(Servers::Cluster(Arc::new(Cluster::new(topology))));
            }
            #[cfg(feature = "sentinel")]
            Place::Sentinel {
                sentinels,
                service,
                master,
            } => {
                let clients = sentinels.into_iter().map(|info| client(equip(info)?));
                let clients = clients.collect::<Result<_>>()?;
                let sentinels = Sentinels::new(clients, service, equip(master)?);
                Target::Master(Arc::new(sentinels))
            }
            #[cfg(not(all(feature = "cluster", feature = "sentinel")))]
            _ => {
                return Err(config(
                    "the URL needs a feature of session-redis that is off",
                ));
            }
        };
        let manager = Manager::new(target, self.connector.clone());
        Ok(Servers::Own(Arc::new(manager)))
    }

    fn build(self, connection: Servers) -> RedisStore {
        let options = Options {
            keys: Keys::new(self.prefix),
            ttl: self.ttl,
            scan_count: self.scan_count,
            clock: self.clock,
        };
        RedisStore::new(connection, options)
    }
}

fn client(info: ConnectionInfo) -> Result<Client> {
    Client::open(info).map_err(|_| config("the URL names no server that can be connected to"))
}
