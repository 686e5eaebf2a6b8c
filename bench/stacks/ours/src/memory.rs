//! The memory store by itself, measured in process.

use std::hint::black_box;
use std::time::{Duration, SystemTime};

use bench_shared::{Contender, MAX_AGE, Micro, block_on, contents};
use session_core::{Data, Record, SessionCookie, SessionId, Store};
use session_memory::MemoryStore;

pub(crate) struct Memory {
    store: MemoryStore,
    ids: Vec<SessionId>,
    cookie: SessionCookie,
    data: Data,
    record: Record,
}

impl Memory {
    pub(crate) fn new(micro: &Micro) -> Self {
        let data = data(1);
        let cookie = ending(MAX_AGE);
        Self {
            store: MemoryStore::builder().max_sessions(None).build(),
            ids: (0..micro.sessions).map(|_| SessionId::random()).collect(),
            record: Record::new(cookie.clone(), &data),
            cookie,
            data,
        }
    }
}

/// A session's cookie that ends then.
pub(crate) fn ending(max_age: Duration) -> SessionCookie {
    let mut cookie = SessionCookie::new();
    cookie.set_max_age(Some(max_age), SystemTime::now());
    cookie
}

/// The contents of a session that was viewed so often.
pub(crate) fn data(views: u64) -> Data {
    let mut data = Data::new();
    data.insert("views", &views).expect("inserted");
    for (key, value) in contents() {
        data.insert(key, value).expect("inserted");
    }
    data
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
}
