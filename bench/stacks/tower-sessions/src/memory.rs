//! The memory store by itself, measured in process.

use std::hint::black_box;

use bench_shared::{Contender, MAX_AGE, block_on, contents};
use tower_sessions::session::{Id, Record};
use tower_sessions::{MemoryStore, SessionStore};

pub(crate) struct Memory {
    store: MemoryStore,
    ids: Vec<Id>,
}

impl Memory {
    pub(crate) fn new(sessions: usize) -> Self {
        Self {
            store: MemoryStore::default(),
            ids: (0..sessions).map(|_| Id::default()).collect(),
        }
    }

    fn record(&self, number: usize) -> Record {
        let max_age = time::Duration::try_from(MAX_AGE).expect("a max age");
        let mut data: std::collections::HashMap<_, _> = contents().clone().into_iter().collect();
        data.insert("views".to_owned(), 1.into());
        Record {
            id: self.ids[number],
            data,
            expiry_date: time::OffsetDateTime::now_utc() + max_age,
        }
    }
}

thread_local! {
    static WRITTEN: std::cell::RefCell<Option<Record>> = const { std::cell::RefCell::new(None) };
}

impl Contender for Memory {
    fn create(&self, number: usize) {
        block_on(self.store.save(&self.record(number))).expect("stored");
    }

    fn get(&self, number: usize) {
        let record = block_on(self.store.load(&self.ids[number])).expect("read");
        black_box(record.expect("it is there"));
    }

    fn set(&self, number: usize) {
        WRITTEN.with_borrow_mut(|record| {
            let record = record.get_or_insert_with(|| self.record(number));
            record.id = self.ids[number];
            block_on(self.store.save(record)).expect("stored");
        });
    }
}
