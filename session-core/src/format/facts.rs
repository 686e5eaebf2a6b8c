//! What a session knows about itself: one reserved member beside the application's data, written
//! only where it is needed. Node keeps it as data that it does not know.

use std::time::{Duration, SystemTime};

use memchr::memmem;
use serde::{Deserialize, Serialize};

use super::clock::{from_millis, to_millis};
use super::data::Data;
use crate::{Record, SessionCookie, SessionId};

/// The reserved member's key.
pub(crate) const FACTS: &str = "@session";

/// How long a forwarding record tells where its session went.
const GRACE: Duration = Duration::from_secs(60);

/// A forwarding record: what is left under a session's old id when the id was changed and the data
/// kept.
///
/// It leads nobody to the new session: whoever comes with the old id has none. Only a request that
/// had read the session before its id changed sends its edits after it, and whoever signs out with
/// the old id ends the new one, too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Moved {
    #[serde(rename = "moved")]
    id: String,
    /// When the id was changed, in milliseconds since 1970.
    renewed: i64,
    /// The keys that went along, where not all did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kept: Option<Vec<String>>,
}

impl Moved {
    pub(crate) fn new(id: &SessionId, kept: Option<&[String]>, now: SystemTime) -> Self {
        Self {
            id: id.as_str().to_owned(),
            renewed: to_millis(now),
            kept: kept.map(<[String]>::to_vec),
        }
    }

    /// What a record says of where its session went.
    pub(crate) fn read(record: &Record) -> Option<Self> {
        let facts = |data: &Data| serde_json::from_str(data.raw(FACTS)?).ok();
        match record.read_data() {
            Some(data) => facts(data),
            // A store that hands out what was written: not worth parsing for most records.
            None => memmem::find(record.json().as_bytes(), FACTS.as_bytes())
                .and_then(|_| facts(&record.data())),
        }
    }

    /// The record that says so.
    pub(crate) fn record(&self, source: &SessionCookie, now: SystemTime) -> Record {
        let mut cookie = source.clone();
        cookie.set_expires(Some(now + GRACE), now);
        let mut data = Data::new();
        if let Ok(facts) = serde_json::to_string(self) {
            data.insert_text(FACTS, facts.into());
        }
        Record::new(cookie, &data)
    }

    /// The id that took over, unless that was too long ago: a touch may have kept the record.
    pub(crate) fn successor(&self, now: SystemTime) -> Option<SessionId> {
        let until = from_millis(self.renewed) + GRACE;
        SessionId::new(&self.id).ok().filter(|_| now < until)
    }

    pub(crate) fn leads_to(&self, id: &SessionId) -> bool {
        self.id == id.as_str()
    }

    pub(crate) fn kept(&self) -> Option<&[String]> {
        self.kept.as_deref()
    }
}
