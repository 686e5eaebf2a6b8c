use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::format::clock::{from_millis, to_millis};
use crate::{Data, Result, SessionCookie};

/// What a store keeps for a session: express-session's JSON and the time at which it ends.
///
/// A record does not change, and cloning it copies no text. It remembers the exact text it was
/// read from: [`json`](Self::json) of a record that came from [`decode`](Self::decode) is what
/// the backend holds, so that a store can compare and swap on it.
///
/// ```
/// use session_core::{Data, Record, SessionCookie};
///
/// # fn main() -> session_core::Result<()> {
/// let mut data = Data::new();
/// data.insert("views", &1)?;
/// let record = Record::new(SessionCookie::new(), &data);
/// assert_eq!(
///     record.json(),
///     r#"{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"},"views":1}"#
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Record {
    json: Json,
    cookie: SessionCookie,
    /// The end that the backend keeps, also for sessions whose cookie has none; milliseconds.
    stored_expires: Option<StoredExpires>,
}

/// A record's text.
#[derive(Clone)]
enum Json {
    Written(Arc<str>),
    /// With what was found in it.
    Read(Arc<(Arc<str>, Data)>),
}

impl Json {
    fn text(&self) -> &Arc<str> {
        match self {
            Self::Written(text) => text,
            Self::Read(read) => &read.0,
        }
    }
}

/// What a backend keeps of a record's end beside its JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredExpiry {
    /// When it will drop the record: a TTL, a column.
    At(SystemTime),
    /// That the record has no end: a key without a TTL, `NULL` in the column.
    Never,
    /// Nothing: the JSON's `expires` is the only one there is.
    InJson,
}

/// A time, or none at all: what a column or a TTL that may be missing says.
impl From<Option<SystemTime>> for StoredExpiry {
    fn from(expires: Option<SystemTime>) -> Self {
        expires.map_or(Self::Never, Self::At)
    }
}

/// One word for the backend's expiry; see `size` in the tests.
#[derive(Clone, Copy, PartialEq, Eq)]
struct StoredExpires(std::num::NonZeroI64);

impl StoredExpires {
    /// Off by one from milliseconds since 1970, so that the epoch itself has a place.
    fn new(time: SystemTime) -> Option<Self> {
        let millis = to_millis(time);
        std::num::NonZeroI64::new(if millis >= 0 { millis + 1 } else { millis }).map(Self)
    }

    fn millis(self) -> i64 {
        let millis = self.0.get();
        if millis > 0 { millis - 1 } else { millis }
    }
}

impl Record {
    /// A record to be stored: its JSON is what Node would write for this cookie and data.
    #[must_use]
    pub fn new(cookie: SessionCookie, data: &Data) -> Self {
        Self {
            json: Json::Written(data.to_json(&cookie).into()),
            cookie,
            stored_expires: None,
        }
    }

    /// A record as a backend holds it, with the expiry that the backend keeps.
    ///
    /// That expiry counts, not the JSON's: express-session's stores move only theirs when a session
    /// is touched, so that the JSON's is the one of the last full write. A cookie that ends with
    /// the browser stays one; the backend's expiry is then in
    /// [`stored_expires`](Self::stored_expires) alone.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`](crate::ErrorKind::Decode) if the text is not a session's JSON, with
    /// the place but not the text in the error.
    pub fn decode(json: impl Into<Arc<str>>, expires: StoredExpiry) -> Result<Self> {
        let json = json.into();
        let (data, cookie) = Data::parse(&json)?;
        let record = Self {
            json: Json::Read(Arc::new((json, data))),
            cookie,
            stored_expires: None,
        };
        Ok(record.with_stored_expires(expires))
    }

