//! Broken stores of the group CLR.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use async_trait::async_trait;
use session_core::{Error, ErrorKind, Record, Result, SessionId, Store};

use super::len::{PAGE, number};
use super::{Bend, Broken, bent, each, lock, shared};

pub(super) const BROKEN: &[Broken] = &[
    Broken {
        name: "ClearNoop",
        bug: "`clear` answers `Ok` and does nothing",
        open: |reference| each(reference, ClearNoop::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ClearOwnOnly",
        bug: "`clear` removes what this handle wrote",
        open: |reference| each(reference, ClearOwnOnly::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ClearNeedsExpiry",
        bug: "`clear` leaves records without an expiry",
        open: |reference| each(reference, ClearNeedsExpiry::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ClearKeepsCache",
        bug: "a handle's cache hears of `set` and `destroy`, but not of the other one's `clear`",
        open: |reference| each(reference, ClearKeepsCache::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ClearKeepsLength",
        bug: "`length` counts an index that `clear` does not empty",
        open: |reference| shared(reference, ClearKeepsLength::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ErrOnEmptyClear",
        bug: "`clear` of an empty store is an error (DEL without a key)",
        open: |reference| each(reference, ErrOnEmptyClear::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "FlushDb",
        bug: "`clear` empties the whole database",
        open: |reference| each(reference, FlushDb::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ClearPrefix",
        bug: "`clear` empties every namespace whose name begins with this one's",
        open: |reference| each(reference, ClearPrefix::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ClearForeign",
        bug: "`clear` removes what stands next to the sessions, too",
        open: |reference| each(reference, ClearForeign::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "DropTable",
        bug: "`clear` drops the table, which only a start makes again",
        open: |reference| shared(reference, DropTable::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ClearTombstones",
        bug: "an id that was cleared once can never be set again",
        open: |reference| shared(reference, ClearTombstones::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ClearLiveOnly",
        bug: "`clear` leaves expired records where they are",
        open: |reference| each(reference, ClearLiveOnly::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ClearGhostTtl",
        bug: "the timer of a cleared record ends the next one of its id",
        open: |reference| shared(reference, ClearGhostTtl::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ClearFirstPage",
        bug: "`clear` removes the first page of a cursor and stops",
        open: |reference| each(reference, ClearFirstPage::new),
        ..Broken::REFERENCE
    },
];

bent!(
    ClearNoop,
    ClearOwnOnly: HashSet<SessionId>,
    ClearNeedsExpiry,
    ClearKeepsCache: HashMap<SessionId, Record>,
    ClearKeepsLength: HashSet<SessionId>,
    ErrOnEmptyClear,
    FlushDb,
    ClearPrefix,
    ClearForeign,
    DropTable: bool,
    ClearTombstones: HashSet<String>,
    ClearLiveOnly,
    ClearGhostTtl: HashMap<String, SystemTime>,
    ClearFirstPage,
);

#[async_trait]
impl Bend for ClearNoop {
    async fn clear(&self) -> Result<()> {
        Ok(())
    }
}

#[async_trait]
impl Bend for ClearOwnOnly {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        lock(&self.state).insert(id.clone());
        self.reference.set(id, record).await
    }

    async fn clear(&self) -> Result<()> {
        let own = std::mem::take(&mut *lock(&self.state));
        for id in own {
            self.reference.destroy(&id).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Bend for ClearNeedsExpiry {
    async fn clear(&self) -> Result<()> {
        self.reference.rows().retain(|_, row| row.expires.is_none());
        Ok(())
    }
}

#[async_trait]
impl Bend for ClearKeepsCache {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let found = self.reference.get(id).await?;
        let mut cache = lock(&self.state);
        // Only an empty table shows that the other handle did not destroy it.
        if found.is_none() && self.reference.rows().is_empty() {
            return Ok(cache.get(id).cloned());
        }
        match &found {
            Some(record) => cache.insert(id.clone(), record.clone()),
            None => cache.remove(id),
        };
        Ok(found)
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        lock(&self.state).remove(id);
        self.reference.destroy(id).await
    }

    async fn clear(&self) -> Result<()> {
        lock(&self.state).clear();
        self.reference.clear().await
    }
}

#[async_trait]
impl Bend for ClearKeepsLength {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        lock(&self.state).insert(id.clone());
        self.reference.set(id, record).await
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        lock(&self.state).remove(id);
        self.reference.destroy(id).await
    }

    async fn length(&self) -> Result<u64> {
        Ok(number(lock(&self.state).len()))
    }
}

#[async_trait]
impl Bend for ErrOnEmptyClear {
    async fn clear(&self) -> Result<()> {
        if self.reference.rows().is_empty() {
            return Err(Error::new(ErrorKind::Other, "clear"));
        }
        self.reference.clear().await
    }
}

#[async_trait]
impl Bend for FlushDb {
    async fn clear(&self) -> Result<()> {
        for other in self.reference.everywhere() {
            other.rows().clear();
            other.foreign().store(false, Ordering::SeqCst);
        }
        Ok(())
    }
}

#[async_trait]
impl Bend for ClearPrefix {
    async fn clear(&self) -> Result<()> {
        for other in self.reference.everywhere() {
            if other.namespace().starts_with(self.reference.namespace()) {
                other.rows().clear();
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Bend for ClearForeign {
    async fn clear(&self) -> Result<()> {
        self.reference.foreign().store(false, Ordering::SeqCst);
        self.reference.clear().await
    }
}

#[async_trait]
impl Bend for DropTable {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        if *lock(&self.state) {
            return Err(Error::new(ErrorKind::Other, "get"));
        }
        self.reference.get(id).await
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        if *lock(&self.state) {
            return Err(Error::new(ErrorKind::Other, "set"));
        }
        self.reference.set(id, record).await
    }

    async fn clear(&self) -> Result<()> {
        *lock(&self.state) = true;
        self.reference.clear().await
    }
}

#[async_trait]
impl Bend for ClearTombstones {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        if lock(&self.state).contains(id.as_str()) {
            return Ok(());
        }
        self.reference.set(id, record).await
    }

    async fn clear(&self) -> Result<()> {
        lock(&self.state).extend(self.reference.rows().keys().cloned());
        self.reference.clear().await
    }
}

#[async_trait]
impl Bend for ClearLiveOnly {
    async fn clear(&self) -> Result<()> {
        let now = self.reference.now();
        self.reference.rows().retain(|_, row| !row.is_live(now));
        Ok(())
    }
}

#[async_trait]
impl Bend for ClearGhostTtl {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let timer = lock(&self.state).get(id.as_str()).copied();
        if timer.is_some_and(|end| end <= self.reference.now()) {
            self.reference.destroy(id).await?;
        }
        self.reference.get(id).await
    }

    async fn clear(&self) -> Result<()> {
        let rows = std::mem::take(&mut *self.reference.rows());
        let timers = rows
            .into_iter()
            .filter_map(|(id, row)| Some((id, row.expires?)));
        lock(&self.state).extend(timers);
        Ok(())
    }
}

#[async_trait]
impl Bend for ClearFirstPage {
    async fn clear(&self) -> Result<()> {
        let mut left = PAGE;
        self.reference.rows().retain(|_, _| {
            left = left.saturating_sub(1);
            left == 0
        });
        Ok(())
    }
}
