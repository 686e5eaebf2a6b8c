//! Times as columns hold them: milliseconds since 1970.

use std::time::{Duration, SystemTime};

use crate::layout::LAST_DATE;

/// Rounded up, so that no record ends early; kept within ECMAScript's dates.
pub(crate) fn to_millis(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => {
            let up = u128::from(after.subsec_nanos() % 1_000_000 != 0);
            i64::try_from(after.as_millis() + up).map_or(LAST_DATE, |millis| millis.min(LAST_DATE))
        }
        Err(before) => i64::try_from(before.duration().as_millis())
            .map_or(-LAST_DATE, |millis| (-millis).max(-LAST_DATE)),
    }
}

pub(crate) fn from_millis(millis: i64) -> SystemTime {
    let distance = Duration::from_millis(millis.unsigned_abs());
    let time = if millis >= 0 {
        SystemTime::UNIX_EPOCH.checked_add(distance)
    } else {
        SystemTime::UNIX_EPOCH.checked_sub(distance)
    };
    time.unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_millisecond_round_to_the_future() {
        let epoch = SystemTime::UNIX_EPOCH;
        assert_eq!(to_millis(epoch + Duration::from_nanos(1)), 1);
        assert_eq!(to_millis(epoch - Duration::from_nanos(1)), 0);
        assert_eq!(to_millis(epoch + Duration::from_secs(1 << 60)), LAST_DATE);
        for millis in [0, 1, -1, 1_767_323_105_678, LAST_DATE, -LAST_DATE] {
            assert_eq!(to_millis(from_millis(millis)), millis);
        }
    }
}
