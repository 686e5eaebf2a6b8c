//! What all handles on a store share, and the operations on it.

use std::hash::BuildHasher;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use arrayvec::ArrayVec;
use foldhash::fast::RandomState;
use session_core::{Clock, Created, Record, Replaced, SessionCookie, SessionId, Swept, Touched};

use crate::bound::Bound;
use crate::shard::{Due, Shard, has_expired};

/// How many due sessions an operation clears away on its way: more than the one it may add.
const PER_OPERATION: usize = 2;

/// How many due sessions are looked at before the lock is released: some tens of microseconds.
const PER_BATCH: usize = 64;

/// The records that an operation takes out, its own and those it clears away. Declared before the
/// lock is taken, they are dropped after it is released.
type Removed = ArrayVec<Record, { PER_OPERATION + 1 }>;

/// There is no place for a new session, and none that may be evicted for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full {
    pub(crate) max_sessions: usize,
}

pub(crate) struct Sessions {
    /// A power of two of them.
    shards: Box<[Aligned]>,
    hasher: RandomState,
    clock: Clock,
    ttl: Option<Duration>,
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
        ttl: Option<Duration>,
        max_sessions: Option<usize>,
    ) -> Self {
        let hasher = RandomState::default();
        let shard = || Aligned(Mutex::new(Shard::new(hasher.clone())));
        Self {
            shards: std::iter::repeat_with(shard).take(shards).collect(),
            hasher,
            clock,
            ttl,
            bound: max_sessions.map(Bound::new),
        }
    }

    pub(crate) fn ttl(&self) -> Option<Duration> {
        self.ttl
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
        let at = self.keep(&mut shard, at);
        Some(shard.record(at).clone())
    }

    /// As [`get`](Self::get), but nobody has come back.
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

    pub(crate) fn set(&self, id: &SessionId, record: &Record) -> Result<(), Full> {
        self.write(id, record, false).map(drop)
    }

    pub(crate) fn create(&self, id: &SessionId, record: &Record) -> Result<Created, Full> {
        self.write(id, record, true)
    }

    fn write(&self, id: &SessionId, record: &Record, only_new: bool) -> Result<Created, Full> {
        loop {
            if let Some(created) = self.put(id, record, only_new) {
                return Ok(created);
            }
            self.make_room(id)?;
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
            let victim = shard.victim()?;
            removed.push(shard.supplant(victim, hash, id.clone(), record));
        }
        Some(Created::Created)
    }

    /// Gives up a place wherever there is one, for a write to a shard that has none: that of expired
    /// sessions, or of one that has not come back. Begins with the shard of `id`, so that no other
    /// one pays for all.
    fn make_room(&self, id: &SessionId) -> Result<(), Full> {
        let first = self.index_of(self.hash(id));
        for number in 0..self.shards.len() {
            let mut removed = ArrayVec::<_, PER_BATCH>::new();
            let mut shard = self.shards[(first + number) & (self.shards.len() - 1)].lock();
            shard.reclaim(self.clock.now_millis(), PER_BATCH, PER_BATCH, &mut removed);
            if removed.is_empty() {
                removed.extend(shard.victim().map(|at| shard.remove(at)));
            }
            drop(shard);
            if !removed.is_empty() {
                self.release(removed.len());
                return Ok(());
            }
        }
        // Another thread may have given a place back meanwhile; then the next request finds it.
        Err(Full {
            max_sessions: self.bound.as_ref().map_or(usize::MAX, Bound::max),
        })
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
        let at = self.keep(&mut shard, at);
        shard.touch(at, cookie, self.end(cookie));
        if shard.is_expired(at, now) {
            removed.push(self.remove(&mut shard, at));
        }
        Touched::Touched
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

    fn shard(&self, hash: u64) -> &Aligned {
        &self.shards[self.index_of(hash)]
    }

    /// The upper half of the hash chooses the shard; the lower one is the shard's own.
    fn index_of(&self, hash: u64) -> usize {
        (hash >> 32) as usize & (self.shards.len() - 1)
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

    /// Notes that somebody has come back to a session; without a bound nothing is ever evicted.
    fn keep(&self, shard: &mut Shard, at: u32) -> u32 {
        match self.bound {
            Some(_) => shard.keep(at),
            None => at,
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
            .or_else(|| self.clock.now().checked_add(self.ttl?))
    }
}
