use std::time::{Duration, SystemTime};

use session_core::StoredExpiry;

/// How long the server is to keep a key. It counts the time itself, so that the clocks of the two
/// machines need not agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lifetime {
    /// Milliseconds, never 0: `PX 0` is an error.
    Millis(i64),
    Endless,
    /// The record has ended already.
    Over,
}

impl Lifetime {
    pub(crate) fn until(expires: SystemTime, now: SystemTime) -> Self {
        expires.duration_since(now).map_or(Self::Over, Self::of)
    }

    pub(crate) fn of(left: Duration) -> Self {
        match i64::try_from(left.as_millis()) {
            Ok(0) => Self::Over,
            Ok(millis) => Self::Millis(millis.min(LONGEST)),
            Err(_) => Self::Millis(LONGEST),
        }
    }
}

/// The largest date of ECMAScript: far beyond it, the server's own sum would overflow.
const LONGEST: i64 = 8_640_000_000_000_000;

/// What `PTTL` says of a key whose value has just been read; `None` if it has ended since.
pub(crate) fn stored_expiry(pttl: i64, now: SystemTime) -> Option<StoredExpiry> {
    match pttl {
        -1 => Some(StoredExpiry::Never),
        1.. => {
            let left = Duration::from_millis(pttl.unsigned_abs());
            // Beyond the platform's calendar is as good as never.
            Some(now.checked_add(left).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    #[test]
    fn a_lifetime_is_counted_in_milliseconds_and_ends_at_zero() {
        let millis = Duration::from_millis;
        for (left, lifetime) in [
            (millis(0), Lifetime::Over),
            (millis(1), Lifetime::Millis(1)),
            (Duration::from_micros(999), Lifetime::Over),
            (millis(1_500), Lifetime::Millis(1_500)),
            (Duration::MAX, Lifetime::Millis(LONGEST)),
        ] {
            assert_eq!(Lifetime::of(left), lifetime, "{left:?}");
        }
        assert_eq!(Lifetime::until(NOW, NOW), Lifetime::Over);
        assert_eq!(Lifetime::until(NOW, NOW + millis(1)), Lifetime::Over);
        assert_eq!(Lifetime::until(NOW + millis(7), NOW), Lifetime::Millis(7));
    }

    #[test]
    fn a_time_to_live_becomes_a_moment() {
        let at = |millis| StoredExpiry::At(NOW + Duration::from_millis(millis));
        for (pttl, expiry) in [
            (-2, None),
            (-1, Some(StoredExpiry::Never)),
            (0, None),
            (1, Some(at(1))),
            (86_400_000, Some(at(86_400_000))),
        ] {
            assert_eq!(stored_expiry(pttl, NOW), expiry, "{pttl}");
        }
    }
}
