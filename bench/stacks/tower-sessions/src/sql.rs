//! Its databases, on sqlx's pools as they come.

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{MySqlPool, PgPool, SqlitePool};
use tower_sessions_sqlx_store::{MySqlStore, PostgresStore, SqliteStore};

pub(crate) async fn postgres(url: &str) -> PostgresStore {
    let store = PostgresStore::new(PgPool::connect(url).await.expect("a PostgreSQL"));
    store.migrate().await.expect("a table");
    store
}

pub(crate) async fn mysql(url: &str) -> MySqlStore {
    let store = MySqlStore::new(MySqlPool::connect(url).await.expect("a MySQL"));
    store.migrate().await.expect("a table");
    store
}

/// As durable as the other stacks. With the journal that SQLite has by itself, readers and a writer
/// keep each other out, and who waits for longer than sqlx's five seconds fails: "database is locked".
pub(crate) async fn sqlite(url: &str) -> SqliteStore {
    let options: SqliteConnectOptions = url.parse().expect("a URL");
    let options = options
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal);
    let pool = SqlitePool::connect_with(options).await;
    let store = SqliteStore::new(pool.expect("a file"));
    store.migrate().await.expect("a table");
    store
}
