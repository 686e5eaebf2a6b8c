//! Expiry as the rules see it: the same on a clock that is moved and on one that runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use session_core::{Capabilities, Clock};

use crate::Time;

/// The smallest step of a record's expiry.
const MILLISECOND: Duration = Duration::from_millis(1);
/// What a busy machine may need for the steps of a rule before they come too late.
const REACTION: Duration = Duration::from_millis(250);
/// Between a moment and the last look at what must still be there then, on a clock that runs.
const MARGIN: Duration = Duration::from_millis(100);
/// Where a manual clock stands at first: in the middle of a second, like most moments.
const START: Duration = Duration::from_millis(1_767_323_105_678);

/// The clock of a namespace, and how exactly a store on it can be held to a moment.
#[derive(Clone, Debug)]
pub(crate) struct Timing {
    pub(crate) clock: Clock,
    manual: bool,
    granularity: Duration,
    resolution: Duration,
    lag: Duration,
    default_ttl: Option<Duration>,
    /// How many times as long a busy machine may take.
    wider: u32,
    /// In microseconds, the longest that a call which succeeded has taken so far.
    slowest: Arc<AtomicU64>,
}

/// How an expiry compares with the one that is demanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// As exact as the store declares.
    Close,
    /// Off by no more than the slowest call took, which was longer than the declared lag: a time
    /// to live that was on its way for so long proves nothing against the store.
    Late,
    /// Another one.
    Off,
}

impl Timing {
    /// For a rule that has come too late `attempt` times: each time it has four times as long.
    pub(crate) fn new(time: Time, capabilities: &Capabilities, attempt: u32) -> Self {
        let (clock, manual, resolution, lag) = match time {
            Time::Manual => (
                Clock::manual(SystemTime::UNIX_EPOCH + START),
                true,
                Duration::ZERO,
                Duration::ZERO,
            ),
            Time::Real { resolution, lag } => (Clock::system(), false, resolution, lag),
        };
        Self {
            clock,
            manual,
            granularity: capabilities.granularity,
            resolution,
            lag,
            default_ttl: capabilities.default_ttl,
            wider: 4_u32.saturating_pow(attempt),
            slowest: Arc::default(),
        }
    }

    /// Notes how long a call took that succeeded.
    pub(crate) fn took(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.slowest.fetch_max(micros, Ordering::Relaxed);
    }

    /// What a slow call may have moved an expiry by: nothing on a manual clock, or while all calls
    /// stayed within the declared lag.
    fn delay(&self) -> Duration {
        let slowest = Duration::from_micros(self.slowest.load(Ordering::Relaxed));
        if self.manual || slowest <= self.lag {
            Duration::ZERO
        } else {
            slowest
        }
    }

    /// Compares an expiry that was read with the one that was written. Where none was written, a
    /// store with a default time to live may say when that ends.
    pub(crate) fn fit(&self, wanted: Option<SystemTime>, found: Option<SystemTime>) -> Fit {
        let (earliest, latest) = match (wanted, found, self.default_ttl) {
            (None, None, _) => return Fit::Close,
            (Some(wanted), Some(_), _) => (wanted, wanted),
            // It was written before now, and has not ended.
            (None, Some(_), Some(ttl)) => (self.now(), self.now() + ttl),
            _ => return Fit::Off,
        };
        let delay = self.delay();
        let within = |more: Duration| {
            found.is_some_and(|found| {
                found + self.early() + more >= earliest && found <= latest + self.slack() + more
            })
        };
        match (within(Duration::ZERO), within(delay)) {
            (true, _) => Fit::Close,
            (false, true) => Fit::Late,
            (false, false) => Fit::Off,
        }
    }

    /// Whether a record that is still there at `now` may be so because a slow call moved its end,
    /// by the expiry that it states.
    pub(crate) fn may_be_late(&self, stated: Option<SystemTime>, now: SystemTime) -> bool {
        let (delay, slack) = (self.delay(), self.slack() + self.early());
        !delay.is_zero()
            && stated.is_some_and(|stated| {
                stated + slack + delay >= now && stated <= now + slack + delay
            })
    }

    pub(crate) fn is_manual(&self) -> bool {
        self.manual
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// The time to live that rules count in: long enough for some steps to be taken within it,
    /// short enough to be waited for.
    pub(crate) fn tick(&self) -> Duration {
        if self.manual {
            Duration::from_secs(60)
        } else {
            self.granularity + self.resolution + self.lag + REACTION * self.wider
        }
    }

    /// How much later than asked a record may end: less than one step of the granularity, and what
    /// a clock of the backend's own adds.
    pub(crate) fn slack(&self) -> Duration {
        self.granularity.saturating_sub(MILLISECOND) + self.resolution + self.lag
    }

    /// How much earlier than asked an expiry may be reported: nothing on a manual clock; on a
    /// running one, what is lost between reading a time to live and adding it to the time.
    pub(crate) fn early(&self) -> Duration {
        if self.manual {
            Duration::ZERO
        } else {
            self.resolution + self.lag + MILLISECOND
        }
    }

    /// The first moment at which a record that ends at `expires` must be gone: later, if a slow
    /// call may have brought its time to live late to a backend that counts it down.
    pub(crate) fn gone_at(&self, expires: SystemTime) -> SystemTime {
        expires + self.slack() + self.delay()
    }

    /// The last moment at which a record that ends at `expires` can be asked for and must be there.
    pub(crate) fn last_of(&self, expires: SystemTime) -> SystemTime {
        if self.manual {
            expires - MILLISECOND
        } else {
            expires - self.early() - MARGIN * self.wider
        }
    }
}
