//! One part of a store: the sessions, where each one is, and when each one ends.

use std::hash::BuildHasher;
use std::time::SystemTime;

use arrayvec::ArrayVec;
use foldhash::fast::RandomState;
use session_core::{Record, SessionCookie, SessionId};

use crate::deadlines::Deadlines;
use crate::index::Index;
use crate::slab::{NO_DEADLINE, Slab, Slot};

/// What [`Shard::reclaim`] left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing that has expired is left.
    Settled,
    /// There is more to look at.
    Pending,
    /// An expired session is left, because no more were to be removed.
    Expired,
}

/// Every method takes the time as milliseconds since 1970 and an id with its hash.
#[derive(Debug)]
pub(crate) struct Shard {
    hasher: RandomState,
    index: Index,
    slab: Slab,
    /// The deadline of a session is never later than its end. It may be earlier: a session that
    /// was extended is moved when its old deadline comes up, not at every touch.
    deadlines: Deadlines,
    /// The cookie settings that the records here share.
    pub(crate) settings: Option<SessionCookie>,
    /// The first so many slots are those of sessions that have come back: somebody has read them
    /// since they were made. The others may be evicted.
    returned: u32,
    /// The slot of the next session to evict, if it is one of those.
    hand: u32,
}

impl Shard {
    pub(crate) fn new(hasher: RandomState) -> Self {
        Self {
            hasher,
            index: Index::default(),
            slab: Slab::default(),
            deadlines: Deadlines::default(),
            settings: None,
            returned: 0,
            hand: 0,
        }
    }

    /// The number of sessions, those among them that have expired included.
    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    /// An empty shard takes the place of this one, which is returned.
    pub(crate) fn take(&mut self) -> Self {
        let hasher = self.hasher.clone();
        std::mem::replace(self, Self::new(hasher))
    }

    /// Where the session is, whether or not it has expired.
    pub(crate) fn find(&self, hash: u64, id: &SessionId) -> Option<u32> {
        // Not `SessionId`'s own comparison: whoever can measure it would first have to guess an id
        // with the same keyed hash.
        let is_it = |slot| self.slab.get(slot).id.as_str() == id.as_str();
        self.index.find(lower(hash), is_it)
    }

    /// Where the live session is.
    pub(crate) fn find_live(&self, hash: u64, id: &SessionId, now: i64) -> Option<u32> {
        self.find(hash, id).filter(|&at| !self.is_expired(at, now))
    }

    pub(crate) fn record(&self, at: u32) -> &Record {
        &self.slab.get(at).record
    }

    pub(crate) fn is_expired(&self, at: u32, now: i64) -> bool {
        self.end_of(at) <= now
    }

    pub(crate) fn live_ids(&self, now: i64) -> Vec<SessionId> {
        let live = self
            .slab
            .iter()
            .filter(|slot| !has_expired(&slot.record, now));
        let mut ids = Vec::with_capacity(self.len());
        ids.extend(live.map(|slot| slot.id.clone()));
        ids
    }

    /// Adds a session that is not there yet.
    pub(crate) fn insert(&mut self, hash: u64, id: SessionId, record: Record) {
        let at = self.slab.push(Slot {
            id,
            record,
            deadline: NO_DEADLINE,
        });
        self.index.insert(lower(hash), at);
        self.schedule(at);
    }

    /// Adds a session that is not there yet in the place of one that has not come back, and returns
    /// that one's record.
    pub(crate) fn supplant(&mut self, at: u32, hash: u64, id: SessionId, record: Record) -> Record {
        self.index.remove(self.hash_of(at), at);
        let slot = self.slab.get_mut(at);
        slot.id = id;
        let old = std::mem::replace(&mut slot.record, record);
        self.index.insert(lower(hash), at);
        self.schedule(at);
        old
    }

    /// Writes another record for a session, and returns the old one.
    pub(crate) fn overwrite(&mut self, at: u32, record: Record) -> Record {
        let old = std::mem::replace(&mut self.slab.get_mut(at).record, record);
        self.end_moved(at, end(&old));
        old
    }

    /// Moves the end of a session.
    pub(crate) fn touch(&mut self, at: u32, cookie: &SessionCookie, end: Option<SystemTime>) {
        let before = self.end_of(at);
        self.slab.get_mut(at).record.touch(cookie, end);
        self.end_moved(at, before);
    }

