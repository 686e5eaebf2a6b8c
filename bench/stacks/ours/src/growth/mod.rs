//! What operations cost with few sessions and with many, one after the other, without HTTP.

mod bulk;
#[cfg(feature = "sql")]
mod reads;
#[cfg(feature = "sql")]
mod rows;
mod stall;
#[cfg(feature = "sled")]
mod trees;

use std::time::{Duration, Instant, SystemTime};

use bench_shared::{Args, MAX_AGE, Micro, Random};
use serde_json::json;
use session_core::{Record, SessionId, Store};

pub(crate) use self::bulk::Bulk;
use crate::memory::{data, ending};

const SAMPLES: usize = 3;
const DURATION: Duration = Duration::from_millis(400);
/// How many expired sessions `sweep` has to find, whatever else is there.
const EXPIRED: usize = 10_000;
/// What the stores' own sweepers ask for at a time.
const BATCH: usize = 1_000;
/// Expired sessions have numbers from here on.
const ELSEWHERE: usize = 1_000_000_000;

/// Measures what `--micro OPERATION` says, if it is something of this module's, and prints it as a
/// line of JSON.
pub(crate) fn measure(args: &Args, micro: &Micro) -> bool {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let found = match micro.operation.as_str() {
        "growth" => runtime.block_on(growth(args, micro.sessions)),
        "stall" => stall::longest(micro.sessions),
        #[cfg(feature = "sql")]
        "reads-while-sweeping" => runtime.block_on(reads::while_sweeping(args, micro.sessions)),
        _ => return false,
    };
    println!("{found}");
    true
}

/// The id of a session by its number. Neighbours are far apart, and SQL can say the same.
fn id(number: usize) -> SessionId {
    let scattered = scattered(number);
    SessionId::new(format!("{scattered:010}xxxxxxxxxxxxxxxxxxxxxx")).expect("an id")
}

fn scattered(number: usize) -> u64 {
    number as u64 * 2_654_435_761 % 4_294_967_296
}

async fn growth(args: &Args, sessions: usize) -> serde_json::Value {
    let bulk = Bulk::open(args).await;
    let before = bulk.bytes().await;
    let record = Record::new(ending(MAX_AGE), &data(0));
    bulk.fill(0..sessions, &record).await;
    let bytes = (bulk.bytes().await - before) / sessions as f64;
    let store = bulk.store();
    let records: Vec<_> = (1..=9)
        .map(|views| Record::new(ending(MAX_AGE), &data(views)))
        .collect();
    let get = samples(sessions, async |number, _| {
        let record = store.get(&id(number)).await.expect("read");
        assert!(record.is_some(), "session {number} is there");
    });
    let get = get.await;
    let set = samples(sessions, async |number, turn| {
        let record = &records[turn % records.len()];
        store.set(&id(number), record).await.expect("stored");
    });
    let set = set.await;
    let touch = samples(sessions, async |number, turn| {
        // A touch that moves nothing could be one that writes nothing.
        let cookie = ending(MAX_AGE + Duration::from_secs(turn as u64));
        let _ = store.touch(&id(number), &cookie).await.expect("touched");
    });
    let touch = touch.await;
    let mut length = Vec::new();
    for _ in 0..SAMPLES {
        let started = Instant::now();
        let found = store.length().await.expect("counted");
        length.push(started.elapsed().as_nanos() as f64);
        assert_eq!(found, sessions as u64);
    }
    let mut sweep = Vec::new();
    for round in 0..SAMPLES {
        if !store.capabilities().sweep {
            break;
        }
        let from = ELSEWHERE + round * EXPIRED;
        expire(&bulk, from..from + EXPIRED).await;
        let started = Instant::now();
        let removed = sweep_all(store).await;
        sweep.push(started.elapsed().as_nanos() as f64 / removed as f64);
    }
    json!({ "get": get, "set": set, "touch": touch, "length": length, "sweep": sweep, "bytes": bytes })
}

/// The nanoseconds for an operation on a session at random, several times; it is told the session's
/// number and how many operations there were before.
async fn samples(sessions: usize, operation: impl AsyncFn(usize, usize)) -> Vec<f64> {
    let mut random = Random::new(7);
    let mut turn = 0;
    let mut samples = Vec::new();
    for _ in 0..SAMPLES {
        let (started, before) = (Instant::now(), turn);
        while turn == before || started.elapsed() < DURATION {
            for _ in 0..10 {
                operation(random.below(sessions), turn).await;
                turn += 1;
            }
        }
        samples.push(started.elapsed().as_nanos() as f64 / (turn - before) as f64);
    }
    samples
}

/// Puts sessions into the store that have ended when this returns.
async fn expire(bulk: &Bulk, numbers: std::ops::Range<usize>) {
    let cookie = ending(Duration::from_secs(1));
    let ends = cookie.expires().expect("it ends");
    bulk.fill(numbers, &Record::new(cookie, &data(0))).await;
    let left = ends.duration_since(SystemTime::now()).unwrap_or_default();
    tokio::time::sleep(left + Duration::from_millis(10)).await;
}

/// Removes what has expired, as the stores' own sweepers do, and says how many sessions that were.
async fn sweep_all(store: &dyn Store) -> usize {
    let mut removed = 0;
    loop {
        let swept = store.sweep(BATCH).await.expect("swept");
        removed += swept.removed;
        if !swept.more {
            assert!(removed > 0, "something had expired");
            return removed;
        }
    }
}
