//! Broken stores of the group SET.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use session_core::{Data, Record, Result, SessionId, Store};

use super::{Bend, Broken, bent, each, lock, shared};
use crate::reference::{Reference, Row};

pub(super) const BROKEN: &[Broken] = &[
    Broken {
        name: "DropsWrites",
        bug: "`set` answers `Ok` and does nothing",
        open: |reference| each(reference, DropsWrites::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "Reencodes",
        bug: "the JSON is parsed and written anew with sorted keys (JSONB)",
        open: |reference| each(reference, Reencodes::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "LosesExpiry",
        bug: "`set` stores the data without the expiry",
        open: |reference| each(reference, LosesExpiry::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ExpiryFromNow",
        bug: "every record ends a day from now, whatever its cookie says",
        open: |reference| each(reference, ExpiryFromNow::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "MergeOnSet",
        bug: "`set` writes key by key into what is there (HSET)",
        open: |reference| each(reference, MergeOnSet::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "InsertIgnore",
        bug: "`set` leaves an existing row alone (INSERT IGNORE)",
        open: |reference| each(reference, InsertIgnore::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "KeepOldTtl",
        bug: "overwriting keeps the old expiry (KEEPTTL)",
        open: |reference| each(reference, KeepOldTtl::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "LoseTtl",
        bug: "overwriting drops the expiry (SET XX without EX)",
        open: |reference| each(reference, LoseTtl::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "SetOnlyExtends",
        bug: "overwriting keeps the later one of both expiries",
        open: |reference| each(reference, SetOnlyExtends::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "AliasIn",
        bug: "`set` keeps a reference to the caller's text",
        open: |reference| shared(reference, AliasIn::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "AppendOnly",
        bug: "`set` inserts one more row each time; there is no unique key",
        open: |reference| each(reference, AppendOnly::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "PrefixWrite",
        bug: "`set` writes to every id that begins with this one",
        open: |reference| each(reference, PrefixWrite::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "AsyncWrite",
        bug: "`set` answers before it has written",
        open: |reference| shared(reference, AsyncWrite::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "StaleReadCache",
        bug: "a handle's cache does not hear of the handle's own writes",
        open: |reference| each(reference, StaleReadCache::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "WriteBehind",
        bug: "a handle keeps its writes until the next one and sees only its own",
        open: |reference| each(reference, WriteBehind::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "PrivateCache",
        bug: "a handle answers from its cache, which no other handle's writes reach",
        open: |reference| each(reference, PrivateCache::new),
        ..Broken::REFERENCE
    },
];

bent!(
    DropsWrites,
    Reencodes,
    LosesExpiry,
    ExpiryFromNow,
    MergeOnSet,
    InsertIgnore,
    KeepOldTtl,
    LoseTtl,
    SetOnlyExtends,
    AliasIn: HashMap<String, (Weak<str>, Option<SystemTime>)>,
    AppendOnly,
    PrefixWrite,
    AsyncWrite: Option<(SessionId, Record)>,
    StaleReadCache: HashMap<SessionId, Record>,
    WriteBehind: Option<(SessionId, Record)>,
    PrivateCache: HashMap<SessionId, Record>,
);

fn put(reference: &Reference, id: &SessionId, row: Row) {
    reference.rows().insert(id.as_str().to_owned(), row);
}

fn row(reference: &Reference, id: &SessionId) -> Option<Row> {
    let now = reference.now();
    reference
        .rows()
        .get(id.as_str())
        .filter(|row| row.is_live(now))
        .cloned()
}

#[async_trait]
impl Bend for DropsWrites {
    async fn set(&self, _: &SessionId, _: &Record) -> Result<()> {
        Ok(())
    }
}

#[async_trait]
impl Bend for Reencodes {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let mut row = Row::of(record);
        if let Ok(value) = serde_json::from_str::<serde_json::Value>(&row.text) {
            row.text = value.to_string().into();
        }
        put(&self.reference, id, row);
        Ok(())
    }
}

#[async_trait]
impl Bend for LosesExpiry {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let row = Row {
            expires: None,
            ..Row::of(record)
        };
        put(&self.reference, id, row);
        Ok(())
    }
}

#[async_trait]
impl Bend for ExpiryFromNow {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let tomorrow = self.reference.now() + Duration::from_secs(86_400);
        let row = Row {
            expires: Some(tomorrow),
            ..Row::of(record)
        };
        put(&self.reference, id, row);
        Ok(())
    }
}

/// The keys of `new`, and those of `old` that it does not have.
pub(super) fn merged(old: &Record, new: &Record) -> Record {
    let (mut data, ghosts): (Data, Data) = (new.data(), old.data());
    for (key, value) in ghosts.iter() {
        if !data.contains_key(&key) {
            let value: serde_json::Value = serde_json::from_str(value).unwrap_or_default();
            // The key was in a session's data before, so it is none that is refused.
            let _ = data.insert(&key, &value);
        }
    }
    Record::new(new.cookie().clone(), &data)
}

#[async_trait]
impl Bend for MergeOnSet {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        match self.reference.get(id).await? {
            Some(old) => self.reference.set(id, &merged(&old, record)).await,
            None => self.reference.set(id, record).await,
        }
    }
}

#[async_trait]
impl Bend for InsertIgnore {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        if row(&self.reference, id).is_none() {
            self.reference.set(id, record).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Bend for KeepOldTtl {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let mut new = Row::of(record);
        if let Some(old) = row(&self.reference, id) {
            new.expires = old.expires;
        }
        put(&self.reference, id, new);
        Ok(())
    }
}

#[async_trait]
impl Bend for LoseTtl {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let mut new = Row::of(record);
        if row(&self.reference, id).is_some() {
            new.expires = None;
        }
        put(&self.reference, id, new);
        Ok(())
    }
}

#[async_trait]
impl Bend for SetOnlyExtends {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let mut new = Row::of(record);
        if let Some(old) = row(&self.reference, id) {
            new.expires = old.expires.zip(new.expires).map(|(old, new)| old.max(new));
        }
        put(&self.reference, id, new);
        Ok(())
    }
}

#[async_trait]
impl Bend for AliasIn {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let kept = lock(&self.state).get(id.as_str()).cloned();
        let Some((text, expires)) = kept else {
            return Ok(None);
        };
        let live = expires.is_none_or(|expires| expires > self.reference.now());
        let text = text.upgrade().filter(|_| live);
        text.map(|text| Record::decode(text, expires.into()))
            .transpose()
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let kept = (Arc::downgrade(record.shared_json()), record.expires());
        lock(&self.state).insert(id.as_str().to_owned(), kept);
        Ok(())
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        lock(&self.state).remove(id.as_str());
        Ok(())
    }
}

#[async_trait]
impl Bend for AppendOnly {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let mut rows = self.reference.rows();
        if let Some(old) = rows.remove(id.as_str()) {
            let number = rows.len();
            rows.insert(format!("{}, version {number}", id.as_str()), old);
        }
        rows.insert(id.as_str().to_owned(), Row::of(record));
        Ok(())
    }
}

#[async_trait]
impl Bend for PrefixWrite {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        self.reference.set(id, record).await?;
        for (key, row) in self.reference.rows().iter_mut() {
            if key.starts_with(id.as_str()) {
                *row = Row::of(record);
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Bend for AsyncWrite {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let found = self.reference.get(id).await;
        let queued = lock(&self.state).take();
        if let Some((id, record)) = queued {
            self.reference.set(&id, &record).await?;
        }
        found
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let queued = lock(&self.state).replace((id.clone(), record.clone()));
        match queued {
            Some((id, record)) => self.reference.set(&id, &record).await,
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Bend for StaleReadCache {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        if let Some(cached) = lock(&self.state).get(id) {
            return Ok(Some(cached.clone()));
        }
        let found = self.reference.get(id).await?;
        if let Some(record) = &found {
            lock(&self.state).insert(id.clone(), record.clone());
        }
        Ok(found)
    }
}

#[async_trait]
impl Bend for WriteBehind {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        match &*lock(&self.state) {
            Some((written, record)) if written == id => return Ok(Some(record.clone())),
            _ => {}
        }
        self.reference.get(id).await
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let before = lock(&self.state).replace((id.clone(), record.clone()));
        match before {
            Some((id, record)) => self.reference.set(&id, &record).await,
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Bend for PrivateCache {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let cached = lock(&self.state).get(id).cloned();
        if cached
            .as_ref()
            .is_some_and(|record| !record.is_expired(self.reference.now()))
        {
            return Ok(cached);
        }
        let found = self.reference.get(id).await?;
        if let Some(record) = &found {
            lock(&self.state).insert(id.clone(), record.clone());
        }
        Ok(found)
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        lock(&self.state).insert(id.clone(), record.clone());
        self.reference.set(id, record).await
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        lock(&self.state).remove(id);
        self.reference.destroy(id).await
    }
}
