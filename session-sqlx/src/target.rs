use std::str::FromStr;
use std::sync::Arc;

use session_core::{Error, Result};
use sqlx::ConnectOptions;

use crate::Database;
use crate::dialect::Dialect;
use crate::driver::Backend;
use crate::names::config;
use crate::pool::{Limits, Pool};
#[cfg(any(feature = "postgres", feature = "mysql"))]
use crate::tls;

/// Where a store connects to: the connection options of sqlx, for what a URL cannot say.
///
/// There is a `From` for each of `SqliteConnectOptions`, `PgConnectOptions` and
/// `MySqlConnectOptions`.
#[derive(Clone)]
pub struct Target {
    options: Options,
    /// They are those of a URL: what it does not say is ours to choose.
    ours: bool,
}

#[derive(Clone)]
enum Options {
    #[cfg(feature = "sqlite")]
    Sqlite(Box<sqlx::sqlite::SqliteConnectOptions>),
    #[cfg(feature = "postgres")]
    Postgres(Box<sqlx::postgres::PgConnectOptions>),
    #[cfg(feature = "mysql")]
    MySql(Box<sqlx::mysql::MySqlConnectOptions>),
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Target").field(&self.database()).finish()
    }
}

#[cfg(feature = "sqlite")]
impl From<sqlx::sqlite::SqliteConnectOptions> for Target {
    fn from(options: sqlx::sqlite::SqliteConnectOptions) -> Self {
        Self::of(Options::Sqlite(Box::new(options)))
    }
}

#[cfg(feature = "postgres")]
impl From<sqlx::postgres::PgConnectOptions> for Target {
    fn from(options: sqlx::postgres::PgConnectOptions) -> Self {
        Self::of(Options::Postgres(Box::new(options)))
    }
}

#[cfg(feature = "mysql")]
impl From<sqlx::mysql::MySqlConnectOptions> for Target {
    fn from(options: sqlx::mysql::MySqlConnectOptions) -> Self {
        Self::of(Options::MySql(Box::new(options)))
    }
}

const SCHEMES: &str = "the scheme of the URL must be sqlite, postgres or mysql, as in \
     sqlite:sessions.db, postgres://USER:PASSWORD@HOST:PORT/DATABASE or \
     mysql://USER:PASSWORD@HOST:PORT/DATABASE";

impl Target {
    fn of(options: Options) -> Self {
        Self {
            options,
            ours: false,
        }
    }

    /// No error holds a part of the URL: there may be a password in it.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let (scheme, _) = url.split_once(':').unwrap_or_default();
        match scheme {
            #[cfg(feature = "sqlite")]
            "sqlite" => sqlite(url).map(|options| Self {
                ours: true,
                ..Self::from(options)
            }),
            #[cfg(feature = "postgres")]
            "postgres" | "postgresql" => {
                parsed::<sqlx::postgres::PgConnectOptions>(url).map(Self::from)
            }
            #[cfg(feature = "mysql")]
            "mysql" | "mariadb" => parsed::<sqlx::mysql::MySqlConnectOptions>(url).map(Self::from),
            #[cfg(not(feature = "sqlite"))]
            "sqlite" => Err(without("sqlite")),
            #[cfg(not(feature = "postgres"))]
            "postgres" | "postgresql" => Err(without("postgres")),
            #[cfg(not(feature = "mysql"))]
            "mysql" | "mariadb" => Err(without("mysql")),
            _ => Err(config(SCHEMES)),
        }
    }

    pub(crate) fn database(&self) -> Database {
        match self.options {
            #[cfg(feature = "sqlite")]
            Options::Sqlite(_) => Database::Sqlite,
            #[cfg(feature = "postgres")]
            Options::Postgres(_) => Database::Postgres,
            #[cfg(feature = "mysql")]
            Options::MySql(_) => Database::MySql,
        }
    }

    pub(crate) fn dialect(&self) -> &'static Dialect {
        match self.options {
            #[cfg(feature = "sqlite")]
            Options::Sqlite(_) => &crate::dialect::sqlite::DIALECT,
            #[cfg(feature = "postgres")]
            Options::Postgres(_) => &crate::dialect::postgres::DIALECT,
            #[cfg(feature = "mysql")]
            Options::MySql(_) => &crate::dialect::mysql::DIALECT,
        }
    }

    /// Nothing is connected yet. sqlx's log lines for each statement are left out.
    pub(crate) fn open(self, limits: Limits) -> Arc<dyn Backend> {
        match self.options {
            #[cfg(feature = "sqlite")]
            Options::Sqlite(options) => Arc::new(Pool::<sqlx::Sqlite>::new(
                options.disable_statement_logging(),
                self.ours,
                limits,
            )),
            #[cfg(feature = "postgres")]
            Options::Postgres(options) => Arc::new(Pool::<sqlx::Postgres>::new(
                tls::postgres(*options).disable_statement_logging(),
                self.ours,
                limits,
            )),
            #[cfg(feature = "mysql")]
            Options::MySql(options) => Arc::new(Pool::<sqlx::MySql>::new(
                tls::mysql(*options).disable_statement_logging(),
                self.ours,
                limits,
            )),
        }
    }
}

/// Every commit is there after a crash of the process; the last ones may be gone after one of the
/// machine.
#[cfg(feature = "sqlite")]
fn sqlite(url: &str) -> Result<sqlx::sqlite::SqliteConnectOptions> {
    use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};

    if url.contains(":memory:")
        || url.contains("mode=memory")
        || url.trim_end_matches('/') == "sqlite:"
    {
        return Err(config(
            "the URL must name a file: each connection would have a memory of its own (for tests, \
             there is session-memory)",
        ));
    }
    Ok(parsed::<SqliteConnectOptions>(url)?
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(crate::dialect::sqlite::BUSY))
}

#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
fn parsed<O: FromStr>(url: &str) -> Result<O> {
    O::from_str(url).map_err(|_| -> Error {
        config(
            "the URL cannot be read: it must look like sqlite:PATH?mode=rwc or \
             SCHEME://USER:PASSWORD@HOST:PORT/DATABASE, with special characters percent-encoded",
        )
    })
}

#[cfg(not(all(feature = "sqlite", feature = "postgres", feature = "mysql")))]
fn without(feature: &str) -> Error {
    config(format!(
        "this program was built without the database of the URL: turn on the feature `{feature}` \
         of session-sqlx"
    ))
}
