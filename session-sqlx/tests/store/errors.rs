//! Bad input and bad databases: an error of the right kind that says what to do, without a secret.

use std::net::TcpListener;

use futures_util::StreamExt;
use session_core::{Created, Error, ErrorKind, Replaced, Store};
use session_sqlx::{Database, Schema, SqlxStore};
use test_servers::{Kind, Server};

use crate::support::harness::server;
use crate::{EVERY, builder, cookie, id, in_an_hour, record, rows, texts};

#[tokio::test]
async fn a_url_that_cannot_be_used_is_a_config_error() {
    for (url, word) in [
        ("", "sqlite, postgres or mysql"),
        ("hunter2", "sqlite, postgres or mysql"),
        ("redis://u:hunter2@localhost", "sqlite, postgres or mysql"),
        ("postgres://u:hunter2@localhost:99999/db", "cannot be read"),
        ("mysql://u:hunter2@[::1/db", "cannot be read"),
        ("sqlite::memory:", "must name a file"),
        ("sqlite:", "must name a file"),
        ("sqlite:x?mode=memory", "must name a file"),
        ("sqlite:x?mode=hunter2", "cannot be read"),
    ] {
        let error = session_sqlx::connect(url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{url}: {error:?}");
        let texts = texts(&error);
        assert!(texts.contains(word), "{url}: {texts}");
        assert!(!texts.contains("hunter2"), "{texts}");
    }
}

#[tokio::test]
async fn a_wrong_password_and_a_missing_database_are_config_errors() {
    for database in [Database::Postgres, Database::MySql] {
        let server = server(database).unwrap().unwrap();
        let url = server.url_with(server.address(), "hunter2");
        let error = SqlxStore::connect(&url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
        assert!(error.to_string().contains("password"), "{error}");
        assert!(!texts(&error).contains("hunter2"), "{error:?}");

        // A store that connects later says so with the first operation.
        let store = SqlxStore::builder().connect_lazily(&url).unwrap();
        let error = store.get(&id("a")).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.operation()),
            (ErrorKind::Config, "get")
        );

        let url = server.url();
        let (login, _) = url.rsplit_once('/').unwrap();
        let error = SqlxStore::connect(&format!("{login}/no_such_database")).await;
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
        assert!(
            error.to_string().contains("database does not exist"),
            "{error}"
        );
        assert!(!texts(&error).contains("no_such"), "{error:?}");
    }
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_unavailable() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let nobody = nobody.unwrap();
    for url in [
        format!("postgres://u:hunter2@{nobody}/db"),
        format!("mysql://u:hunter2@{nobody}/db"),
        "postgres://u:hunter2@no-such-host.invalid/db".into(),
        "mysql://u:hunter2@no-such-host.invalid/db".into(),
    ] {
        let error = session_sqlx::connect(&url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        let texts = texts(&error);
        for secret in ["hunter2", "no-such", "127.0.0.1"] {
            assert!(!texts.contains(secret), "{texts}");
        }
    }
}

/// What every operation says to a table that cannot be used.
async fn every_error(store: &SqlxStore) -> Vec<Error> {
    let (x, record) = (id("hunter2"), record("hunter2", in_an_hour()));
    vec![
        store.get(&x).await.unwrap_err(),
        store.set(&x, &record).await.unwrap_err(),
        store.destroy(&x).await.unwrap_err(),
        store.touch(&x, &cookie(None)).await.unwrap_err(),
        store.create(&x, &record).await.unwrap_err(),
        store.replace(&x, &record, &record).await.unwrap_err(),
        store.length().await.unwrap_err(),
        store.sweep(1).await.unwrap_err(),
        store.all().next().await.unwrap().unwrap_err(),
        store.ids().next().await.unwrap().unwrap_err(),
    ]
}

#[tokio::test]
async fn a_table_that_is_missing_is_a_config_error_and_is_not_created() {
    for (database, schema) in EVERY {
        let rows = rows(database, schema);
        let store = builder(&rows).connect(&rows.url).await.unwrap();
        let mut errors = every_error(&store).await;
        errors.push(store.clear().await.unwrap_err());
        for error in errors {
            let case = format!("{schema:?} on {database:?}: {error:?}");
            assert_eq!(error.kind(), ErrorKind::Config, "{case}");
            assert!(error.to_string().contains("migrate()"), "{case}");
            assert!(!texts(&error).contains("hunter2"), "{case}");
        }
        assert!(rows.count().await.is_err(), "there is no table still");
    }
}

#[tokio::test]
async fn a_table_of_another_shape_is_a_config_error_and_stays() {
    for (database, schema) in EVERY {
        let rows = rows(database, schema);
        let table = rows.table();
        rows.execute(&format!("CREATE TABLE {table} (a VARCHAR(9), b INT)"))
            .await
            .unwrap();
        let store = builder(&rows).connect(&rows.url).await.unwrap();
        let mut errors = every_error(&store).await;
        errors.push(store.migrate().await.unwrap_err());
        for error in errors {
            let case = format!("{schema:?} on {database:?}: {error:?}");
            assert_eq!(error.kind(), ErrorKind::Config, "{case}");
            assert!(error.to_string().contains("another shape"), "{case}");
            assert!(!texts(&error).contains("hunter2"), "{case}");
        }
        assert_eq!(rows.count().await.unwrap(), 0);
        rows.drop_table().await;
    }
}

#[tokio::test]
async fn names_and_schemas_that_cannot_be_used_are_config_errors() {
    for (database, schema) in EVERY {
        let rows = rows(database, schema);
        let long = "x".repeat(70);
        for (builder, word) in [
            (builder(&rows).table(""), "empty"),
            (builder(&rows).table("a\0b"), "NUL"),
            (builder(&rows).table(&long), "70 bytes"),
            (builder(&rows).namespace("a\0b"), "NUL"),
            (builder(&rows).namespace(&long), "70 bytes"),
            (builder(&rows).columns("a", "a", "b"), "same name"),
            (builder(&rows).columns("a", "b", &long), "70 bytes"),
            (builder(&rows).time_zone("UTC'; --"), "time zone"),
        ] {
            let error = builder.connect_lazily(&rows.url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(word), "{error}");
        }
        for other in [
            Schema::ConnectPgSimple,
            Schema::ExpressMysqlSession,
            Schema::ConnectSqlite3,
        ] {
            if other == database.default_schema() {
                continue;
            }
            let other = builder(&rows).schema(other);
            let error = other.connect_lazily(&rows.url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains("schema"), "{error}");
        }
    }
}

#[tokio::test]
async fn names_of_any_characters_work() {
    for (database, schema) in EVERY {
        let rows = rows(database, schema);
        let name = format!("{}'\"`{{id}}ü$1?", &rows.table[5..15]);
        let columns = ["a\"b`c {data}", "d'e; --", "f ? $1"];
        let [a, b, c] = columns;
        let store = builder(&rows).table(&name).columns(a, b, c);
        let store = store.connect(&rows.url).await.unwrap();
        store.migrate().await.unwrap();
        let (x, old, new) = (id("x"), record("a", in_an_hour()), record("b", None));
        store.set(&x, &old).await.unwrap();
        let _ = store.replace(&x, &old, &new).await.unwrap();
        let found = store.get(&x).await.unwrap().unwrap();
        assert_eq!(found.json(), new.json());
        crate::support::rows::Rows {
            table: name,
            ..rows
        }
        .drop_table()
        .await;
    }
}

#[tokio::test]
async fn debug_shows_no_address_and_no_password() {
    for database in [Database::Postgres, Database::MySql] {
        let server = server(database).unwrap().unwrap();
        let builder = SqlxStore::builder();
        let store = builder.clone().connect(&server.url()).await.unwrap();
        for text in [format!("{store:?}"), format!("{builder:?}")] {
            assert!(!text.contains(server.password()), "{text}");
            assert!(!text.contains(&server.address().to_string()), "{text}");
        }
    }
}

/// Names that the statements use themselves.
#[tokio::test]
async fn a_table_may_be_called_as_a_part_of_a_statement() {
    let server = Server::start_with(Kind::Postgres, &[]).unwrap_or_else(|why| panic!("{why}"));
    let file = rows(Database::Sqlite, Schema::Native);
    for url in [server.url(), file.url] {
        for table in ["touched", "written", "kept", "excluded"] {
            let builder = SqlxStore::builder().schema(Schema::Native).table(table);
            let store = builder.connect(&url).await.unwrap();
            store.migrate().await.unwrap();
            let (x, old, new) = (
                id("x"),
                record("a", in_an_hour()),
                record("b", in_an_hour()),
            );
            store.set(&x, &old).await.unwrap();
            store.set(&x, &old).await.unwrap();
            let created = store.create(&x, &old).await.unwrap();
            assert_eq!(created, Created::Exists, "{table}");
            let replaced = store.replace(&x, &old, &new).await.unwrap();
            assert_eq!(replaced, Replaced::Replaced, "{table}");
            let replaced = store.replace(&x, &old, &new).await.unwrap();
            assert_eq!(replaced, Replaced::Conflict, "{table}");
        }
    }
}

#[tokio::test]
async fn a_schema_that_is_missing_is_not_taken_for_a_missing_table() {
    let rows = rows(Database::Postgres, Schema::Native);
    let elsewhere = builder(&rows).namespace("hunter2");
    let store = elsewhere.connect(&rows.url).await.unwrap();
    let error = store.migrate().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    assert!(error.to_string().contains("CREATE SCHEMA"), "{error}");
    assert!(!error.to_string().contains("migrate()"), "{error}");
    assert!(!texts(&error).contains("hunter2"), "{error:?}");
}
