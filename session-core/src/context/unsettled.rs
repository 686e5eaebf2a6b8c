use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{Record, SessionId};

/// How many are remembered; what is beyond ends by its max age, under an id that nobody knows.
const MOST: usize = 1_024;

/// What requests of this process have left half done: sessions that are stored under an id which no
/// browser was told. Whatever request comes next settles it.
#[derive(Default)]
pub(crate) struct Unsettled {
    list: Mutex<VecDeque<Untold>>,
    /// How many there are, to be read without the lock.
    count: AtomicUsize,
}

/// A session that was stored, or may have been, under an id which no browser was told.
#[derive(Clone)]
pub(crate) struct Untold {
    pub(crate) id: SessionId,
    /// What was stored under it last.
    pub(crate) stored: Option<Record>,
    /// The session that it was to follow, which the browser still has the cookie of, and what that
    /// held.
    pub(crate) predecessor: Option<(SessionId, Record)>,
}

impl Unsettled {
    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    pub(crate) fn add(&self, untold: Untold) {
        let mut list = self.list();
        if list.len() == MOST {
            tracing::warn!("too many interrupted changes of session ids to finish them all");
            list.pop_front();
        }
        list.push_back(untold);
        self.count.store(list.len(), Ordering::Relaxed);
    }

    /// Takes one that was to follow the session with this id, or any; it comes back unless it is
    /// [done](Taken::done).
    pub(crate) fn take(&self, successor_of: Option<&SessionId>) -> Option<Taken<'_>> {
        if self.is_empty() {
            return None;
        }
        let wanted = |untold: &Untold| match (successor_of, &untold.predecessor) {
            (None, _) => true,
            (Some(id), Some((old, _))) => old == id,
            (Some(_), None) => false,
        };
        let mut list = self.list();
        let at = list.iter().position(wanted)?;
        let untold = list.remove(at)?;
        self.count.store(list.len(), Ordering::Relaxed);
        Some(Taken {
            from: self,
            untold: Some(untold),
        })
    }

    fn list(&self) -> MutexGuard<'_, VecDeque<Untold>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a request is settling.
pub(crate) struct Taken<'a> {
    from: &'a Unsettled,
    untold: Option<Untold>,
}

impl Taken<'_> {
    pub(crate) fn untold(&self) -> Option<&Untold> {
        self.untold.as_ref()
    }

    pub(crate) fn done(&mut self) {
        self.untold = None;
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if let Some(untold) = self.untold.take() {
            self.from.add(untold);
        }
    }
}
