use std::sync::Weak;
use std::time::Duration;

use session_core::Store;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::SqlxStore;
use crate::store::Inner;

/// How many records one statement removes: others wait for its locks.
const BATCH: usize = 1_000;

/// A task that removes expired sessions, from [`SqlxStore::sweeper`].
///
/// It runs as long as this handle lives; dropping the handle stops it. It does not keep the store
/// alive, and ends with it.
#[derive(Debug)]
#[must_use = "the sweeper stops when its handle is dropped"]
pub struct SweepTask(JoinHandle<()>);

impl SweepTask {
    pub(crate) fn start(store: Weak<Inner>, every: Duration) -> Self {
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
