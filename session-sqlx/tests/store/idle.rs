//! Connections that died while nobody used them: whoever comes next is answered, writers too.

use std::time::Duration;

use session_conformance::Proxy;
use session_core::{Created, Store};
use session_sqlx::{Database, Schema, SqlxStore};
use test_servers::{Kind, Server};

use crate::support::harness::server;
use crate::support::rows::Rows;
use crate::{builder, by_default, id, in_an_hour, record, rows};

const SERVERS: [(Database, Kind); 2] = [
    (Database::Postgres, Kind::Postgres),
    (Database::MySql, Kind::MariaDb),
];

fn start(kind: Kind, settings: &[(&str, &str)]) -> Server {
    Server::start_with(kind, settings).unwrap_or_else(|why| panic!("{why}"))
}

fn rows_at(database: Database, server: &Server) -> Rows {
    Rows {
        database,
        schema: Schema::Native,
        table: "sessions".into(),
        url: server.url(),
    }
}

async fn open(rows: &Rows) -> SqlxStore {
    let store = by_default(rows).connect(&rows.url).await.unwrap();
    store.migrate().await.unwrap();
    store
}

/// The connections of others than the one that counts.
async fn others(rows: &Rows) -> i64 {
    let count = match rows.database {
        Database::MySql => {
            "SELECT count(*) - 1 FROM information_schema.processlist WHERE user = 'session'"
        }
        _ => {
            "SELECT count(*) FROM pg_stat_activity \
             WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        }
    };
    // The one that counts may have been closed between connecting and asking, too.
    for _ in 0..100 {
        if let Ok(number) = rows.number(count).await {
            return number;
        }
    }
    rows.number(count).await.unwrap()
}

async fn creates(store: &SqlxStore, name: &str) {
    let created = store.create(&id(name), &record("a", in_an_hour())).await;
    assert_eq!(created.unwrap(), Created::Created, "{name}");
}

#[tokio::test]
async fn what_the_server_closed_after_a_while_is_not_used() {
    for (database, kind) in SERVERS {
        let limit = match database {
            Database::MySql => ("wait_timeout", "1"),
            _ => ("idle_session_timeout", "1s"),
        };
        let server = start(kind, &[limit]);
        let rows = rows_at(database, &server);
        let store = open(&rows).await;
        creates(&store, "first").await;
        while others(&rows).await > 0 {
            tokio::task::yield_now().await;
        }
        creates(&store, "second").await;
        while others(&rows).await > 0 {
            tokio::task::yield_now().await;
        }
        assert!(store.get(&id("second")).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_server_that_was_started_again_is_written_to_at_once() {
    for (database, kind) in SERVERS {
        // What has returned is to be there after it.
        let settings = match database {
            Database::MySql => ("innodb_flush_log_at_trx_commit", "1"),
            _ => ("synchronous_commit", "on"),
        };
        let server = start(kind, &[settings]);
        let store = open(&rows_at(database, &server)).await;
        creates(&store, "first").await;
        server.nodes()[0].restart().unwrap();
        creates(&store, "second").await;
        server.nodes()[0].restart().unwrap();
        assert!(store.get(&id("second")).await.unwrap().is_some());
    }
}

/// It says so when it is asked: what it was asked has not taken place. (MariaDB says nothing.)
#[tokio::test]
async fn a_farewell_of_the_server_s_is_no_lost_answer() {
    let server = start(Kind::Postgres, &[]);
    let rows = rows_at(Database::Postgres, &server);
    let trusting = builder(&rows).max_connections(1);
    let store = trusting.connect(&rows.url).await.unwrap();
    store.migrate().await.unwrap();
    creates(&store, "first").await;
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    assert_eq!(rows.number(end).await.unwrap(), 1);
    while others(&rows).await > 0 {
        tokio::task::yield_now().await;
    }
    creates(&store, "second").await;
}

/// A network that forgets connections: a single new one is made, and nobody fails.
#[tokio::test]
async fn what_the_network_forgot_costs_one_connection() {
    for (database, _) in SERVERS {
        let rows = rows(database, Schema::Native);
        let server = server(database).unwrap().unwrap();
        let proxy = Proxy::start(server.address()).unwrap();
        let careful = builder(&rows).trust_idle(Duration::ZERO);
        let store = careful.connect(&server.url_at(proxy.address())).await;
        let store = store.unwrap();
        store.migrate().await.unwrap();
        creates(&store, "first").await;
        let before = proxy.connections();
        proxy.freeze();
        creates(&store, "second").await;
        assert!(store.get(&id("second")).await.unwrap().is_some());
        assert_eq!(proxy.connections(), before + 1);
        rows.drop_table().await;
    }
}