    /// The same record with the backend's own expiry, for a store that hands out shared records.
    #[must_use]
    pub fn with_stored_expires(mut self, expires: StoredExpiry) -> Self {
        self.stored_expires = match expires {
            StoredExpiry::At(time) => {
                self.cookie.adopt_expires(time);
                StoredExpires::new(time)
            }
            StoredExpiry::Never => {
                self.cookie.drop_expires();
                None
            }
            StoredExpiry::InJson => None,
        };
        self
    }

    /// Moves the expiry as a touch does, for a store that holds records rather than rows: to the
    /// one of `cookie`, later, earlier or none. `stored_expires` is when the store will drop the
    /// record. The text and the other settings stay.
    pub fn touch(&mut self, cookie: &SessionCookie, stored_expires: Option<SystemTime>) {
        self.cookie.move_expires(cookie);
        self.stored_expires = stored_expires.and_then(StoredExpires::new);
    }

    /// A clone with the cookie settings of `pool`, if this record has the same; an empty pool takes
    /// a copy of them first.
    ///
    /// For a store that holds records rather than rows. With a pool for each part of such a store,
    /// records do not hold a copy each, and threads that clone records of different parts do not
    /// meet at one reference count, as they do where all have an application's one cookie.
    #[must_use]
    pub fn clone_into_pool(&self, pool: &mut Option<SessionCookie>) -> Self {
        Self {
            json: self.json.clone(),
            cookie: self.cookie.clone_into_pool(pool),
            stored_expires: self.stored_expires,
        }
    }

    /// The session's JSON: what is to be stored, or what was read.
    #[must_use]
    pub fn json(&self) -> &str {
        self.json.text()
    }

    /// The session's JSON, shared.
    #[must_use]
    pub fn shared_json(&self) -> &Arc<str> {
        self.json.text()
    }

    /// The cookie settings, with the expiry that counts.
    #[must_use]
    pub fn cookie(&self) -> &SessionCookie {
        &self.cookie
    }

    /// When the session ends; `None` for one that ends with the browser, whose time in the store
    /// is the store's choice.
    #[must_use]
    pub fn expires(&self) -> Option<SystemTime> {
        self.cookie.expires()
    }

    /// When the backend will drop the record, if it said so: also set for sessions that end with
    /// the browser, where it is the backend's default time to live.
    #[must_use]
    pub fn stored_expires(&self) -> Option<SystemTime> {
        self.stored_expires_millis().map(from_millis)
    }

    /// The same in milliseconds since 1970, as [`Clock::to_millis`](crate::Clock::to_millis) counts
    /// them.
    #[must_use]
    pub fn stored_expires_millis(&self) -> Option<i64> {
        self.stored_expires.map(StoredExpires::millis)
    }

    /// Whether the record has ended at `now`: expired means `expires <= now`.
    #[must_use]
    pub fn is_expired(&self, now: SystemTime) -> bool {
        self.cookie.is_expired(now) || self.stored_expires().is_some_and(|end| end <= now)
    }

    /// The data, to read or to make another record from.
    #[must_use]
    pub fn data(&self) -> Data {
        match &self.json {
            Json::Written(text) => Data::from_written(text),
            Json::Read(read) => read.1.clone(),
        }
    }

    /// The data, if the record was read and so holds it.
    pub(crate) fn read_data(&self) -> Option<&Data> {
        match &self.json {
            Json::Written(_) => None,
            Json::Read(read) => Some(&read.1),
        }
    }

    /// Whether both hold the same text, as a conditional write compares them. The expiry that a
    /// touch moves is not part of it.
    #[must_use]
    pub fn same_json(&self, other: &Self) -> bool {
        let (text, other) = (self.json.text(), other.json.text());
        Arc::ptr_eq(text, other) || text == other
    }
}

