//! A disk that is full, under each database.

use session_core::{ErrorKind, Store};
use session_sqlx::{Database, Schema, SqlxStore};
use test_servers::{Kind, Server, SmallDisk};

use crate::support::rows::Rows;
use crate::{id, in_an_hour, open, record};

fn run(future: impl Future<Output = ()>) {
    tokio::runtime::Runtime::new().unwrap().block_on(future);
}

fn rows(database: Database, url: String) -> Rows {
    Rows {
        database,
        schema: Schema::Native,
        table: "sessions".into(),
        url,
    }
}

#[test]
fn a_full_disk_under_sqlite_is_an_error_and_loses_nothing() {
    SmallDisk::with(32, |disk| {
        let file = disk.path().join("sessions.db");
        let url = format!("sqlite:{}?mode=rwc", file.display());
        run(fill(disk, &rows(Database::Sqlite, url), None));
    });
}

/// Its log can grow so much that it has to give up, and to be started again.
#[test]
fn a_full_disk_under_postgres_is_an_error_and_loses_nothing() {
    SmallDisk::with(160, |disk| {
        let settings = [
            ("synchronous_commit", "on"),
            ("max_wal_size", "32MB"),
            ("min_wal_size", "32MB"),
        ];
        let server = Server::start_with(Kind::Postgres, &settings).unwrap();
        run(fill(
            disk,
            &rows(Database::Postgres, server.url()),
            Some(&server),
        ));
    });
}

#[test]
fn a_full_disk_under_mariadb_is_an_error_and_loses_nothing() {
    SmallDisk::with(320, |disk| {
        let server = Server::start(Kind::MariaDb).unwrap();
        run(fill(
            disk,
            &rows(Database::MySql, server.url()),
            Some(&server),
        ));
    });
}

/// Characters of chance: PostgreSQL compresses what it can.
fn noise() -> String {
    let mut state: u64 = 1;
    let characters = (0..200_000).map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'0' + (state % 43) as u8)
    });
    characters.collect()
}

async fn fill(disk: &SmallDisk, rows: &Rows, server: Option<&Server>) {
    let store = open(rows).await;
    let numbered = |n: u32| id(&n.to_string());
    let noise = noise();
    let text = |n: u32| format!("{n} {noise}");
    disk.leave(16);
    let mut written = 0;
    let error = loop {
        let record = record(&text(written), in_an_hour());
        match store.set(&numbered(written), &record).await {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 10_000, "the disk never was full");
    };
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(written > 20, "only {written}: {error:?}");

    disk.make_room();
    if let Some(server) = server {
        server.nodes()[0].restart().unwrap();
    }
    let store: SqlxStore = open(rows).await;
    for n in 0..written {
        let found = store.get(&numbered(n)).await.unwrap().unwrap();
        let value: String = found.data().get("value").unwrap().unwrap();
        assert!(value == text(n), "{n}");
    }
    assert!(store.length().await.unwrap() >= u64::from(written));
    store.set(&numbered(0), &record("new", None)).await.unwrap();
}
