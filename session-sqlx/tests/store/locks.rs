//! Readers, while somebody else holds a lock that keeps everybody from writing.

use std::time::Duration;

use session_core::{Store, Touched};
use session_sqlx::{Database, Schema};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use tokio::time::timeout;

use crate::{EVERY, builder, cookie, id, in_an_hour, open, record, rows};

/// Sooner than any lock, or statement, is given up.
const SOON: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_reads_waits_for_no_writer_however_many_gave_up() {
    for (database, schema) in EVERY {
        let rows = rows(database, schema);
        let store = open(&rows).await;
        let (x, record) = (id("x"), record("a", in_an_hour()));
        store.set(&x, &record).await.unwrap();
        let (table, [sid, _, end]) = (rows.table(), rows.columns());
        let lock = match database {
            Database::Sqlite => "BEGIN IMMEDIATE".into(),
            Database::MySql => format!("LOCK TABLES {table} READ"),
            _ => format!("BEGIN; LOCK TABLE {table} IN SHARE MODE"),
        };
        let mut locked = rows.hold(&lock).await.unwrap();
        let end = format!(
            "SELECT {end} FROM {table} WHERE {sid} = {}",
            rows.literal("x")
        );
        let _ = locked
            .fetch_all(sqlx::raw_sql(sqlx::AssertSqlSafe(end)))
            .await;

        // As requests do that extend a session and have no time to wait.
        let later = cookie(in_an_hour());
        for _ in 0..30 {
            let touched = timeout(Duration::from_millis(5), store.touch(&x, &later)).await;
            assert!(touched.is_err(), "{schema:?} on {database:?}: not locked");
            let found = timeout(SOON, store.get(&x)).await;
            let found = found.unwrap_or_else(|_| panic!("{schema:?} on {database:?} waits"));
            assert_eq!(found.unwrap().unwrap().json(), record.json());
        }
        // Another process that starts now.
        let second = timeout(SOON, async {
            let second = builder(&rows).connect(&rows.url).await.unwrap();
            second.migrate().await.unwrap();
            second.get(&x).await.unwrap().is_some()
        });
        assert!(second.await.unwrap(), "{schema:?} on {database:?}");

        locked.close().await.unwrap();
        let touched = store.touch(&x, &later).await.unwrap();
        assert_eq!(touched, Touched::Touched, "{schema:?} on {database:?}");
        rows.drop_table().await;
    }
}

/// Node's stores leave the file in the mode that SQLite has by default.
#[tokio::test]
async fn a_file_in_another_mode_is_read_while_somebody_writes() {
    let rows = rows(Database::Sqlite, Schema::ConnectSqlite3);
    let options: SqliteConnectOptions = rows.url.parse().unwrap();
    let mut other = options.connect().await.unwrap();
    let create = format!(
        "CREATE TABLE {} (sid PRIMARY KEY, expired, sess)",
        rows.table()
    );
    other
        .execute(sqlx::raw_sql(sqlx::AssertSqlSafe(create)))
        .await
        .unwrap();
    rows.insert("x", "{\"cookie\":{}}", 4_102_444_800_000)
        .await
        .unwrap();
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    let reading = timeout(SOON, async {
        let store = builder(&rows).connect(&rows.url).await.unwrap();
        store.migrate().await.unwrap();
        store.get(&id("x")).await.unwrap().is_some()
    });
    assert!(reading.await.unwrap());
    other.execute("ROLLBACK").await.unwrap();
    other.close().await.unwrap();
    // The next connection makes up for it.
    open(&rows).await;
    assert_eq!(rows.text("PRAGMA journal_mode").await.unwrap(), "wal");
}
