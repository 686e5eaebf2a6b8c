//! Servers that have no room: for another connection, or for a long record.

use std::time::Duration;

use session_core::{Created, ErrorKind, Replaced, Store};
use session_sqlx::{Database, Schema, SqlxStore};
use sqlx::{AnyConnection, Connection as _};
use test_servers::{Kind, Server};

use crate::support::rows::Rows;
use crate::{builder, id, in_an_hour, open, record};

fn rows(database: Database, server: &Server) -> Rows {
    Rows {
        database,
        schema: Schema::Native,
        table: "sessions".into(),
        url: server.url(),
    }
}

/// Takes every connection that the server has.
async fn fill(rows: &Rows) -> Vec<AnyConnection> {
    let mut held = Vec::new();
    while let Ok(connection) = rows.hold("SELECT 1").await {
        held.push(connection);
        assert!(held.len() < 100);
    }
    held
}

#[tokio::test]
async fn a_request_waits_for_a_connection_that_is_about_to_be_free() {
    for (database, kind) in [
        (Database::Postgres, Kind::Postgres),
        (Database::MySql, Kind::MariaDb),
    ] {
        let server = Server::start_with(kind, &[("max_connections", "10")]);
        let server = server.unwrap_or_else(|why| panic!("{why}"));
        let rows = rows(database, &server);
        open(&rows).await;
        let mut held = fill(&rows).await;

        let hasty = builder(&rows).connect_timeout(Duration::from_millis(300));
        let hasty = hasty.connect_lazily(&rows.url).unwrap();
        let error = hasty.get(&id("x")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        assert!(error.to_string().contains("no more connections"), "{error}");

        // Another process gives one up.
        let patient = builder(&rows).connect_timeout(Duration::from_secs(60));
        let store = patient.connect_lazily(&rows.url).unwrap();
        let (x, record) = (id("x"), record("a", in_an_hour()));
        let mut writing = store.set(&x, &record);
        assert!(futures_util::poll!(&mut writing).is_pending());
        held.pop().unwrap().close().await.unwrap();
        writing.await.unwrap();

        // With one connection for all of them, they take turns.
        let many = (0..20).map(|_| store.get(&x));
        for found in futures_util::future::join_all(many).await {
            assert!(found.unwrap().is_some());
        }
    }
}

#[tokio::test]
async fn what_could_not_be_changed_again_is_not_created() {
    let server = Server::start_with(Kind::MariaDb, &[("max_allowed_packet", "1M")]);
    let server = server.unwrap_or_else(|why| panic!("{why}"));
    for schema in [Schema::Native, Schema::ExpressMysqlSession] {
        let rows = Rows {
            schema,
            table: format!("{schema:?}"),
            ..rows(Database::MySql, &server)
        };
        open(&rows).await;
        // The server has not been asked yet, when the first record comes.
        let store: SqlxStore = builder(&rows).connect_lazily(&rows.url).unwrap();
        let long = |length: usize, letter: &str| record(&letter.repeat(length), in_an_hour());
        let error = store
            .create(&id("x"), &long(350_000, "a"))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error:?}");
        let error = store.set(&id("x"), &long(350_000, "a")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error:?}");

        let most = store.capabilities().max_record_bytes.unwrap();
        assert_eq!(most, ((1 << 20) - 1_024) / 3);
        let empty = long(0, "").json().len();
        let (a, b) = (long(most - empty, "a"), long(most - empty, "b"));
        assert_eq!(a.json().len(), most);
        let x = id(&"x".repeat(128));
        assert_eq!(store.create(&x, &a).await.unwrap(), Created::Created);
        assert_eq!(store.replace(&x, &a, &b).await.unwrap(), Replaced::Replaced);
        assert_eq!(store.get(&x).await.unwrap().unwrap().json(), b.json());
        let error = store.create(&id("y"), &long(most - empty + 1, "a")).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::TooLarge);
    }
}
