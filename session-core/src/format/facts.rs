//! What a session knows about itself: one reserved member beside the application's data, written
//! only where it is needed. Node keeps it as data that it does not know.

use std::time::{Duration, SystemTime};

use memchr::memmem;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::clock::{from_millis, to_millis};
use super::data::{Data, FACTS};
use crate::{Record, Result, SessionCookie, SessionId};

/// How long a forwarding record tells where its session went.
const GRACE: Duration = Duration::from_secs(60);

/// The longest text of a session that its forwarding record repeats, in bytes.
const MOST_REMEMBERED: usize = 64 * 1_024;

/// A forwarding record: what is left under a session's old id when the id was changed and the data
/// kept.
///
/// It leads nobody to the new session: whoever comes with the old id has none. Only a request that
/// had read the session before its id changed sends its edits after it, and whoever signs out with
/// the old id ends the new one, too.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Moved {
    #[serde(rename = "moved")]
    id: String,
    /// When the id was changed, in milliseconds since 1970.
    renewed: i64,
    /// The keys that went along, where not all did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kept: Option<Vec<String>>,
    /// Other requests that have changed the id at the same time, each with a session of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    also: Vec<Self>,
    /// The data that the session held, for another request that changes the id at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    was: Option<Box<RawValue>>,
    /// Whether another request has ended the session under this id, so that it never comes back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    ended: bool,
}

impl Moved {
    pub(crate) fn new(id: &SessionId, kept: Option<&[String]>, now: SystemTime) -> Self {
        Self {
            id: id.as_str().to_owned(),
            renewed: to_millis(now),
            kept: kept.map(<[String]>::to_vec),
            also: Vec::new(),
            was: None,
            ended: false,
        }
    }

    /// Adds the data that the session held. A large one goes without: its forwarding record must not
    /// be too large for the store, and only requests at the same time miss it.
    pub(crate) fn remembering(mut self, data: &Data) -> Self {
        let json = data.to_json(&SessionCookie::new());
        if json.len() <= MOST_REMEMBERED {
            self.was = RawValue::from_string(json).ok();
        }
        self
    }

    /// The data that the session held.
    pub(crate) fn was(&self) -> Option<Data> {
        let json = self.was.as_ref()?.get();
        Data::parse(&json.into()).ok().map(|(data, _)| data)
    }

    /// The same, with what the session held edited; `None` if that changes nothing.
    ///
    /// # Errors
    ///
    /// Those of `edit`.
    pub(crate) fn edited(
        &self,
        edit: impl FnOnce(&mut Data) -> Result<()>,
    ) -> Result<Option<Self>> {
        let Some(was) = self.was() else {
            return Ok(None);
        };
        let mut data = was.clone();
        edit(&mut data)?;
        Ok((data != was).then(|| self.clone().remembering(&data)))
    }

    /// Notes that the session has ended under this id for good.
    pub(crate) fn ended(mut self) -> Self {
        self.ended = true;
        self
    }

    /// Adds another session that this one has gone on as.
    pub(crate) fn and(mut self, mut other: Self) -> Self {
        other.was = None;
        self.also.push(other);
        self
    }

    /// What a record says of where its session went.
    pub(crate) fn read(record: &Record) -> Option<Self> {
        // With data beside it, it is a session that somebody has made of it: Node knows no difference.
        let facts = |data: &Data| match data.len() {
            1 => serde_json::from_str(data.raw(FACTS)?).ok(),
            _ => None,
        };
        match record.read_data() {
            Some(data) => facts(data),
            // A store that hands out what was written: not worth parsing for most records.
            None => memmem::find(record.json().as_bytes(), FACTS.as_bytes())
                .and_then(|_| facts(&record.data())),
        }
    }

    /// The record that says so.
    pub(crate) fn record(&self, now: SystemTime) -> Record {
        let mut cookie = SessionCookie::new();
        cookie.set_expires(Some(now + GRACE), now);
        let mut data = Data::new();
        if let Ok(facts) = serde_json::to_string(self) {
            data.insert_text(FACTS, facts.into());
        }
        Record::new(cookie, &data)
    }

    /// The ids that took over, with the keys that went along where not all did; unless that was too
    /// long ago: a touch may have kept the record.
    pub(crate) fn successors(&self, now: SystemTime) -> Vec<(SessionId, Option<Vec<String>>)> {
        std::iter::once(self)
            .chain(&self.also)
            .filter(|moved| now < from_millis(moved.renewed) + GRACE)
            .filter_map(|moved| Some((SessionId::new(&moved.id).ok()?, moved.kept.clone())))
            .collect()
    }

    /// Whether this id is among those that took over.
    pub(crate) fn leads_to(&self, id: &SessionId) -> bool {
        self.id == id.as_str() || self.also.iter().any(|moved| moved.id == id.as_str())
    }

    /// The same without this id, which nobody was told of; `None` where no other took over, so that
    /// the session may go on under its old id.
    pub(crate) fn without(mut self, id: &SessionId) -> Option<Self> {
        let (was, ended) = (self.was.take(), self.ended);
        let also = std::mem::take(&mut self.also);
        let mut left = std::iter::once(self).chain(also);
        let mut left = left.by_ref().filter(|moved| moved.id != id.as_str());
        match left.next() {
            Some(first) => Some(Self {
                also: left.collect(),
                was,
                ended,
                ..first
            }),
            // It has ended under its old id, too.
            None if ended => Some(Self {
                id: id.as_str().to_owned(),
                renewed: 0,
                kept: None,
                also: Vec::new(),
                was,
                ended,
            }),
            None => None,
        }
    }
}

impl Record {
    /// Whether this is no session but a forwarding record: what is left for a minute under a session's
    /// old id when the id was changed and the data kept. [`Store::all`](crate::Store::all) and
    /// [`Store::length`](crate::Store::length) know no difference.
    #[must_use]
    pub fn is_forward(&self) -> bool {
        Moved::read(self).is_some()
    }
}
