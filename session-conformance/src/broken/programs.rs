//! Broken stores of the group MOD.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use session_core::{
    Capabilities, Created, Error, ErrorKind, Record, Replaced, Result, SessionCookie, SessionId,
    Store, Swept, Touched,
};
use tokio::task::yield_now;

use super::{Bend, Broken, bent, each, lock, shared};
use crate::reference::{Reference, Row};

/// No method that looks at all records.
const ONE_BY_ONE: Capabilities = Capabilities::NONE.with_touch().with_create().with_replace();

pub(super) const BROKEN: &[Broken] = &[
    Broken {
        name: "TouchWraps",
        bug: "`touch` sends the milliseconds that are left in 31 bits",
        open: |reference| each(reference, TouchWraps::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "TouchByPrefix",
        bug: "`touch` finds its row by the first 31 bytes of the id",
        open: |reference| each(reference, TouchByPrefix::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ReplaceCuts",
        bug: "`replace` cuts a text at 65,535 bytes",
        open: |reference| each(reference, ReplaceCuts::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "CreateTidiesNumbers",
        bug: "`create` writes 1.0 as 1",
        open: |reference| each(reference, CreateTidiesNumbers::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "SweepByOldIndex",
        bug: "`sweep` goes by an index of expiries that `replace` does not move",
        open: |reference| shared(reference, SweepByOldIndex::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ReplaceFoldsId",
        bug: "`replace` finds its row whatever the case of the id",
        open: |reference| each(reference, ReplaceFoldsId::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "JoinsWithoutSeparator",
        bug: "the key of a row is the namespace and the id, with nothing between them",
        declares: ONE_BY_ONE,
        open: |reference| each(reference, JoinsWithoutSeparator::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "SkipsWhatItWrote",
        bug: "`set` skips what this handle has written last, although another one has changed it",
        open: |reference| each(reference, SkipsWhatItWrote::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "DroppedReplaceLocks",
        bug: "a `replace` that is dropped leaves its lock behind",
        open: |reference| shared(reference, DroppedReplaceLocks::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "CreatesInSteps",
        bug: "`create` writes the record first, and its expiry then",
        open: |reference| each(reference, CreatesInSteps::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ReplaceStaysInProcess",
        bug: "what `replace` wrote stays in this process",
        open: |reference| shared(reference, ReplaceStaysInProcess::new),
        ..Broken::REFERENCE
    },
];

bent!(
    TouchWraps,
    TouchByPrefix,
    ReplaceCuts,
    CreateTidiesNumbers,
    SweepByOldIndex: HashMap<String, Option<SystemTime>>,
    ReplaceFoldsId,
    JoinsWithoutSeparator,
    SkipsWhatItWrote: HashMap<SessionId, Record>,
    DroppedReplaceLocks: HashSet<SessionId>,
    CreatesInSteps,
    ReplaceStaysInProcess: HashMap<SessionId, Record>,
);

#[async_trait]
impl Bend for TouchWraps {
    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        let now = self.reference.now();
        let mut wrapped = cookie.clone();
        if let Some(left) = cookie
            .expires()
            .and_then(|end| end.duration_since(now).ok())
        {
            let left = u64::try_from(left.as_millis() % (1 << 31)).unwrap_or(0);
            wrapped.set_expires(Some(now + Duration::from_millis(left)), now);
        }
        self.reference.touch(id, &wrapped).await
    }
}

#[async_trait]
impl Bend for TouchByPrefix {
    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        let now = self.reference.now();
        let begins = |text: &str| text.bytes().take(31).collect::<Vec<_>>();
        let (wanted, mut touched) = (begins(id.as_str()), Touched::Missing);
        for (key, row) in &mut *self.reference.rows() {
            if begins(key) == wanted && row.is_live(now) {
                row.expires = cookie.expires();
                touched = Touched::Touched;
            }
        }
        Ok(touched)
    }
}

#[async_trait]
impl Bend for ReplaceCuts {
    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        let replaced = self.reference.replace(id, old, new).await?;
        if let Some(row) = self.reference.rows().get_mut(id.as_str())
            && replaced == Replaced::Replaced
            && let Some(cut) = row.text.get(..65_535)
        {
            row.text = cut.into();
        }
        Ok(replaced)
    }
}

#[async_trait]
impl Bend for CreateTidiesNumbers {
    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        let created = self.reference.create(id, record).await?;
        if let Some(row) = self.reference.rows().get_mut(id.as_str())
            && created == Created::Created
        {
            row.text = row.text.replace("\"v\":1.0", "\"v\":1").into();
        }
        Ok(created)
    }
}

impl SweepByOldIndex {
    fn index(&self, id: &SessionId, ends: Option<SystemTime>) {
        lock(&self.state).insert(id.as_str().to_owned(), ends);
    }
}

#[async_trait]
impl Bend for SweepByOldIndex {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        self.index(id, record.expires());
        self.reference.set(id, record).await
    }

    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        let touched = self.reference.touch(id, cookie).await?;
        if touched == Touched::Touched {
            self.index(id, cookie.expires());
        }
        Ok(touched)
    }

    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        let created = self.reference.create(id, record).await?;
        if created == Created::Created {
            self.index(id, record.expires());
        }
        Ok(created)
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        let now = self.reference.now();
        let (index, mut rows) = (lock(&self.state), self.reference.rows());
        let ended = |id: &String| {
            let ends = index.get(id).copied().flatten();
            ends.is_some_and(|ends| ends <= now)
        };
        let over: Vec<_> = rows.keys().filter(|id| ended(id)).cloned().collect();
        over.iter().take(limit).for_each(|id| drop(rows.remove(id)));
        Ok(Swept {
            removed: over.len().min(limit),
            more: over.len() > limit,
        })
    }
}

#[async_trait]
impl Bend for ReplaceFoldsId {
    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        let folded = id.as_str().to_lowercase();
        let same = {
            let rows = self.reference.rows();
            let mut keys = rows.keys();
            keys.find(|key| key.to_lowercase() == folded).cloned()
        };
        let found = same.and_then(|same| SessionId::new(same).ok());
        let found = found.unwrap_or_else(|| id.clone());
        self.reference.replace(&found, old, new).await
    }
}

impl JoinsWithoutSeparator {
    /// One table for all, and the key in it.
    fn joined(&self, id: &SessionId) -> (Reference, SessionId) {
        let key = format!("{}{}", self.reference.namespace(), id.as_str());
        let id = SessionId::new(key).unwrap_or_else(|_| id.clone());
        (self.reference.elsewhere("one table for all"), id)
    }
}

#[async_trait]
impl Bend for JoinsWithoutSeparator {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let (table, id) = self.joined(id);
        table.get(&id).await
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let (table, id) = self.joined(id);
        table.set(&id, record).await
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        let (table, id) = self.joined(id);
        table.destroy(&id).await
    }

    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        let (table, id) = self.joined(id);
        table.touch(&id, cookie).await
    }

    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        let (table, id) = self.joined(id);
        table.create(&id, record).await
    }

    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        let (table, id) = self.joined(id);
        table.replace(&id, old, new).await
    }

    fn capabilities(&self) -> Capabilities {
        ONE_BY_ONE
    }
}

