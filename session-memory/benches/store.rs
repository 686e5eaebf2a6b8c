//! One operation on a store of 100,000 sessions of about 200 bytes of JSON, at random, beside a
//! plain sharded map behind the same trait.

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
use session_core::{Capabilities, Clock, Data, Record, Result, SessionCookie, SessionId, Store};
use session_memory::MemoryStore;

const SESSIONS: usize = 100_000;
/// Operations per measurement: the microseconds of a line are the nanoseconds of an operation.
const OPERATIONS: usize = 1_000;
const THREADS: [usize; 2] = [1, 2];

fn main() {
    divan::main();
}

/// What a team would write first: no expiry, no bound, nothing but a map per shard.
#[derive(Debug)]
struct PlainMap {
    hasher: foldhash::fast::RandomState,
    shards: Vec<Mutex<HashMap<SessionId, Record, foldhash::fast::RandomState>>>,
}

impl PlainMap {
    fn shard(
        &self,
        id: &SessionId,
    ) -> &Mutex<HashMap<SessionId, Record, foldhash::fast::RandomState>> {
        &self.shards[self.hasher.hash_one(id) as usize >> 32 & 63]
    }
}

#[async_trait]
impl Store for PlainMap {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        Ok(self.shard(id).lock().unwrap().get(id).cloned())
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let old = self
            .shard(id)
            .lock()
            .unwrap()
            .insert(id.clone(), record.clone());
        drop(old);
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

/// The records of an application, which all have the cookie settings of one template.
struct Fixture {
    ids: Vec<SessionId>,
    records: Vec<Record>,
    cookie: SessionCookie,
}

static FIXTURE: LazyLock<Fixture> = LazyLock::new(|| {
    let mut cookie = SessionCookie::new();
    cookie.set_max_age(Some(Duration::from_secs(3_600)), Clock::system().now());
    let record = |number: usize| {
        let mut data = Data::new();
        data.insert("user", &number).unwrap();
        data.insert("csrf", &"x".repeat(60)).unwrap();
        Record::new(cookie.clone(), &data)
    };
    Fixture {
        ids: (0..SESSIONS).map(|_| SessionId::random()).collect(),
        records: (0..SESSIONS).map(record).collect(),
        cookie: cookie.clone(),
    }
});

fn filled<S: Store>(store: S) -> S {
    for (id, record) in FIXTURE.ids.iter().zip(&FIXTURE.records) {
        ready(store.set(id, record)).unwrap();
    }
    store
}

static MEMORY: LazyLock<MemoryStore> = LazyLock::new(|| filled(MemoryStore::new()));
static BOUNDED: LazyLock<MemoryStore> =
    LazyLock::new(|| filled(MemoryStore::builder().max_sessions(2 * SESSIONS).build()));
static PLAIN: LazyLock<PlainMap> = LazyLock::new(|| {
    filled(PlainMap {
        hasher: foldhash::fast::RandomState::default(),
        shards: (0..64).map(|_| Mutex::default()).collect(),
    })
});

/// The stores in memory are never pending.
fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("a store in memory waits for nothing"),
    }
}

/// Measures `operation` with a random number below [`SESSIONS`], from a sequence per thread.
fn random(bencher: Bencher<'_, '_>, operation: impl Fn(usize) + Sync) {
    static SEED: AtomicU64 = AtomicU64::new(1);
    thread_local! {
        static STATE: std::cell::Cell<u64> =
            std::cell::Cell::new(SEED.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed));
    }
    bencher.bench(|| {
        for _ in 0..OPERATIONS {
            operation(STATE.with(|state| {
                let mut x = state.get();
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                state.set(x);
                (x >> 32) as usize % SESSIONS
            }));
        }
    });
}

#[divan::bench(threads = THREADS)]
fn get(bencher: Bencher<'_, '_>) {
    let store = &*MEMORY;
    random(bencher, |n| {
        black_box(ready(store.get(&FIXTURE.ids[n])).unwrap());
    });
}

#[divan::bench(threads = THREADS)]
fn get_bounded(bencher: Bencher<'_, '_>) {
    let store = &*BOUNDED;
    random(bencher, |n| {
        black_box(ready(store.get(&FIXTURE.ids[n])).unwrap());
    });
}

#[divan::bench(threads = THREADS)]
fn get_plain(bencher: Bencher<'_, '_>) {
    let store = &*PLAIN;
    random(bencher, |n| {
        black_box(ready(store.get(&FIXTURE.ids[n])).unwrap());
    });
}

#[divan::bench(threads = THREADS)]
fn set(bencher: Bencher<'_, '_>) {
    let store = &*MEMORY;
    random(bencher, |n| {
        ready(store.set(&FIXTURE.ids[n], &FIXTURE.records[n])).unwrap();
    });
}

#[divan::bench(threads = THREADS)]
fn set_plain(bencher: Bencher<'_, '_>) {
    let store = &*PLAIN;
    random(bencher, |n| {
        ready(store.set(&FIXTURE.ids[n], &FIXTURE.records[n])).unwrap();
    });
}

#[divan::bench(threads = THREADS)]
fn touch(bencher: Bencher<'_, '_>) {
    let store = &*MEMORY;
    random(bencher, |n| {
        let _ = black_box(ready(store.touch(&FIXTURE.ids[n], &FIXTURE.cookie)).unwrap());
    });
}

#[divan::bench(threads = THREADS)]
fn replace(bencher: Bencher<'_, '_>) {
    let store = &*MEMORY;
    random(bencher, |n| {
        let record = &FIXTURE.records[n];
        let _ = black_box(ready(store.replace(&FIXTURE.ids[n], record, record)).unwrap());
    });
}
