//! What only SQLite does: files, locks, and a disk that is full.

use std::time::Duration;

use session_core::{ErrorKind, Store};
use session_sqlx::{Database, Schema, SqlxStore};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use tokio::time::timeout;

use crate::{builder, id, in_an_hour, open, record, rows};

#[tokio::test]
async fn a_store_waits_for_a_lock_and_says_so_when_that_takes_too_long() {
    let rows = rows(Database::Sqlite, Schema::Native);
    let store = open(&rows).await;
    let (x, record) = (id("x"), record("a", in_an_hour()));
    let options: SqliteConnectOptions = rows.url.parse().unwrap();
    let mut other = options.clone().connect().await.unwrap();
    other.execute("BEGIN IMMEDIATE").await.unwrap();

    let hasty = builder(&rows)
        .connect_with(options.busy_timeout(Duration::from_millis(20)))
        .unwrap();
    let error = hasty.set(&x, &record).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.to_string().contains("locked"), "{error}");
    // In WAL mode, who reads does not wait for who writes.
    assert!(hasty.get(&x).await.unwrap().is_none());

    let waiting = tokio::spawn(async move {
        store.set(&x, &record).await.unwrap();
        store.get(&x).await.unwrap().is_some()
    });
    tokio::task::yield_now().await;
    other.execute("ROLLBACK").await.unwrap();
    other.close().await.unwrap();
    assert!(waiting.await.unwrap());
}

/// Whoever went away has left a thread behind that waits for the file.
#[tokio::test]
async fn a_cancelled_write_keeps_its_place_until_it_has_ended() {
    let rows = rows(Database::Sqlite, Schema::Native);
    open(&rows).await;
    let store = builder(&rows).max_connections(1).connect(&rows.url).await;
    let store = store.unwrap();
    let (x, record) = (id("x"), record("a", in_an_hour()));
    let options: SqliteConnectOptions = rows.url.parse().unwrap();
    let mut other = options.connect().await.unwrap();
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    let patience = Duration::from_millis(100);
    assert!(timeout(patience, store.set(&x, &record)).await.is_err());
    // Who reads would not wait for the file, but does for the one connection.
    assert!(timeout(patience, store.get(&x)).await.is_err());
    other.execute("ROLLBACK").await.unwrap();
    assert!(store.get(&x).await.unwrap().is_some());
}

#[tokio::test]
async fn a_full_disk_is_an_error_and_loses_nothing() {
    let rows = rows(Database::Sqlite, Schema::Native);
    open(&rows).await;
    let options: SqliteConnectOptions = rows.url.parse().unwrap();
    let store = builder(&rows)
        .connect_with(options.pragma("max_page_count", "40"))
        .unwrap();
    let record = record(&"x".repeat(10_000), in_an_hour());
    let mut written = 0;
    let error = loop {
        match store.set(&id(&format!("{written}")), &record).await {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 100, "the file grows without an end");
    };
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.to_string().contains("full"), "{error}");
    assert!(written > 1);
    assert_eq!(store.length().await.unwrap(), written);
    for number in 0..written {
        let found = store.get(&id(&format!("{number}"))).await.unwrap();
        assert_eq!(found.unwrap().json(), record.json());
    }
    // There is room for what is small, and after something has gone.
    store.destroy(&id("0")).await.unwrap();
    store.set(&id("0"), &record).await.unwrap();
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_an_error() {
    let directory = std::env::temp_dir();
    let missing = directory.join(format!("session-sqlx-{}", id_text()));
    let error = SqlxStore::connect(&format!("sqlite:{}", missing.display())).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    assert!(error.to_string().contains("mode=rwc"), "{error}");
    assert!(!missing.exists());

    let garbage = directory.join(format!("session-sqlx-{}", id_text()));
    std::fs::write(&garbage, "no database ".repeat(1_000)).unwrap();
    let error = SqlxStore::connect(&format!("sqlite:{}", garbage.display())).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.to_string().contains("no database"), "{error}");

    let rows = rows(Database::Sqlite, Schema::ConnectSqlite3);
    let store = open(&rows).await;
    store.set(&id("x"), &record("a", None)).await.unwrap();
    let read_only = rows.url.replace("mode=rwc", "mode=ro");
    let store = builder(&rows).connect(&read_only).await.unwrap();
    assert!(store.get(&id("x")).await.unwrap().is_some());
    let error = store.set(&id("x"), &record("b", None)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.to_string().contains("only be read"), "{error}");
}

fn id_text() -> String {
    session_core::SessionId::random().as_str().to_owned()
}

#[tokio::test]
async fn the_file_is_in_wal_mode() {
    let rows = rows(Database::Sqlite, Schema::ConnectSqlite3);
    open(&rows).await;
    assert_eq!(rows.text("PRAGMA journal_mode").await.unwrap(), "wal");
}

/// Sessions are secrets. Whoever made the file has decided who reads it.
#[cfg(unix)]
#[tokio::test]
async fn a_new_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    for lazily in [false, true] {
        for there in [false, true] {
            let rows = rows(Database::Sqlite, Schema::Native);
            let path = rows.url.trim_start_matches("sqlite:");
            let path = path.trim_end_matches("?mode=rwc").to_owned();
            let expected = if there { 0o640 } else { 0o600 };
            if there {
                std::fs::write(&path, "").unwrap();
                let mode = std::fs::Permissions::from_mode(expected);
                std::fs::set_permissions(&path, mode).unwrap();
            }
            let store = if lazily {
                let options: SqliteConnectOptions = rows.url.parse().unwrap();
                let options = options.pragma("journal_mode", "wal");
                builder(&rows).connect_with(options).unwrap()
            } else {
                builder(&rows).connect(&rows.url).await.unwrap()
            };
            store.migrate().await.unwrap();
            store.set(&id("x"), &record("a", None)).await.unwrap();
            for suffix in ["", "-wal", "-shm"] {
                let file = std::fs::metadata(format!("{path}{suffix}")).unwrap();
                let mode = file.permissions().mode() & 0o777;
                assert_eq!(mode, expected, "{suffix}, lazily: {lazily}, there: {there}");
            }
        }
    }
}
