//! How the suite opens the store.

use session_conformance::{Backend, Harness, Namespace, Need, NotRun, Opening, Time};
use session_core::Capabilities;
use session_sqlx::{Database, Schema, SqlxStore};

use super::hooks::Behind;
use super::rows::Rows;

const EMBEDDED: Backend = Backend::EMBEDDED
    .offers(Need::Undecodable)
    .offers(Need::Foreign)
    .offers(Need::Count)
    .offers(Need::Schema)
    .offers(Need::Crash)
    .offers(Need::Fixture);

/// A harness of one schema on one database.
macro_rules! harness {
    ($name:ident, $database:ident, $schema:ident, $text:literal, $backend:expr) => {
        pub(crate) struct $name;

        impl Harness for $name {
            const NAME: &'static str = $text;
            const CAPABILITIES: Capabilities = Schema::$schema.capabilities(Database::$database);
            const BACKEND: Backend = $backend;
            const TIME: Time = Time::Manual;

            async fn open(&self, opening: Opening) -> Result<Namespace, NotRun> {
                open(Database::$database, Schema::$schema, opening).await
            }
        }
    };
}

harness!(
    NativeSqlite,
    Sqlite,
    Native,
    "session-sqlx, SQLite, native",
    EMBEDDED
);
harness!(
    ConnectSqlite3,
    Sqlite,
    ConnectSqlite3,
    "session-sqlx, connect-sqlite3",
    EMBEDDED
);
harness!(
    BetterSqlite3,
    Sqlite,
    BetterSqlite3,
    "session-sqlx, better-sqlite3-session-store",
    EMBEDDED
);

async fn open(database: Database, schema: Schema, opening: Opening) -> Result<Namespace, NotRun> {
    let (url, through, proxy, secrets) = match database {
        _ => {
            let directory = std::env::temp_dir().join("session-sqlx-tests");
            std::fs::create_dir_all(&directory)?;
            let file = directory.join(&opening.namespace);
            let url = format!("sqlite:{}?mode=rwc", file.display());
            (url.clone(), url, None, Vec::<String>::new())
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
    for secret in secrets {
        namespace = namespace.with_secret(secret);
    }
    Ok(namespace)
}
