//! The rows, to the byte, as Node's stores write and read them.

use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use session_core::{Clock, Created, ErrorKind, Replaced, Store};
use session_sqlx::{Database, Schema};

use crate::{EVERY, builder, id, record, rows};

/// 2026-01-02T03:04:05.678Z
const NOW: u64 = 1_767_323_045_678;

/// The expiry of a row as text, and how Node asks whether the session has not ended at a time in
/// milliseconds.
fn node(database: Database, schema: Schema) -> (&'static str, fn(u64) -> String) {
    match schema {
        Schema::Native if database == Database::Postgres => {
            ("expires::text", |now| format!("expires > {now}"))
        }
        Schema::ConnectPgSimple => ("expire::text", |now| {
            format!(
                "expire >= to_timestamp({}) AT TIME ZONE 'UTC'",
                now.div_ceil(1_000)
            )
        }),
        Schema::ExpressMysqlSession => ("CAST(expires AS CHAR)", |now| {
            format!("NOT (expires < {})", (now + 500) / 1_000)
        }),
        Schema::ConnectSqlite3 => ("typeof(expired) || ' ' || expired", |now| {
            format!("{now} <= expired")
        }),
        Schema::BetterSqlite3 => ("typeof(expire) || ' ' || expire", |now| {
            format!("datetime({}, 'unixepoch') < datetime(expire)", now / 1_000)
        }),
        _ => ("CAST(expires AS CHAR(20))", |now| {
            format!("expires > {now}")
        }),
    }
}

#[tokio::test]
async fn node_reads_our_rows_and_ends_them_when_we_do() {
    for (database, schema) in EVERY {
        let rows = rows(database, schema);
        let clock = Clock::manual(SystemTime::UNIX_EPOCH + Duration::from_millis(NOW));
        let store = builder(&rows).clock(clock.clone());
        let store = store.connect(&rows.url).await.unwrap();
        store.migrate().await.unwrap();
        let expires = clock.now() + Duration::from_secs(60);
        let record = record("a", expires);
        store.set(&id("SID"), &record).await.unwrap();

        let ([_, json, _], table) = (rows.columns(), rows.table());
        let (text, live) = node(database, schema);
        let text_of = match database {
            Database::Postgres if schema == Schema::Native => {
                format!("convert_from({json}, 'UTF8')")
            }
            Database::Postgres => format!("{json}::text"),
            Database::MySql => format!("CONVERT({json} USING utf8mb4)"),
            _ => format!("CAST({json} AS TEXT)"),
        };
        let found = rows.text(&format!("SELECT {text_of} FROM {table}")).await;
        assert_eq!(found.unwrap(), record.json());
        let end = rows.text(&format!("SELECT {text} FROM {table}")).await;
        let written = match schema {
            Schema::ConnectPgSimple => "2026-01-02 03:05:06",
            Schema::ExpressMysqlSession => "1767323106",
            Schema::ConnectSqlite3 => "real 1767323105678.0",
            Schema::BetterSqlite3 => "text 2026-01-02T03:05:05.678Z",
            _ => "1767323105678",
        };
        assert_eq!(end.unwrap().trim(), written, "{schema:?} on {database:?}");

        // A second before and two after, as Node asks and as we do.
        for (later, alive) in [(58_000, true), (62_000, false)] {
            clock.set(SystemTime::UNIX_EPOCH + Duration::from_millis(NOW + later));
            let asked = format!("SELECT count(*) FROM {table} WHERE {}", live(NOW + later));
            let counted = rows.number(&asked).await.unwrap();
            assert_eq!(counted == 1, alive, "{schema:?} on {database:?}");
            let found = store.get(&id("SID")).await.unwrap();
            assert_eq!(found.is_some(), alive, "{schema:?} on {database:?}");
        }
        rows.drop_table().await;
    }
}

/// As a sign-out ends a session: nothing is left for the sweep.
#[tokio::test]
async fn a_record_that_has_ended_replaces_a_row_by_none() {
    for (database, schema) in EVERY {
        let rows = rows(database, schema);
        let store = crate::open(&rows).await;
        let (x, nobody) = (id("x"), id("nobody"));
        let (a, b) = (record("a", crate::in_an_hour()), record("b", None));
        // Long ago, and in the second that the column may not tell from the one to come.
        for ended in [SystemTime::UNIX_EPOCH, Clock::system().now()] {
            let ended = record("ended", ended);
            store.set(&x, &a).await.unwrap();
            for (id, old, answer, left) in [
                (&nobody, &a, Replaced::Missing, 1),
                (&x, &b, Replaced::Conflict, 1),
                (&x, &a, Replaced::Replaced, 0),
                (&x, &a, Replaced::Missing, 0),
            ] {
                let told = store.replace(id, old, &ended).await.unwrap();
                assert_eq!(told, answer, "{schema:?} on {database:?}");
                assert_eq!(rows.count().await.unwrap(), left);
            }
        }
        // What has ended by itself is the sweep's.
        let ended = record("a", SystemTime::UNIX_EPOCH);
        store.set(&x, &ended).await.unwrap();
        let told = store.replace(&x, &ended, &ended).await.unwrap();
        assert_eq!(told, Replaced::Missing, "{schema:?} on {database:?}");
        assert_eq!(rows.count().await.unwrap(), 1);
        rows.drop_table().await;
    }
}

