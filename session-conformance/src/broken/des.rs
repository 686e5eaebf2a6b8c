//! Broken stores of the group DES.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::SystemTime;

use async_trait::async_trait;
use futures_util::stream;
use session_core::{
    Data, Error, ErrorKind, Record, Result, SessionCookie, SessionId, Store, StoreStream,
};

use super::set::merged;
use super::{Bend, Broken, bent, each, lock, shared};

pub(super) const BROKEN: &[Broken] = &[
    Broken {
        name: "DestroyNoop",
        bug: "`destroy` answers `Ok` and does nothing",
        open: |reference| each(reference, DestroyNoop::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "DestroyLater",
        bug: "`destroy` answers before it has removed the record",
        open: |reference| shared(reference, DestroyLater::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ErrOnMissingDestroy",
        bug: "`destroy` of an unknown id is an error",
        open: |reference| each(reference, ErrOnMissingDestroy::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "DestroyCreates",
        bug: "`destroy` overwrites with an empty session instead of removing",
        open: |reference| each(reference, DestroyCreates::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "DestroyPrefix",
        bug: "`destroy` removes every id that begins with this one",
        open: |reference| each(reference, DestroyPrefix::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "DestroyAll",
        bug: "`destroy` removes every record",
        open: |reference| each(reference, DestroyAll::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "DestroyLiveOnly",
        bug: "`destroy` leaves an expired record where it is",
        open: |reference| each(reference, DestroyLiveOnly::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "DestroyExpiredFails",
        bug: "`destroy` of an expired record is an error",
        open: |reference| each(reference, DestroyExpiredFails::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "DestroyNeedsExpiry",
        bug: "`destroy` asks for `expires >= 0`, which is not true of NULL",
        open: |reference| each(reference, DestroyNeedsExpiry::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "TombstoneBlocks",
        bug: "an id that was destroyed once can never be set again",
        open: |reference| shared(reference, TombstoneBlocks::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "GhostFields",
        bug: "the keys of a destroyed record shine through the next one of its id",
        open: |reference| shared(reference, GhostFields::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "GhostTtl",
        bug: "the timer of a destroyed record ends the next one of its id",
        open: |reference| shared(reference, GhostTtl::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "CacheKeepsDestroyed",
        bug: "a handle's cache hears of all writes, but of no other handle's `destroy`",
        open: |reference| each(reference, CacheKeepsDestroyed::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "OrphanIndex",
        bug: "`length` counts an index from which `destroy` removes nothing",
        open: |reference| shared(reference, OrphanIndex::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "OrphanIds",
        bug: "`ids` reads an index from which `destroy` removes nothing",
        open: |reference| shared(reference, OrphanIds::new),
        ..Broken::REFERENCE
    },
];

bent!(
    DestroyNoop,
    DestroyLater: Option<SessionId>,
    ErrOnMissingDestroy,
    DestroyCreates,
    DestroyPrefix,
    DestroyAll,
    DestroyLiveOnly,
    DestroyExpiredFails,
    DestroyNeedsExpiry,
    TombstoneBlocks: HashSet<SessionId>,
    GhostFields: HashMap<SessionId, Record>,
    GhostTtl: HashMap<SessionId, SystemTime>,
    CacheKeepsDestroyed: HashMap<SessionId, Record>,
    OrphanIndex: BTreeSet<String>,
    OrphanIds: BTreeSet<String>,
);

#[async_trait]
impl Bend for DestroyNoop {
    async fn destroy(&self, _: &SessionId) -> Result<()> {
        Ok(())
    }
}

#[async_trait]
impl Bend for DestroyLater {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let found = self.reference.get(id).await;
        let queued = lock(&self.state).take();
        if let Some(id) = queued {
            self.reference.destroy(&id).await?;
        }
        found
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        let queued = lock(&self.state).replace(id.clone());
        match queued {
            Some(id) => self.reference.destroy(&id).await,
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Bend for ErrOnMissingDestroy {
    async fn destroy(&self, id: &SessionId) -> Result<()> {
        match self.reference.rows().remove(id.as_str()) {
            Some(_) => Ok(()),
            None => Err(Error::new(ErrorKind::Missing, "destroy")),
        }
    }
}

#[async_trait]
impl Bend for DestroyCreates {
    async fn destroy(&self, id: &SessionId) -> Result<()> {
        let empty = Record::new(SessionCookie::new(), &Data::new());
        self.reference.set(id, &empty).await
    }
}

#[async_trait]
impl Bend for DestroyPrefix {
    async fn destroy(&self, id: &SessionId) -> Result<()> {
        self.reference
            .rows()
            .retain(|key, _| !key.starts_with(id.as_str()));
        Ok(())
    }
}

#[async_trait]
impl Bend for DestroyAll {
    async fn destroy(&self, _: &SessionId) -> Result<()> {
        self.reference.clear().await
    }
}

#[async_trait]
impl Bend for DestroyLiveOnly {
    async fn destroy(&self, id: &SessionId) -> Result<()> {
        let now = self.reference.now();
        self.reference
            .rows()
            .retain(|key, row| key != id.as_str() || !row.is_live(now));
        Ok(())
    }
}

#[async_trait]
impl Bend for DestroyExpiredFails {
    async fn destroy(&self, id: &SessionId) -> Result<()> {
        let now = self.reference.now();
        let row = self.reference.rows().remove(id.as_str());
        match row {
            Some(row) if !row.is_live(now) => Err(Error::new(ErrorKind::Missing, "destroy")),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Bend for DestroyNeedsExpiry {
    async fn destroy(&self, id: &SessionId) -> Result<()> {
        self.reference
            .rows()
            .retain(|key, row| key != id.as_str() || row.expires.is_none());
        Ok(())
    }
}

#[async_trait]
impl Bend for TombstoneBlocks {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        if lock(&self.state).contains(id) {
            return Ok(());
        }
        self.reference.set(id, record).await
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        lock(&self.state).insert(id.clone());
        self.reference.destroy(id).await
    }
}

#[async_trait]
impl Bend for GhostFields {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let ghost = lock(&self.state).remove(id);
        match ghost {
            Some(ghost) => self.reference.set(id, &merged(&ghost, record)).await,
            None => self.reference.set(id, record).await,
        }
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        if let Some(record) = self.reference.get(id).await? {
            lock(&self.state).insert(id.clone(), record);
        }
        self.reference.destroy(id).await
    }
}

#[async_trait]
impl Bend for GhostTtl {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let timer = lock(&self.state).get(id).copied();
        if timer.is_some_and(|end| end <= self.reference.now()) {
            self.reference.destroy(id).await?;
        }
        self.reference.get(id).await
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        if let Some(row) = self.reference.rows().remove(id.as_str()) {
            lock(&self.state).extend(row.expires.map(|end| (id.clone(), end)));
        }
        Ok(())
    }
}

#[async_trait]
impl Bend for CacheKeepsDestroyed {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let found = self.reference.get(id).await?;
        match &found {
            Some(record) => {
                lock(&self.state).insert(id.clone(), record.clone());
                Ok(found)
            }
            None => {
                let cached = lock(&self.state).get(id).cloned();
                Ok(cached.filter(|record| !record.is_expired(self.reference.now())))
            }
        }
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        lock(&self.state).remove(id);
        self.reference.destroy(id).await
    }
}

#[async_trait]
impl Bend for OrphanIndex {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        lock(&self.state).insert(id.as_str().to_owned());
        self.reference.set(id, record).await
    }

    async fn length(&self) -> Result<u64> {
        Ok(u64::try_from(lock(&self.state).len()).unwrap_or(u64::MAX))
    }
}

#[async_trait]
impl Bend for OrphanIds {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        lock(&self.state).insert(id.as_str().to_owned());
        self.reference.set(id, record).await
    }

    fn ids(&self) -> StoreStream<'_, SessionId> {
        let ids: Vec<_> = lock(&self.state).iter().map(SessionId::new).collect();
        Box::pin(stream::iter(ids))
    }
}
