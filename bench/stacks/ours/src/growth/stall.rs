//! The longest that an operation of the memory store takes while very many sessions expire.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use bench_shared::{MAX_AGE, Random, block_on};
use serde_json::{Value, json};
use session_core::{Clock, Record, Store};
use session_memory::MemoryStore;

use super::{BATCH, ELSEWHERE, SAMPLES, id};
use crate::memory::{data, ending};

/// How many sessions live on, and are read and written meanwhile.
const LIVE: usize = 10_000;
const QUIET: Duration = Duration::from_secs(1);

/// In microseconds, several times each: while another thread computes, and while it sweeps so many
/// sessions. An operation that the system interrupts takes long, too, and does so in both: with as
/// many threads busy, other programs are as much in the way.
pub(super) fn longest(expiring: usize) -> Value {
    let (mut quiet, mut sweeping, mut sweep) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..SAMPLES {
        let clock = Clock::manual(SystemTime::now());
        let store = MemoryStore::builder().clock(clock.clone()).build();
        for (from, count, max_age) in [(0, LIVE, MAX_AGE), (ELSEWHERE, expiring, MAX_AGE / 4)] {
            for number in from..from + count {
                let record = Record::new(ending(max_age), &data(1));
                block_on(store.set(&id(number), &record)).expect("stored");
            }
        }
        quiet.push(operate(&store, || {
            let started = Instant::now();
            while started.elapsed() < QUIET {
                std::hint::spin_loop();
            }
        }));
        clock.advance(MAX_AGE / 2);
        let started = Instant::now();
        sweeping.push(operate(&store, || {
            while block_on(store.sweep(BATCH)).expect("swept").more {}
        }));
        sweep.push(started.elapsed().as_secs_f64() * 1e3);
    }
    json!({ "quiet": quiet, "sweeping": sweeping, "sweep": sweep })
}

/// The longest that a read or a write took while something else happened.
fn operate(store: &MemoryStore, meanwhile: impl FnOnce() + Send) -> f64 {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            meanwhile();
            over.store(true, Ordering::Relaxed);
        });
        let record = Record::new(ending(MAX_AGE), &data(2));
        let mut random = Random::new(1);
        let mut longest = Duration::ZERO;
        while !over.load(Ordering::Relaxed) {
            let id = id(random.below(LIVE));
            let started = Instant::now();
            let found = block_on(store.get(&id)).expect("read");
            longest = longest.max(started.elapsed());
            assert!(found.is_some(), "a live session");
            let started = Instant::now();
            block_on(store.set(&id, &record)).expect("stored");
            longest = longest.max(started.elapsed());
        }
        longest.as_nanos() as f64 / 1e3
    })
}