#[tokio::test]
async fn a_row_whose_expiry_or_text_is_none_cannot_be_decoded_and_stays() {
    for (database, schema, set) in [
        (Database::Sqlite, Schema::Native, "expires = 'hunter2'"),
        (
            Database::Sqlite,
            Schema::ConnectSqlite3,
            "expired = 'hunter2'",
        ),
        (Database::Sqlite, Schema::ConnectSqlite3, "expired = NULL"),
        (
            Database::Sqlite,
            Schema::BetterSqlite3,
            "expire = 'hunter2'",
        ),
        (Database::Sqlite, Schema::ConnectSqlite3, "sess = NULL"),
        (Database::Sqlite, Schema::ConnectSqlite3, "sess = X'ff'"),
        (Database::MySql, Schema::ExpressMysqlSession, "data = NULL"),
        (Database::Postgres, Schema::Native, r"data = '\xff'"),
        (Database::MySql, Schema::Native, "data = X'ff'"),
    ] {
        let rows = rows(database, schema);
        let store = crate::open(&rows).await;
        let (x, record) = (id("x"), record("a", crate::in_an_hour()));
        store.set(&x, &record).await.unwrap();
        let table = rows.table();
        let update = format!("UPDATE {table} SET {set}");
        rows.execute(&update).await.unwrap();
        let error = store.get(&x).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode, "{set}: {error:?}");
        assert!(!crate::texts(&error).contains("hunter2"), "{error:?}");
        assert_eq!(store.create(&x, &record).await.unwrap(), Created::Exists);
        assert_eq!(rows.count().await.unwrap(), 1);
        store.destroy(&x).await.unwrap();
        assert_eq!(rows.count().await.unwrap(), 0);
        rows.drop_table().await;
    }
}

#[tokio::test]
async fn an_infinite_expiry_never_comes() {
    let rows = rows(Database::Postgres, Schema::ConnectPgSimple);
    let store = crate::open(&rows).await;
    store.set(&id("x"), &record("a", None)).await.unwrap();
    let update = format!("UPDATE {} SET expire = 'infinity'", rows.table());
    rows.execute(&update).await.unwrap();
    let found = store.get(&id("x")).await.unwrap().unwrap();
    assert_eq!(found.stored_expires(), None);
    rows.drop_table().await;
}

/// An old table of express-mysql-session has `TEXT`: what does not fit is refused, and not cut,
/// whatever the server's `sql_mode`.
#[tokio::test]
async fn what_an_old_column_cannot_hold_is_too_large() {
    let rows = rows(Database::MySql, Schema::ExpressMysqlSession);
    let store = crate::open(&rows).await;
    let alter = format!("ALTER TABLE {} MODIFY data TEXT", rows.table());
    rows.execute(&alter).await.unwrap();
    let small = record("a", None);
    store.set(&id("x"), &small).await.unwrap();
    let large = record(&"x".repeat(70_000), None);
    let error = store.set(&id("x"), &large).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error:?}");
    let found = store.get(&id("x")).await.unwrap().unwrap();
    assert_eq!(found.json(), small.json());
    rows.drop_table().await;
}

/// The native table's ids are bytes, and any client can write some.
#[tokio::test]
async fn an_id_that_is_no_text_costs_no_other_row() {
    for database in [Database::Sqlite, Database::Postgres, Database::MySql] {
        let rows = rows(database, Schema::Native);
        let store = crate::open(&rows).await;
        for name in ["a", "b", "z"] {
            let record = record(name, crate::in_an_hour());
            store.set(&id(name), &record).await.unwrap();
        }
        let bytes = match database {
            Database::Postgres => r"'\xff'",
            _ => "X'ff'",
        };
        let update = format!(
            "UPDATE {} SET id = {bytes} WHERE id = {}",
            rows.table(),
            rows.literal("b")
        );
        rows.execute(&update).await.unwrap();
        let ids: Vec<_> = store.ids().collect().await;
        let all: Vec<_> = store
            .all()
            .map(|item| item.map(|(id, _)| id))
            .collect()
            .await;
        for found in [ids, all] {
            let good: Vec<_> = found.iter().flatten().map(|id| id.as_str()).collect();
            assert_eq!(good, ["a", "z"], "{database:?}");
            let bad: Vec<_> = found
                .iter()
                .filter_map(|item| item.as_ref().err())
                .collect();
            assert_eq!(bad.len(), 1);
            assert_eq!(bad[0].kind(), ErrorKind::Decode);
        }
        rows.drop_table().await;
    }
}
