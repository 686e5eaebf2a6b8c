//! The bytes of the two trees.
//!
//! | tree | key | value |
//! |---|---|---|
//! | records | the id | 2, the end and the time it is filed under (8 bytes each), the JSON |
//! | expiries | the time it is filed under, the id | nothing |
//! | expiries | a zero byte | how many entries the tree has besides this one (8 bytes) |
//!
//! A time is in milliseconds since 1970, big-endian, with the sign bit turned over, so that the
//! order of the bytes is that of the times; one beyond the largest is none at all. Both trees name
//! each session that can be decoded once.
//!
//! A session is filed under its end or an earlier time: one that is extended stays where it is until
//! that time comes, so that extending it writes its record alone.

use std::ops::Range;
use std::time::SystemTime;

use session_core::{Clock, Error, ErrorKind, Record, Result, SessionId, StoredExpiry};

/// The version of the layout: the first byte of each record.
const VERSION: u8 = 2;
const END_BYTES: usize = 8;
const SIGN: u64 = 1 << 63;

/// The key of the count, before every end.
pub(crate) const COUNT: &[u8] = &[0];

/// When a record ends, in the form that sorts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct End(u64);

impl End {
    pub(crate) const NEVER: Self = Self(u64::MAX);

    pub(crate) fn at(time: SystemTime) -> Self {
        Self::at_millis(Clock::to_millis(time))
    }

    pub(crate) fn at_millis(millis: i64) -> Self {
        Self(millis.cast_unsigned() ^ SIGN)
    }

    /// Expired means `expires <= now`.
    pub(crate) fn is_live(self, now: Self) -> bool {
        self > now
    }

    fn stored(self) -> StoredExpiry {
        if self == Self::NEVER {
            StoredExpiry::Never
        } else {
            StoredExpiry::At(Clock::from_millis((self.0 ^ SIGN).cast_signed()))
        }
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        Some(Self(u64::from_be_bytes(bytes.try_into().ok()?)))
    }

    /// The keys of the expiries that are over at `self`.
    pub(crate) fn over(self) -> Range<[u8; END_BYTES]> {
        [0; END_BYTES]..self.0.saturating_add(1).to_be_bytes()
    }
}

/// The times of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) end: End,
    /// Where the expiries name the record: no later than its end.
    pub(crate) filed: End,
}

/// The key in the tree of expiries.
pub(crate) fn expiry_key(filed: End, id: &[u8]) -> Vec<u8> {
    [&filed.0.to_be_bytes(), id].concat()
}

/// The time and the id in a key of the tree of expiries.
pub(crate) fn parse_expiry_key(key: &[u8]) -> Option<(End, &[u8])> {
    let (end, id) = key.split_at_checked(END_BYTES)?;
    Some((End::read(end)?, id))
}

pub(crate) fn write_value(times: Times, json: &[u8]) -> Vec<u8> {
    let [end, filed] = [times.end, times.filed].map(|time| time.0.to_be_bytes());
    [&[VERSION][..], &end, &filed, json].concat()
}

/// The times and the JSON's bytes in a stored value.
pub(crate) fn parse_value<'a>(
    operation: &'static str,
    value: &'a [u8],
) -> Result<(Times, &'a [u8])> {
    let undecodable =
        |message: String| Err(Error::new(ErrorKind::Decode, operation).with_message(message));
    let rest = match value.split_first() {
        Some((&VERSION, rest)) => rest,
        Some((version, _)) => {
            return undecodable(format!(
                "the record has layout {version}, and this version of session-sled knows {VERSION}"
            ));
        }
        None => return undecodable("the record is empty".into()),
    };
    let times = rest.split_first_chunk().and_then(|(end, rest)| {
        let (filed, json) = rest.split_first_chunk()?;
        let [end, filed] = [end, filed].map(|time| End(u64::from_be_bytes(*time)));
        Some((Times { end, filed }, json))
    });
    times.map_or_else(
        || undecodable("the record ends before its JSON begins".into()),
        Ok,
    )
}

pub(crate) fn record(operation: &'static str, end: End, json: &[u8]) -> Result<Record> {
    let json = str::from_utf8(json).map_err(|_| {
        Error::new(ErrorKind::Decode, operation).with_message("the record's JSON is not UTF-8")
    })?;
    Record::decode(json, end.stored())
}

pub(crate) fn id(operation: &'static str, key: &[u8]) -> Result<SessionId> {
    let text = str::from_utf8(key).ok();
    text.and_then(|text| SessionId::new(text).ok())
        .ok_or_else(|| {
            Error::new(ErrorKind::Decode, operation).with_message("a key is not a session's id")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: i64 = 8_640_000_000_000_000;

    #[test]
    fn ends_sort_as_their_times_do_and_come_back() {
        let ends = [-MAX, -1_001, -1, 0, 1, 1_767_323_105_678, MAX].map(End::at_millis);
        assert!(ends.is_sorted() && ends.iter().all(|end| *end < End::NEVER));
        let keys = ends.map(|end| expiry_key(end, b"id"));
        assert!(keys.is_sorted() && keys.iter().all(|key| &key[..] > COUNT));
        for end in ends.into_iter().chain([End::NEVER]) {
            let filed = ends[0];
            let times = Times { end, filed };
            let value = write_value(times, b"{}");
            assert_eq!(parse_value("get", &value).unwrap(), (times, &b"{}"[..]));
            assert_eq!(
                parse_expiry_key(&expiry_key(end, b"id")).unwrap(),
                (end, &b"id"[..])
            );
        }
    }

    #[test]
    fn what_is_over_is_what_ends_at_that_time_or_before_whatever_the_id() {
        let now = End::at_millis(1_000);
        let over = now.over();
        for (end, id, expected) in [
            (999, &b"\xff\xff"[..], true),
            (1_000, b"", true),
            (1_000, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff", true),
            (1_001, b"", false),
        ] {
            let key = expiry_key(End::at_millis(end), id);
            let (start, until) = (&over.start[..], &over.end[..]);
            assert_eq!(start <= &key[..] && &key[..] < until, expected, "{end}");
        }
    }

    #[test]
    fn other_layouts_are_named_and_their_bytes_are_not() {
        let times = Times {
            end: End::NEVER,
            filed: End::NEVER,
        };
        let mut other = write_value(times, b"secret");
        other[0] = 3;
        let error = parse_value("get", &other).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert!(error.to_string().contains("layout 3"), "{error}");
        assert!(!error.to_string().contains("secret"));
        for short in [&b""[..], b"\x02", b"\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"] {
            assert_eq!(
                parse_value("get", short).unwrap_err().kind(),
                ErrorKind::Decode
            );
        }
    }
}
