//! Broken stores of the group RES.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use session_core::{Created, Error, ErrorKind, Record, Replaced, Result, SessionId, Store};

use super::set::merged;
use super::{Bend, Broken, bent, each, lock, shared};
use crate::reference::Row;

pub(super) const BROKEN: &[Broken] = &[
    Broken {
        name: "UpsertUpdate",
        bug: "`replace` of a missing id creates it (an upsert)",
        open: |reference| each(reference, UpsertUpdate::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ReplaceMissingFails",
        bug: "`replace` of a missing id is an error",
        open: |reference| each(reference, ReplaceMissingFails::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ReplaceMissingConflicts",
        bug: "`replace` of a missing id answers `Conflict`",
        open: |reference| each(reference, ReplaceMissingConflicts::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "Resurrect",
        bug: "`replace` compares with what this handle read, and writes without looking",
        open: |reference| each(reference, Resurrect::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ResurrectOld",
        bug: "`replace` writes what this handle created before, whether it is there or not",
        open: |reference| each(reference, ResurrectOld::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "UpdateRevives",
        bug: "`replace` does not look whether the record has expired",
        open: |reference| each(reference, UpdateRevives::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "UpdateRevivesEndless",
        bug: "`replace` revives an expired record when the new one has no expiry",
        open: |reference| each(reference, UpdateRevivesEndless::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "CreateOverwrites",
        bug: "`create` overwrites what is there",
        open: |reference| each(reference, CreateOverwrites::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "CreateOverwritesSilently",
        bug: "`create` of an existing id overwrites it and answers `Exists`",
        open: |reference| each(reference, CreateOverwritesSilently::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "CreateMerges",
        bug: "`create` of an existing id adds the new keys to it",
        open: |reference| each(reference, CreateMerges::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "CreateExistsFails",
        bug: "`create` of an existing id is an error (a unique key)",
        open: |reference| each(reference, CreateExistsFails::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "CreateTouches",
        bug: "`create` of an existing id moves its expiry",
        open: |reference| each(reference, CreateTouches::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "CreateBlockedByGhost",
        bug: "`create` does not look whether the record that is there has expired",
        open: |reference| each(reference, CreateBlockedByGhost::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "CreateOverGhostMerges",
        bug: "`create` over an expired record keeps its keys",
        open: |reference| each(reference, CreateOverGhostMerges::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ReplacePastForever",
        bug: "`replace` by a record that has expired writes one that never ends",
        open: |reference| each(reference, ReplacePastForever::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ReplacePastUnchecked",
        bug: "`replace` by a record that has expired removes whatever is there",
        open: |reference| each(reference, ReplacePastUnchecked::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ReplacePastIgnored",
        bug: "`replace` by a record that has expired answers `Replaced` and does nothing",
        open: |reference| each(reference, ReplacePastIgnored::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "CreatePastForever",
        bug: "`create` of a record that has expired writes one that never ends",
        open: |reference| each(reference, CreatePastForever::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "CreatePastRemoves",
        bug: "`create` of a record that has expired removes the one that is there",
        open: |reference| each(reference, CreatePastRemoves::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "CreateLosesTtl",
        bug: "`create` writes no expiry (SETNX)",
        open: |reference| each(reference, CreateLosesTtl::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "CreateDefaultsTtl",
        bug: "`create` gives each record an hour",
        open: |reference| each(reference, CreateDefaultsTtl::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "CreateOnce",
        bug: "an id can be created once, destroyed or not",
        open: |reference| shared(reference, CreateOnce::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "NegativeCache",
        bug: "a handle remembers that an id is unknown until it writes to it itself",
        open: |reference| each(reference, NegativeCache::new),
        ..Broken::REFERENCE
    },
];

bent!(NegativeCache: HashSet<SessionId>, UpsertUpdate, ReplaceMissingFails, ReplaceMissingConflicts, Resurrect: HashMap<SessionId, Record>, ResurrectOld: HashSet<SessionId>, UpdateRevives, UpdateRevivesEndless, CreateOverwrites, CreateOverwritesSilently, CreateMerges, CreateExistsFails, CreateTouches, CreateBlockedByGhost, CreateOverGhostMerges, ReplacePastForever, ReplacePastUnchecked, ReplacePastIgnored, CreatePastForever, CreatePastRemoves, CreateLosesTtl, CreateDefaultsTtl, CreateOnce: HashSet<SessionId>,);

#[async_trait]
impl Bend for UpsertUpdate {
    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        let replaced = self.reference.replace(id, old, new).await?;
        if replaced == Replaced::Missing {
            self.reference.set(id, new).await?;
        }
        Ok(replaced)
    }
}

#[async_trait]
impl Bend for ReplaceMissingFails {
    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        match self.reference.replace(id, old, new).await? {
            Replaced::Missing => Err(Error::new(ErrorKind::Missing, "replace")),
            replaced => Ok(replaced),
        }
    }
}

#[async_trait]
impl Bend for ReplaceMissingConflicts {
    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        Ok(match self.reference.replace(id, old, new).await? {
            Replaced::Missing => Replaced::Conflict,
            replaced => replaced,
        })
    }
}

#[async_trait]
impl Bend for Resurrect {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let found = self.reference.get(id).await?;
        lock(&self.state).extend(found.iter().map(|record| (id.clone(), record.clone())));
        Ok(found)
    }

    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        let read = lock(&self.state).get(id).cloned();
        if read.is_some_and(|read| read.same_json(old)) {
            self.reference.set(id, new).await?;
            return Ok(Replaced::Replaced);
        }
        self.reference.replace(id, old, new).await
    }
}

#[async_trait]
impl Bend for ResurrectOld {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        lock(&self.state).insert(id.clone());
        self.reference.set(id, record).await
    }

    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        let replaced = self.reference.replace(id, old, new).await?;
        if replaced == Replaced::Missing && lock(&self.state).contains(id) {
            self.reference.set(id, new).await?;
            return Ok(Replaced::Replaced);
        }
        Ok(replaced)
    }
}

#[async_trait]
impl Bend for UpdateRevives {
    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        Ok(match self.reference.rows().get_mut(id.as_str()) {
            None => Replaced::Missing,
            Some(row) if *row.text != *old.json() => Replaced::Conflict,
            Some(row) => {
                *row = Row::of(new);
                Replaced::Replaced
            }
        })
    }
}

#[async_trait]
impl Bend for UpdateRevivesEndless {
    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        let replaced = self.reference.replace(id, old, new).await?;
        let endless = new.expires().is_none();
        match self.reference.rows().get_mut(id.as_str()) {
            Some(row) if endless && replaced == Replaced::Missing => *row = Row::of(new),
            _ => {}
        }
        Ok(replaced)
    }
}

#[async_trait]
impl Bend for CreateOverwrites {
    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        self.reference.set(id, record).await?;
        Ok(Created::Created)
    }
}

#[async_trait]
impl Bend for CreateOverwritesSilently {
    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        let created = self.reference.create(id, record).await?;
        self.reference.set(id, record).await?;
        Ok(created)
    }
}

#[async_trait]
impl Bend for CreateMerges {
    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        let created = self.reference.create(id, record).await?;
        if let (Created::Exists, Some(old)) = (created, self.reference.get(id).await?) {
            self.reference.set(id, &merged(record, &old)).await?;
        }
        Ok(created)
    }
}

#[async_trait]
impl Bend for CreateExistsFails {
    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        match self.reference.create(id, record).await? {
            Created::Exists => Err(Error::new(ErrorKind::Conflict, "create")),
            Created::Created => Ok(Created::Created),
        }
    }
}

#[async_trait]
impl Bend for CreateTouches {
    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        let created = self.reference.create(id, record).await?;
        if let Some(row) = self.reference.rows().get_mut(id.as_str()) {
            row.expires = record.expires();
        }
        Ok(created)
    }
}

#[async_trait]
impl Bend for CreateBlockedByGhost {
    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        let there = self.reference.rows().contains_key(id.as_str());
        match there {
            true => Ok(Created::Exists),
            false => self.reference.create(id, record).await,
        }
    }
}

#[async_trait]
impl Bend for CreateOverGhostMerges {
    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        let ghost = self.reference.rows().get(id.as_str()).cloned();
        let created = self.reference.create(id, record).await?;
        if let (Created::Created, Some(ghost)) = (created, ghost) {
            let old = ghost.decode()?;
            self.reference.set(id, &merged(&old, record)).await?;
        }
        Ok(created)
    }
}

#[async_trait]
impl Bend for ReplacePastForever {
    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        let replaced = self.reference.replace(id, old, new).await?;
        let over = new.is_expired(self.reference.now());
        match self.reference.rows().get_mut(id.as_str()) {
            Some(row) if over && replaced == Replaced::Replaced => row.expires = None,
            _ => {}
        }
        Ok(replaced)
    }
}

#[async_trait]
impl Bend for ReplacePastUnchecked {
    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        if new.is_expired(self.reference.now()) {
            let there = self.reference.get(id).await?.is_some();
            self.reference.destroy(id).await?;
            return Ok(match there {
                true => Replaced::Replaced,
                false => Replaced::Missing,
            });
        }
        self.reference.replace(id, old, new).await
    }
}

#[async_trait]
impl Bend for ReplacePastIgnored {
    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        if new.is_expired(self.reference.now()) {
            return self.reference.replace(id, old, old).await;
        }
        self.reference.replace(id, old, new).await
    }
}

#[async_trait]
impl Bend for CreatePastForever {
    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        let created = self.reference.create(id, record).await?;
        let over = record.is_expired(self.reference.now());
        match self.reference.rows().get_mut(id.as_str()) {
            Some(row) if over && created == Created::Created => row.expires = None,
            _ => {}
        }
        Ok(created)
    }
}

#[async_trait]
impl Bend for CreatePastRemoves {
    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        if record.is_expired(self.reference.now()) {
            self.reference.destroy(id).await?;
            return Ok(Created::Created);
        }
        self.reference.create(id, record).await
    }
}

#[async_trait]
impl Bend for CreateLosesTtl {
    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        let created = self.reference.create(id, record).await?;
        match self.reference.rows().get_mut(id.as_str()) {
            Some(row) if created == Created::Created => row.expires = None,
            _ => {}
        }
        Ok(created)
    }
}

#[async_trait]
impl Bend for CreateDefaultsTtl {
    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        let created = self.reference.create(id, record).await?;
        let hour = self.reference.now() + std::time::Duration::from_secs(3_600);
        match self.reference.rows().get_mut(id.as_str()) {
            Some(row) if created == Created::Created => row.expires = Some(hour),
            _ => {}
        }
        Ok(created)
    }
}

#[async_trait]
impl Bend for CreateOnce {
    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        let first = lock(&self.state).insert(id.clone());
        match first {
            true => self.reference.create(id, record).await,
            false => Ok(Created::Exists),
        }
    }
}

#[async_trait]
impl Bend for NegativeCache {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        if lock(&self.state).contains(id) {
            return Ok(None);
        }
        let found = self.reference.get(id).await?;
        if found.is_none() {
            lock(&self.state).insert(id.clone());
        }
        Ok(found)
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        lock(&self.state).remove(id);
        self.reference.set(id, record).await
    }

    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        lock(&self.state).remove(id);
        self.reference.create(id, record).await
    }
}
