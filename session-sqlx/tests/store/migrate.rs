//! The migration.

use session_core::{Clock, Store};
use session_sqlx::Database;

use crate::{EVERY, id, in_an_hour, open, record, rows};

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
            (Database::Postgres, session_sqlx::Schema::ConnectPgSimple) => format!(
                "CREATE TABLE {table} (\"sid\" varchar NOT NULL COLLATE \"default\", \
                 \"sess\" json NOT NULL, \"expire\" timestamp(6) NOT NULL) WITH (OIDS=FALSE); \
                 ALTER TABLE {table} ADD PRIMARY KEY (\"sid\") NOT DEFERRABLE INITIALLY IMMEDIATE"
            ),
            (_, session_sqlx::Schema::ExpressMysqlSession) => format!(
                "CREATE TABLE {table} (`session_id` varchar(128) COLLATE utf8mb4_bin NOT NULL, \
                 `expires` int(11) unsigned NOT NULL, `data` mediumtext COLLATE utf8mb4_bin, \
                 PRIMARY KEY (`session_id`)) ENGINE=InnoDB"
            ),
            (_, session_sqlx::Schema::ConnectSqlite3) => {
                format!("CREATE TABLE {table} (sid PRIMARY KEY, expired, sess)")
            }
            (_, session_sqlx::Schema::BetterSqlite3) => format!(
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
