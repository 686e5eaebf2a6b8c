use std::sync::Arc;
use std::time::Duration;

use session_core::{Clock, Result};

use crate::inner::Inner;
use crate::names::{Names, config, zone};
use crate::pool::Limits;
use crate::statements::Statements;
use crate::{Schema, SqlxStore, Target};

/// The options of a [`SqlxStore`], from [`SqlxStore::builder`].
///
/// | option | default |
/// |---|---|
/// | [`schema`](Self::schema) | that of Node's usual store on the database |
/// | [`table`](Self::table), [`columns`](Self::columns) | those of the schema |
/// | [`namespace`](Self::namespace) | the connection's own |
/// | [`time_zone`](Self::time_zone) | `UTC` |
/// | [`ttl`](Self::ttl) | 86,400 s |
/// | [`max_connections`](Self::max_connections) | 10 |
/// | [`connect_timeout`](Self::connect_timeout) | 5 s |
/// | [`response_timeout`](Self::response_timeout) | 30 s |
/// | [`trust_idle`](Self::trust_idle) | 1 s |
/// | [`idle_timeout`](Self::idle_timeout) | 10 min |
/// | [`clock`](Self::clock) | the system's |
///
/// The last call says where the database is: [`connect`](Self::connect),
/// [`connect_lazily`](Self::connect_lazily) or [`connect_with`](Self::connect_with).
#[derive(Clone, Debug)]
#[must_use]
pub struct SqlxStoreBuilder {
    schema: Option<Schema>,
    namespace: Option<String>,
    table: Option<String>,
    columns: Option<[String; 3]>,
    time_zone: String,
    ttl: Option<Duration>,
    limits: Limits,
    clock: Clock,
}

impl Default for SqlxStoreBuilder {
    fn default() -> Self {
        Self {
            schema: None,
            namespace: None,
            table: None,
            columns: None,
            time_zone: "UTC".into(),
            ttl: Some(Duration::from_secs(86_400)),
            limits: Limits {
                connections: 10,
                connect: Duration::from_secs(5),
                response: Duration::from_secs(30),
                trust: Duration::from_secs(1),
                idle: Duration::from_secs(600),
            },
            clock: Clock::system(),
        }
    }
}

impl SqlxStore {
    /// The options of a store.
    pub fn builder() -> SqlxStoreBuilder {
        SqlxStoreBuilder::default()
    }

    /// A store on the database of a URL, with the default options; see
    /// [`SqlxStoreBuilder::connect`].
    ///
    /// # Errors
    ///
    /// See [`SqlxStoreBuilder::connect`].
    pub async fn connect(url: &str) -> Result<Self> {
        Self::builder().connect(url).await
    }
}

impl SqlxStoreBuilder {
    /// How the table keeps sessions.
    pub fn schema(mut self, schema: Schema) -> Self {
        self.schema = Some(schema);
        self
    }

    /// The name of the table. Any characters will do, also those that mean something in SQL.
    pub fn table(mut self, table: impl Into<String>) -> Self {
        self.table = Some(table.into());
        self
    }

    /// Where the table is: a schema of PostgreSQL, a database of MySQL, an attached database of
    /// SQLite.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// The names of the columns of the id, the data and the expiry.
    pub fn columns(
        mut self,
        id: impl Into<String>,
        data: impl Into<String>,
        expires: impl Into<String>,
    ) -> Self {
        self.columns = Some([id.into(), data.into(), expires.into()]);
        self
    }

    /// The time zone of Node's connections to the same table, for
    /// [`Schema::ConnectPgSimple`](crate::Schema::ConnectPgSimple) alone: the server's own
    /// (`SHOW timezone` in psql), or that of Node's role or database.
    ///
    /// The column `expire` has no zone. Node's connections write local times of the server's
    /// default zone into it, and those of sqlx are always on UTC: where the server is not on UTC,
    /// each would find that the other's sessions have ended hours ago, or live hours too long.
    /// With a zone that has daylight saving time, the hour that comes twice in autumn is
    /// ambiguous, for Node too.
    pub fn time_zone(mut self, name: impl Into<String>) -> Self {
        self.time_zone = name.into();
        self
    }

    /// How long a session whose cookie ends with the browser lives after it was last written or
    /// touched, at least a millisecond; `None` for until it is destroyed.
    pub fn ttl(mut self, ttl: impl Into<Option<Duration>>) -> Self {
        self.ttl = ttl.into().map(|ttl| ttl.max(Duration::from_millis(1)));
        self
    }

