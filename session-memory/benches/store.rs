//! One operation on a store of 100,000 sessions of about 200 bytes of JSON, at random, beside a
//! plain sharded map behind the same trait.
#![expect(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::cell::Cell;
use std::collections::HashMap;
use std::future::Future;
use std::hash::BuildHasher;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use divan::{Bencher, black_box};
use foldhash::fast::RandomState;
use session_core::{Capabilities, Clock, Data, Record, Result, SessionCookie, SessionId, Store};
use session_memory::MemoryStore;

const SESSIONS: usize = 100_000;
/// Operations per measurement: the microseconds of a line are the nanoseconds of an operation.
const OPERATIONS: usize = 1_000;
const THREADS: [usize; 2] = [1, 2];

fn main() {
    divan::main();
}

#[divan::bench(args = [Kind::Memory, Kind::Bounded, Kind::Plain], threads = THREADS)]
fn get(bencher: Bencher<'_, '_>, kind: Kind) {
    let store = kind.store();
    at_random(bencher, |id, _| {
        black_box(ready(store.get(id)).unwrap());
    });
}

#[divan::bench(args = [Kind::Memory, Kind::Bounded, Kind::Plain], threads = THREADS)]
fn set(bencher: Bencher<'_, '_>, kind: Kind) {
    let store = kind.store();
    at_random(bencher, |id, record| ready(store.set(id, record)).unwrap());
}

#[divan::bench(args = [Kind::Memory, Kind::Bounded], threads = THREADS)]
fn touch(bencher: Bencher<'_, '_>, kind: Kind) {
    let store = kind.store();
    at_random(bencher, |id, record| {
        let _ = black_box(ready(store.touch(id, record.cookie())).unwrap());
    });
}

#[divan::bench(args = [Kind::Memory, Kind::Bounded], threads = THREADS)]
fn replace(bencher: Bencher<'_, '_>, kind: Kind) {
    let store = kind.store();
    at_random(bencher, |id, record| {
        let _ = black_box(ready(store.replace(id, record, record)).unwrap());
    });
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Memory,
    Bounded,
    Plain,
}

impl Kind {
    fn store(self) -> &'static dyn Store {
        static MEMORY: LazyLock<MemoryStore> =
            LazyLock::new(|| filled(MemoryStore::builder().max_sessions(None).build()));
        static BOUNDED: LazyLock<MemoryStore> =
            LazyLock::new(|| filled(MemoryStore::builder().max_sessions(2 * SESSIONS).build()));
        static PLAIN: LazyLock<PlainMap> = LazyLock::new(|| filled(PlainMap::default()));
        match self {
            Self::Memory => &*MEMORY,
            Self::Bounded => &*BOUNDED,
            Self::Plain => &*PLAIN,
        }
    }
}

/// What one would write first: no expiry, no bound, nothing but a map per shard.
#[derive(Debug)]
struct PlainMap {
    hasher: RandomState,
    shards: [Mutex<HashMap<SessionId, Record, RandomState>>; 64],
}

impl PlainMap {
    fn shard(&self, id: &SessionId) -> &Mutex<HashMap<SessionId, Record, RandomState>> {
        &self.shards[(self.hasher.hash_one(id) >> 32) as usize % self.shards.len()]
    }
}

impl Default for PlainMap {
    fn default() -> Self {
        Self {
            hasher: RandomState::default(),
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }
}

#[async_trait]
impl Store for PlainMap {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        Ok(self.shard(id).lock().unwrap().get(id).cloned())
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let (id, record) = (id.clone(), record.clone());
        self.shard(&id).lock().unwrap().insert(id, record);
        Ok(())
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        self.shard(id).lock().unwrap().remove(id);
        Ok(())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::NONE
    }
}

/// Records of one application: all have the settings of one cookie.
static RECORDS: LazyLock<Vec<(SessionId, Record)>> = LazyLock::new(|| {
    let mut cookie = SessionCookie::new();
    cookie.set_max_age(Some(Duration::from_secs(3_600)), Clock::system().now());
    let mut data = Data::new();
    data.insert("csrf", &"x".repeat(60)).unwrap();
    let numbers = 0..SESSIONS;
    numbers
        .map(|number| {
            data.insert("user", &number).unwrap();
            (SessionId::random(), Record::new(cookie.clone(), &data))
        })
        .collect()
});

fn filled<S: Store>(store: S) -> S {
    for (id, record) in RECORDS.iter() {
        ready(store.set(id, record)).unwrap();
    }
    store
}

/// Measures `operation` on random sessions, with a sequence of numbers for each thread.
fn at_random(bencher: Bencher<'_, '_>, operation: impl Fn(&SessionId, &Record) + Sync) {
    static SEED: AtomicU64 = AtomicU64::new(1);
    thread_local! {
        static STATE: Cell<u64> = Cell::new(SEED.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed));
    }
    bencher.bench(|| {
        for _ in 0..OPERATIONS {
            let mut x = STATE.get();
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            STATE.set(x);
            let (id, record) = &RECORDS[(x >> 32) as usize % SESSIONS];
            operation(id, record);
        }
    });
}

/// The stores in memory are never pending.
fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("a store in memory waits for nothing"),
    }
}
