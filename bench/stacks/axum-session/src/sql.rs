//! Its databases, on sqlx's pools as they come.

use axum_session_sqlx::{SessionMySqlPool, SessionPgPool, SessionSqlitePool};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{MySqlPool, PgPool, SqlitePool};

pub(crate) async fn postgres(url: &str) -> SessionPgPool {
    PgPool::connect(url).await.expect("a PostgreSQL").into()
}

pub(crate) async fn mysql(url: &str) -> SessionMySqlPool {
    MySqlPool::connect(url).await.expect("a MySQL").into()
}

/// As durable as the other stacks. With the journal that SQLite has by itself, readers and a writer
/// keep each other out, and who waits for longer than sqlx's five seconds fails: "database is locked".
pub(crate) async fn sqlite(url: &str) -> SessionSqlitePool {
    let options: SqliteConnectOptions = url.parse().expect("a URL");
    let options = options
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal);
    let pool = SqlitePool::connect_with(options).await;
    pool.expect("a file").into()
}
