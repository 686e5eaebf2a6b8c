//! The smallest store there is, for the examples in the documentation.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use session_core::{Capabilities, Clock, Record, Result, SessionId, Store};

use crate::{Backend, Harness, Namespace, NotRun, Opening, Time};

/// A map behind a mutex.
#[derive(Clone, Debug)]
pub struct MapStore {
    records: Arc<Mutex<HashMap<SessionId, Record>>>,
    clock: Clock,
}

impl MapStore {
    /// An empty one that reads `clock`.
    #[must_use]
    pub fn with_clock(clock: Clock) -> Self {
        Self {
            records: Arc::default(),
            clock,
        }
    }

    fn records(&self) -> MutexGuard<'_, HashMap<SessionId, Record>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MapStore {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let now = self.clock.now();
        Ok(self
            .records()
            .get(id)
            .cloned()
            .filter(|record| !record.is_expired(now)))
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        self.records().insert(id.clone(), record.clone());
        Ok(())
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        self.records().remove(id);
        Ok(())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::NONE
    }
}

/// Its harness.
#[derive(Clone, Copy, Debug)]
pub struct Maps;

impl Harness for Maps {
    const NAME: &'static str = "a map behind a mutex";
    const CAPABILITIES: Capabilities = Capabilities::NONE;
    const BACKEND: Backend = Backend::IN_PROCESS;
    const TIME: Time = Time::Manual;

    async fn open(&self, opening: Opening) -> Result<Namespace, NotRun> {
        let store = MapStore::with_clock(opening.clock);
        Ok(Namespace::new(store.clone(), store))
    }
}
