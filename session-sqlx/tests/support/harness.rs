//! How the suite opens the store.

use std::time::Duration;

use session_conformance::{Backend, Harness, Namespace, Need, NotRun, Opening, Proxy, Time};
use session_core::Capabilities;
use session_sqlx::{Database, Schema, SqlxStore};

use test_servers::{Kind, Server};

use super::hooks::Behind;
use super::rows::Rows;

const EMBEDDED: Backend = Backend::EMBEDDED
    .offers(Need::Undecodable)
    .offers(Need::Foreign)
    .offers(Need::Count)
    .offers(Need::Schema)
    .offers(Need::Crash)
    .offers(Need::Fixture);

const SERVER: Backend = Backend::SERVER
    .offers(Need::Undecodable)
    .offers(Need::Fault)
    .offers(Need::RoundTrips)
    .offers(Need::Foreign)
    .offers(Need::Count)
    .offers(Need::Schema)
    .offers(Need::Crash)
    .offers(Need::Fixture)
    .lacks(Need::Skew, "the store's clock decides, and no other one");

/// A harness of one schema on one database.
macro_rules! harness {
    ($name:ident, $database:ident, $server:expr, $schema:ident, $text:literal, $backend:expr) => {
        pub(crate) struct $name;

        impl Harness for $name {
            const NAME: &'static str = $text;
            const CAPABILITIES: Capabilities = Schema::$schema.capabilities(Database::$database);
            const BACKEND: Backend = $backend;
            const TIME: Time = Time::Manual;

            async fn open(&self, opening: Opening) -> Result<Namespace, NotRun> {
                open(Database::$database, $server, Schema::$schema, opening).await
            }
        }
    };
}

harness!(
    NativeSqlite,
    Sqlite,
    None,
    Native,
    "native schema, SQLite",
    EMBEDDED
);
harness!(
    ConnectSqlite3,
    Sqlite,
    None,
    ConnectSqlite3,
    "connect-sqlite3",
    EMBEDDED
);
harness!(
    BetterSqlite3,
    Sqlite,
    None,
    BetterSqlite3,
    "better-sqlite3-session-store",
    EMBEDDED
);
harness!(
    NativePostgres,
    Postgres,
    Some(Kind::Postgres),
    Native,
    "native schema, PostgreSQL",
    SERVER
);
harness!(
    ConnectPgSimple,
    Postgres,
    Some(Kind::Postgres),
    ConnectPgSimple,
    "connect-pg-simple",
    SERVER
);
harness!(
    NativeMariaDb,
    MySql,
    Some(Kind::MariaDb),
    Native,
    "native schema, MariaDB",
    SERVER
);
harness!(
    ExpressMysqlSession,
    MySql,
    Some(Kind::MariaDb),
    ExpressMysqlSession,
    "express-mysql-session",
    SERVER
);

harness!(
    NativeMySql,
    MySql,
    Some(Kind::MySql),
    Native,
    "native schema, MySQL",
    SERVER
);
harness!(
    ExpressMysqlSessionOnMySql,
    MySql,
    Some(Kind::MySql),
    ExpressMysqlSession,
    "express-mysql-session on MySQL",
    SERVER
);

/// The server of a database; SQLite has none.
pub(crate) fn server(database: Database) -> Option<Result<&'static Server, String>> {
    match database {
        Database::Postgres => Some(Server::shared(Kind::Postgres)),
        Database::MySql => Some(Server::shared(Kind::MariaDb)),
        _ => None,
    }
}

async fn open(
    database: Database,
    kind: Option<Kind>,
    schema: Schema,
    opening: Opening,
) -> Result<Namespace, NotRun> {
    let server = kind.map(Server::shared).transpose();
    let server = server.map_err(NotRun::because)?;
    let (url, through, proxy) = match server {
        Some(server) => {
            let proxy = Proxy::start(server.address())?;
            (server.url(), server.url_at(proxy.address()), Some(proxy))
        }
        None => {
            let directory = std::env::temp_dir().join("session-sqlx-tests");
            std::fs::create_dir_all(&directory)?;
            let url = format!(
                "sqlite:{}?mode=rwc",
                directory.join(&opening.namespace).display()
            );
            (url.clone(), url, None)
        }
    };
    // A name that ends whatever takes it for a part of a statement.
    let rows = Rows {
        database,
        schema,
        table: format!("{}\"`'{{}}", opening.namespace),
        url,
    };
    let builder = SqlxStore::builder()
        .schema(schema)
        .table(&rows.table)
        .max_connections(opening.connections.unwrap_or(10))
        // A machine that is busy may pause long enough for a question that a rule would count.
        .trust_idle(Duration::from_secs(3_600))
        .clock(opening.clock.clone());
    let first = builder.clone().connect(&through).await?;
    let second = builder.connect(&through).await?;
    first.migrate().await?;
    let mut namespace = Namespace::new(first, second).with_hooks(Behind {
        foreign: format!("{}x", opening.namespace),
        rows,
        proxy,
        clock: opening.clock,
    });
    if let Some(server) = server {
        namespace = namespace
            .with_secret(server.password())
            .with_secret(through);
    }
    Ok(namespace)
}
