//! A connection in use.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;

use crate::driver::Driver;
use crate::idle::{Idle, Open};

/// The right to use a connection; whoever writes has a second one.
pub(crate) struct Permits {
    pub(crate) _any: OwnedSemaphorePermit,
    pub(crate) _writer: Option<OwnedSemaphorePermit>,
}

/// A connection in use: it goes back into the pool when this is dropped, unless an answer is still
/// to come on it, or it was closed.
pub(crate) struct CheckedOut<DB: Driver> {
    open: Option<Open<DB>>,
    idle: Arc<Idle<DB>>,
    fresh: bool,
    permits: Option<Permits>,
    /// A statement was sent, and its answer is not there yet.
    busy: bool,
}

impl<DB: Driver> CheckedOut<DB> {
    pub(crate) fn new(open: Open<DB>, idle: Arc<Idle<DB>>, permits: Permits, fresh: bool) -> Self {
        Self {
            open: Some(open),
            idle,
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
            self.idle.put_back(open);
        }
    }
}
