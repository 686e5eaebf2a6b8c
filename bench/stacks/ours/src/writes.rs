//! A store around another one, for what it costs to write safely.

use std::sync::Arc;

use async_trait::async_trait;
use bench_shared::Writes;
use session_core::{
    Capabilities, Created, Record, Replaced, Result, SessionCookie, SessionId, Store, StoreStream,
    Swept, Touched,
};

#[derive(Debug)]
pub(crate) struct Written {
    store: Arc<dyn Store>,
    how: Writes,
}

impl Written {
    pub(crate) fn new(store: Arc<dyn Store>, how: Writes) -> Self {
        Self { store, how }
    }
}

/// Another session for each: if all wrote the same one, they would wait for one another.
fn neighbour(id: &SessionId) -> SessionId {
    let reversed: String = id.as_str().chars().rev().collect();
    SessionId::new(reversed).expect("as good an id as the other")
}

/// What somebody else makes of a session: a key of its own says which views it has seen. `None` if
/// that has been done to this one.
fn changed(record: &Record) -> Option<Record> {
    let mut data = record.data();
    let views: Option<u64> = data.get("views").ok()?;
    let seen: Option<u64> = data.get("seen").ok()?;
    if seen == views {
        return None;
    }
    data.insert("seen", &views).ok()?;
    Some(Record::new(record.cookie().clone(), &data))
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for Written {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        self.store.get(id).await
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        self.store.set(id, record).await
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        self.store.destroy(id).await
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = self.store.capabilities();
        if self.how == Writes::Plain {
            (capabilities.create, capabilities.replace) = (false, false);
        }
        capabilities
    }

    async fn length(&self) -> Result<u64> {
        self.store.length().await
    }

    async fn clear(&self) -> Result<()> {
        self.store.clear().await
    }

    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        self.store.touch(id, cookie).await
    }

    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        self.store.create(id, record).await
    }

    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        let whose = match self.how {
            Writes::Company => Some(neighbour(id)),
            Writes::Conflict => Some(id.clone()),
            Writes::Usual | Writes::Safe | Writes::Plain => None,
        };
        if let Some(whose) = whose
            && let Some(changed) = changed(old)
        {
            self.store.set(&whose, &changed).await?;
        }
        self.store.replace(id, old, new).await
    }

    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        self.store.all()
    }

    fn ids(&self) -> StoreStream<'_, SessionId> {
        self.store.ids()
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        self.store.sweep(limit).await
    }
}
