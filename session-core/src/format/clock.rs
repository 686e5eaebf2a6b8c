use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use crate::format::date::MAX_MILLIS;

/// The wall clock that a lifecycle and a client-side store read.
///
/// Expiry is compared in whole milliseconds, as in Node. Cloning is cheap and clones of a manual
/// clock share its time.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use session_core::Clock;
///
/// let clock = Clock::manual(SystemTime::UNIX_EPOCH);
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now(), SystemTime::UNIX_EPOCH + Duration::from_secs(60));
/// ```
#[derive(Clone, Default)]
pub struct Clock(Source);

#[derive(Clone, Default)]
enum Source {
    #[default]
    System,
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The system's clock, the default.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `start` until it is moved: for tests.
    #[must_use]
    pub fn manual(start: SystemTime) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(to_millis(start)))))
    }

    /// The time now, in whole milliseconds.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        from_millis(self.now_millis())
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn now_millis(&self) -> i64 {
        match &self.0 {
            #[expect(
                clippy::disallowed_methods,
                reason = "the one place where the clock is read"
            )]
            Source::System => to_millis(SystemTime::now()),
            Source::Manual(millis) => millis.load(Ordering::SeqCst),
        }
    }

    /// A time as this clock counts it, for a backend that keeps numbers: milliseconds since
    /// 1970-01-01T00:00:00Z, rounded towards the past, within ECMAScript's range of
    /// ±8,640,000,000,000,000.
    #[must_use]
    pub fn to_millis(time: SystemTime) -> i64 {
        to_millis(time)
    }

    /// The time of [`to_millis`](Self::to_millis).
    #[must_use]
    pub fn from_millis(millis: i64) -> SystemTime {
        from_millis(millis)
    }

    /// Moves a manual clock forward; `by` is cut to whole milliseconds.
    ///
    /// # Panics
    ///
    /// On the system's clock, which nobody here may move.
    pub fn advance(&self, by: Duration) {
        self.cell()
            .fetch_add(duration_to_millis(by), Ordering::SeqCst);
    }

    /// Sets a manual clock, also backwards.
    ///
    /// # Panics
    ///
    /// On the system's clock, which nobody here may move.
    pub fn set(&self, now: SystemTime) {
        self.cell().store(to_millis(now), Ordering::SeqCst);
    }

    fn cell(&self) -> &AtomicI64 {
        match &self.0 {
            Source::Manual(millis) => millis,
            Source::System => panic!("only a manual clock can be moved: use Clock::manual"),
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::System => f.write_str("Clock::System"),
            Source::Manual(_) => write!(f, "Clock::Manual({})", self.now_millis()),
        }
    }
}

/// Milliseconds since 1970, rounded towards the past, kept within ECMAScript's range.
pub(crate) fn to_millis(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => duration_to_millis(after),
        Err(before) => {
            let before = before.duration();
            let whole = duration_to_millis(before);
            let partial = Duration::from_millis(whole.unsigned_abs()) < before;
            (-whole - i64::from(partial)).max(-MAX_MILLIS)
        }
    }
}

pub(crate) fn from_millis(millis: i64) -> SystemTime {
    let distance = Duration::from_millis(millis.unsigned_abs());
    // A platform whose SystemTime has less range than ECMAScript's dates keeps its nearest one.
    if millis >= 0 {
        SystemTime::UNIX_EPOCH.checked_add(distance)
    } else {
        SystemTime::UNIX_EPOCH.checked_sub(distance)
    }
    .unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Whole milliseconds, at most ECMAScript's largest date.
pub(crate) fn duration_to_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).map_or(MAX_MILLIS, |millis| millis.min(MAX_MILLIS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_on_both_sides_of_1970() {
        for millis in [
            0,
            1,
            -1,
            999,
            -1_001,
            1_767_323_105_678,
            MAX_MILLIS,
            -MAX_MILLIS,
        ] {
            assert_eq!(to_millis(from_millis(millis)), millis);
        }
    }

    #[test]
    fn parts_of_a_millisecond_round_towards_the_past() {
        let half = Duration::from_micros(500);
        assert_eq!(to_millis(SystemTime::UNIX_EPOCH + half), 0);
        assert_eq!(to_millis(SystemTime::UNIX_EPOCH - half), -1);
    }

    #[test]
    fn far_times_are_held_at_the_end_of_the_range() {
        let far = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 60);
        assert_eq!(to_millis(far), MAX_MILLIS);
    }

    #[test]
    #[should_panic(expected = "only a manual clock can be moved")]
    fn the_system_clock_is_not_moved() {
        Clock::system().advance(Duration::from_secs(1));
    }
}
