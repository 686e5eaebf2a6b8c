use std::time::Duration;

use session_core::Capabilities;

use crate::layout::Layout;

/// A kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Database {
    /// SQLite, with the feature `sqlite`.
    Sqlite,
    /// PostgreSQL, with the feature `postgres`.
    Postgres,
    /// MySQL or MariaDB, with the feature `mysql`.
    MySql,
}

impl Database {
    /// The table of the store that most Node applications have on this database.
    #[must_use]
    pub const fn default_schema(self) -> Schema {
        match self {
            Self::Sqlite => Schema::ConnectSqlite3,
            Self::Postgres => Schema::ConnectPgSimple,
            Self::MySql => Schema::ExpressMysqlSession,
        }
    }
}

/// How the table keeps sessions: as one of Node's stores does, or in the best way.
///
/// | schema | database | table and columns | expiry |
/// |---|---|---|---|
/// | [`Native`](Self::Native) | each | `sessions (id, data, expires)` | milliseconds since 1970 as an integer, indexed |
/// | [`ConnectPgSimple`](Self::ConnectPgSimple) | PostgreSQL | `session (sid, sess, expire)` | whole seconds in a `timestamp(6)` without a zone, indexed |
/// | [`ExpressMysqlSession`](Self::ExpressMysqlSession) | MySQL, MariaDB | `sessions (session_id, data, expires)` | whole seconds in an unsigned `INT`, to 2106 |
/// | [`ConnectSqlite3`](Self::ConnectSqlite3) | SQLite | `sessions (sid, sess, expired)` | milliseconds as `REAL` |
/// | [`BetterSqlite3`](Self::BetterSqlite3) | SQLite | `sessions (sid, sess, expire)` | text, `2026-11-23T17:48:48.581Z`, to 9999 |
///
/// Whole seconds are rounded up, so that no session ends early (express-mysql-session rounds to the
/// nearest one). An expiry after the last one that a column can hold is written as that one, and
/// one before 1970 as 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Schema {
    /// This crate's own: milliseconds, an index on the expiry, and ids compared as bytes.
    Native,
    /// That of connect-pg-simple 10.
    ConnectPgSimple,
    /// That of express-mysql-session 3.
    ExpressMysqlSession,
    /// That of connect-sqlite3 0.9.
    ConnectSqlite3,
    /// That of better-sqlite3-session-store 0.1.
    BetterSqlite3,
}

impl Schema {
    /// What a store with this schema declares, before its options.
    #[must_use]
    pub const fn capabilities(self, database: Database) -> Capabilities {
        let base = Capabilities::NONE
            .with_touch()
            .with_length()
            .with_clear()
            .with_all()
            .with_create()
            .with_replace()
            .with_sweep()
            .with_durable()
            .with_default_ttl(Some(Duration::from_secs(86_400)));
        let base = match database {
            Database::MySql => base.with_max_record_bytes(4 << 20),
            Database::Postgres | Database::Sqlite => base,
        };
        match self {
            Self::Native => base.with_max_id_bytes(255),
            Self::ConnectPgSimple => base
                .with_max_id_bytes(2_048)
                .with_granularity(Duration::from_secs(1)),
            Self::ExpressMysqlSession => base
                .with_max_id_bytes(128)
                .with_granularity(Duration::from_secs(1)),
            Self::ConnectSqlite3 | Self::BetterSqlite3 => base.with_max_id_bytes(2_048),
        }
    }

    /// The layout on `database`, or `None` if this schema is another one's.
    pub(crate) const fn layout(self, database: Database) -> Option<&'static Layout> {
        Some(match (self, database) {
            #[cfg(feature = "sqlite")]
            (Self::Native, Database::Sqlite) => &crate::dialect::sqlite::NATIVE,
            #[cfg(feature = "sqlite")]
            (Self::ConnectSqlite3, Database::Sqlite) => &crate::dialect::sqlite::CONNECT_SQLITE3,
            #[cfg(feature = "sqlite")]
            (Self::BetterSqlite3, Database::Sqlite) => &crate::dialect::sqlite::BETTER_SQLITE3,
            #[cfg(feature = "postgres")]
            (Self::Native, Database::Postgres) => &crate::dialect::postgres::NATIVE,
            #[cfg(feature = "postgres")]
            (Self::ConnectPgSimple, Database::Postgres) => {
                &crate::dialect::postgres::CONNECT_PG_SIMPLE
            }
            #[cfg(feature = "mysql")]
            (Self::Native, Database::MySql) => &crate::dialect::mysql::NATIVE,
            #[cfg(feature = "mysql")]
            (Self::ExpressMysqlSession, Database::MySql) => {
                &crate::dialect::mysql::EXPRESS_MYSQL_SESSION
            }
            _ => return None,
        })
    }
}
