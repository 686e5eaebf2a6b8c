use std::time::Duration;

use session_core::Clock;

use crate::MemoryStore;
use crate::sessions::Sessions;

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
/// | [`default_ttl`](Self::default_ttl) | none: such sessions stay until they are destroyed |
/// | [`max_sessions`](Self::max_sessions) | none |
/// | [`shards`](Self::shards) | 64, or fewer with a small `max_sessions` |
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct MemoryStoreBuilder {
    clock: Clock,
    default_ttl: Option<Duration>,
    max_sessions: Option<usize>,
    shards: Option<usize>,
}

impl MemoryStoreBuilder {
    /// The clock that decides what has expired: for tests.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// How long a session whose cookie ends with the browser lives after it was last written or
    /// touched.
    pub fn default_ttl(mut self, default_ttl: Duration) -> Self {
        self.default_ttl = Some(default_ttl);
        self
    }

    /// The most sessions that the store holds at any time, at least 1; see
    /// [eviction](MemoryStore#eviction).
    pub fn max_sessions(mut self, max_sessions: usize) -> Self {
        self.max_sessions = Some(max_sessions.max(1));
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
            self.default_ttl,
            self.max_sessions,
        ))
    }
}
