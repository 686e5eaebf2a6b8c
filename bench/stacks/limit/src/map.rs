//! The sharded map by itself, measured in process.

use std::hint::black_box;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bench_shared::{Contender, MAX_AGE, block_on, contents_json};

use crate::cookie::{Id, new_id};
use crate::memory::Shards;

pub(crate) struct Map {
    sessions: Shards,
    boxed: bool,
    ids: Vec<Id>,
    text: Arc<str>,
}

/// What a library calls a store by that it does not know.
trait Store: Sync {
    fn find<'a>(&'a self, id: &'a Id) -> Answer<'a, Option<Arc<str>>>;
    fn set<'a>(&'a self, id: &'a Id, text: &'a Arc<str>) -> Answer<'a, ()>;
    fn touch<'a>(&'a self, id: &'a Id, max_age: Duration) -> Answer<'a, ()>;
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = std::io::Result<T>> + Send + 'a>>;

impl Store for Shards {
    fn find<'a>(&'a self, id: &'a Id) -> Answer<'a, Option<Arc<str>>> {
        Box::pin(async move { Ok(self.find(id)) })
    }

    fn set<'a>(&'a self, id: &'a Id, text: &'a Arc<str>) -> Answer<'a, ()> {
        Box::pin(async move {
            self.set(*id, text.clone());
            Ok(())
        })
    }

    fn touch<'a>(&'a self, id: &'a Id, max_age: Duration) -> Answer<'a, ()> {
        Box::pin(async move {
            self.touch(id, max_age);
            Ok(())
        })
    }
}

impl Map {
    pub(crate) fn new(sessions: usize, boxed: bool) -> Self {
        Self {
            sessions: Shards::new(),
            boxed,
            ids: (0..sessions).map(|_| new_id()).collect(),
            text: contents_json().into(),
        }
    }

    /// The map as a store that nobody knows, if that is to be measured.
    fn store(&self) -> Option<&dyn Store> {
        self.boxed.then(|| black_box(&self.sessions as &dyn Store))
    }
}

impl Contender for Map {
    fn create(&self, number: usize) {
        let text = format!("{{\"views\":{},{}", number % 10, &contents_json()[1..]);
        self.sessions.set(self.ids[number], text.into());
    }

    fn get(&self, number: usize) {
        let id = &self.ids[number];
        let found = match self.store() {
            Some(store) => block_on(store.find(id)).expect("read"),
            None => self.sessions.find(id),
        };
        black_box(found.expect("it is there"));
    }

    fn set(&self, number: usize) {
        let id = &self.ids[number];
        match self.store() {
            Some(store) => block_on(store.set(id, &self.text)).expect("stored"),
            None => self.sessions.set(*id, self.text.clone()),
        }
    }

    fn touch(&self, number: usize) {
        let id = &self.ids[number];
        match self.store() {
            Some(store) => block_on(store.touch(id, MAX_AGE)).expect("touched"),
            None => self.sessions.touch(id, MAX_AGE),
        }
    }
}
