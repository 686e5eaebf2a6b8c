//! The longest that an operation of the memory store takes while very many sessions expire.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
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
/// After how many pairs of them the system is asked again how long the threads have waited for it.
const OPERATIONS: usize = 32;

/// In microseconds, several times each: while another thread computes, and while it sweeps so many
/// sessions. With as many threads busy, other programs are as much in the way of both.
pub(super) fn longest(expiring: usize) -> Value {
    let (mut quiet, mut sweeping, mut sweep) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..SAMPLES {
        let clock = Clock::manual(SystemTime::now());
        let store = MemoryStore::builder()
            .clock(clock.clone())
            .max_sessions(None)
            .build();
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

/// The longest that a read or a write took while something else happened on another thread. Time in
/// which one of the two could have run, but the system gave the CPU to somebody else, does not count.
fn operate(store: &MemoryStore, meanwhile: impl FnOnce() + Send) -> f64 {
    let over = AtomicBool::new(false);
    let (tell, told) = mpsc::channel();
    std::thread::scope(|scope| {
        let (_finish, finished) = mpsc::channel::<()>();
        let over = &over;
        scope.spawn(move || {
            tell.send(Queue::open()).expect("the other thread waits");
            meanwhile();
            over.store(true, Ordering::Relaxed);
            // The kernel forgets a thread that has ended.
            let _ = finished.recv();
        });
        let queues = [Queue::open(), told.recv().expect("the other thread begins")];
        let queued = || queues.iter().map(Queue::waited).sum::<Duration>();
        let record = Record::new(ending(MAX_AGE), &data(2));
        let mut random = Random::new(1);
        let mut longest = Duration::ZERO;
        let mut note = |started: Instant, before: &mut Duration| {
            let took = started.elapsed();
            if took > longest {
                let now = queued();
                longest = longest.max(took.saturating_sub(now - *before));
                *before = now;
            }
        };
        while !over.load(Ordering::Relaxed) {
            let mut before = queued();
            for _ in 0..OPERATIONS {
                let id = id(random.below(LIVE));
                let started = Instant::now();
                let found = block_on(store.get(&id)).expect("read");
                note(started, &mut before);
                assert!(found.is_some(), "a live session");
                let started = Instant::now();
                block_on(store.set(&id, &record)).expect("stored");
                note(started, &mut before);
            }
        }
        longest.as_nanos() as f64 / 1e3
    })
}

/// What the kernel says about a thread: nanoseconds on a CPU, nanoseconds waiting for one, turns.
struct Queue(File);

impl Queue {
    /// That of this thread.
    fn open() -> Self {
        Self(File::open("/proc/thread-self/schedstat").expect("a kernel that tells"))
    }

    /// How long the thread has waited for a CPU so far.
    fn waited(&self) -> Duration {
        let mut text = [0; 64];
        let read = self.0.read_at(&mut text, 0).expect("told");
        let text = std::str::from_utf8(&text[..read]).expect("numbers");
        let nanos = text.split(' ').nth(1).expect("three numbers");
        Duration::from_nanos(nanos.parse().expect("a number"))
    }
}
