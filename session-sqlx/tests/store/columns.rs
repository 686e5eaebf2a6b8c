//! Tables whose columns do not hold what they have to.

use session_core::{ErrorKind, Store};
use session_sqlx::{Database, Schema};

use crate::{builder, id, in_an_hour, record, rows};

/// What the columns are made of, and a word of the error, if it is one.
type Case = ([&'static str; 3], Option<&'static str>);

async fn check(database: Database, schema: Schema, suffix: &str, cases: &[Case]) {
    for ([sid, data, end], word) in cases {
        let rows = rows(database, schema);
        let [a, b, c] = rows.columns();
        let case = format!("{schema:?} on {database:?}: {sid}, {data}, {end}");
        let table = rows.table();
        rows.execute(&format!(
            "CREATE TABLE {table} ({a} {sid} NOT NULL PRIMARY KEY, {b} {data}, {c} {end}) {suffix}"
        ))
        .await
        .unwrap_or_else(|error| panic!("{case}: {error}"));
        let store = builder(&rows).connect(&rows.url).await.unwrap();
        match (store.migrate().await, word) {
            (Ok(()), None) => {
                // What is accepted works.
                let (x, record) = (id(&"x".repeat(32)), record("ü😀", in_an_hour()));
                store.set(&x, &record).await.unwrap();
                let found = store.get(&x).await.unwrap().unwrap();
                assert_eq!(found.json(), record.json(), "{case}");
                let replaced = store.replace(&x, &record, &record).await.unwrap();
                assert_eq!(replaced, session_core::Replaced::Replaced, "{case}");
            }
            (Err(error), Some(word)) => {
                assert_eq!(error.kind(), ErrorKind::Config, "{case}: {error:?}");
                assert!(error.to_string().contains(word), "{case}: {error}");
            }
            (result, _) => panic!("{case}: {result:?}"),
        }
        rows.drop_table().await;
    }
}

const ID: Option<&str> = Some("the id column");
const DATA: Option<&str> = Some("the data column");
const END: Option<&str> = Some("the expiry column");
/// Not even the statements can be understood.
const SHAPE: Option<&str> = Some("another shape");

#[tokio::test]
async fn a_table_of_postgres_whose_columns_do_not_fit_is_a_config_error() {
    check(
        Database::Postgres,
        Schema::ConnectPgSimple,
        "",
        &[
            (["varchar", "json", "timestamp(6)"], None),
            (["varchar(255)", "json", "timestamp(0)"], None),
            (["text", "text", "timestamptz"], None),
            (["varchar", "varchar(8000)", "timestamp"], None),
            (["varchar(20)", "json", "timestamp"], ID),
            (["char(64)", "json", "timestamp"], ID),
            (["uuid", "json", "timestamp"], ID),
            (["varchar", "jsonb", "timestamp"], DATA),
            (["varchar", "varchar(200)", "timestamp"], DATA),
            (["varchar", "json", "date"], END),
            (["varchar", "json", "time"], SHAPE),
            (["varchar", "json", "bigint"], SHAPE),
            (["varchar", "json", "interval"], SHAPE),
            (["varchar", "json", "text"], SHAPE),
        ],
    )
    .await;
    check(
        Database::Postgres,
        Schema::Native,
        "",
        &[
            (["bytea", "bytea", "bigint"], None),
            (["text", "bytea", "bigint"], ID),
            (["bytea", "text", "bigint"], DATA),
            (["bytea", "json", "bigint"], DATA),
            (["bytea", "bytea", "integer"], END),
            (["bytea", "bytea", "smallint"], END),
            (["bytea", "bytea", "numeric"], END),
            (["bytea", "bytea", "double precision"], END),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_table_of_mysql_whose_columns_do_not_fit_is_a_config_error() {
    const BIN: &str = "varchar(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";
    check(
        Database::MySql,
        Schema::ExpressMysqlSession,
        "CHARACTER SET utf8mb4",
        &[
            ([BIN, "mediumtext", "int unsigned"], None),
            ([BIN, "text", "bigint"], None),
            ([BIN, "varchar(8000)", "bigint unsigned"], None),
            (["varbinary(64)", "longblob", "int unsigned"], None),
            (
                [
                    "varchar(20) COLLATE utf8mb4_bin",
                    "mediumtext",
                    "int unsigned",
                ],
                ID,
            ),
            (["binary(128)", "mediumtext", "int unsigned"], ID),
            ([BIN, "varchar(255)", "int unsigned"], DATA),
            ([BIN, "tinytext", "int unsigned"], DATA),
            (
                [BIN, "mediumtext CHARACTER SET latin1", "int unsigned"],
                DATA,
            ),
            (
                [BIN, "mediumtext CHARACTER SET utf8mb3", "int unsigned"],
                DATA,
            ),
            ([BIN, "mediumtext", "int"], END),
            ([BIN, "mediumtext", "smallint unsigned"], END),
            ([BIN, "mediumtext", "mediumint unsigned"], END),
            ([BIN, "mediumtext", "date"], END),
            ([BIN, "mediumtext", "datetime"], END),
            ([BIN, "mediumtext", "timestamp"], END),
            ([BIN, "mediumtext", "time"], END),
            ([BIN, "mediumtext", "year"], END),
            ([BIN, "mediumtext", "varchar(20)"], END),
        ],
    )
    .await;
    check(
        Database::MySql,
        Schema::Native,
        "CHARACTER SET utf8mb4",
        &[
            (["varbinary(255)", "longblob", "bigint"], None),
            (["varbinary(255)", "mediumtext", "bigint"], None),
            (["varbinary(16)", "longblob", "bigint"], ID),
            ([BIN, "longblob", "bigint"], ID),
            (["varbinary(255)", "tinyblob", "bigint"], DATA),
            (["varbinary(255)", "longblob", "int unsigned"], END),
            (["varbinary(255)", "longblob", "datetime(3)"], END),
            (["varbinary(255)", "longblob", "double"], END),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_table_of_sqlite_whose_columns_do_not_fit_is_a_config_error() {
    check(
        Database::Sqlite,
        Schema::ConnectSqlite3,
        "",
        &[
            (["", "", ""], None),
            (["TEXT", "TEXT", "INTEGER"], None),
            (["VARCHAR(20)", "JSON", "DATETIME"], None),
            (["INT", "", ""], ID),
            (["NUMERIC", "", ""], ID),
            (["TEXT COLLATE NOCASE", "", ""], Some("collation")),
            (["", "", "TEXT"], END),
            (["", "", "VARCHAR(30)"], END),
        ],
    )
    .await;
    check(
        Database::Sqlite,
        Schema::ConnectSqlite3,
        "STRICT",
        &[
            (["TEXT", "TEXT", "REAL"], None),
            (["TEXT", "TEXT", "INTEGER"], None),
            (["BLOB", "TEXT", "REAL"], ID),
            (["TEXT", "BLOB", "REAL"], DATA),
            (["TEXT", "TEXT", "BLOB"], END),
        ],
    )
    .await;
    check(
        Database::Sqlite,
        Schema::BetterSqlite3,
        "",
        &[
            (["TEXT", "JSON", "TEXT"], None),
            (["TEXT", "JSON", "DATETIME"], None),
            (["INTEGER", "JSON", "TEXT"], Some("primary key")),
        ],
    )
    .await;
    check(
        Database::Sqlite,
        Schema::Native,
        "",
        &[
            (["BLOB", "BLOB", "INTEGER"], None),
            (["TEXT", "TEXT", "BIGINT"], None),
            (["BLOB", "BLOB", "REAL"], END),
            (["BLOB", "BLOB", "TEXT"], END),
        ],
    )
    .await;
}

/// The column would be taken for one of the connection's zone, which is UTC.
#[tokio::test]
async fn a_column_with_a_zone_goes_with_utc_alone() {
    for (zone, good) in [("UTC", true), ("America/New_York", false)] {
        let rows = rows(Database::Postgres, Schema::ConnectPgSimple);
        let table = rows.table();
        rows.execute(&format!(
            "CREATE TABLE {table} (sid varchar PRIMARY KEY, sess json, expire timestamptz)"
        ))
        .await
        .unwrap();
        let store = builder(&rows).time_zone(zone).connect(&rows.url).await;
        match store.unwrap().migrate().await {
            Ok(()) => assert!(good, "{zone}"),
            Err(error) => {
                assert!(!good, "{zone}: {error}");
                assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
                assert!(error.to_string().contains("time_zone"), "{error}");
            }
        }
        rows.drop_table().await;
    }
}

#[tokio::test]
async fn a_table_without_a_key_of_its_ids_is_a_config_error_everywhere() {
    for (database, schema, columns, key, good) in [
        (
            Database::Postgres,
            Schema::ConnectPgSimple,
            "sid varchar, sess json, expire timestamp",
            "",
            false,
        ),
        (
            Database::Postgres,
            Schema::ConnectPgSimple,
            "sid varchar, sess json, expire timestamp",
            ", PRIMARY KEY (sid, expire)",
            false,
        ),
        (
            Database::Postgres,
            Schema::ConnectPgSimple,
            "sid varchar, sess json, expire timestamp",
            ", UNIQUE (sid) DEFERRABLE",
            false,
        ),
        (
            Database::Postgres,
            Schema::ConnectPgSimple,
            "sid varchar, sess json, expire timestamp",
            ", UNIQUE (sid)",
            true,
        ),
        (
            Database::Sqlite,
            Schema::ConnectSqlite3,
            "sid, expired, sess",
            "",
            false,
        ),
        (
            Database::Sqlite,
            Schema::ConnectSqlite3,
            "sid, expired, sess",
            ", UNIQUE (sid, expired)",
            false,
        ),
        (
            Database::Sqlite,
            Schema::ConnectSqlite3,
            "sid, expired, sess",
            ", UNIQUE (sid)",
            true,
        ),
    ] {
        let rows = rows(database, schema);
        let create = format!("CREATE TABLE {} ({columns}{key})", rows.table());
        rows.execute(&create).await.unwrap();
        let store = builder(&rows).connect(&rows.url).await.unwrap();
        match store.migrate().await {
            Ok(()) => assert!(good, "{database:?}{key}"),
            Err(error) => {
                assert!(!good, "{database:?}{key}: {error}");
                assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
                assert!(error.to_string().contains("primary key"), "{error}");
            }
        }
        rows.drop_table().await;
    }
}