/// Two records are equal if their texts and their cookies, expiry included, are.
impl PartialEq for Record {
    fn eq(&self, other: &Self) -> bool {
        self.same_json(other) && self.cookie == other.cookie
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("json", &format_args!("{} bytes", self.json().len()))
            .field("cookie", &self.cookie)
            .field("stored_expires", &self.stored_expires())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn row(max_age: &str, expires: &str) -> String {
        format!(r#"{{"cookie":{{"originalMaxAge":{max_age},"expires":{expires}}},"a":1}}"#)
    }

    #[test]
    fn the_backends_expiry_counts_and_the_text_stays() {
        let text = row("60000", r#""2001-01-01T00:00:00.000Z""#);
        let end = SystemTime::UNIX_EPOCH + HOUR;
        let record = Record::decode(text.as_str(), StoredExpiry::At(end)).unwrap();
        assert_eq!(record.expires(), Some(end));
        assert_eq!(record.stored_expires(), Some(end));
        assert_eq!(record.json(), text);
        assert!(record.is_expired(end));
        assert!(!record.is_expired(end - Duration::from_millis(1)));
    }

    #[test]
    fn a_browser_session_stays_one_whatever_the_backend_keeps() {
        for none in ["null", "false"] {
            let end = SystemTime::UNIX_EPOCH + HOUR;
            let record = Record::decode(row(none, none), StoredExpiry::At(end)).unwrap();
            assert_eq!(record.expires(), None);
            assert_eq!(record.stored_expires(), Some(end));
            assert!(record.is_expired(end));
        }
    }

    #[test]
    fn without_a_backends_expiry_the_json_has_the_word() {
        let record = Record::decode(
            row("1", r#""1970-01-01T01:00:00.000Z""#),
            StoredExpiry::InJson,
        )
        .unwrap();
        assert_eq!(record.expires(), Some(SystemTime::UNIX_EPOCH + HOUR));
        assert_eq!(record.stored_expires(), None);
    }

    #[test]
    fn a_touch_moves_the_expiry_and_nothing_else() {
        let now = SystemTime::UNIX_EPOCH;
        let text = row("60000", r#""1970-01-01T00:01:00.000Z""#);
        let mut record = Record::decode(text.as_str(), StoredExpiry::InJson).unwrap();
        let mut cookie = SessionCookie::new();
        cookie.set_path("/elsewhere");
        for age in [Some(HOUR), Some(Duration::from_millis(1)), None] {
            cookie.set_max_age(age, now);
            record.touch(&cookie, cookie.expires());
            assert_eq!(record.expires(), age.map(|age| now + age));
            assert_eq!(record.stored_expires(), record.expires());
        }
        record.touch(&cookie, Some(now + HOUR));
        assert_eq!(record.expires(), None);
        assert!(record.is_expired(now + HOUR));
        assert_eq!(record.json(), text);
        assert_eq!(record.cookie().path(), "/");
        assert_eq!(
            record.cookie().original_max_age(),
            Some(Duration::from_secs(60))
        );
    }

    #[test]
    fn a_backend_that_keeps_a_record_for_ever_overrules_a_stale_date() {
        let text = row("60000", r#""2001-01-01T00:00:00.000Z""#);
        let record = Record::decode(text.as_str(), StoredExpiry::Never).unwrap();
        assert_eq!((record.expires(), record.stored_expires()), (None, None));
        assert_eq!(
            record.cookie().original_max_age(),
            Some(Duration::from_secs(60))
        );
        assert_eq!(record.json(), text);
    }

    #[test]
    fn stored_expiry_holds_every_instant() {
        for millis in [
            0,
            1,
            -1,
            -5_000,
            crate::format::date::MAX_MILLIS,
            -crate::format::date::MAX_MILLIS,
        ] {
            let time = from_millis(millis);
            assert_eq!(StoredExpires::new(time).unwrap().millis(), millis);
        }
    }

    #[test]
    fn debug_shows_no_data_and_the_size_is_known() {
        let record = Record::decode(row("null", "null"), StoredExpiry::InJson).unwrap();
        assert!(!format!("{record:?}").contains("\"a\""));
        // An in-memory store pays for this with every session.
        assert_eq!(size_of::<Record>(), 48);
    }
}
