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
    list: Mutex<VecDeque<Entry>>,
    /// How many there are, to be read without the lock.
    count: AtomicUsize,
}

struct Entry {
    untold: Untold,
    /// Whether a request is settling it.
    claimed: bool,
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

impl Untold {
    fn follows(&self, id: &SessionId) -> bool {
        self.predecessor.as_ref().is_some_and(|(old, _)| old == id)
    }
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
        list.push_back(Entry {
            untold,
            claimed: false,
        });
        self.count.store(list.len(), Ordering::Relaxed);
    }

    /// Whether there is one that was to follow the session with this id, claimed or not.
    pub(crate) fn has_successor_of(&self, id: &SessionId) -> bool {
        !self.is_empty() && self.list().iter().any(|entry| entry.untold.follows(id))
    }

    /// Claims one that was to follow the session with this id, or any, for this request to settle.
    pub(crate) fn claim(&self, successor_of: Option<&SessionId>) -> Option<Claim<'_>> {
        if self.is_empty() {
            return None;
        }
        let mut list = self.list();
        let wanted = |untold: &Untold| successor_of.is_none_or(|id| untold.follows(id));
        let entry = list
            .iter_mut()
            .find(|entry| !entry.claimed && wanted(&entry.untold))?;
        entry.claimed = true;
        Some(Claim {
            from: self,
            untold: entry.untold.clone(),
            done: false,
        })
    }

    fn list(&self) -> MutexGuard<'_, VecDeque<Entry>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a request is settling. Unless it is [done](Self::done), another one does it.
pub(crate) struct Claim<'a> {
    from: &'a Unsettled,
    untold: Untold,
    done: bool,
}

impl Claim<'_> {
    pub(crate) fn untold(&self) -> &Untold {
        &self.untold
    }

    pub(crate) fn done(&mut self) {
        self.done = true;
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut list = self.from.list();
        let Some(at) = list
            .iter()
            .position(|entry| entry.untold.id == self.untold.id)
        else {
            return;
        };
        if self.done {
            list.remove(at);
        } else {
            list[at].claimed = false;
        }
        self.from.count.store(list.len(), Ordering::Relaxed);
    }
}
