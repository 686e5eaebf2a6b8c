//! How long reads take while expired rows are swept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bench_shared::{Args, MAX_AGE, Random};
use serde_json::{Value, json};
use session_core::{Record, Store};
use tokio::time::{MissedTickBehavior, interval};

use super::{Bulk, ELSEWHERE, SAMPLES, expire, id, sweep_all};
use crate::memory::{data, ending};

/// How many rows have expired among the others.
const EXPIRED: usize = 100_000;
/// Reads come in time, whether those before have been answered or not; a small part of what the
/// server can do.
const TICK: Duration = Duration::from_millis(1);
const QUIET: Duration = Duration::from_secs(2);

/// The 99th percentile of a read in microseconds, without a sweep and with one, and how long the
/// sweep took in milliseconds; several times each.
pub(super) async fn while_sweeping(args: &Args, sessions: usize) -> Value {
    let bulk = Bulk::open(args).await;
    let record = Record::new(ending(MAX_AGE), &data(0));
    bulk.fill(0..sessions, &record).await;
    let (mut quiet, mut sweeping, mut sweep) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..SAMPLES {
        let from = ELSEWHERE + round * EXPIRED;
        expire(&bulk, from..from + EXPIRED).await;
        let calm = reads(&bulk, sessions, async || tokio::time::sleep(QUIET).await);
        quiet.push(calm.await);
        let started = Instant::now();
        let busy = reads(&bulk, sessions, async || {
            sweep_all(bulk.store()).await;
        });
        sweeping.push(busy.await);
        sweep.push(started.elapsed().as_secs_f64() * 1e3);
    }
    json!({ "quiet": quiet, "sweeping": sweeping, "sweep": sweep })
}

/// The 99th percentile of the reads during something else.
async fn reads(bulk: &Bulk, sessions: usize, meanwhile: impl AsyncFnOnce()) -> f64 {
    let store = bulk.shared();
    let over = Arc::new(AtomicBool::new(false));
    let ending = over.clone();
    let reading = tokio::spawn(async move {
        let mut random = Random::new(3);
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut asked = tokio::task::JoinSet::new();
        while !ending.load(Ordering::Relaxed) {
            ticks.tick().await;
            let (store, id) = (store.clone(), id(random.below(sessions)));
            let started = Instant::now();
            asked.spawn(async move {
                let record = store.get(&id).await.expect("read");
                assert!(record.is_some(), "a live session");
                started.elapsed()
            });
        }
        asked.join_all().await
    });
    meanwhile().await;
    over.store(true, Ordering::Relaxed);
    let mut took = reading.await.expect("every read was right");
    took.sort_unstable();
    took[took.len() * 99 / 100].as_nanos() as f64 / 1e3
}
