//! Broken stores of the group EXP.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use session_core::{
    Capabilities, Created, Error, ErrorKind, Record, Replaced, Result, SessionCookie, SessionId,
    Store, Touched,
};

use super::set::merged;
use super::{Bend, Broken, bent, each, lock, shared};
use crate::Need;
use crate::reference::{Reference, Row};
use crate::rules::exp::month_and_day;

const DAY: Duration = Duration::from_secs(86_400);

/// Declared by those whose records without an expiry are to end after a day.
const DAILY: Capabilities = Reference::CAPABILITIES.with_default_ttl(Some(DAY));

pub(super) const BROKEN: &[Broken] = &[
    Broken {
        name: "OffByOne",
        bug: "a record is live while `expires >= now`",
        open: |reference| each(reference, OffByOne::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "EndsEarly",
        bug: "the expiry is cut to whole seconds",
        open: |reference| each(reference, EndsEarly::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "NeverExpires",
        bug: "nothing ever expires",
        open: |reference| each(reference, NeverExpires::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "SweepOnly",
        bug: "`get` gives out expired records until a sweep removes them",
        open: |reference| each(reference, SweepOnly::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "CacheOutlives",
        bug: "`get` answers from a cache that does not look at the expiry",
        open: |reference| each(reference, CacheOutlives::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "Px0Error",
        bug: "a time to live of zero or less is an error (SET .. PX 0)",
        open: |reference| each(reference, Px0Error::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "PastIsForever",
        bug: "a time to live of zero or less is none: the record never ends",
        open: |reference| each(reference, PastIsForever::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "PastIsIgnored",
        bug: "`set` of a record that has expired leaves the one that is there",
        open: |reference| each(reference, PastIsIgnored::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "DefaultTtl",
        bug: "a record without an expiry ends after a day, and nobody says so",
        open: |reference| each(reference, DefaultTtl::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "NoneIsNow",
        bug: "a record without an expiry has the expiry 0",
        open: |reference| each(reference, NoneIsNow::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "TruncSeconds",
        bug: "the time to live is cut to whole seconds; none is left of less than one",
        open: |reference| each(reference, TruncSeconds::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "SubSecondIsForever",
        bug: "a time to live of less than a second is cut to 0, which means none",
        open: |reference| each(reference, SubSecondIsForever::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "RoundSeconds",
        bug: "the expiry is rounded to the nearest second",
        open: |reference| each(reference, RoundSeconds::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "Year2038",
        bug: "an expiry after 2038-01-19 is brought back to it (TIMESTAMP)",
        open: |reference| each(reference, Year2038::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "I32Millis",
        bug: "the time to live is kept in 32 bits of milliseconds",
        open: |reference| each(reference, I32Millis::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "FarWraps",
        bug: "the farthest dates wrap around in an addition",
        open: |reference| each(reference, FarWraps::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "UnsignedWrap",
        bug: "an expiry before 1970 wraps around to the farthest future",
        open: |reference| each(reference, UnsignedWrap::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "EpochIsNone",
        bug: "an expiry of 0 means none",
        open: |reference| each(reference, EpochIsNone::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "LocalTime",
        bug: "the expiry is written in local time and read as UTC",
        open: |reference| each(reference, LocalTime::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "LocalTimeTwice",
        bug: "the expiry is kept in local time, which has one hour twice",
        open: |reference| each(reference, LocalTimeTwice::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ExpiredBlocks",
        bug: "`set` does nothing where the row of an expired record stands",
        open: |reference| each(reference, ExpiredBlocks::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ExpiredShines",
        bug: "`set` over an expired record keeps its expiry when it has none of its own, and its keys",
        open: |reference| each(reference, ExpiredShines::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "OldTtlKills",
        bug: "the timer of an overwritten record removes the new one",
        open: |reference| shared(reference, OldTtlKills::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "LoseMaxAge",
        bug: "`originalMaxAge` is made anew from the expiry when a record is read",
        open: |reference| each(reference, LoseMaxAge::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ExpiryFromMaxAge",
        bug: "a record ends its `originalMaxAge` after it was written, whatever its expiry",
        open: |reference| each(reference, ExpiryFromMaxAge::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "NoTtl",
        bug: "the backend is told of no expiry, although `server_ttl` is declared",
        declares: Reference::CAPABILITIES.with_server_ttl(),
        open: |reference| each(reference, NoTtl::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ClockMix",
        bug: "the time to live is added to the server's time, and compared with the client's",
        backend: Reference::BACKEND.offers(Need::Skew),
        open: |reference| each(reference, ClockMix::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ClockMixLate",
        bug: "the time to live is counted by the server's time, and added to the client's",
        backend: Reference::BACKEND.offers(Need::Skew),
        open: |reference| each(reference, ClockMixLate::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "SharedTtl",
        bug: "the expiry of the last record that was set is that of all",
        open: |reference| each(reference, SharedTtl::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "TtlByBucket",
        bug: "records share a timer with those that end in the same ten minutes",
        open: |reference| each(reference, TtlByBucket::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "DefaultTtlForever",
        bug: "a default time to live is declared, and not set",
        declares: DAILY,
        open: |reference| each(reference, DefaultTtlForever::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "DefaultTtlNotRenewed",
        bug: "`touch` does not renew the default time to live",
        declares: DAILY,
        open: |reference| each(reference, DefaultTtlNotRenewed::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "DefaultTtlEarly",
        bug: "the default time to live counts from the first write on",
        declares: DAILY,
        open: |reference| each(reference, DefaultTtlEarly::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "TouchSticks",
        bug: "the expiry that `touch` writes has a place of its own, which `set` and `replace` do not write to",
        open: |reference| shared(reference, TouchSticks::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "CreateKeepsTouch",
        bug: "the expiry that `touch` writes has a place of its own, which `destroy` forgets",
        open: |reference| shared(reference, CreateKeepsTouch::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "TouchBySecond",
        bug: "`touch` compares whole seconds to see whether a record is live",
        open: |reference| each(reference, TouchBySecond::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ReplaceBySecond",
        bug: "`replace` compares whole seconds to see whether a record is live",
        open: |reference| each(reference, ReplaceBySecond::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "CreateBySecond",
        bug: "`create` compares whole seconds to see whether a record is live",
        open: |reference| each(reference, CreateBySecond::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "LengthBySecond",
        bug: "`length` compares whole seconds to see whether a record is live",
        open: |reference| each(reference, LengthBySecond::new),
        ..Broken::REFERENCE
    },
];

bent!(TouchSticks: HashMap<SessionId, Option<SystemTime>>, CreateKeepsTouch: HashMap<SessionId, Option<SystemTime>>, TouchBySecond, ReplaceBySecond, CreateBySecond, LengthBySecond, OffByOne, EndsEarly, NeverExpires, SweepOnly, CacheOutlives: HashMap<SessionId, Record>, Px0Error, PastIsForever, PastIsIgnored, DefaultTtl, NoneIsNow, TruncSeconds, SubSecondIsForever, RoundSeconds, Year2038, I32Millis, FarWraps, UnsignedWrap, EpochIsNone, LocalTime, LocalTimeTwice, ExpiredBlocks, ExpiredShines, OldTtlKills: HashMap<SessionId, Vec<SystemTime>>, LoseMaxAge, ExpiryFromMaxAge, NoTtl,  ClockMix, ClockMixLate, SharedTtl, TtlByBucket, DefaultTtlForever, DefaultTtlNotRenewed, DefaultTtlEarly,);

#[async_trait]
impl Bend for OffByOne {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let now = self.reference.now();
        let row = self.reference.rows().get(id.as_str()).cloned();
        let live = |row: &Row| row.expires.is_none_or(|expires| expires >= now);
        row.filter(live).map(|row| row.decode()).transpose()
    }
}

#[async_trait]
impl Bend for EndsEarly {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let mut row = Row::of(record);
        let since_1970 = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).ok();
        if let Some(end) = row.expires.and_then(since_1970) {
            row.expires = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(end.as_secs()));
        }
        self.reference.rows().insert(id.as_str().to_owned(), row);
        Ok(())
    }
}

#[async_trait]
impl Bend for NeverExpires {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let row = Row {
            expires: None,
            ..Row::of(record)
        };
        self.reference.rows().insert(id.as_str().to_owned(), row);
        Ok(())
    }
}

#[async_trait]
impl Bend for SweepOnly {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let row = self.reference.rows().get(id.as_str()).cloned();
        row.map(|row| row.decode()).transpose()
    }
}

/// Writes a record with another expiry than its own.
fn set_until(reference: &Reference, id: &SessionId, record: &Record, expires: Option<SystemTime>) {
    let row = Row {
        expires,
        ..Row::of(record)
    };
    reference.rows().insert(id.as_str().to_owned(), row);
}

/// Milliseconds since 1970; of a time before it, none.
fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

fn at(millis: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
}

#[async_trait]
impl Bend for CacheOutlives {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let found = self.reference.get(id).await?;
        let destroyed = !self.reference.rows().contains_key(id.as_str());
        let mut cache = lock(&self.state);
        match &found {
            Some(record) => cache.insert(id.clone(), record.clone()),
            None if destroyed => cache.remove(id),
            None => return Ok(cache.get(id).cloned()),
        };
        Ok(found)
    }
}

#[async_trait]
impl Bend for Px0Error {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        if record.is_expired(self.reference.now()) {
            return Err(Error::new(ErrorKind::Other, "set"));
        }
        self.reference.set(id, record).await
    }
}

#[async_trait]
impl Bend for PastIsForever {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let now = self.reference.now();
        let future = record.expires().filter(|expires| *expires > now);
        set_until(&self.reference, id, record, future);
        Ok(())
    }
}

#[async_trait]
impl Bend for PastIsIgnored {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        if record.is_expired(self.reference.now()) {
            return Ok(());
        }
        self.reference.set(id, record).await
    }
}

#[async_trait]
impl Bend for DefaultTtl {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let default = self.reference.now() + DAY;
        let expires = record.expires().unwrap_or(default);
        set_until(&self.reference, id, record, Some(expires));
        Ok(())
    }
}

#[async_trait]
impl Bend for NoneIsNow {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let expires = record.expires().unwrap_or(SystemTime::UNIX_EPOCH);
        set_until(&self.reference, id, record, Some(expires));
        Ok(())
    }
}

#[async_trait]
impl Bend for TruncSeconds {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let now = self.reference.now();
        let cut = |expires: SystemTime| {
            let left = expires.duration_since(now).unwrap_or_default();
            now + Duration::from_secs(left.as_secs())
        };
        set_until(&self.reference, id, record, record.expires().map(cut));
        Ok(())
    }
}

#[async_trait]
impl Bend for SubSecondIsForever {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let now = self.reference.now();
        let seconds = |expires: &SystemTime| {
            let left = expires.duration_since(now);
            left.map_or(true, |left| left.is_zero() || left.as_secs() > 0)
        };
        let expires = record.expires().filter(seconds);
        set_until(&self.reference, id, record, expires);
        Ok(())
    }
}

#[async_trait]
impl Bend for RoundSeconds {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let round = |expires| at((millis(expires) + 500) / 1_000 * 1_000);
        set_until(&self.reference, id, record, record.expires().map(round));
        Ok(())
    }
}

#[async_trait]
impl Bend for Year2038 {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let last = at(((1 << 31) - 1) * 1_000);
        let kept = record.expires().map(|expires| expires.min(last));
        set_until(&self.reference, id, record, kept);
        Ok(())
    }
}

#[async_trait]
impl Bend for I32Millis {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let now = self.reference.now();
        let short = |expires: SystemTime| {
            let left = expires.duration_since(now).unwrap_or_default();
            now + left.min(Duration::from_millis((1 << 31) - 1))
        };
        set_until(&self.reference, id, record, record.expires().map(short));
        Ok(())
    }
}

#[async_trait]
impl Bend for FarWraps {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        // What an addition to the largest date comes to.
        let wrapped = |expires| at(millis(expires) % 8_000_000_000_000_000);
        let expires = record.expires().map(wrapped);
        let far = expires != record.expires();
        let past = far.then(|| at(0));
        set_until(&self.reference, id, record, past.or(expires));
        Ok(())
    }
}

#[async_trait]
impl Bend for UnsignedWrap {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let wrap = |expires: SystemTime| match expires < SystemTime::UNIX_EPOCH {
            true => at(8_640_000_000_000_000),
            false => expires,
        };
        set_until(&self.reference, id, record, record.expires().map(wrap));
        Ok(())
    }
}

#[async_trait]
impl Bend for EpochIsNone {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let some = |expires: &SystemTime| *expires != SystemTime::UNIX_EPOCH;
        let expires = record.expires().filter(some);
        set_until(&self.reference, id, record, expires);
        Ok(())
    }
}

#[async_trait]
impl Bend for LocalTime {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let local = |expires| expires + Duration::from_secs(7_200);
        set_until(&self.reference, id, record, record.expires().map(local));
        Ok(())
    }
}

/// The next instant with the same local time in Berlin, where there are two.
fn same_local_time(time: SystemTime) -> SystemTime {
    const HOUR: u64 = 3_600_000;
    let (days, of_day) = (millis(time) / (24 * HOUR), millis(time) % (24 * HOUR));
    let sunday = (days + 4) % 7 == 0;
    let change = sunday && matches!(month_and_day(days), (10, 25..));
    if change && of_day < HOUR {
        time + Duration::from_millis(HOUR)
    } else {
        time
    }
}

#[async_trait]
impl Bend for LocalTimeTwice {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let kept = record.expires().map(same_local_time);
        set_until(&self.reference, id, record, kept);
        Ok(())
    }
}

#[async_trait]
impl Bend for ExpiredBlocks {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let now = self.reference.now();
        let row = self.reference.rows().get(id.as_str()).cloned();
        if row.is_some_and(|row| !row.is_live(now)) {
            return Ok(());
        }
        self.reference.set(id, record).await
    }
}

#[async_trait]
impl Bend for ExpiredShines {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let now = self.reference.now();
        let row = self.reference.rows().get(id.as_str()).cloned();
        match row.filter(|row| !row.is_live(now)) {
            Some(row) => {
                let old = row.decode()?;
                self.reference.set(id, &merged(&old, record)).await
            }
            None => self.reference.set(id, record).await,
        }
    }
}

#[async_trait]
impl Bend for OldTtlKills {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let now = self.reference.now();
        let rang = lock(&self.state)
            .get_mut(id)
            .is_some_and(|timers| timers.extract_if(.., |end| *end <= now).count() > 0);
        if rang {
            self.reference.destroy(id).await?;
        }
        self.reference.get(id).await
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        lock(&self.state)
            .entry(id.clone())
            .or_default()
            .extend(record.expires());
        self.reference.set(id, record).await
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        lock(&self.state).remove(id);
        self.reference.destroy(id).await
    }
}

#[async_trait]
impl Bend for LoseMaxAge {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let Some(found) = self.reference.get(id).await? else {
            return Ok(None);
        };
        let mut cookie = found.cookie().clone();
        cookie.set_expires(found.expires(), self.reference.now());
        Ok(Some(Record::new(cookie, &found.data())))
    }
}

#[async_trait]
impl Bend for ExpiryFromMaxAge {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let now = self.reference.now();
        let max_age = record.cookie().original_max_age();
        let expires = max_age.map(|age| now + age).or(record.expires());
        set_until(&self.reference, id, record, expires);
        Ok(())
    }
}

#[async_trait]
impl Bend for NoTtl {
    fn capabilities(&self) -> Capabilities {
        Reference::CAPABILITIES.with_server_ttl()
    }
}

#[async_trait]
impl Bend for ClockMix {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        self.reference.get(id).await
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let (server, client) = (self.reference.backend_now(), self.reference.now());
        let left = |expires: SystemTime| expires.duration_since(client).unwrap_or_default();
        let expires = record.expires().map(|expires| server + left(expires));
        set_until(&self.reference, id, record, expires);
        Ok(())
    }
}

#[async_trait]
impl Bend for ClockMixLate {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let now = self.reference.backend_now();
        let row = self.reference.rows().get(id.as_str()).cloned();
        row.filter(|row| row.is_live(now))
            .map(|row| row.decode())
            .transpose()
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let (server, client) = (self.reference.backend_now(), self.reference.now());
        let left = |expires: SystemTime| expires.duration_since(server).unwrap_or_default();
        let expires = record.expires().map(|expires| client + left(expires));
        set_until(&self.reference, id, record, expires);
        Ok(())
    }
}

#[async_trait]
impl Bend for SharedTtl {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        self.reference.set(id, record).await?;
        for row in self.reference.rows().values_mut() {
            row.expires = record.expires();
        }
        Ok(())
    }
}

#[async_trait]
impl Bend for TtlByBucket {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        const BUCKET: u64 = 600_000;
        let end = |expires| at(millis(expires).div_ceil(BUCKET) * BUCKET);
        set_until(&self.reference, id, record, record.expires().map(end));
        Ok(())
    }
}

#[async_trait]
impl Bend for DefaultTtlForever {
    fn capabilities(&self) -> Capabilities {
        DAILY
    }
}

#[async_trait]
impl Bend for DefaultTtlNotRenewed {
    fn capabilities(&self) -> Capabilities {
        DAILY
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let default = self.reference.now() + DAY;
        let expires = record.expires().unwrap_or(default);
        set_until(&self.reference, id, record, Some(expires));
        Ok(())
    }

    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        if cookie.expires().is_some() {
            return self.reference.touch(id, cookie).await;
        }
        Ok(match self.reference.get(id).await? {
            Some(_) => Touched::Touched,
            None => Touched::Missing,
        })
    }
}

#[async_trait]
impl Bend for DefaultTtlEarly {
    fn capabilities(&self) -> Capabilities {
        DAILY
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let default = self.reference.now() + DAY;
        let before = self.reference.get(id).await?;
        let before = before.and_then(|record| record.stored_expires());
        let expires = record.expires().or(before).unwrap_or(default);
        set_until(&self.reference, id, record, Some(expires));
        Ok(())
    }

    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        let mut cookie = cookie.clone();
        if cookie.expires().is_none() {
            let now = self.reference.now();
            cookie.set_expires(Some(now + DAY), now);
        }
        self.reference.touch(id, &cookie).await
    }
}

#[async_trait]
impl Bend for TouchSticks {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let touched = lock(&self.state).get(id).copied();
        let expires = touched.unwrap_or(record.expires());
        set_until(&self.reference, id, record, expires);
        Ok(())
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        lock(&self.state).remove(id);
        self.reference.destroy(id).await
    }

    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        lock(&self.state).insert(id.clone(), cookie.expires());
        self.reference.touch(id, cookie).await
    }
}

#[async_trait]
impl Bend for CreateKeepsTouch {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        lock(&self.state).remove(id);
        self.reference.set(id, record).await
    }

    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        lock(&self.state).insert(id.clone(), cookie.expires());
        self.reference.touch(id, cookie).await
    }

    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        let created = self.reference.create(id, record).await?;
        let touched = lock(&self.state).get(id).copied();
        if let (Created::Created, Some(touched)) = (created, touched) {
            set_until(&self.reference, id, record, touched);
        }
        Ok(created)
    }
}

