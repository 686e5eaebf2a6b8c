//! The memory store by itself, measured in process.

use std::hint::black_box;
use std::time::{Duration, Instant, SystemTime};

use bench_shared::{Contender, MAX_AGE, Micro, block_on, contents};
use session_core::{Clock, Data, Record, SessionCookie, SessionId, Store};
use session_memory::MemoryStore;

pub(crate) struct Memory {
    store: MemoryStore,
    clock: Clock,
    ids: Vec<SessionId>,
    cookie: SessionCookie,
    data: Data,
    record: Record,
}

impl Memory {
    pub(crate) fn new(micro: &Micro) -> Self {
        let clock = match micro.operation.as_str() {
            "sweep" => Clock::manual(SystemTime::now()),
            _ => Clock::system(),
        };
        let mut data = Data::new();
        data.insert("views", &1).expect("inserted");
        for (key, value) in &contents() {
            data.insert(key, value).expect("inserted");
        }
        let cookie = ending(MAX_AGE);
        Self {
            store: MemoryStore::builder().clock(clock.clone()).build(),
            clock,
            ids: (0..micro.sessions).map(|_| SessionId::random()).collect(),
            record: Record::new(cookie.clone(), &data),
            cookie,
            data,
        }
    }
}

fn ending(max_age: Duration) -> SessionCookie {
    let mut cookie = SessionCookie::new();
    cookie.set_max_age(Some(max_age), SystemTime::now());
    cookie
}

impl Contender for Memory {
    fn create(&self, number: usize) {
        let record = Record::new(self.cookie.clone(), &self.data);
        block_on(self.store.set(&self.ids[number], &record)).expect("stored");
    }

    fn get(&self, number: usize) {
        let record = block_on(self.store.get(&self.ids[number])).expect("read");
        black_box(record.expect("it is there"));
    }

    fn set(&self, number: usize) {
        block_on(self.store.set(&self.ids[number], &self.record)).expect("stored");
    }

    fn touch(&self, number: usize) {
        let touched = block_on(self.store.touch(&self.ids[number], &self.cookie));
        let _ = black_box(touched.expect("touched"));
    }

    fn length(&self) {
        let length = block_on(self.store.length()).expect("counted");
        assert_eq!(length, self.ids.len() as u64);
    }

    fn sweep(&self, expired: usize) -> Duration {
        let record = Record::new(ending(MAX_AGE / 2), &self.data);
        for _ in 0..expired {
            block_on(self.store.set(&SessionId::random(), &record)).expect("stored");
        }
        self.clock.advance(MAX_AGE * 3 / 4);
        let started = Instant::now();
        let swept = block_on(self.store.sweep(usize::MAX)).expect("swept");
        assert_eq!(swept.removed, expired);
        started.elapsed()
    }
}
