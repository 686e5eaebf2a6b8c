//! Many requests on one session, of several processes at the same time.

use std::time::Duration;

use futures_util::future::join_all;
use session_core::{Clock, Store};
use session_sqlx::{Database, Schema};

use crate::support::visitor::{Visitor, lifecycle};
use crate::{builder, rows};

/// Lifecycles with a store of their own: as many processes, which do not stand in one line.
const PROCESSES: usize = 4;

/// Requests at the same time, of each process.
const CLIENTS: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_gives_up_on_a_session_that_everybody_changes() {
    let rounds = std::env::var("SESSION_CROWD").map_or(2, |rounds| rounds.parse().unwrap());
    let (rows, clock) = (rows(Database::Postgres, Schema::Native), Clock::system());
    let mut sites = Vec::new();
    for _ in 0..PROCESSES {
        let store = builder(&rows).clock(clock.clone()).max_connections(5);
        let store = store.connect(&rows.url).await.unwrap();
        store.migrate().await.unwrap();
        let site = lifecycle(store.clone(), &clock, Duration::from_secs(60));
        sites.push((store, site));
    }
    let visitor = Visitor::with_session(&sites[0].1).await;
    for _ in 0..rounds {
        let requests = sites.iter().flat_map(|(_, site)| {
            let visitor = &visitor;
            (0..CLIENTS).map(move |_| visitor.counts(site))
        });
        for counted in join_all(requests).await {
            counted.unwrap();
        }
    }
    let record = sites[0].0.get(&visitor.id()).await.unwrap().unwrap();
    let expected = u32::try_from(1 + rounds * PROCESSES * CLIENTS).unwrap();
    assert_eq!(record.data().get("count").unwrap(), Some(expected));
}
