//! In memory: 64 maps behind a lock each, with shared text.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bench_shared::MAX_AGE;
use foldhash::fast::RandomState;

use crate::cookie::Id;
use crate::site::Sessions;

struct Entry {
    text: Arc<str>,
    ends: Instant,
}

type Shard = HashMap<Id, Entry, RandomState>;

pub(crate) struct Shards {
    hasher: RandomState,
    shards: [Mutex<Shard>; 64],
}

impl Shards {
    pub(crate) fn new() -> Self {
        Self {
            hasher: RandomState::default(),
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }

    fn shard(&self, id: &Id) -> MutexGuard<'_, Shard> {
        let shard = (self.hasher.hash_one(id) >> 32) as usize % self.shards.len();
        self.shards[shard].lock().expect("nobody panics with it")
    }

    pub(crate) fn find(&self, id: &Id) -> Option<Arc<str>> {
        let shard = self.shard(id);
        let entry = shard.get(id)?;
        (entry.ends > Instant::now()).then(|| entry.text.clone())
    }

    pub(crate) fn set(&self, id: Id, text: Arc<str>) {
        let entry = Entry {
            text,
            ends: Instant::now() + MAX_AGE,
        };
        self.shard(&id).insert(id, entry);
    }

    pub(crate) fn touch(&self, id: &Id, max_age: Duration) {
        if let Some(entry) = self.shard(id).get_mut(id) {
            entry.ends = Instant::now() + max_age;
        }
    }
}

impl Sessions for Shards {
    type Text = Arc<str>;

    async fn get(&self, id: &Id) -> Arc<str> {
        self.find(id).expect("a live session")
    }

    async fn get_and_extend(&self, id: &Id) -> Arc<str> {
        let text = self.find(id).expect("a live session");
        self.touch(id, MAX_AGE);
        text
    }

    async fn create(&self, id: &Id, text: String) {
        self.set(*id, text.into());
    }

    async fn replace(&self, id: &Id, old: &Arc<str>, new: String) -> bool {
        let (now, new) = (Instant::now(), new.into());
        let mut shard = self.shard(id);
        match shard.get_mut(id) {
            Some(entry) if Arc::ptr_eq(&entry.text, old) && entry.ends > now => {
                entry.text = new;
                entry.ends = now + MAX_AGE;
                true
            }
            _ => false,
        }
    }
}
