use std::time::Duration;

use session_core::Clock;

use crate::MemoryStore;
use crate::sessions::Sessions;

/// How long sessions live whose cookie ends with the browser, as in the other stores.
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// Some 25 MB of empty sessions.
const MAX_SESSIONS: usize = 100_000;

/// Enough that threads seldom meet at one.
const SHARDS: usize = 64;

/// With a bound, a shard is to have this many sessions at least: eviction chooses among those of
/// one shard.
const BOUND_PER_SHARD: usize = 64;

/// The options of a [`MemoryStore`], from [`MemoryStore::builder`].
///
/// | option | default |
/// |---|---|
/// | [`clock`](Self::clock) | the system's |
/// | [`ttl`](Self::ttl) | a day |
/// | [`max_sessions`](Self::max_sessions) | 100,000 |
/// | [`shards`](Self::shards) | 64, or fewer with a small `max_sessions` |
#[derive(Clone, Debug)]
#[must_use]
pub struct MemoryStoreBuilder {
    clock: Clock,
    ttl: Option<Duration>,
    max_sessions: Option<usize>,
    shards: Option<usize>,
}

impl Default for MemoryStoreBuilder {
    fn default() -> Self {
        Self {
            clock: Clock::default(),
            ttl: Some(DAY),
            max_sessions: Some(MAX_SESSIONS),
            shards: None,
        }
    }
}

impl MemoryStoreBuilder {
    /// The clock that decides what has expired: for tests.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// How long a session whose cookie ends with the browser lives after it was last written or
    /// touched; `None` keeps such sessions until they are destroyed.
    pub fn ttl(mut self, ttl: impl Into<Option<Duration>>) -> Self {
        self.ttl = ttl.into();
        self
    }

    /// The most sessions that the store holds at any time, at least 1; `None` is as many as memory
    /// holds. What happens at the bound is told under [eviction](MemoryStore#eviction).
    pub fn max_sessions(mut self, max_sessions: impl Into<Option<usize>>) -> Self {
        self.max_sessions = max_sessions.into().map(|max| max.max(1));
        self
    }

    /// The number of parts with a lock each, rounded up to a power of two, at most 65,536.
    pub fn shards(mut self, shards: usize) -> Self {
        self.shards = Some(shards.clamp(1, 1 << 16).next_power_of_two());
        self
    }

    /// An empty store.
    #[must_use]
    pub fn build(self) -> MemoryStore {
        let shards = self.shards.unwrap_or_else(|| {
            self.max_sessions.map_or(SHARDS, |max| {
                let shards = (max / BOUND_PER_SHARD).clamp(1, SHARDS);
                1 << shards.ilog2()
            })
        });
        MemoryStore::from_sessions(Sessions::new(
            shards,
            self.clock,
            self.ttl,
            self.max_sessions,
        ))
    }
}
