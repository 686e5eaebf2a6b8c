//! The background sweeper.

use std::time::Duration;

use session_core::{Clock, Store};
use session_sqlx::SqlxStore;
use tokio::runtime::Handle;

use crate::support::rows::Rows;
use crate::{EVERY, builder, id, in_an_hour, record, rows};

const OFTEN: Duration = Duration::from_millis(5);

/// Returns when the table has this many rows; the test's own limit ends it otherwise.
async fn until_there_are(rows: &Rows, count: i64) {
    while rows.count().await.unwrap() != count {
        tokio::task::yield_now().await;
    }
}

async fn expired(store: &SqlxStore, clock: &Clock) {
    let ended = clock.now() - Duration::from_secs(5);
    store
        .set(&id("over"), &record("over", ended))
        .await
        .unwrap();
}

#[tokio::test]
async fn expired_sessions_go_and_live_ones_stay() {
    for (database, schema) in EVERY {
        let rows = rows(database, schema);
        let clock = Clock::system();
        let store = crate::open(&rows).await;
        store
            .set(&id("live"), &record("a", in_an_hour()))
            .await
            .unwrap();
        expired(&store, &clock).await;
        assert_eq!(rows.count().await.unwrap(), 2);
        let sweeper = store.sweeper(OFTEN);
        until_there_are(&rows, 1).await;
        assert!(store.get(&id("live")).await.unwrap().is_some());

        // Without its table it fails, and goes on when there is one.
        rows.drop_table().await;
        for _ in 0..3 {
            assert!(store.sweep(1).await.is_err());
        }
        store.migrate().await.unwrap();
        expired(&store, &clock).await;
        until_there_are(&rows, 0).await;
        drop(sweeper);
        rows.drop_table().await;
    }
}

#[tokio::test]
async fn it_stops_when_its_handle_is_dropped() {
    let (database, schema) = EVERY[0];
    let rows = rows(database, schema);
    let store = builder(&rows).connect_lazily(&rows.url).unwrap();
    let before = Handle::current().metrics().num_alive_tasks();
    let sweeper = store.sweeper(OFTEN);
    assert_eq!(Handle::current().metrics().num_alive_tasks(), before + 1);
    drop(sweeper);
    while Handle::current().metrics().num_alive_tasks() > before {
        tokio::task::yield_now().await;
    }
}
