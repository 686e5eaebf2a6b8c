//! Behind the back of the reference store and of its broken variants.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use session_core::{Capabilities, Record, SessionId, Store};

use super::{Reference, Row, Server};
use crate::{Backend, Harness, Hooks, Namespace, NotRun, Opening, Time, Write};

/// Makes two handles on a namespace.
pub(crate) type Open = dyn Fn(Reference) -> [Arc<dyn Store>; 2] + Send + Sync;

/// What a starting process does to the backend.
pub(crate) type Migrate = fn(Reference) -> BoxFuture<'static, session_core::Result<()>>;

/// What must appear in no error and in no `Debug`.
pub(crate) const SECRET: &str = "redis://:correct-horse-battery@cache.internal:6379/0";

/// The reference's own handles.
pub(crate) fn plain(reference: Reference) -> [Arc<dyn Store>; 2] {
    [Arc::new(reference.clone()), Arc::new(reference)]
}

/// A migration that may run any number of times, at the same time too.
pub(crate) const MIGRATE: Migrate = |reference| {
    Box::pin(async move {
        reference.schema().store(true, Ordering::SeqCst);
        Ok(())
    })
};

/// The hooks of a namespace.
pub(crate) struct Behind {
    pub(crate) reference: Reference,
    pub(crate) open: Arc<Open>,
    pub(crate) migrate: Migrate,
}

#[async_trait]
impl Hooks for Behind {
    async fn write_undecodable(&self, id: &SessionId) -> Result<(), NotRun> {
        let row = Row {
            text: r#"{"cookie":{"originalMaxAge":nu"#.into(),
            expires: None,
        };
        self.reference.rows().insert(id.as_str().to_owned(), row);
        Ok(())
    }

    async fn break_backend(&self) -> Result<(), NotRun> {
        self.reference.shelf.down.store(true, Ordering::SeqCst);
        Ok(())
    }

    async fn heal_backend(&self) -> Result<(), NotRun> {
        self.reference.shelf.down.store(false, Ordering::SeqCst);
        Ok(())
    }

    async fn lose_next_answer(&self) -> Result<(), NotRun> {
        self.reference
            .shelf
            .lost_answer
            .store(true, Ordering::SeqCst);
        Ok(())
    }

    async fn round_trips(&self) -> Result<u64, NotRun> {
        Ok(self.reference.shelf.trips.load(Ordering::SeqCst))
    }

    async fn write_foreign(&self) -> Result<(), NotRun> {
        self.reference.shelf.foreign.store(true, Ordering::SeqCst);
        Ok(())
    }

    async fn foreign_intact(&self) -> Result<bool, NotRun> {
        Ok(self.reference.shelf.foreign.load(Ordering::SeqCst))
    }

    async fn count(&self) -> Result<u64, NotRun> {
        Ok(u64::try_from(self.reference.rows().len())?)
    }

    async fn migrate(&self) -> Result<session_core::Result<()>, NotRun> {
        Ok((self.migrate)(self.reference.clone()).await)
    }

    async fn write_and_crash(&self, writes: Vec<Write>) -> Result<(), NotRun> {
        // The other process: handles of its own, and what they have not written goes with them.
        let [store, _] = (self.open)(self.reference.clone());
        for write in writes {
            write.apply(&*store).await?;
        }
        Ok(())
    }

    async fn load_fixture(&self) -> Result<Vec<(SessionId, Record)>, NotRun> {
        let text = r#"{"cookie":{"originalMaxAge":null,"expires":null},"user":"alice"}"#;
        let (id, row) = (
            SessionId::new("session-of-an-older-version")?,
            Row {
                text: text.into(),
                expires: None,
            },
        );
        self.reference
            .rows()
            .insert(id.as_str().to_owned(), row.clone());
        Ok(vec![(id, row.decode()?)])
    }

    async fn remove(&self) -> Result<(), NotRun> {
        self.reference.server.remove(&self.reference.namespace);
        Ok(())
    }

    async fn leftovers(&self) -> Result<Vec<String>, NotRun> {
        let rows = self.reference.rows().len();
        Ok(match rows {
            0 => Vec::new(),
            rows => vec![format!(
                "namespace {}: {rows} rows",
                self.reference.namespace
            )],
        })
    }
}

/// The harness of the reference store.
#[derive(Clone, Debug, Default)]
pub struct ReferenceHarness {
    server: Server,
}

impl Harness for ReferenceHarness {
    const NAME: &'static str = "the reference store";
    const CAPABILITIES: Capabilities = Reference::CAPABILITIES;
    const BACKEND: Backend = Reference::BACKEND;
    const TIME: Time = Time::Manual;

    async fn open(&self, opening: Opening) -> Result<Namespace, NotRun> {
        let handle = self.server.open(&opening.namespace, opening.clock);
        let [h1, h2] = plain(handle.clone());
        let hooks = Behind {
            reference: handle,
            open: Arc::new(plain),
            migrate: MIGRATE,
        };
        Ok(Namespace::shared(h1, h2)
            .with_hooks(hooks)
            .with_secret(SECRET))
    }
}
