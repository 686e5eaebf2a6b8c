//! Calls that nobody waits for any more. What the server still does for them counts.

use std::time::Duration;

use session_conformance::Proxy;
use session_core::{ErrorKind, Store};
use session_sqlx::{Database, Schema};
use sqlx::{AnyConnection, Connection as _};
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::support::harness::server;
use crate::support::rows::Rows;
use crate::{builder, id, in_an_hour, record, rows};

const SERVERS: [Database; 2] = [Database::Postgres, Database::MySql];

/// How long a caller waits before it goes away.
const PATIENCE: Duration = Duration::from_millis(100);

/// Lets nobody at the table.
async fn lock(rows: &Rows) -> AnyConnection {
    let table = rows.table();
    let lock = match rows.database {
        Database::MySql => format!("LOCK TABLES {table} WRITE"),
        _ => format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"),
    };
    rows.hold(&lock).await.unwrap()
}

/// The connections that wait for the table on the server.
async fn waiting(rows: &Rows) -> i64 {
    let name = &rows.table;
    let count = match rows.database {
        Database::MySql => format!(
            "SELECT count(*) FROM information_schema.processlist \
             WHERE state LIKE 'Waiting for table%' AND info LIKE '%{name}%'"
        ),
        _ => format!(
            "SELECT count(*) FROM pg_stat_activity \
             WHERE wait_event_type = 'Lock' AND query LIKE '%{name}%'"
        ),
    };
    rows.number(&count).await.unwrap()
}

#[tokio::test]
async fn cancelled_calls_leave_no_more_connections_than_are_allowed() {
    for database in SERVERS {
        let rows = rows(database, Schema::Native);
        let store = builder(&rows).max_connections(2).connect(&rows.url).await;
        let store = store.unwrap();
        store.migrate().await.unwrap();
        let x = id("x");
        let locked = lock(&rows).await;
        for _ in 0..20 {
            assert!(timeout(PATIENCE, store.get(&x)).await.is_err());
        }
        assert_eq!(waiting(&rows).await, 2, "{database:?}");
        // They end with what they were asked, and there is room again.
        locked.close().await.unwrap();
        assert!(store.get(&x).await.unwrap().is_none());
        rows.drop_table().await;
    }
}

#[tokio::test]
async fn a_late_call_keeps_its_place_for_as_long_again_and_no_longer() {
    for database in SERVERS {
        let rows = rows(database, Schema::Native);
        let store = builder(&rows)
            .max_connections(1)
            .connect_timeout(Duration::from_millis(300))
            .response_timeout(Duration::from_secs(2))
            .connect_lazily(&rows.url)
            .unwrap();
        let patient = crate::open(&rows).await;
        let x = id("x");
        let locked = lock(&rows).await;
        let kind = async || store.get(&x).await.unwrap_err().kind();
        while kind().await != ErrorKind::Timeout {
            // A busy machine may take its time to connect.
        }
        assert_eq!(kind().await, ErrorKind::Unavailable, "{database:?}");
        assert_eq!(waiting(&rows).await, 1, "{database:?}");
        // The table is locked still.
        while kind().await != ErrorKind::Timeout {}
        locked.close().await.unwrap();
        assert!(patient.get(&x).await.unwrap().is_none());
        rows.drop_table().await;
    }
}

/// Where nobody could wait for the server, the place is free at once.
#[test]
fn a_call_that_is_dropped_outside_of_a_runtime_takes_no_place_with_it() {
    for database in SERVERS {
        let runtime = Runtime::new().unwrap();
        let rows = rows(database, Schema::Native);
        let limited = builder(&rows).max_connections(1);
        let store = runtime.block_on(limited.connect(&rows.url)).unwrap();
        runtime.block_on(store.migrate()).unwrap();
        let x = id("x");
        let locked = runtime.block_on(lock(&rows));
        let mut call = store.get(&x);
        runtime.block_on(async { assert!(timeout(PATIENCE, &mut call).await.is_err()) });
        drop(call);
        runtime.block_on(async {
            locked.close().await.unwrap();
            assert!(store.get(&x).await.unwrap().is_none());
            rows.drop_table().await;
        });
    }
}

/// Visitors who hang up, at every moment there is, cost no connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_calls_give_their_connections_back() {
    const MOST: u32 = 4;
    for database in SERVERS {
        let rows = rows(database, Schema::Native);
        let server = server(database).unwrap().unwrap();
        let proxy = Proxy::start(server.address()).unwrap();
        let store = builder(&rows)
            .max_connections(MOST)
            .connect(&server.url_at(proxy.address()))
            .await
            .unwrap();
        store.migrate().await.unwrap();
        let (x, record) = (id("x"), record("a", in_an_hour()));
        let mut cancelled = 0;
        for turn in 0..400 {
            let mut calls = Box::pin(futures_util::future::join3(
                store.set(&x, &record),
                store.get(&x),
                store.replace(&x, &record, &record),
            ));
            // The first look sends them, and no answer can be there yet.
            let looks = 1 + turn % 20;
            let mut ended = false;
            for _ in 0..looks {
                ended = futures_util::poll!(&mut calls).is_ready();
                if ended {
                    break;
                }
                tokio::task::yield_now().await;
            }
            cancelled += u32::from(!ended);
        }
        assert!(cancelled >= 20, "{database:?}: {cancelled} were cancelled");
        // Their answers are nobody else's.
        store.set(&x, &record).await.unwrap();
        assert_eq!(store.get(&x).await.unwrap().unwrap().json(), record.json());
        assert_eq!(store.length().await.unwrap(), 1);
        let made = proxy.connections();
        assert!(made <= u64::from(MOST), "{database:?}: {made} connections");
        rows.drop_table().await;
    }
}
