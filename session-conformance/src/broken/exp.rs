//! Broken stores of the group EXP.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use session_core::{Record, Result, SessionId};

use super::{Bend, Broken, bent, each};
use crate::reference::Row;

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
];

bent!(OffByOne, EndsEarly, NeverExpires, SweepOnly);

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
