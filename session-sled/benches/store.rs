//! One operation on a database of 100,000 sessions of about 300 bytes of JSON, at random, beside
//! the least that sled itself does for it: `raw` reads or writes the value alone, without an index,
//! on the calling thread. The last lines remove 1,000 ended sessions of 1,000 and of 100,000.
#![expect(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::cell::Cell;
use std::sync::LazyLock;
use std::time::Duration;

use divan::{Bencher, black_box};
use pollster::block_on;
use session_core::{Clock, Data, Record, SessionCookie, SessionId, Store};
use session_sled::{Flush, Reads, SledStore, sled};

const SESSIONS: usize = 100_000;

struct Fixture {
    _directory: tempfile::TempDir,
    db: sled::Db,
    raw: sled::Tree,
    ids: Vec<SessionId>,
    store: SledStore,
}

static FIXTURE: LazyLock<Fixture> = LazyLock::new(|| {
    // A static is not dropped: what stays behind is in the target directory.
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let db = sled::open(directory.path()).unwrap();
    let raw = db.open_tree("raw").unwrap();
    let store = SledStore::builder().build_on(&db).unwrap();
    let ids: Vec<_> = (0..SESSIONS).map(|_| SessionId::random()).collect();
    for id in &ids {
        block_on(store.set(id, &record(0))).unwrap();
        raw.insert(id.as_str(), record(0).json()).unwrap();
    }
    Fixture {
        _directory: directory,
        db,
        raw,
        ids,
        store,
    }
});

fn main() {
    divan::main();
}

fn record(n: u64) -> Record {
    let mut data = Data::new();
    data.insert("n", &n).unwrap();
    data.insert("text", &"x".repeat(200)).unwrap();
    let mut cookie = SessionCookie::new();
    let now = Clock::system().now();
    cookie.set_expires(Some(now + Duration::from_secs(3_600 + n % 1_000)), now);
    Record::new(cookie, &data)
}

impl Fixture {
    fn store(&self, flush: Flush, reads: Reads) -> SledStore {
        let builder = SledStore::builder().flush(flush).reads(reads);
        builder.build_on(&self.db).unwrap()
    }

    /// An id at random, and a number that is new each time.
    fn at_random<'a>(&'a self) -> impl Fn() -> (&'a SessionId, u64) {
        let state = Cell::new(0x9e37_79b9_7f4a_7c15_u64);
        move || {
            let mut next = state.get();
            next ^= next << 13;
            next ^= next >> 7;
            next ^= next << 17;
            state.set(next);
            let len = self.ids.len() as u64;
            let at = usize::try_from(next % len).unwrap();
            (&self.ids[at], next)
        }
    }
}

#[divan::bench(sample_size = 100)]
fn get_raw(bencher: Bencher<'_, '_>) {
    let next = FIXTURE.at_random();
    bencher.bench_local(|| black_box(FIXTURE.raw.get(next().0.as_str()).unwrap()));
}

#[divan::bench(args = [Reads::OnTheCaller, Reads::OnThePool], sample_size = 100)]
fn get(bencher: Bencher<'_, '_>, reads: Reads) {
    let (next, store) = (FIXTURE.at_random(), FIXTURE.store(Flush::ByCaller, reads));
    bencher.bench_local(|| black_box(block_on(store.get(next().0)).unwrap()));
}

#[divan::bench(sample_size = 100)]
fn set_raw(bencher: Bencher<'_, '_>) {
    let next = FIXTURE.at_random();
    bencher
        .with_inputs(|| (next(), record(next().1)))
        .bench_local_values(|((id, _), record)| {
            black_box(FIXTURE.raw.insert(id.as_str(), record.json()).unwrap())
        });
}

#[divan::bench]
fn set_raw_flushed(bencher: Bencher<'_, '_>) {
    let next = FIXTURE.at_random();
    bencher
        .with_inputs(|| (next(), record(next().1)))
        .bench_local_values(|((id, _), record)| {
            FIXTURE.raw.insert(id.as_str(), record.json()).unwrap();
            FIXTURE.db.flush().unwrap()
        });
}

#[divan::bench(args = [Flush::ByCaller, Flush::EveryWrite], sample_size = 20)]
fn set(bencher: Bencher<'_, '_>, flush: Flush) {
    let (next, store) = (
        FIXTURE.at_random(),
        FIXTURE.store(flush, Reads::OnTheCaller),
    );
    bencher
        .with_inputs(|| (next(), record(next().1)))
        .bench_local_values(|((id, _), record)| block_on(store.set(id, &record)).unwrap());
}

#[divan::bench(args = [Flush::ByCaller, Flush::EveryWrite], sample_size = 20)]
fn touch(bencher: Bencher<'_, '_>, flush: Flush) {
    let (next, store) = (
        FIXTURE.at_random(),
        FIXTURE.store(flush, Reads::OnTheCaller),
    );
    bencher
        .with_inputs(|| (next(), record(next().1)))
        .bench_local_values(|((id, _), record)| {
            block_on(store.touch(id, record.cookie())).unwrap()
        });
}

#[divan::bench]
fn length(bencher: Bencher<'_, '_>) {
    bencher.bench_local(|| block_on(FIXTURE.store.length()).unwrap());
}

#[divan::bench(args = [1_000, 100_000], sample_count = 10)]
fn sweep_1000_of(bencher: Bencher<'_, '_>, sessions: usize) {
    let clock = Clock::manual(Clock::system().now());
    let directory = tempfile::tempdir().unwrap();
    let db = sled::open(directory.path()).unwrap();
    let builder = SledStore::builder().clock(clock.clone());
    let store = builder.build_on(&db).unwrap();
    let until = |seconds| {
        let mut cookie = SessionCookie::new();
        cookie.set_expires(
            Some(clock.now() + Duration::from_secs(seconds)),
            clock.now(),
        );
        Record::new(cookie, &Data::new())
    };
    let live = until(1_000_000_000);
    for _ in 1_000..sessions {
        block_on(store.set(&SessionId::random(), &live)).unwrap();
    }
    bencher
        .with_inputs(|| {
            let ending = until(1);
            for _ in 0..1_000 {
                block_on(store.set(&SessionId::random(), &ending)).unwrap();
            }
            clock.advance(Duration::from_secs(1));
        })
        .bench_local_values(|()| {
            let swept = block_on(store.sweep(1_000)).unwrap();
            assert_eq!((swept.removed, swept.more), (1_000, false));
        });
}
