//! Every operation is one round trip, also where it finds nothing.

use std::time::SystemTime;

use futures_util::StreamExt;
use session_conformance::Proxy;
use session_core::Store;
use session_sqlx::Database;

use crate::support::harness::server;
use crate::{EVERY, builder, cookie, id, in_an_hour, record, rows};

#[tokio::test]
async fn every_operation_is_one_round_trip() {
    for (database, schema) in EVERY {
        let Some(server) = server(database) else {
            continue;
        };
        let server = server.unwrap();
        let proxy = Proxy::start(server.address()).unwrap();
        let rows = rows(database, schema);
        let url = server.url_at(proxy.address());
        let store = builder(&rows).connect(&url).await.unwrap();
        store.migrate().await.unwrap();
        let (a, b) = (record("a", in_an_hour()), record("b", None));
        let ended = record("a", SystemTime::UNIX_EPOCH);
        let (x, nobody) = (id("x"), id("nobody"));
        // Once to prepare the statements, once to count.
        for counted in [false, true] {
            let mut before = proxy.round_trips();
            let mut check = |operation: &str| {
                let trips = proxy.round_trips() - before;
                assert!(
                    trips == 1 || !counted,
                    "{schema:?} on {database:?}, {operation}: {trips} round trips"
                );
                before = proxy.round_trips();
            };
            store.set(&x, &a).await.unwrap();
            check("set");
            store.get(&x).await.unwrap().unwrap();
            check("get");
            let _ = store.create(&x, &a).await.unwrap();
            check("create over a live one");
            let _ = store.replace(&x, &a, &b).await.unwrap();
            check("replace");
            let _ = store.replace(&x, &a, &b).await.unwrap();
            check("replace in conflict");
            let _ = store.replace(&nobody, &a, &b).await.unwrap();
            check("replace of nothing");
            let _ = store.replace(&x, &b, &ended).await.unwrap();
            check("replace by one that has ended");
            store.set(&x, &b).await.unwrap();
            check("set");
            let _ = store.touch(&x, &cookie(in_an_hour())).await.unwrap();
            check("touch");
            assert_eq!(store.length().await.unwrap(), 1);
            check("length");
            assert_eq!(store.ids().collect::<Vec<_>>().await.len(), 1);
            check("ids");
            assert_eq!(store.all().collect::<Vec<_>>().await.len(), 1);
            check("all");
            let _ = store.sweep(10).await.unwrap();
            check("sweep");
            store.destroy(&x).await.unwrap();
            check("destroy");
            let _ = store.create(&x, &a).await.unwrap();
            check("create");
            store.clear().await.unwrap();
            check("clear");
        }
        // Nothing comes later either, as the pings of sqlx's own pool do.
        assert_eq!(proxy.connections(), 1);
        rows.drop_table().await;
    }
    assert!(
        EVERY
            .iter()
            .any(|(database, _)| *database != Database::Sqlite)
    );
}

/// Why this crate keeps its connections itself. When this fails, sqlx has mended it, and its pool
/// will do.
#[tokio::test]
async fn the_pool_of_sqlx_makes_two_round_trips_of_one_statement() {
    let server = server(Database::Postgres).unwrap().unwrap();
    let proxy = Proxy::start(server.address()).unwrap();
    let pool = sqlx::postgres::PgPoolOptions::new()
        .max_connections(1)
        .test_before_acquire(false)
        .connect(&server.url_at(proxy.address()))
        .await
        .unwrap();
    let ask = async || sqlx::query("SELECT 1").execute(&pool).await.unwrap();
    ask().await;
    let before = proxy.round_trips();
    for _ in 0..10 {
        ask().await;
    }
    // The connection is asked after each statement, and the last time may be yet to come.
    let trips = proxy.round_trips() - before;
    assert!(trips >= 19, "{trips} round trips for 10 statements");
}
