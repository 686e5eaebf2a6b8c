//! Expiry as the rules see it: the same on a clock that is moved and on one that runs.

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
}

impl Timing {
    pub(crate) fn new(time: Time, capabilities: &Capabilities) -> Self {
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
        }
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
            self.granularity + self.resolution + self.lag + REACTION
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

    /// The first moment at which a record that ends at `expires` must be gone.
    pub(crate) fn gone_at(&self, expires: SystemTime) -> SystemTime {
        expires + self.slack()
    }

    /// The last moment at which a record that ends at `expires` can be asked for and must be there.
    pub(crate) fn last_of(&self, expires: SystemTime) -> SystemTime {
        if self.manual {
            expires - MILLISECOND
        } else {
            expires - self.early() - MARGIN
        }
    }
}
