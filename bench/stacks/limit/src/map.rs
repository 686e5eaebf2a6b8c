//! The sharded map by itself, measured in process.

use std::hint::black_box;
use std::sync::Arc;

use bench_shared::{Contender, MAX_AGE, contents_json};

use crate::cookie::{Id, new_id};
use crate::memory::Shards;

pub(crate) struct Map {
    sessions: Shards,
    ids: Vec<Id>,
    text: Arc<str>,
}

impl Map {
    pub(crate) fn new(sessions: usize) -> Self {
        Self {
            sessions: Shards::new(),
            ids: (0..sessions).map(|_| new_id()).collect(),
            text: contents_json().into(),
        }
    }
}

impl Contender for Map {
    fn create(&self, number: usize) {
        let text = format!("{{\"views\":{},{}", number % 10, &contents_json()[1..]);
        self.sessions.set(self.ids[number], text.into());
    }

    fn get(&self, number: usize) {
        black_box(self.sessions.find(&self.ids[number]).expect("it is there"));
    }

    fn set(&self, number: usize) {
        self.sessions.set(self.ids[number], self.text.clone());
    }

    fn touch(&self, number: usize) {
        self.sessions.touch(&self.ids[number], MAX_AGE);
    }
}
