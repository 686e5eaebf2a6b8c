//! Measuring a store in the memory of this process, without HTTP.

use std::hint::black_box;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use serde_json::json;

/// What is measured: `--micro OPERATION SESSIONS THREADS`.
#[derive(Clone, Debug)]
pub struct Micro {
    /// `get`, `set`, `touch`, or what the program itself knows; anything else only fills the store.
    pub operation: String,
    /// How many sessions are in the store.
    pub sessions: usize,
    /// How many threads are at it.
    pub threads: usize,
}

/// A store of sessions with the numbers from 0.
pub trait Contender: Sync {
    /// Writes a new session, with a text of its own.
    fn create(&self, number: usize);
    /// Reads a session; there is one.
    fn get(&self, number: usize);
    /// Writes a session whose text is there already.
    fn set(&self, number: usize);
    /// Moves the end of a session.
    fn touch(&self, _: usize) {
        panic!("this store has no touch");
    }
}

const BATCH: usize = 1_000;
const DURATION: Duration = Duration::from_millis(500);

/// Fills the store, measures and prints what was found as a line of JSON.
pub fn measure(micro: &Micro, store: &impl Contender) {
    let sessions = micro.sessions;
    let empty = resident();
    for number in 0..sessions {
        store.create(number);
    }
    let bytes = (resident() - empty) / sessions as f64;
    let nanos = match micro.operation.as_str() {
        "get" => at_random(micro, |number| store.get(number)),
        "set" => at_random(micro, |number| store.set(number)),
        "touch" => at_random(micro, |number| store.touch(number)),
        _ => 0.0,
    };
    println!("{}", json!({ "ns": nanos, "bytes": bytes }));
}

/// Waits for a future without a runtime. Stores in memory are mostly ready at once, and should not
/// pay for a way to wake anybody.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::yield_now(),
        }
    }
}

/// The time of all threads together for one operation, in nanoseconds: with two threads that do not
/// disturb one another, half of that of one.
fn at_random(micro: &Micro, operation: impl Fn(usize) + Sync) -> f64 {
    let done = AtomicU64::new(0);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..micro.threads {
            let (operation, done) = (&operation, &done);
            scope.spawn(move || {
                let mut random = Random::new(thread as u64);
                while started.elapsed() < DURATION {
                    for _ in 0..BATCH {
                        operation(black_box(random.below(micro.sessions)));
                    }
                    done.fetch_add(BATCH as u64, Ordering::Relaxed);
                }
            });
        }
    });
    started.elapsed().as_nanos() as f64 / done.into_inner() as f64
}

/// Numbers that no processor foresees, the same in every run.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Another row of numbers for each `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(0x9e37_79b9_7f4a_7c15 ^ (seed + 1))
    }

    /// The next number, less than `limit`.
    pub const fn below(&mut self, limit: usize) -> usize {
        // xorshift64
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % limit
    }
}

/// The memory that this process has, in bytes.
#[must_use]
pub fn resident() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0.0) * 4_096.0
}