#[async_trait]
impl Bend for SkipsWhatItWrote {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let last = lock(&self.state).insert(id.clone(), record.clone());
        let same = |last: &Record| last.same_json(record) && last.expires() == record.expires();
        if last.as_ref().is_some_and(same) && self.reference.get(id).await?.is_some() {
            return Ok(());
        }
        self.reference.set(id, record).await
    }
}

#[async_trait]
impl Bend for DroppedReplaceLocks {
    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        if !lock(&self.state).insert(id.clone()) {
            return Err(Error::new(ErrorKind::Unavailable, "replace"));
        }
        yield_now().await;
        let replaced = self.reference.replace(id, old, new).await;
        lock(&self.state).remove(id);
        replaced
    }
}

#[async_trait]
impl Bend for CreatesInSteps {
    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        let endless = record.clone().with_stored_expires(None.into());
        let created = self.reference.create(id, &endless).await?;
        yield_now().await;
        if let Some(row) = self.reference.rows().get_mut(id.as_str())
            && created == Created::Created
        {
            *row = Row::of(record);
        }
        Ok(created)
    }
}

#[async_trait]
impl Bend for ReplaceStaysInProcess {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let found = self.reference.get(id).await?;
        let kept = lock(&self.state).get(id).cloned();
        Ok(found.map(|found| kept.unwrap_or(found)))
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        lock(&self.state).remove(id);
        self.reference.set(id, record).await
    }

    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        let created = self.reference.create(id, record).await?;
        if created == Created::Created {
            lock(&self.state).remove(id);
        }
        Ok(created)
    }

    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        let Some(found) = self.get(id).await? else {
            return Ok(Replaced::Missing);
        };
        if !found.same_json(old) {
            return Ok(Replaced::Conflict);
        }
        let stays = new.clone();
        lock(&self.state).insert(id.clone(), stays);
        if let Some(row) = self.reference.rows().get_mut(id.as_str()) {
            row.expires = new.expires();
        }
        Ok(Replaced::Replaced)
    }
}
