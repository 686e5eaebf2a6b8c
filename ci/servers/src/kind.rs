use std::fmt;
use std::str::FromStr;

/// What can be had to test with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One Redis server.
    Redis,
    /// One Valkey server.
    Valkey,
    /// Redis Cluster: three masters with a replica each.
    RedisCluster,
    /// A Redis master with one replica, watched by three sentinels as [`Server::MASTER`].
    ///
    /// [`Server::MASTER`]: crate::Server::MASTER
    RedisSentinel,
    /// One Redis server that speaks TLS alone; [`Server::ca_file`] has the root to trust.
    ///
    /// [`Server::ca_file`]: crate::Server::ca_file
    RedisTls,
    /// PostgreSQL.
    Postgres,
    /// MariaDB.
    MariaDb,
    /// MySQL itself, not what took its name.
    MySql,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Redis,
        Self::Valkey,
        Self::RedisCluster,
        Self::RedisSentinel,
        Self::RedisTls,
        Self::Postgres,
        Self::MariaDb,
        Self::MySql,
    ];

    /// What the program of this crate calls it, such as `redis-cluster`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Valkey => "valkey",
            Self::RedisCluster => "redis-cluster",
            Self::RedisSentinel => "redis-sentinel",
            Self::RedisTls => "redis-tls",
            Self::Postgres => "postgres",
            Self::MariaDb => "mariadb",
            Self::MySql => "mysql",
        }
    }

    /// The variable of the environment that names a server of this kind that is there already.
    #[must_use]
    pub fn variable(self) -> &'static str {
        match self {
            Self::Redis => "SESSION_TEST_REDIS_URL",
            Self::Valkey => "SESSION_TEST_VALKEY_URL",
            Self::RedisCluster => "SESSION_TEST_REDIS_CLUSTER_URL",
            Self::RedisSentinel => "SESSION_TEST_REDIS_SENTINEL_URL",
            Self::RedisTls => "SESSION_TEST_REDIS_TLS_URL",
            Self::Postgres => "SESSION_TEST_POSTGRES_URL",
            Self::MariaDb => "SESSION_TEST_MARIADB_URL",
            Self::MySql => "SESSION_TEST_MYSQL_URL",
        }
    }

    pub(crate) fn scheme(self) -> &'static str {
        match self {
            Self::Redis | Self::Valkey | Self::RedisCluster | Self::RedisSentinel => "redis",
            Self::RedisTls => "rediss",
            Self::Postgres => "postgres",
            Self::MariaDb | Self::MySql => "mysql",
        }
    }

    /// Whether a URL with this scheme may name a server of this kind.
    pub(crate) fn takes(self, scheme: &str) -> bool {
        match self {
            Self::RedisTls => matches!(scheme, "rediss" | "valkeys"),
            Self::Postgres => matches!(scheme, "postgres" | "postgresql"),
            Self::MariaDb => matches!(scheme, "mysql" | "mariadb"),
            Self::MySql => scheme == "mysql",
            _ => matches!(scheme, "redis" | "valkey"),
        }
    }

    pub(crate) fn port(self) -> u16 {
        match self {
            Self::RedisSentinel => 26_379,
            Self::Postgres => 5432,
            Self::MariaDb | Self::MySql => 3306,
            _ => 6379,
        }
    }

    /// Why there is none, with what to do about it.
    pub(crate) fn not_run(self, why: &str) -> String {
        let install = match self {
            Self::Valkey => "install valkey-server (Debian 13: apt-get install valkey-server)",
            Self::Postgres => "install PostgreSQL (Debian: apt-get install postgresql)",
            Self::MariaDb => "install MariaDB (Debian: apt-get install mariadb-server)",
            Self::MySql => "install MySQL 8 or later",
            _ => "install redis-server (Debian: apt-get install redis-server)",
        };
        let variable = self.variable();
        format!("NOT RUN: {self}: {why}: {install}, or set {variable}")
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("{name} is no kind of server; there are {names}")
        })
    }
}
