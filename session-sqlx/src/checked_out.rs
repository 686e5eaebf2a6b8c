//! A connection in use.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Id;
use tokio::sync::OwnedSemaphorePermit;

use crate::driver::Driver;
use crate::pool::Shared;

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

/// The right to use a connection; whoever writes has a second one.
pub(crate) struct Permits {
    pub(crate) _any: OwnedSemaphorePermit,
    pub(crate) _writer: Option<OwnedSemaphorePermit>,
}

/// A connection in use: it goes back into the pool when this is dropped, unless an answer is still
/// to come on it, or it was closed.
pub(crate) struct CheckedOut<DB: Driver> {
    open: Option<Open<DB>>,
    pool: Arc<Shared<DB>>,
    fresh: bool,
    permits: Option<Permits>,
    /// A statement was sent, and its answer is not there yet.
    busy: bool,
}

impl<DB: Driver> CheckedOut<DB> {
    pub(crate) fn new(
        open: Open<DB>,
        pool: Arc<Shared<DB>>,
        permits: Permits,
        fresh: bool,
    ) -> Self {
        Self {
            open: Some(open),
            pool,
            fresh,
            permits: Some(permits),
            busy: false,
        }
    }

    /// It was made for this use.
    pub(crate) fn is_fresh(&self) -> bool {
        self.fresh
    }

    pub(crate) fn made_in(&self) -> Duration {
        self.open
            .as_ref()
            .map_or(Duration::ZERO, |open| open.made_in)
    }

    /// The connection, for a question: until [`answered`](Self::answered) says so, it is of no use
    /// to anybody else.
    pub(crate) fn ask(&mut self) -> &mut DB::Connection {
        self.busy = true;
        &mut self
            .open
            .as_mut()
            .expect("given up once, at the end")
            .connection
    }

    pub(crate) fn answered(&mut self) {
        self.busy = false;
    }

    /// Closes it, and returns the right to another one.
    pub(crate) fn close(mut self) -> Option<Permits> {
        drop(self.open.take());
        self.permits.take()
    }
}

impl<DB: Driver> Drop for CheckedOut<DB> {
    fn drop(&mut self) {
        if let Some(open) = self.open.take()
            && !self.busy
        {
            self.pool.put_back(open);
        }
    }
}
