use std::sync::{Arc, Weak};
use std::time::Duration;

use session_core::Store;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::SqlxStore;
use crate::inner::Inner;

/// How many records one statement removes: others wait for its locks.
const BATCH: usize = 1_000;

/// A task that removes expired sessions, from [`SqlxStore::sweeper`].
///
/// It runs as long as this handle lives; dropping the handle stops it. It does not keep the store
/// alive, and ends with it.
#[derive(Debug)]
#[must_use = "the sweeper stops when its handle is dropped"]
pub struct SweepTask(JoinHandle<()>);

impl SqlxStore {
    /// Starts a task that removes expired sessions every `interval`, for as long as the handle
    /// that it returns lives.
    ///
    /// An error does not end it: it is logged, and the next turn comes.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn sweeper(&self, interval: Duration) -> SweepTask {
        SweepTask::start(Arc::downgrade(self.inner()), interval)
    }
}

impl SweepTask {
    fn start(store: Weak<Inner>, every: Duration) -> Self {
        Self(tokio::spawn(async move {
            // Two turns are never at the same time, and a late one is not made up for.
            let mut turns = interval(every.max(Duration::from_millis(1)));
            turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                turns.tick().await;
                let Some(store) = store.upgrade().map(SqlxStore::new) else {
                    return;
                };
                if let Err(error) = turn(&store).await {
                    tracing::warn!(%error, "expired sessions could not be removed; trying again");
                }
            }
        }))
    }
}

async fn turn(store: &SqlxStore) -> session_core::Result<()> {
    while store.sweep(BATCH).await?.more {}
    Ok(())
}

impl Drop for SweepTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}
