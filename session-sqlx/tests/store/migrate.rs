//! The migration.

use session_core::{Clock, ErrorKind, Store};
use session_sqlx::{Database, Schema};
use sqlx::Connection as _;

use crate::{EVERY, builder, id, in_an_hour, open, record, rows, texts};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_processes_may_migrate_at_the_same_time_and_again() {
    for (database, schema) in EVERY {
        let rows = rows(database, schema);
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let rows = rows.clone();
                tokio::spawn(async move { open(&rows).await })
            })
            .collect();
        let mut stores = Vec::new();
        for task in tasks {
            stores.push(task.await.unwrap());
        }
        let record = record("kept", in_an_hour());
        stores[0].set(&id("x"), &record).await.unwrap();
        for store in &stores {
            store.migrate().await.unwrap();
        }
        assert_eq!(rows.count().await.unwrap(), 1);
        rows.drop_table().await;
    }
}

/// A table as Node's stores create it, by their own words: nothing is to be changed.
#[tokio::test]
async fn a_table_that_node_made_is_taken_as_it_is() {
    for (database, schema) in EVERY {
        let rows = rows(database, schema);
        let table = rows.table();
        let create = match (database, schema) {
            (Database::Postgres, Schema::ConnectPgSimple) => format!(
                "CREATE TABLE {table} (\"sid\" varchar NOT NULL COLLATE \"default\", \
                 \"sess\" json NOT NULL, \"expire\" timestamp(6) NOT NULL) WITH (OIDS=FALSE); \
                 ALTER TABLE {table} ADD PRIMARY KEY (\"sid\") NOT DEFERRABLE INITIALLY IMMEDIATE"
            ),
            (_, Schema::ExpressMysqlSession) => format!(
                "CREATE TABLE {table} (`session_id` varchar(128) COLLATE utf8mb4_bin NOT NULL, \
                 `expires` int(11) unsigned NOT NULL, `data` mediumtext COLLATE utf8mb4_bin, \
                 PRIMARY KEY (`session_id`)) ENGINE=InnoDB"
            ),
            (_, Schema::ConnectSqlite3) => {
                format!("CREATE TABLE {table} (sid PRIMARY KEY, expired, sess)")
            }
            (_, Schema::BetterSqlite3) => format!(
                "CREATE TABLE {table} (sid TEXT NOT NULL PRIMARY KEY, sess JSON NOT NULL, \
                 expire TEXT NOT NULL)"
            ),
            _ => continue,
        };
        rows.execute(&create).await.unwrap();
        let end = Clock::system().now_millis() + 3_600_000;
        let json = r#"{"cookie":{"originalMaxAge":null,"expires":null},"n":1}"#;
        rows.insert("SID", json, end).await.unwrap();
        let store = open(&rows).await;
        let found = store.get(&id("SID")).await.unwrap().unwrap();
        assert_eq!(found.json(), json);
        rows.drop_table().await;
    }
}

/// The default collations of MySQL take `a` and `A` for one id, and in a table like that one user
/// would get the session of another.
#[tokio::test]
async fn a_collation_that_folds_ids_is_a_config_error() {
    for (column, schema, exact) in [
        (
            "VARCHAR(128) COLLATE utf8mb4_general_ci",
            Schema::ExpressMysqlSession,
            false,
        ),
        (
            "VARCHAR(128) COLLATE utf8mb4_unicode_ci",
            Schema::ExpressMysqlSession,
            false,
        ),
        (
            "VARCHAR(128) CHARACTER SET latin1",
            Schema::ExpressMysqlSession,
            false,
        ),
        (
            "VARCHAR(128) COLLATE utf8mb4_bin",
            Schema::ExpressMysqlSession,
            true,
        ),
        (
            "VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin",
            Schema::ExpressMysqlSession,
            true,
        ),
        ("VARBINARY(128)", Schema::ExpressMysqlSession, true),
        (
            "VARCHAR(255) COLLATE utf8mb4_general_ci",
            Schema::Native,
            false,
        ),
        ("VARBINARY(255)", Schema::Native, true),
    ] {
        let rows = rows(Database::MySql, schema);
        let [id, data, expires] = rows.columns();
        rows.execute(&format!(
            "CREATE TABLE {} ({id} {column} NOT NULL PRIMARY KEY, {data} LONGTEXT, \
             {expires} BIGINT NOT NULL)",
            rows.table()
        ))
        .await
        .unwrap();
        let store = builder(&rows).connect(&rows.url).await.unwrap();
        // Whether the table is empty or not.
        for filled in [false, true] {
            if filled {
                let insert = format!("INSERT INTO {} VALUES ('x', '{{}}', 1)", rows.table());
                rows.execute(&insert).await.unwrap();
            }
            match store.migrate().await {
                Ok(()) => assert!(exact, "{column}"),
                Err(error) => {
                    assert!(!exact, "{column}: {error:?}");
                    assert_eq!(error.kind(), ErrorKind::Config, "{column}: {error:?}");
                    assert!(texts(&error).contains("utf8mb4_bin"), "{column}: {error}");
                }
            }
        }
        rows.drop_table().await;
    }
}

/// The servers count the seconds, on their own clocks.
#[tokio::test]
async fn a_lock_on_the_table_is_not_waited_for_for_ever() {
    let wait = async |database: Database, lock: fn(&str) -> String| {
        let rows = rows(database, database.default_schema());
        let store = open(&rows).await;
        let locked = rows.hold(&lock(&rows.table())).await.unwrap();
        let error = store.migrate().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        assert!(error.to_string().contains("locked"), "{error}");
        locked.close().await.unwrap();
        store.migrate().await.unwrap();
        rows.drop_table().await;
    };
    tokio::join!(
        wait(Database::Postgres, |table| format!(
            "BEGIN; LOCK TABLE {table}"
        )),
        wait(Database::MySql, |table| format!(
            "LOCK TABLES {table} WRITE"
        )),
    );
}
