//! Expiries that are moved, cut or lost.

use std::time::{Duration, SystemTime};

use crate::broken::mutant::{Fault, How};

const DAY: u64 = 86_400_000;

pub(super) const FAULTS: &[Fault] = &[
    at(
        "WholeSeconds",
        "cuts the expiry to whole seconds",
        |_, end| end / 1_000 * 1_000,
    ),
    at(
        "WholeSecondsUp",
        "rounds the expiry up to whole seconds",
        |_, end| end.div_ceil(1_000) * 1_000,
    ),
    at(
        "NearestSecond",
        "rounds the expiry to the nearest second",
        |_, end| (end + 500) / 1_000 * 1_000,
    ),
    at(
        "TenMilliseconds",
        "cuts the expiry to hundredths of a second",
        |_, end| end / 10 * 10,
    ),
    at(
        "MillisecondLess",
        "ends a record a millisecond early",
        |_, end| end - 1,
    ),
    at(
        "MillisecondMore",
        "ends a record a millisecond late (`<` for `<=`)",
        |_, end| end + 1,
    ),
    at(
        "LateOnTheSecond",
        "ends a record on a whole second one second late (dates as text)",
        |_, end| {
            if end % 1_000 == 0 { end + 1_000 } else { end }
        },
    ),
    at(
        "LateAtHalf",
        "ends a record on half a second late",
        |_, end| {
            if end % 1_000 == 500 { end + 1 } else { end }
        },
    ),
    at("MinuteLess", "ends a record a minute early", |_, end| {
        end.saturating_sub(60_000)
    }),
    at(
        "Wraps32Bits",
        "keeps the time to live in 32 bits of milliseconds",
        |now, end| {
            if end - now.min(end) >= 1 << 31 {
                now.saturating_sub(1)
            } else {
                end
            }
        },
    ),
    at(
        "WrapsUnsigned32",
        "keeps the time to live modulo 2^32 milliseconds",
        |now, end| {
            if end > now {
                now + (end - now) % (1 << 32)
            } else {
                end
            }
        },
    ),
    at(
        "StopsAtDays25",
        "keeps no time to live beyond 2^31 - 1 milliseconds",
        |now, end| end.min(now + (1 << 31) - 1),
    ),
    at(
        "StopsAtDays30",
        "takes a time to live of more than 30 days for a date (memcached)",
        |now, end| {
            if end > now + 30 * DAY { end - 1 } else { end }
        },
    ),
    at(
        "StopsAtYear",
        "keeps no time to live beyond a year",
        |now, end| end.min(now + 366 * DAY),
    ),
    at(
        "StopsAt2038",
        "keeps no expiry after 2038-01-19 (TIMESTAMP)",
        |_, end| end.min((1 << 31) * 1_000 - 1),
    ),
    at(
        "StopsAt2106",
        "keeps no expiry after 2^32 seconds",
        |_, end| end.min((1 << 32) * 1_000 - 1),
    ),
    at(
        "FloatSeconds",
        "keeps the expiry as a float of 24 bits of a day",
        |_, end| {
            if end % DAY > DAY / 2 {
                end / 8 * 8
            } else {
                end
            }
        },
    ),
    at(
        "DateOnly",
        "keeps the day alone of what ends after a year",
        |now, end| {
            if end > now + 366 * DAY {
                end / DAY * DAY
            } else {
                end
            }
        },
    ),
    at(
        "MidnightSlips",
        "takes midnight for that of the day before",
        |_, end| {
            if end % DAY == 0 { end - DAY } else { end }
        },
    ),
    at(
        "NewYearSlips",
        "takes the last second of a year for that of the next",
        |_, end| {
            if end % DAY == DAY - 1 {
                end + 365 * DAY
            } else {
                end
            }
        },
    ),
    at("LeapDaySlips", "knows no leap days", |_, end| {
        if end / DAY == 21_243 { end + DAY } else { end }
    }),
    at(
        "SummerTime",
        "takes the expiry for local time in the night in which the clocks change",
        |now, end| {
            let days = end.saturating_sub(now) / DAY;
            if (200..330).contains(&days) {
                end + 3_600_000
            } else {
                end
            }
        },
    ),
    end(
        "NoneIsDay",
        "ends a record without an expiry after a day",
        |now, end| end.or(Some(now + Duration::from_secs(86_400))),
    ),
    end("NoneIsZero", "takes no expiry for 1970", |_, end| {
        end.or(Some(SystemTime::UNIX_EPOCH))
    }),
    end(
        "PastIsNone",
        "takes a time to live of zero or less for none",
        |now, end| end.filter(|end| *end > now),
    ),
    end("EpochIsNever", "takes the expiry 0 for none", |_, end| {
        end.filter(|end| *end != SystemTime::UNIX_EPOCH)
    }),
    moves(
        "OnlyLater",
        "moves the expiry only to a later one",
        |old, new| match (old, new) {
            (Some(old), Some(new)) => Some(old.max(new)),
            _ => new,
        },
    ),
    moves(
        "OnlyEarlier",
        "moves the expiry only to an earlier one",
        |old, new| match (old, new) {
            (Some(old), Some(new)) => Some(old.min(new)),
            _ => new,
        },
    ),
    moves(
        "KeepsEnd",
        "keeps the expiry that is there (KEEPTTL)",
        |old, new| old.or(new),
    ),
    moves(
        "NoneKeepsEnd",
        "keeps the expiry that is there where the new one is none (COALESCE)",
        |old, new| new.or(old),
    ),
    moves(
        "NeverGetsEnd",
        "leaves a record without an expiry without one",
        |old, new| old.and(new),
    ),
    end(
        "SlidesOn",
        "gives what is about to end another second",
        |now, end| {
            end.map(|end| match end.duration_since(now) {
                Ok(left) if left < Duration::from_millis(2) => now + Duration::from_secs(1),
                _ => end,
            })
        },
    ),
    at(
        "FromNow",
        "counts the time to live from a moment later",
        |now, end| {
            if end > now { end + 3 } else { end }
        },
    ),
];

const fn at(name: &'static str, bug: &'static str, change: fn(u64, u64) -> u64) -> Fault {
    Fault {
        name,
        bug,
        how: How::Millis(change),
        shared: false,
    }
}

const fn end(
    name: &'static str,
    bug: &'static str,
    change: fn(SystemTime, Option<SystemTime>) -> Option<SystemTime>,
) -> Fault {
    Fault {
        name,
        bug,
        how: How::Expiry(change),
        shared: false,
    }
}

const fn moves(
    name: &'static str,
    bug: &'static str,
    change: fn(Option<SystemTime>, Option<SystemTime>) -> Option<SystemTime>,
) -> Fault {
    Fault {
        name,
        bug,
        how: How::Moves(change),
        shared: false,
    }
}
