//! What all handles on a store share, and the operations on it.

use std::hash::BuildHasher;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use arrayvec::ArrayVec;
use foldhash::fast::RandomState;
use session_core::{
    Clock, Created, Record, Renewal, Renewed, Replaced, SessionCookie, SessionId, Swept, Touched,
};

use crate::bound::Bound;
use crate::shard::{Due, Shard, has_expired};

/// How many due sessions an operation clears away on its way: more than the one it may add.
const PER_OPERATION: usize = 2;

/// How many due sessions are looked at before the lock is released: some tens of microseconds.
const PER_BATCH: usize = 64;

/// The records that an operation takes out, its own and those it clears away. Declared before the
/// lock is taken, they are dropped after it is released.
type Removed = ArrayVec<Record, { PER_OPERATION + 1 }>;

pub(crate) struct Sessions {
    /// A power of two of them.
    shards: Box<[Aligned]>,
    hasher: RandomState,
    clock: Clock,
    default_ttl: Option<Duration>,
    bound: Option<Bound>,
}

/// A shard with cache lines of its own, so that the locks of neighbours do not slow each other.
#[repr(align(128))]
struct Aligned(Mutex<Shard>);

impl Aligned {
    /// No code but ours runs under the lock, so a panic elsewhere leaves a shard whole.
    fn lock(&self) -> MutexGuard<'_, Shard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sessions {
    pub(crate) fn new(
        shards: usize,
        clock: Clock,
        default_ttl: Option<Duration>,
        max_sessions: Option<usize>,
    ) -> Self {
        let hasher = RandomState::default();
        let shard = || Aligned(Mutex::new(Shard::new(hasher.clone())));
        Self {
            shards: std::iter::repeat_with(shard).take(shards).collect(),
            hasher,
            clock,
            default_ttl,
            bound: max_sessions.map(Bound::new),
        }
    }

    pub(crate) fn default_ttl(&self) -> Option<Duration> {
        self.default_ttl
    }

    pub(crate) fn shard_count(&self) -> usize {
        self.shards.len()
    }