/// Whether a row has ended by a clock of whole seconds.
fn over_by_second(reference: &Reference, row: &Row) -> bool {
    let now = millis(reference.now()) / 1_000;
    row.expires.is_some_and(|end| millis(end) / 1_000 <= now)
}

fn is_over_by_second(reference: &Reference, id: &SessionId) -> bool {
    let row = reference.rows().get(id.as_str()).cloned();
    row.is_some_and(|row| over_by_second(reference, &row))
}

#[async_trait]
impl Bend for TouchBySecond {
    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        match is_over_by_second(&self.reference, id) {
            true => Ok(Touched::Missing),
            false => self.reference.touch(id, cookie).await,
        }
    }
}

#[async_trait]
impl Bend for ReplaceBySecond {
    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        match is_over_by_second(&self.reference, id) {
            true => Ok(Replaced::Missing),
            false => self.reference.replace(id, old, new).await,
        }
    }
}

#[async_trait]
impl Bend for CreateBySecond {
    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        if is_over_by_second(&self.reference, id) {
            self.reference.destroy(id).await?;
        }
        self.reference.create(id, record).await
    }
}

#[async_trait]
impl Bend for LengthBySecond {
    async fn length(&self) -> Result<u64> {
        let rows = self.reference.rows().clone();
        let live = rows
            .values()
            .filter(|row| !over_by_second(&self.reference, row));
        Ok(u64::try_from(live.count()).unwrap_or(u64::MAX))
    }
}
