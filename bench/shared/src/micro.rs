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
    /// `get`, `set`, `touch`, `length`, `sweep`; anything else only fills the store.
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
    /// Counts the sessions.
    fn length(&self) {
        panic!("this store has no length");
    }
    /// Ends this many sessions more than are measured, and says how long it took to clear them.
    fn sweep(&self, _: usize) -> Duration {
        panic!("this store has no sweep");
    }
}

const BATCH: usize = 1_000;
const DURATION: Duration = Duration::from_millis(500);
/// How many expired sessions `sweep` has to find, whatever else is there.
const EXPIRED: usize = 10_000;

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
        "length" => {
            let started = Instant::now();
            store.length();
            started.elapsed().as_nanos() as f64
        }
        "sweep" => store.sweep(EXPIRED).as_nanos() as f64 / EXPIRED as f64,
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
                let mut random = 0x9e37_79b9_7f4a_7c15_u64 ^ (thread as u64 + 1);
                while started.elapsed() < DURATION {
                    for _ in 0..BATCH {
                        // xorshift64
                        random ^= random << 13;
                        random ^= random >> 7;
                        random ^= random << 17;
                        operation(black_box((random >> 16) as usize % micro.sessions));
                    }
                    done.fetch_add(BATCH as u64, Ordering::Relaxed);
                }
            });
        }
    });
    started.elapsed().as_nanos() as f64 / done.into_inner() as f64
}

/// The memory that this process has, in bytes.
fn resident() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0.0) * 4_096.0
}
