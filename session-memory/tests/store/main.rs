//! The behaviour of the store, with a clock that the tests move and without sleeps.
#![expect(
    clippy::needless_pass_by_value,
    clippy::unwrap_used,
    reason = "tests want short calls, and may panic in what they call"
)]

mod contract;
mod eviction;
mod expiry;
mod memory;
mod model;
mod streams;
mod sweeper;
mod threads;

use std::future::Future;
use std::time::{Duration, SystemTime};

use futures_util::FutureExt;
use session_core::{Clock, Data, Record, SessionCookie, SessionId, Store};
use session_memory::{MemoryStore, MemoryStoreBuilder};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

/// When the tests' clocks start.
fn start() -> SystemTime {
    SystemTime::UNIX_EPOCH + 1_700_000_000 * SECOND
}

fn store() -> (MemoryStore, Clock) {
    build(|builder| builder)
}

fn build(options: impl FnOnce(MemoryStoreBuilder) -> MemoryStoreBuilder) -> (MemoryStore, Clock) {
    let clock = Clock::manual(start());
    let builder = MemoryStore::builder().clock(clock.clone());
    (options(builder).build(), clock)
}

/// The output of a future that must be ready at once: the store never waits.
fn ready<F: Future>(future: F) -> F::Output {
    future.now_or_never().expect("the store waits for nothing")
}

fn id(name: impl ToString) -> SessionId {
    SessionId::new(name.to_string()).unwrap()
}

fn cookie(expires: Option<SystemTime>) -> SessionCookie {
    let mut cookie = SessionCookie::new();
    cookie.set_expires(expires, start());
    cookie
}

fn record(value: impl ToString, expires: Option<SystemTime>) -> Record {
    let mut data = Data::new();
    data.insert("value", &value.to_string()).unwrap();
    Record::new(cookie(expires), &data)
}

fn set(store: &MemoryStore, name: impl ToString, record: &Record) {
    ready(store.set(&id(name), record)).unwrap();
}

fn get(store: &MemoryStore, name: impl ToString) -> Option<Record> {
    ready(store.get(&id(name))).unwrap()
}

fn value(record: &Record) -> String {
    record.data().get("value").unwrap().unwrap()
}

fn length(store: &MemoryStore) -> u64 {
    ready(store.length()).unwrap()
}

/// The sessions in memory, expired or not, as `Debug` counts them.
fn stored(store: &MemoryStore) -> usize {
    let debug = format!("{store:?}");
    let count = debug.split("stored: ").nth(1).unwrap();
    count.split(',').next().unwrap().parse().unwrap()
}
