//! The migration.

use std::time::{Duration, Instant};

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
            "CREATE TABLE {} ({id} {column} NOT NULL PRIMARY KEY, \
             {data} LONGTEXT CHARACTER SET utf8mb4, {expires} BIGINT NOT NULL)",
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

/// PostgreSQL counts ten seconds on its own clock; a MySQL table that is locked can not even be
/// looked at, and the store's own limit comes first.
#[tokio::test]
async fn a_lock_on_the_table_is_not_waited_for_for_ever() {
    let wait = async |database: Database, lock: fn(&str) -> String| {
        let rows = rows(database, database.default_schema());
        open(&rows).await;
        let hasty = builder(&rows).response_timeout(Duration::from_secs(3));
        let store = hasty.connect(&rows.url).await.unwrap();
        if database == Database::Postgres {
            // Without the index there is something to do, and writers are in its way.
            let [_, _, end] = rows.columns();
            let drop = format!("DROP INDEX \"IDX_{}_{end}\"", rows.table);
            rows.execute(&drop).await.unwrap();
        }
        let locked = rows.hold(&lock(&rows.table())).await.unwrap();
        let error = store.migrate().await.unwrap_err();
        locked.close().await.unwrap();
        open(&rows).await.migrate().await.unwrap();
        rows.drop_table().await;
        error
    };
    let (postgres, mysql) = tokio::join!(
        wait(Database::Postgres, |table| {
            format!("BEGIN; LOCK TABLE {table} IN ROW EXCLUSIVE MODE")
        }),
        wait(Database::MySql, |table| format!(
            "LOCK TABLES {table} WRITE"
        )),
    );
    assert_eq!(postgres.kind(), ErrorKind::Unavailable, "{postgres:?}");
    assert!(postgres.to_string().contains("locked"), "{postgres}");
    assert_eq!(mysql.kind(), ErrorKind::Timeout, "{mysql:?}");
}

/// A second process that starts must not stop the first one's requests.
#[tokio::test]
async fn what_is_there_is_migrated_beside_those_who_write() {
    for (database, schema) in EVERY {
        if database == Database::Sqlite {
            continue;
        }
        let rows = rows(database, schema);
        let store = open(&rows).await;
        rows.insert("x", "{}", 1_000).await.unwrap();
        let begin = match database {
            Database::MySql => "START TRANSACTION",
            _ => "BEGIN",
        };
        let [_, _, end] = rows.columns();
        let update = format!("{begin}; UPDATE {} SET {end} = {end}", rows.table());
        let writing = rows.hold(&update).await.unwrap();
        let started = Instant::now();
        store.migrate().await.unwrap();
        assert!(started.elapsed() < Duration::from_secs(8));
        writing.close().await.unwrap();
        rows.drop_table().await;
    }
}

/// Node's table is where everybody looks, and this user has a schema that comes before.
#[tokio::test]
async fn a_table_elsewhere_on_the_search_path_is_not_hidden_by_an_empty_one() {
    let mut rows = rows(Database::Postgres, Schema::ConnectPgSimple);
    let first = format!("first {}", &rows.table[5..15]);
    let store = open(&rows).await;
    store.set(&id("x"), &record("a", None)).await.unwrap();
    rows.execute(&format!("CREATE SCHEMA \"{first}\""))
        .await
        .unwrap();
    let path = format!("\"{first}\",public")
        .replace('"', "%22")
        .replace(' ', "%20");
    let plain = rows.url.clone();
    rows.url = format!("{plain}?options[search_path]={path}");
    assert!(
        rows.text("SHOW search_path")
            .await
            .unwrap()
            .contains(&first)
    );
    let store = open(&rows).await;
    assert!(store.get(&id("x")).await.unwrap().is_some());
    rows.url = plain;
    rows.drop_table().await;
    rows.execute(&format!("DROP SCHEMA \"{first}\""))
        .await
        .unwrap();
}

/// Where no key forbids it, every `set` would add a row, and the oldest would be found.
#[tokio::test]
async fn a_table_without_a_key_of_its_ids_is_a_config_error() {
    for (key, good) in [
        ("KEY (session_id)", false),
        ("UNIQUE KEY (session_id(20))", false),
        ("PRIMARY KEY (session_id, expires)", false),
        ("UNIQUE KEY (expires)", false),
        ("PRIMARY KEY (session_id)", true),
        ("KEY (session_id), UNIQUE KEY u (session_id)", true),
    ] {
        let rows = rows(Database::MySql, Schema::ExpressMysqlSession);
        rows.execute(&format!(
            "CREATE TABLE {} (session_id VARCHAR(128) COLLATE utf8mb4_bin NOT NULL, \
             expires INT UNSIGNED NOT NULL, data MEDIUMTEXT CHARACTER SET utf8mb4, {key})",
            rows.table()
        ))
        .await
        .unwrap();
        let store = builder(&rows).connect(&rows.url).await.unwrap();
        match store.migrate().await {
            Ok(()) => assert!(good, "{key}"),
            Err(error) => {
                assert!(!good, "{key}: {error:?}");
                assert_eq!(error.kind(), ErrorKind::Config, "{key}: {error:?}");
                assert!(error.to_string().contains("primary key"), "{key}: {error}");
            }
        }
        rows.drop_table().await;
    }
}

/// Two tenants, each with a schema of its own; the second one's table was made without an index.
#[tokio::test]
async fn an_index_of_another_schema_s_table_is_not_this_one_s() {
    let mut rows = rows(Database::Postgres, Schema::ConnectPgSimple);
    // Its name needs every kind of quotes.
    rows.table = format!("a\"b'c\\ü {}", &rows.table[5..15]);
    let tenant = format!("tenant {}", &rows.table[9..]);
    open(&rows).await;
    let elsewhere = format!("\"{tenant}\".{}", rows.table());
    rows.execute(&format!(
        "CREATE SCHEMA \"{tenant}\"; \
         CREATE TABLE {elsewhere} (LIKE {} INCLUDING DEFAULTS, PRIMARY KEY (sid))",
        rows.table()
    ))
    .await
    .unwrap();
    let path = format!("%22{tenant}%22,public").replace(' ', "%20");
    let url = format!("{}?options[search_path]={path}", rows.url);
    let store = builder(&rows).connect(&url).await.unwrap();
    for _ in 0..2 {
        store.migrate().await.unwrap();
        let indexes = format!(
            "SELECT count(*) FROM pg_indexes \
             WHERE schemaname = '{tenant}' AND indexdef LIKE '%(expire)%'"
        );
        assert_eq!(rows.number(&indexes).await.unwrap(), 1);
    }
    store.set(&id("x"), &record("a", None)).await.unwrap();
    let count = format!("SELECT count(*) FROM {elsewhere}");
    assert_eq!(rows.number(&count).await.unwrap(), 1);
    // What is there is known by its quoted name: nothing is to be done beside those who write.
    let writing = format!("BEGIN; LOCK TABLE {elsewhere} IN ROW EXCLUSIVE MODE");
    let writing = rows.hold(&writing).await.unwrap();
    store.migrate().await.unwrap();
    writing.close().await.unwrap();
    rows.execute(&format!("DROP SCHEMA \"{tenant}\" CASCADE"))
        .await
        .unwrap();
    rows.drop_table().await;
}