    /// How many connections there are at most, at least 1. More operations than that wait for one
    /// another.
    ///
    /// A quarter of them, rounded up, is for reads alone, so that reads need not wait for writes that
    /// wait for a lock; with one connection, they have to. On SQLite, where only one can write at a
    /// time, one connection is for writes.
    ///
    /// A call that was dropped, or was late, counts for as long as the server is at work on it, but
    /// no longer than the [`response_timeout`](Self::response_timeout), once more. Its connection is
    /// used again once its answer is there, and closed if it does not come. Where it is dropped
    /// outside of a tokio runtime, or its runtime ends, the connection is closed at once, and the
    /// server may still be at work.
    pub fn max_connections(mut self, connections: u32) -> Self {
        self.limits.connections = connections.max(1);
        self
    }

    /// How long an operation waits for a connection, be it free or new, before it fails with
    /// [`Unavailable`](session_core::ErrorKind::Unavailable): also where the server has no room for
    /// another one just now.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.limits.connect = limit;
        self
    }

    /// How long an operation waits for the answer before it fails with
    /// [`Timeout`](session_core::ErrorKind::Timeout). What becomes of the connection, see
    /// [`max_connections`](Self::max_connections).
    pub fn response_timeout(mut self, limit: Duration) -> Self {
        self.limits.response = limit;
        self
    }

    /// A connection that was idle for longer is asked first whether it is still there, which is
    /// a round trip; before a write, which cannot be sent a second time, after a twentieth of it. Zero
    /// asks each time. One that does not answer within the time that it took to be made (at least
    /// 100 ms, at most 1 s) is closed, with all others that are idle.
    pub fn trust_idle(mut self, limit: Duration) -> Self {
        self.limits.trust = limit;
        self
    }

    /// A connection that was idle for longer is not used again. It is closed when the store next
    /// takes one or puts one back: without any traffic it stays open. Stay below what the server,
    /// or a firewall between, allows.
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.limits.idle = limit;
        self
    }

    /// The clock that decides what has expired: for tests.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// A store on the database of a URL, once a connection was made: `sqlite:PATH` (with
    /// `?mode=rwc` the file is created), `postgres://USER:PASSWORD@HOST:PORT/DATABASE` or
    /// `mysql://USER:PASSWORD@HOST:PORT/DATABASE`. Another machine than this one has to show a good
    /// certificate, unless `sslmode` says otherwise; see the [crate](crate#tls).
    ///
    /// # Errors
    ///
    /// [`Config`](session_core::ErrorKind::Config) for options or a URL that cannot be used, a
    /// wrong password or a database that does not exist,
    /// [`Unavailable`](session_core::ErrorKind::Unavailable) for a server that cannot be reached.
    pub async fn connect(self, url: &str) -> Result<SqlxStore> {
        let store = self.connect_lazily(url)?;
        let connected = store.inner().backend.connect().await;
        connected.map_err(|failure| failure.of("connect"))?;
        Ok(store)
    }

    /// The same without waiting: the first operation connects. For programs that should start
    /// while the server is down.
    ///
    /// # Errors
    ///
    /// [`Config`](session_core::ErrorKind::Config) for options or a URL that cannot be used.
    pub fn connect_lazily(self, url: &str) -> Result<SqlxStore> {
        self.connect_with(Target::parse(url)?)
    }

    /// The same with the connection options of sqlx, for what a URL cannot say. They are taken as
    /// they are: for SQLite, journal mode and busy timeout too. Of TLS alone, `Prefer`, which is
    /// sqlx's default, means what it [means in a URL](crate#tls).
    ///
    /// # Errors
    ///
    /// [`Config`](session_core::ErrorKind::Config) for options that cannot be used.
    pub fn connect_with(self, target: impl Into<Target>) -> Result<SqlxStore> {
        let target = target.into();
        let (database, dialect) = (target.database(), target.dialect());
        let schema = self.schema.unwrap_or(database.default_schema());
        let layout = schema
            .layout(database)
            .ok_or_else(|| config(format!("the schema {schema:?} is not one of {database:?}")))?;
        let [id, data, end] = self
            .columns
            .unwrap_or_else(|| [layout.id, layout.data, layout.end].map(String::from));
        let names = Names {
            schema: self.namespace,
            table: self.table.unwrap_or_else(|| layout.table.into()),
            id,
            data,
            end,
            zone: zone(&self.time_zone)?,
        };
        names.check(dialect.longest_name)?;
        Ok(SqlxStore::new(Arc::new(Inner {
            statements: Statements::new(dialect, layout, &names),
            backend: target.open(self.limits),
            database,
            dialect,
            layout,
            capabilities: schema.capabilities(database).with_default_ttl(self.ttl),
            clock: self.clock,
            table: names.table,
        })))
    }
}
