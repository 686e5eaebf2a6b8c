//! Broken stores of the group CAS.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use async_trait::async_trait;
use session_core::{Created, Record, Replaced, Result, SessionCookie, SessionId, Store, Touched};

use super::{Bend, Broken, bent, each, lock, shared};
use crate::reference::{Reference, Row};

pub(super) const BROKEN: &[Broken] = &[
    Broken {
        name: "ReplaceSameText",
        bug: "`replace` writes to each record that has the old text, whatever its id",
        open: |reference| each(reference, ReplaceSameText::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "LastWriteWins",
        bug: "`replace` writes whatever is there",
        open: |reference| each(reference, LastWriteWins::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ConflictButWrites",
        bug: "`replace` answers `Conflict` and writes all the same",
        open: |reference| each(reference, ConflictButWrites::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ConflictIsError",
        bug: "`replace` of a record that has changed is an error",
        open: |reference| each(reference, ConflictIsError::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ConflictMovesExpiry",
        bug: "`replace` that conflicts moves the expiry",
        open: |reference| each(reference, ConflictMovesExpiry::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "VersionReset",
        bug: "`replace` compares a version that begins anew with each new record of an id",
        open: |reference| shared(reference, VersionReset::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "VersionByHandle",
        bug: "`replace` knows only what this handle has read",
        open: |reference| each(reference, VersionByHandle::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "LostUpdate",
        bug: "`replace` reads, compares, and then writes",
        open: |reference| each(reference, LostUpdate::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ReplaceFallsBack",
        bug: "`replace` that finds the old record gone meanwhile writes the new one",
        open: |reference| each(reference, ReplaceFallsBack::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "CreateRace",
        bug: "`create` looks, and then writes",
        open: |reference| each(reference, CreateRace::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "TouchBumps",
        bug: "`touch` counts as a change, with which `replace` conflicts",
        open: |reference| shared(reference, TouchBumps::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "TouchedMissing",
        bug: "`replace` also asks for the expiry that it read: a touched record is `Missing`",
        open: |reference| shared(reference, TouchedMissing::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ReplaceKeepsTtl",
        bug: "`replace` leaves the expiry as it was (KEEPTTL)",
        open: |reference| each(reference, ReplaceKeepsTtl::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ReplaceLosesTtl",
        bug: "`replace` takes the expiry away (SET without PX)",
        open: |reference| each(reference, ReplaceLosesTtl::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ReplaceOnlyExtends",
        bug: "`replace` never brings an expiry forward",
        open: |reference| each(reference, ReplaceOnlyExtends::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "CompareLength",
        bug: "`replace` compares lengths",
        open: |reference| each(reference, CompareLength::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "CompareCase",
        bug: "`replace` compares without regard to case (a collation)",
        open: |reference| each(reference, CompareCase::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ComparePadded",
        bug: "`replace` compares without regard to spaces at the end",
        open: |reference| each(reference, ComparePadded::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "CompareParsed",
        bug: "`replace` compares what the JSON says, in whatever order (JSONB)",
        open: |reference| each(reference, CompareParsed::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ComparePrefix",
        bug: "`replace` compares the first 200 bytes (a prefix index)",
        open: |reference| each(reference, ComparePrefix::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "CompareHash",
        bug: "`replace` compares a checksum that takes no notice of the order of bytes",
        open: |reference| each(reference, CompareHash::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "CompareExpiry",
        bug: "`replace` compares the expiry as well",
        open: |reference| each(reference, CompareExpiry::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "CompareMaxLength",
        bug: "`replace` of a record beyond 4 KiB always conflicts",
        open: |reference| each(reference, CompareMaxLength::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "SameIsConflict",
        bug: "`replace` by the same text finds no row changed (MySQL), and answers `Conflict`",
        open: |reference| each(reference, SameIsConflict::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "SameIsSkipped",
        bug: "`replace` by the same text does nothing, and leaves the old expiry",
        open: |reference| each(reference, SameIsSkipped::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "CacheMissesReplace",
        bug: "a cache that `set` and `destroy` write to, and `replace` does not",
        open: |reference| shared(reference, CacheMissesReplace::new),
        ..Broken::REFERENCE
    },
];

bent!(CacheMissesReplace: HashMap<SessionId, Record>, ReplaceSameText, LastWriteWins, ConflictButWrites, ConflictIsError, ConflictMovesExpiry, VersionReset: Versions, VersionByHandle: HashMap<SessionId, Record>, LostUpdate, ReplaceFallsBack, CreateRace, TouchBumps: HashSet<SessionId>, TouchedMissing: HashSet<SessionId>, ReplaceKeepsTtl, ReplaceLosesTtl, ReplaceOnlyExtends, CompareLength, CompareCase, ComparePadded, CompareParsed, ComparePrefix, CompareHash, CompareExpiry, CompareMaxLength, SameIsConflict, SameIsSkipped,);

/// The versions of records, and those that were read last.
#[derive(Debug, Default)]
struct Versions {
    now: HashMap<SessionId, u64>,
    read: HashMap<SessionId, u64>,
}

/// Writes where `same` says that the stored text is the old one.
fn replace_if(
    reference: &Reference,
    id: &SessionId,
    new: &Record,
    same: impl Fn(&Row) -> bool,
) -> Replaced {
    let now = reference.now();
    let mut rows = reference.rows();
    match rows.get_mut(id.as_str()).filter(|row| row.is_live(now)) {
        None => Replaced::Missing,
        Some(row) if !same(row) => Replaced::Conflict,
        Some(row) => {
            *row = Row::of(new);
            Replaced::Replaced
        }
    }
}

#[async_trait]
impl Bend for ReplaceSameText {
    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        let replaced = self.reference.replace(id, old, new).await?;
        if replaced == Replaced::Replaced {
            for row in self.reference.rows().values_mut() {
                if *row.text == *old.json() {
                    *row = Row::of(new);
                }
            }
        }
        Ok(replaced)
    }
}

#[async_trait]
impl Bend for LastWriteWins {
    async fn replace(&self, id: &SessionId, _: &Record, new: &Record) -> Result<Replaced> {
        Ok(replace_if(&self.reference, id, new, |_| true))
    }
}

#[async_trait]
impl Bend for ConflictButWrites {
    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        let replaced = self.reference.replace(id, old, new).await?;
        if replaced == Replaced::Conflict {
            self.reference.set(id, new).await?;
        }
        Ok(replaced)
    }
}

#[async_trait]
impl Bend for ConflictIsError {
    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        match self.reference.replace(id, old, new).await? {
            Replaced::Conflict => Err(session_core::Error::new(
                session_core::ErrorKind::Conflict,
                "replace",
            )),
            replaced => Ok(replaced),
        }
    }
}

#[async_trait]
impl Bend for ConflictMovesExpiry {
    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        let replaced = self.reference.replace(id, old, new).await?;
        match self.reference.rows().get_mut(id.as_str()) {
            Some(row) if replaced == Replaced::Conflict => row.expires = new.expires(),
            _ => {}
        }
        Ok(replaced)
    }
}

impl VersionReset {
    fn remember(&self, id: &SessionId) {
        let mut versions = lock(&self.state);
        let version = versions.now.get(id).copied().unwrap_or_default();
        versions.read.insert(id.clone(), version);
    }
}

#[async_trait]
impl Bend for VersionReset {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        self.remember(id);
        self.reference.get(id).await
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        *lock(&self.state).now.entry(id.clone()).or_default() += 1;
        self.reference.set(id, record).await
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        lock(&self.state).now.remove(id);
        self.reference.destroy(id).await
    }

    async fn replace(&self, id: &SessionId, _: &Record, new: &Record) -> Result<Replaced> {
        let mut versions = lock(&self.state);
        let same = versions.now.get(id) == versions.read.get(id);
        let replaced = replace_if(&self.reference, id, new, |_| same);
        if replaced == Replaced::Replaced {
            *versions.now.entry(id.clone()).or_default() += 1;
        }
        Ok(replaced)
    }
}

#[async_trait]
impl Bend for VersionByHandle {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let found = self.reference.get(id).await?;
        lock(&self.state).extend(found.iter().map(|record| (id.clone(), record.clone())));
        Ok(found)
    }

    async fn replace(&self, id: &SessionId, _: &Record, new: &Record) -> Result<Replaced> {
        let read = lock(&self.state).get(id).cloned();
        Ok(replace_if(&self.reference, id, new, |row| {
            read.as_ref().is_some_and(|read| *row.text == *read.json())
        }))
    }
}

#[async_trait]
impl Bend for LostUpdate {
    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        match self.reference.get(id).await? {
            None => Ok(Replaced::Missing),
            Some(found) if !found.same_json(old) => Ok(Replaced::Conflict),
            Some(_) => {
                std::thread::sleep(Duration::from_micros(500));
                self.reference.set(id, new).await?;
                Ok(Replaced::Replaced)
            }
        }
    }
}

#[async_trait]
impl Bend for ReplaceFallsBack {
    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        match self.reference.get(id).await? {
            None => return Ok(Replaced::Missing),
            Some(found) if !found.same_json(old) => return Ok(Replaced::Conflict),
            Some(_) => std::thread::sleep(Duration::from_micros(500)),
        }
        let replaced = self.reference.replace(id, old, new).await?;
        if replaced == Replaced::Missing {
            self.reference.set(id, new).await?;
        }
        Ok(replaced)
    }
}

#[async_trait]
impl Bend for CreateRace {
    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        if self.reference.get(id).await?.is_some() {
            return Ok(Created::Exists);
        }
        std::thread::sleep(Duration::from_micros(500));
        self.reference.set(id, record).await?;
        Ok(Created::Created)
    }
}

#[async_trait]
impl Bend for TouchBumps {
    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        lock(&self.state).insert(id.clone());
        self.reference.touch(id, cookie).await
    }

    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        let touched = lock(&self.state).contains(id);
        let same = |row: &Row| !touched && *row.text == *old.json();
        Ok(replace_if(&self.reference, id, new, same))
    }
}

#[async_trait]
impl Bend for TouchedMissing {
    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        lock(&self.state).insert(id.clone());
        self.reference.touch(id, cookie).await
    }

    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        if lock(&self.state).contains(id) {
            return Ok(Replaced::Missing);
        }
        self.reference.replace(id, old, new).await
    }
}

/// Replaces, and gives the row an expiry made of the one before and the new one.
async fn replace_with_expiry(
    reference: &Reference,
    id: &SessionId,
    (old, new): (&Record, &Record),
    expiry: impl Fn(&Row, &Row) -> Option<std::time::SystemTime> + Send,
) -> Result<Replaced> {
    let before = reference.rows().get(id.as_str()).cloned();
    let replaced = reference.replace(id, old, new).await?;
    if let (Replaced::Replaced, Some(before), Some(row)) =
        (replaced, before, reference.rows().get_mut(id.as_str()))
    {
        row.expires = expiry(&before, row);
    }
    Ok(replaced)
}

#[async_trait]
impl Bend for ReplaceKeepsTtl {
    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        replace_with_expiry(&self.reference, id, (old, new), |before, _| before.expires).await
    }
}

#[async_trait]
impl Bend for ReplaceLosesTtl {
    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        replace_with_expiry(&self.reference, id, (old, new), |_, _| None).await
    }
}

#[async_trait]
impl Bend for ReplaceOnlyExtends {
    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        replace_with_expiry(&self.reference, id, (old, new), |before, after| {
            match (before.expires, after.expires) {
                (Some(before), Some(after)) => Some(before.max(after)),
                _ => after.expires,
            }
        })
        .await
    }
}

#[async_trait]
impl Bend for CompareLength {
    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        let same = |row: &Row| row.text.len() == old.json().len();
        Ok(replace_if(&self.reference, id, new, same))
    }
}

#[async_trait]
impl Bend for CompareCase {
    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        let same = |row: &Row| row.text.to_lowercase() == old.json().to_lowercase();
        Ok(replace_if(&self.reference, id, new, same))
    }
}

#[async_trait]
impl Bend for ComparePadded {
    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        let same = |row: &Row| row.text.trim_end() == old.json().trim_end();
        Ok(replace_if(&self.reference, id, new, same))
    }
}

#[async_trait]
impl Bend for CompareParsed {
    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
        let same = |row: &Row| parse(&row.text) == parse(old.json());
        Ok(replace_if(&self.reference, id, new, same))
    }
}

#[async_trait]
impl Bend for ComparePrefix {
    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        let same = |row: &Row| row.text.bytes().take(200).eq(old.json().bytes().take(200));
        Ok(replace_if(&self.reference, id, new, same))
    }
}

#[async_trait]
impl Bend for CompareHash {
    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        let sum = |text: &str| text.bytes().map(u64::from).sum::<u64>();
        let same = |row: &Row| sum(&row.text) == sum(old.json());
        Ok(replace_if(&self.reference, id, new, same))
    }
}

#[async_trait]
impl Bend for CompareExpiry {
    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        let same = |row: &Row| *row.text == *old.json() && row.expires == old.expires();
        Ok(replace_if(&self.reference, id, new, same))
    }
}

#[async_trait]
impl Bend for CompareMaxLength {
    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        let same = |row: &Row| row.text.len() <= 4_096 && *row.text == *old.json();
        Ok(replace_if(&self.reference, id, new, same))
    }
}

#[async_trait]
impl Bend for SameIsConflict {
    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        let replaced = self.reference.replace(id, old, new).await?;
        Ok(match replaced {
            Replaced::Replaced if old == new => Replaced::Conflict,
            replaced => replaced,
        })
    }
}

#[async_trait]
impl Bend for SameIsSkipped {
    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        if old.same_json(new) {
            return Ok(match self.reference.get(id).await? {
                None => Replaced::Missing,
                Some(found) if found.same_json(old) => Replaced::Replaced,
                Some(_) => Replaced::Conflict,
            });
        }
        self.reference.replace(id, old, new).await
    }
}

#[async_trait]
impl Bend for CacheMissesReplace {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let cached = lock(&self.state).get(id).cloned();
        let live = |record: &Record| !record.is_expired(self.reference.now());
        if let Some(cached) = cached.filter(live) {
            return Ok(Some(cached));
        }
        let found = self.reference.get(id).await?;
        lock(&self.state).extend(found.iter().map(|record| (id.clone(), record.clone())));
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