    /// Notes that somebody has come back to a session, which is never evicted from then on, and says
    /// where it is now.
    pub(crate) fn keep(&mut self, at: u32) -> u32 {
        if at < self.returned {
            return at;
        }
        let kept = self.returned;
        self.swap(at, kept);
        self.returned += 1;
        kept
    }

    fn swap(&mut self, one: u32, other: u32) {
        if one == other {
            return;
        }
        self.index
            .swap((self.hash_of(one), one), (self.hash_of(other), other));
        self.slab.swap(one, other);
        for at in [one, other] {
            let deadline = self.slab.get(at).deadline;
            if deadline != NO_DEADLINE {
                self.deadlines.slot_moved(deadline, at);
            }
        }
    }

    /// Takes a session out. Others may have its place and the next ones afterwards.
    pub(crate) fn remove(&mut self, mut at: u32) -> Record {
        if at < self.returned {
            self.returned -= 1;
            self.swap(at, self.returned);
            at = self.returned;
        }
        let deadline = self.slab.get(at).deadline;
        if deadline != NO_DEADLINE {
            self.deadlines.remove(deadline, &mut self.slab);
        }
        self.index.remove(self.hash_of(at), at);
        let slot = self.slab.swap_remove(at);
        self.follow_moved(at);
        slot.record
    }

    /// The slot that was the last one is now at `at`.
    fn follow_moved(&mut self, at: u32) {
        if at as usize == self.len() {
            return;
        }
        let moved = self.slab.get(at);
        if moved.deadline != NO_DEADLINE {
            self.deadlines.slot_moved(moved.deadline, at);
        }
        let last = u32::try_from(self.len()).expect("a slot's number");
        self.index.relocate(self.hash_of(at), last, at);
    }

    fn hash_of(&self, at: u32) -> u32 {
        lower(self.hasher.hash_one(&self.slab.get(at).id))
    }

    fn end_of(&self, at: u32) -> i64 {
        end(self.record(at))
    }

    /// The session ends at another time than before.
    fn end_moved(&mut self, at: u32, before: i64) {
        // The deadline is no later than the old end, so that a later one need not read it.
        if self.slab.get(at).deadline == NO_DEADLINE || self.end_of(at) < before {
            self.schedule(at);
        }
    }

    /// Sees to it that the session's deadline is no later than its end.
    fn schedule(&mut self, at: u32) {
        let Slot {
            record, deadline, ..
        } = self.slab.get(at);
        let (end, deadline) = (end(record), *deadline);
        if deadline == NO_DEADLINE {
            if end != NEVER {
                self.deadlines.push(end, at, &mut self.slab);
            }
        } else if end < self.deadlines.at(deadline) {
            self.deadlines.reschedule(deadline, end, &mut self.slab);
        }
    }

    /// Looks at up to `steps` sessions whose deadline has come and moves those that have expired,
    /// at most `limit`, to `removed`.
    pub(crate) fn reclaim<const N: usize>(
        &mut self,
        now: i64,
        steps: usize,
        limit: usize,
        removed: &mut ArrayVec<Record, N>,
    ) -> Due {
        let most = removed.len().saturating_add(limit);
        for _ in 0..steps {
            let Some((_, at)) = self.deadlines.first().filter(|(due, _)| *due <= now) else {
                return Due::Settled;
            };
            let end = self.end_of(at);
            let deadline = self.slab.get(at).deadline;
            if end == NEVER {
                self.deadlines.remove(deadline, &mut self.slab);
            } else if end > now {
                self.deadlines.reschedule(deadline, end, &mut self.slab);
            } else if removed.len() == most {
                return Due::Expired;
            } else {
                removed.push(self.remove(at));
            }
        }
        Due::Pending
    }

    /// The session to evict when another one needs its place: of those that have not come back, the
    /// next one in turn.
    pub(crate) fn victim(&mut self) -> Option<u32> {
        let len = u32::try_from(self.len()).expect("a slot's number");
        if self.returned == len {
            return None;
        }
        let at = if (self.returned..len).contains(&self.hand) {
            self.hand
        } else {
            self.returned
        };
        self.hand = at + 1;
        Some(at)
    }
}

/// The end of a session that has none.
const NEVER: i64 = i64::MAX;

pub(crate) fn has_expired(record: &Record, now: i64) -> bool {
    end(record) <= now
}

/// When a stored record ends, in milliseconds since 1970.
fn end(record: &Record) -> i64 {
    record.stored_expires_millis().unwrap_or(NEVER)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the upper half chooses the shard"
)]
fn lower(hash: u64) -> u32 {
    hash as u32
}

#[cfg(test)]
mod tests;
