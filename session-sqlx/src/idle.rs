//! The connections that nobody is using.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, Id};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::driver::Driver;

/// A connection, and what is known of it.
pub(crate) struct Open<DB: Driver> {
    pub(crate) connection: DB::Connection,
    /// Where it works, if it is bound to a runtime.
    pub(crate) runtime: Option<Id>,
    /// How long it took to be made, which is several round trips.
    pub(crate) made_in: Duration,
    /// When it was last known to be there.
    pub(crate) since: Instant,
}

pub(crate) struct Idle<DB: Driver> {
    list: Mutex<Vec<Open<DB>>>,
    /// One that was idle for longer is not used again.
    limit: Duration,
    /// Told when one has come back.
    returned: Notify,
}

impl<DB: Driver> Idle<DB> {
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            list: Mutex::default(),
            limit,
            returned: Notify::new(),
        }
    }

    /// Waits until one has come back, but no longer than `limit`.
    pub(crate) async fn returned(&self, limit: Duration) {
        let _ = timeout(limit, self.returned.notified()).await;
    }

    /// The connection that was used last and can be used here. Those of other runtimes are left
    /// to them.
    pub(crate) fn pop(&self) -> Option<Open<DB>> {
        let here = runtime::<DB>();
        let mut idle = self.lock();
        let place = idle.iter().rposition(|open| open.runtime == here)?;
        let found = idle.remove(place);
        drop(idle);
        (found.since.elapsed() < self.limit).then_some(found)
    }

    pub(crate) fn put_back(&self, mut open: Open<DB>) {
        let now = Instant::now();
        open.since = now;
        let mut idle = self.lock();
        idle.push(open);
        // They lie in the order in which they were given back.
        let old = idle.partition_point(|open| now.duration_since(open.since) >= self.limit);
        let closed: Vec<_> = idle.drain(..old).collect();
        drop(idle);
        drop(closed);
        self.returned.notify_one();
    }

    /// Closes all but so many, those that were used least lately.
    pub(crate) fn keep(&self, most: usize) {
        let mut idle = self.lock();
        let surplus = idle.len().saturating_sub(most);
        let closed: Vec<_> = idle.drain(..surplus).collect();
        drop(idle);
        drop(closed);
    }

    /// Closes those that `which` says.
    pub(crate) fn forget(&self, which: impl Fn(&Open<DB>) -> bool) {
        let mut idle = self.lock();
        let closed: Vec<_> = idle.extract_if(.., |open| which(open)).collect();
        drop(idle);
        drop(closed);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Open<DB>>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The runtime to which connections made now are bound.
pub(crate) fn runtime<DB: Driver>() -> Option<Id> {
    Handle::try_current()
        .ok()
        .filter(|_| DB::BOUND_TO_RUNTIME)
        .map(|handle| handle.id())
}
