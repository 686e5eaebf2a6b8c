//! Broken stores of the group DUR.

use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

use async_trait::async_trait;
use session_core::{
    Error, ErrorKind, Record, Result, SessionCookie, SessionId, Store, StoredExpiry, Touched,
};

use super::{Bend, Broken, bent, lock, shared};
use crate::reference::{Reference, Row};

pub(super) const BROKEN: &[Broken] = &[
    Broken {
        name: "NoFlush",
        bug: "records stay in the process and are never written",
        open: |reference| shared(reference, NoFlush::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "OpenClears",
        bug: "opening a namespace creates its table anew",
        open: |reference| {
            reference.rows().clear();
            shared(reference, OpenClears::new)
        },
        ..Broken::REFERENCE
    },
    Broken {
        name: "ForgetsDestroy",
        bug: "`destroy` hides the record in this process, and removes nothing",
        open: |reference| shared(reference, ForgetsDestroy::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "BufferedFlush",
        bug: "records are written four at a time",
        open: |reference| shared(reference, BufferedFlush::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "KeepsFirst",
        bug: "what is written over an existing record is written when the handle has time",
        open: |reference| shared(reference, KeepsFirst::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "LazyDelete",
        bug: "`destroy` marks the record in memory, and removes it with the next `destroy`",
        open: |reference| shared(reference, LazyDelete::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "FormatBreak",
        bug: "what an older version wrote lacks a field and is an error",
        open: |reference| shared(reference, FormatBreak::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "FormatForgets",
        bug: "what an older version wrote is taken for nothing",
        open: |reference| shared(reference, FormatForgets::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "FormatRewrites",
        bug: "what an older version wrote is brought into the new form when it is read",
        open: |reference| shared(reference, FormatRewrites::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ExpiryInMemory",
        bug: "expiries are timers of the process",
        open: |reference| shared(reference, ExpiryInMemory::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "TouchInMemory",
        bug: "`touch` moves the expiry in this process alone",
        open: |reference| shared(reference, TouchInMemory::new),
        ..Broken::REFERENCE
    },
];

bent!(
    NoFlush: HashMap<SessionId, Record>,
    OpenClears,
    ForgetsDestroy: HashSet<SessionId>,
    BufferedFlush: Vec<(SessionId, Record)>,
    KeepsFirst: HashMap<SessionId, Record>,
    LazyDelete: Option<SessionId>,
    FormatBreak,
    FormatForgets,
    FormatRewrites,
    ExpiryInMemory: HashMap<SessionId, SystemTime>,
    TouchInMemory: HashMap<SessionId, Option<SystemTime>>,
);

impl Bend for OpenClears {}

#[async_trait]
impl Bend for NoFlush {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let kept = lock(&self.state).get(id).cloned();
        match kept.filter(|record| !record.is_expired(self.reference.now())) {
            Some(record) => Ok(Some(record)),
            None => self.reference.get(id).await,
        }
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        lock(&self.state).insert(id.clone(), record.clone());
        Ok(())
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        lock(&self.state).remove(id);
        self.reference.destroy(id).await
    }
}

#[async_trait]
impl Bend for ForgetsDestroy {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        if lock(&self.state).contains(id) {
            return Ok(None);
        }
        self.reference.get(id).await
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        lock(&self.state).remove(id);
        self.reference.set(id, record).await
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        lock(&self.state).insert(id.clone());
        Ok(())
    }
}

#[async_trait]
impl Bend for BufferedFlush {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let buffer = std::mem::take(&mut *lock(&self.state));
        for (id, record) in buffer {
            self.reference.set(&id, &record).await?;
        }
        self.reference.get(id).await
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let full = {
            let mut buffer = lock(&self.state);
            buffer.push((id.clone(), record.clone()));
            if buffer.len() < 4 {
                Vec::new()
            } else {
                std::mem::take(&mut *buffer)
            }
        };
        for (id, record) in full {
            self.reference.set(&id, &record).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Bend for KeepsFirst {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let pending = lock(&self.state).remove(id);
        if let Some(record) = pending {
            self.reference.set(id, &record).await?;
        }
        self.reference.get(id).await
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let there = self.reference.rows().contains_key(id.as_str());
        if there {
            lock(&self.state).insert(id.clone(), record.clone());
            return Ok(());
        }
        self.reference.set(id, record).await
    }
}

#[async_trait]
impl Bend for LazyDelete {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        if lock(&self.state).as_ref() == Some(id) {
            return Ok(None);
        }
        self.reference.get(id).await
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        lock(&self.state).take_if(|marked| marked == id);
        self.reference.set(id, record).await
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        let marked = lock(&self.state).replace(id.clone());
        match marked {
            Some(marked) if marked != *id => self.reference.destroy(&marked).await,
            _ => Ok(()),
        }
    }
}

/// Whether an older version wrote it.
fn is_old(reference: &Reference, id: &SessionId) -> bool {
    let rows = reference.rows();
    rows.get(id.as_str())
        .is_some_and(|row| !row.text.contains("httpOnly"))
}

#[async_trait]
impl Bend for FormatBreak {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        if is_old(&self.reference, id) {
            return Err(Error::new(ErrorKind::Decode, "get"));
        }
        self.reference.get(id).await
    }
}

#[async_trait]
impl Bend for FormatForgets {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let found = self.reference.get(id).await?;
        Ok(found.filter(|_| !is_old(&self.reference, id)))
    }
}

#[async_trait]
impl Bend for FormatRewrites {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let found = self.reference.get(id).await?;
        if let (Some(record), true) = (&found, is_old(&self.reference, id)) {
            let anew = Record::new(record.cookie().clone(), &record.data());
            self.reference.set(id, &anew).await?;
        }
        Ok(found)
    }
}

#[async_trait]
impl Bend for ExpiryInMemory {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let timer = lock(&self.state).get(id).copied();
        let found = self.reference.get(id).await?;
        Ok(match timer {
            Some(end) if end <= self.reference.now() => None,
            Some(end) => found.map(|record| record.with_stored_expires(StoredExpiry::At(end))),
            None => found,
        })
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        self.reference.set(id, record).await?;
        let mut timers = lock(&self.state);
        match record.expires() {
            Some(end) => timers.insert(id.clone(), end),
            None => timers.remove(id),
        };
        let row = Row {
            expires: None,
            ..Row::of(record)
        };
        self.reference.rows().insert(id.as_str().to_owned(), row);
        Ok(())
    }
}

#[async_trait]
impl Bend for TouchInMemory {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let moved = lock(&self.state).get(id).copied();
        let found = self.reference.get(id).await?;
        let found = match moved {
            Some(end) => found.map(|record| record.with_stored_expires(end.into())),
            None => found,
        };
        Ok(found.filter(|record| !record.is_expired(self.reference.now())))
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        lock(&self.state).remove(id);
        self.reference.set(id, record).await
    }

    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        if self.reference.get(id).await?.is_none() {
            return Ok(Touched::Missing);
        }
        lock(&self.state).insert(id.clone(), cookie.expires());
        Ok(Touched::Touched)
    }
}
