use std::time::{Duration, SystemTime};

use crate::{Record, SessionCookie};

/// Which sessions a read is to touch, and how: see [`Store::get_and_touch`].
///
/// A session's max age is its own, and known only when it has been read. So the question names the
/// one that most sessions of an application have, and the store touches a session in the same step
/// if that is its max age, and leaves it alone otherwise.
///
/// [`Store::get_and_touch`]: crate::Store::get_and_touch
#[derive(Clone, Debug)]
pub struct Renewal {
    cookie: SessionCookie,
    now: SystemTime,
    touch_after: Duration,
}

/// What [`Store::get_and_touch`](crate::Store::get_and_touch) did beyond reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Renewed {
    /// The expiry is where a touch would have moved it, and so is that of the record that was
    /// returned.
    Touched,
    /// Nothing was changed: the session has another max age, or was touched a short while ago.
    Left,
}

impl Renewal {
    /// Touches sessions whose original max age is `max_age`, in milliseconds (`None`: those that
    /// end with the browser), so that they end that long after `now`.
    #[must_use]
    pub fn new(max_age: Option<Duration>, now: SystemTime) -> Self {
        let mut cookie = SessionCookie::new();
        cookie.set_max_age(max_age, now);
        Self {
            cookie,
            now,
            touch_after: Duration::ZERO,
        }
    }

    /// Leaves sessions alone that were touched less than this ago.
    #[must_use]
    pub fn touch_after(mut self, touch_after: Duration) -> Self {
        self.touch_after = touch_after;
        self
    }

    /// The cookie that a [`touch`](crate::Store::touch) would get: its `expires` is where the
    /// expiry is to move.
    #[must_use]
    pub fn cookie(&self) -> &SessionCookie {
        &self.cookie
    }

    /// When a session that is touched ends in a store with this
    /// [`default_ttl`](crate::Capabilities::default_ttl).
    #[must_use]
    pub fn end(&self, default_ttl: Option<Duration>) -> Option<SystemTime> {
        self.cookie
            .expires()
            .or_else(|| self.now.checked_add(default_ttl?))
    }

    /// The latest end of a session for which a touch is due; one that ends later was touched a
    /// short while ago. `None` where every one is due: without a
    /// [`touch_after`](Self::touch_after), say.
    #[must_use]
    pub fn latest_due(&self, default_ttl: Option<Duration>) -> Option<SystemTime> {
        if self.touch_after.is_zero() {
            return None;
        }
        self.end(default_ttl)?.checked_sub(self.touch_after)
    }

    /// How the JSON of the sessions to touch begins, for a store that can look at a row's first
    /// bytes: express-session writes the cookie first and its original max age first in it. A
    /// session that was stored in another order is touched at the end of its request.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use session_core::Renewal;
    ///
    /// let renewal = Renewal::new(Some(Duration::from_secs(60)), SystemTime::now());
    /// assert_eq!(renewal.json_start(), r#"{"cookie":{"originalMaxAge":60000,"#);
    /// ```
    #[must_use]
    pub fn json_start(&self) -> String {
        let mut start = String::with_capacity(64);
        start.push_str("{\"cookie\":");
        self.cookie.write_json_start(&mut start);
        start.push(',');
        start
    }

    /// Whether `record` is to be touched now, for a store that holds records.
    #[must_use]
    pub fn applies_to(&self, record: &Record, default_ttl: Option<Duration>) -> bool {
        let due = || match (self.latest_due(default_ttl), record.stored_expires()) {
            (Some(latest), Some(end)) => end <= latest,
            _ => true,
        };
        self.cookie.same_max_age(record.cookie()) && due()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StoredExpiry;

    const MINUTE: Duration = Duration::from_secs(60);
    const DAY: Duration = Duration::from_secs(86_400);

    fn record(max_age: &str, end: Option<SystemTime>) -> Record {
        let row = format!(r#"{{"cookie":{{"originalMaxAge":{max_age},"expires":null}}}}"#);
        Record::decode(row, StoredExpiry::from(end)).unwrap()
    }

    #[test]
    fn a_session_is_touched_if_it_has_the_max_age_and_a_touch_is_due() {
        let now = SystemTime::UNIX_EPOCH + DAY;
        let renewal = Renewal::new(Some(MINUTE), now);
        assert_eq!(renewal.end(Some(DAY)), Some(now + MINUTE));
        let applies = |renewal: &Renewal, max_age: &str, end: Option<SystemTime>| {
            renewal.applies_to(&record(max_age, end), Some(DAY))
        };
        assert!(applies(&renewal, "60000", Some(now + MINUTE)));
        assert!(applies(&renewal, "60000", None));
        for other in ["59999", "null", "false", "600000", "6000"] {
            assert!(!applies(&renewal, other, Some(now + MINUTE)), "{other}");
        }
        // Whatever its end: by a clock that is ahead, or after touches out of order.
        assert_eq!(renewal.latest_due(Some(DAY)), None);
        assert!(applies(&renewal, "60000", Some(now + DAY)));
        let patient = renewal.touch_after(MINUTE / 2);
        assert!(applies(&patient, "60000", Some(now + MINUTE / 2)));
        assert!(!applies(
            &patient,
            "60000",
            Some(now + MINUTE / 2 + Duration::from_millis(1))
        ));
    }

    #[test]
    fn a_session_that_ends_with_the_browser_is_touched_by_the_stores_time_to_live() {
        let now = SystemTime::UNIX_EPOCH + DAY;
        let renewal = Renewal::new(None, now).touch_after(MINUTE);
        assert_eq!(renewal.end(Some(DAY)), Some(now + DAY));
        assert_eq!((renewal.end(None), renewal.latest_due(None)), (None, None));
        assert!(renewal.applies_to(&record("null", Some(now + DAY - MINUTE)), Some(DAY)));
        assert!(!renewal.applies_to(&record("null", Some(now + DAY)), Some(DAY)));
        assert!(!renewal.applies_to(&record("false", Some(now)), Some(DAY)));
    }

    #[test]
    fn the_json_begins_as_rows_do() {
        let now = SystemTime::UNIX_EPOCH;
        for max_age in [None, Some(Duration::ZERO), Some(DAY)] {
            let renewal = Renewal::new(max_age, now);
            let mut cookie = SessionCookie::new();
            cookie.set_path("/elsewhere");
            cookie.set_max_age(max_age, now + DAY);
            let row = Record::new(cookie, &crate::Data::new());
            assert!(row.json().starts_with(&renewal.json_start()));
        }
    }
}