    /// The number of sessions in memory, expired or not.
    pub(crate) fn stored(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    pub(crate) fn get(&self, id: &SessionId) -> Option<Record> {
        let mut removed = Removed::new();
        let hash = self.hash(id);
        let (mut shard, now) = self.enter(hash, &mut removed);
        let at = shard.find_live(hash, id, now)?;
        if self.bound.is_some() {
            shard.mark_used(at);
        }
        Some(shard.record(at).clone())
    }

    /// As [`get`](Self::get), without counting as a use.
    pub(crate) fn peek(&self, id: &SessionId) -> Option<Record> {
        let hash = self.hash(id);
        let shard = self.shard(hash).lock();
        let at = shard.find_live(hash, id, self.clock.now_millis())?;
        Some(shard.record(at).clone())
    }

    pub(crate) fn contains(&self, id: &SessionId) -> bool {
        let hash = self.hash(id);
        let shard = self.shard(hash).lock();
        shard.find_live(hash, id, self.clock.now_millis()).is_some()
    }

    pub(crate) fn set(&self, id: &SessionId, record: &Record) {
        while self.put(id, record, false).is_none() {
            self.evict_anywhere();
        }
    }

    pub(crate) fn create(&self, id: &SessionId, record: &Record) -> Created {
        loop {
            if let Some(created) = self.put(id, record, true) {
                return created;
            }
            self.evict_anywhere();
        }
    }

    /// Writes the record, unless there is a live one and `only_new`. `None` if there is no place
    /// for it and no session in its shard to evict.
    fn put(&self, id: &SessionId, record: &Record, only_new: bool) -> Option<Created> {
        let mut removed = Removed::new();
        let hash = self.hash(id);
        let (mut shard, now) = self.enter(hash, &mut removed);
        let found = shard.find(hash, id);
        if only_new && found.is_some_and(|at| !shard.is_expired(at, now)) {
            return Some(Created::Exists);
        }
        let record = self.to_stored(record, &mut shard);
        if let Some(at) = found {
            removed.push(self.overwrite(&mut shard, at, record, now));
        } else if has_expired(&record, now) {
            // Accepted, and gone already.
        } else if self.admit() {
            shard.insert(hash, id.clone(), record);
        } else {
            let victim = shard.victim(now)?;
            removed.push(shard.supplant(victim, hash, id.clone(), record));
        }
        Some(Created::Created)
    }

    pub(crate) fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Replaced {
        let mut removed = Removed::new();
        let hash = self.hash(id);
        let (mut shard, now) = self.enter(hash, &mut removed);
        let Some(at) = shard.find_live(hash, id, now) else {
            return Replaced::Missing;
        };
        if !shard.record(at).same_json(old) {
            return Replaced::Conflict;
        }
        let new = self.to_stored(new, &mut shard);
        removed.push(self.overwrite(&mut shard, at, new, now));
        Replaced::Replaced
    }

    pub(crate) fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Touched {
        let mut removed = Removed::new();
        let hash = self.hash(id);
        let (mut shard, now) = self.enter(hash, &mut removed);
        let Some(at) = shard.find_live(hash, id, now) else {
            return Touched::Missing;
        };
        shard.touch(at, cookie, self.end(cookie));
        if shard.is_expired(at, now) {
            removed.push(self.remove(&mut shard, at));
        }
        Touched::Touched
    }

    pub(crate) fn get_and_touch(
        &self,
        id: &SessionId,
        renewal: &Renewal,
    ) -> Option<(Record, Renewed)> {
        let mut removed = Removed::new();
        let hash = self.hash(id);
        let (mut shard, now) = self.enter(hash, &mut removed);
        let at = shard.find_live(hash, id, now)?;
        if !renewal.applies_to(shard.record(at), self.default_ttl) {
            if self.bound.is_some() {
                shard.mark_used(at);
            }
            return Some((shard.record(at).clone(), Renewed::Left));
        }
        shard.touch(at, renewal.cookie(), renewal.end(self.default_ttl));
        let record = shard.record(at).clone();
        if shard.is_expired(at, now) {
            removed.push(self.remove(&mut shard, at));
        }
        Some((record, Renewed::Touched))
    }

    pub(crate) fn destroy(&self, id: &SessionId) {
        let mut removed = Removed::new();
        let hash = self.hash(id);
        let (mut shard, _) = self.enter(hash, &mut removed);
        if let Some(at) = shard.find(hash, id) {
            removed.push(self.remove(&mut shard, at));
        }
    }

    pub(crate) fn clear(&self) {
        for shard in &self.shards {
            let old = shard.lock().take();
            self.release(old.len());
        }
    }

    pub(crate) fn length(&self) -> usize {
        let mut length = 0;
        let _ = self.settle(usize::MAX, |shard| length += shard.len());
        length
    }

    pub(crate) fn sweep(&self, limit: usize) -> Swept {
        self.settle(limit, |_| ())
    }

    /// The ids of the live sessions in one shard.
    pub(crate) fn ids(&self, shard: usize) -> Vec<SessionId> {
        self.shards[shard].lock().live_ids(self.clock.now_millis())
    }

    /// Goes round the shards in short turns until nothing that has expired is left in any, or
    /// `limit` sessions are removed; `settled` sees each shard as it is without expired sessions.
    fn settle(&self, limit: usize, mut settled: impl FnMut(&Shard)) -> Swept {
        let mut swept = Swept {
            removed: 0,
            more: false,
        };
        let mut unsettled: Vec<_> = self.shards.iter().collect();
        while !unsettled.is_empty() && !swept.more {
            unsettled.retain(|shard| {
                let mut removed = ArrayVec::<_, PER_BATCH>::new();
                let mut shard = shard.lock();
                let now = self.clock.now_millis();
                let due = shard.reclaim(now, PER_BATCH, limit - swept.removed, &mut removed);
                if due == Due::Settled {
                    settled(&shard);
                }
                drop(shard);
                self.release(removed.len());
                swept.removed += removed.len();
                swept.more |= due == Due::Expired;
                due != Due::Settled
            });
        }
        swept
    }

    fn hash(&self, id: &SessionId) -> u64 {
        self.hasher.hash_one(id)
    }

    /// Locks the shard of a hash, reads the clock and clears a few expired sessions away.
    fn enter(&self, hash: u64, removed: &mut Removed) -> (MutexGuard<'_, Shard>, i64) {
        let mut shard = self.shard(hash).lock();
        let now = self.clock.now_millis();
        shard.reclaim(now, PER_OPERATION, PER_OPERATION, removed);
        self.release(removed.len());
        (shard, now)
    }

    /// The upper half of the hash chooses the shard; the lower one is the shard's own.
    fn shard(&self, hash: u64) -> &Aligned {
        &self.shards[(hash >> 32) as usize & (self.shards.len() - 1)]
    }

    fn overwrite(&self, shard: &mut Shard, at: u32, record: Record, now: i64) -> Record {
        if has_expired(&record, now) {
            self.remove(shard, at)
        } else {
            shard.overwrite(at, record)
        }
    }

    fn remove(&self, shard: &mut Shard, at: u32) -> Record {
        let record = shard.remove(at);
        self.release(1);
        record
    }

    /// Evicts a session wherever there is one, for a write to a shard that has none.
    fn evict_anywhere(&self) {
        for shard in &self.shards {
            let mut removed = Removed::new();
            let mut shard = shard.lock();
            if let Some(at) = shard.victim(self.clock.now_millis()) {
                removed.push(self.remove(&mut shard, at));
                return;
            }
        }
    }

    fn admit(&self) -> bool {
        self.bound.as_ref().is_none_or(Bound::admit)
    }

    fn release(&self, sessions: usize) {
        if let Some(bound) = &self.bound {
            bound.release(sessions);
        }
    }

    /// The record with the end that this store gives it. It shares its cookie settings with its own
    /// shard only: one reference count for all would be where all threads meet.
    fn to_stored(&self, record: &Record, shard: &mut Shard) -> Record {
        let mut stored = record.clone_into_pool(&mut shard.settings);
        stored.touch(record.cookie(), self.end(record.cookie()));
        stored
    }

    fn end(&self, cookie: &SessionCookie) -> Option<SystemTime> {
        cookie
            .expires()
            .or_else(|| self.clock.now().checked_add(self.default_ttl?))
    }
}
