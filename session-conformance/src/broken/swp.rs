//! Broken stores of the group SWP.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use session_core::{
    Capabilities, Error, ErrorKind, Record, Result, SessionId, Store, StoredExpiry, Swept,
};

use super::len::number;
use super::{Bend, Broken, bent, each, lock, shared};
use crate::reference::{Reference, Row};

pub(super) const BROKEN: &[Broken] = &[
    Broken {
        name: "KeepsForEver",
        bug: "what has ended stays for ever: there is no `sweep`, and nothing else removes it",
        declares: Capabilities::NONE,
        open: |reference| each(reference, KeepsForEver::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "SweepLive",
        bug: "`sweep` removes what ends within the next minute",
        open: |reference| each(reference, SweepLive::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "SweepNull",
        bug: "`sweep` takes a record without an expiry for one that ended in 1970",
        open: |reference| each(reference, SweepNull::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "SweepBySecond",
        bug: "`sweep` compares whole seconds",
        open: |reference| each(reference, SweepBySecond::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "SweepNoop",
        bug: "`sweep` says that there is nothing to do",
        open: |reference| each(reference, SweepNoop::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "SweepOwnOnly",
        bug: "`sweep` removes what this handle wrote",
        open: |reference| each(reference, SweepOwnOnly::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "SweepLiesAboutRemoved",
        bug: "`sweep` says that it removed nothing",
        open: |reference| each(reference, SweepLiesAboutRemoved::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "UnboundedSweep",
        bug: "`sweep` takes no notice of its limit",
        open: |reference| each(reference, UnboundedSweep::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "SweepNeverMore",
        bug: "`sweep` never says that more are left",
        open: |reference| each(reference, SweepNeverMore::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "SweepAlwaysMore",
        bug: "`sweep` always says that more are left",
        open: |reference| each(reference, SweepAlwaysMore::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "SweepStuck",
        bug: "`sweep` looks at the first rows only, and never comes to those behind them",
        open: |reference| each(reference, SweepStuck::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "SweepLimitOverflow",
        bug: "`sweep` makes its limit a negative number, with which nothing is removed",
        open: |reference| each(reference, SweepLimitOverflow::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "SweepZeroIsAll",
        bug: "`sweep` takes a limit of 0 for none",
        open: |reference| each(reference, SweepZeroIsAll::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "SweepRace",
        bug: "`sweep` fails when a row that it found has been removed meanwhile",
        open: |reference| each(reference, SweepRace::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "SweepExclusive",
        bug: "`sweep` fails while another sweep is under way",
        open: |reference| shared(reference, SweepExclusive::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "SweepTOCTOU",
        bug: "`sweep` removes by id what it found expired a moment before",
        open: |reference| each(reference, SweepTOCTOU::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "DieOnError",
        bug: "`sweep` does nothing any more after an error",
        open: |reference| each(reference, DieOnError::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "SweepHidesError",
        bug: "`sweep` answers `Ok` while the backend is down",
        open: |reference| each(reference, SweepHidesError::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "SweepByJson",
        bug: "`sweep` goes by the expiry in the JSON, not by the one that `touch` moved",
        open: |reference| each(reference, SweepByJson::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "SweepStaleIndex",
        bug: "`sweep` goes by an index that `touch` does not write to",
        open: |reference| shared(reference, SweepStaleIndex::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "SweepTombstones",
        bug: "an id that was swept once can never be set again",
        open: |reference| shared(reference, SweepTombstones::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "SweepKeepsIndex",
        bug: "`length` counts an index from which `sweep` removes nothing",
        open: |reference| shared(reference, SweepKeepsIndex::new),
        ..Broken::REFERENCE
    },
];

bent!(KeepsForEver, SweepLive, SweepNull, SweepBySecond, SweepNoop, SweepOwnOnly: HashSet<SessionId>, SweepLiesAboutRemoved, UnboundedSweep, SweepNeverMore, SweepAlwaysMore, SweepStuck, SweepLimitOverflow, SweepZeroIsAll, SweepRace, SweepExclusive: (), SweepTOCTOU, DieOnError: bool, SweepHidesError, SweepByJson, SweepStaleIndex: BTreeMap<String, Option<SystemTime>>, SweepTombstones: BTreeSet<String>, SweepKeepsIndex: BTreeSet<String>,);

/// Ids of rows that are expired in the eyes of `over`.
fn find(reference: &Reference, over: impl Fn(&Row) -> bool) -> Vec<String> {
    let rows = reference.rows();
    let found = rows.iter().filter(|(_, row)| over(row));
    found.map(|(id, _)| id.clone()).collect()
}

/// Removes the first of these.
fn remove(reference: &Reference, found: &[String], limit: usize) -> Swept {
    let mut rows = reference.rows();
    for id in found.iter().take(limit) {
        rows.remove(id);
    }
    Swept {
        removed: found.len().min(limit),
        more: found.len() > limit,
    }
}

fn expired(reference: &Reference) -> Vec<String> {
    let now = reference.now();
    find(reference, |row| !row.is_live(now))
}

#[async_trait]
impl Bend for SweepLive {
    async fn sweep(&self, limit: usize) -> Result<Swept> {
        let soon = self.reference.now() + Duration::from_secs(60);
        let found = find(&self.reference, |row| !row.is_live(soon));
        Ok(remove(&self.reference, &found, limit))
    }
}

#[async_trait]
impl Bend for SweepNull {
    async fn sweep(&self, limit: usize) -> Result<Swept> {
        let now = self.reference.now();
        let over = |row: &Row| row.expires.unwrap_or(SystemTime::UNIX_EPOCH) <= now;
        let found = find(&self.reference, over);
        Ok(remove(&self.reference, &found, limit))
    }
}

#[async_trait]
impl Bend for SweepBySecond {
    async fn sweep(&self, limit: usize) -> Result<Swept> {
        let seconds = |time: SystemTime| {
            let since = time.duration_since(SystemTime::UNIX_EPOCH);
            since.map_or(0, |since| since.as_secs())
        };
        let now = seconds(self.reference.now());
        let over = |row: &Row| row.expires.is_some_and(|expires| seconds(expires) <= now);
        let found = find(&self.reference, over);
        Ok(remove(&self.reference, &found, limit))
    }
}

#[async_trait]
impl Bend for SweepNoop {
    async fn sweep(&self, _: usize) -> Result<Swept> {
        Ok(remove(&self.reference, &[], 0))
    }
}

#[async_trait]
impl Bend for SweepOwnOnly {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        lock(&self.state).insert(id.clone());
        self.reference.set(id, record).await
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        let mut found = expired(&self.reference);
        let own = lock(&self.state);
        found.retain(|id| own.iter().any(|own| own.as_str() == id));
        Ok(remove(&self.reference, &found, limit))
    }
}

#[async_trait]
impl Bend for SweepLiesAboutRemoved {
    async fn sweep(&self, limit: usize) -> Result<Swept> {
        let swept = self.reference.sweep(limit).await?;
        Ok(Swept {
            removed: 0,
            ..swept
        })
    }
}

#[async_trait]
impl Bend for UnboundedSweep {
    async fn sweep(&self, _: usize) -> Result<Swept> {
        self.reference.sweep(usize::MAX).await
    }
}

#[async_trait]
impl Bend for SweepNeverMore {
    async fn sweep(&self, limit: usize) -> Result<Swept> {
        let swept = self.reference.sweep(limit).await?;
        Ok(Swept {
            more: false,
            ..swept
        })
    }
}

#[async_trait]
impl Bend for SweepAlwaysMore {
    async fn sweep(&self, limit: usize) -> Result<Swept> {
        let swept = self.reference.sweep(limit).await?;
        Ok(Swept {
            more: true,
            ..swept
        })
    }
}

#[async_trait]
impl Bend for SweepStuck {
    async fn sweep(&self, limit: usize) -> Result<Swept> {
        let first: Vec<_> = find(&self.reference, |_| true)
            .into_iter()
            .take(limit.min(1_000))
            .collect();
        let mut found = expired(&self.reference);
        found.retain(|id| first.contains(id));
        let swept = remove(&self.reference, &found, limit);
        Ok(Swept {
            more: !found.is_empty(),
            ..swept
        })
    }
}

#[async_trait]
impl Bend for SweepLimitOverflow {
    async fn sweep(&self, limit: usize) -> Result<Swept> {
        let limit = isize::try_from(limit).map_or(0, isize::unsigned_abs);
        let found = expired(&self.reference);
        let swept = remove(&self.reference, &found, limit);
        Ok(Swept {
            more: limit > 0 && swept.more,
            ..swept
        })
    }
}

#[async_trait]
impl Bend for SweepZeroIsAll {
    async fn sweep(&self, limit: usize) -> Result<Swept> {
        self.reference
            .sweep(if limit == 0 { usize::MAX } else { limit })
            .await
    }
}

#[async_trait]
impl Bend for SweepRace {
    async fn sweep(&self, limit: usize) -> Result<Swept> {
        let found = expired(&self.reference);
        for id in found.iter().take(limit) {
            std::thread::sleep(Duration::from_micros(100));
            if self.reference.rows().remove(id).is_none() {
                return Err(Error::new(ErrorKind::Other, "sweep"));
            }
        }
        Ok(remove(&self.reference, &found, limit))
    }
}

#[async_trait]
impl Bend for SweepExclusive {
    async fn sweep(&self, limit: usize) -> Result<Swept> {
        let Ok(_alone) = self.state.try_lock() else {
            return Err(Error::new(ErrorKind::Other, "sweep"));
        };
        std::thread::sleep(Duration::from_millis(1));
        let found = expired(&self.reference);
        Ok(remove(&self.reference, &found, limit))
    }
}

#[async_trait]
impl Bend for SweepTOCTOU {
    async fn sweep(&self, limit: usize) -> Result<Swept> {
        let found = expired(&self.reference);
        std::thread::sleep(Duration::from_millis(1));
        Ok(remove(&self.reference, &found, limit))
    }
}

#[async_trait]
impl Bend for DieOnError {
    async fn sweep(&self, limit: usize) -> Result<Swept> {
        if *lock(&self.state) {
            return Ok(remove(&self.reference, &[], limit));
        }
        let swept = self.reference.sweep(limit).await;
        *lock(&self.state) = swept.is_err();
        swept
    }
}

#[async_trait]
impl Bend for SweepHidesError {
    async fn sweep(&self, limit: usize) -> Result<Swept> {
        let swept = self.reference.sweep(limit).await;
        Ok(swept.unwrap_or(Swept {
            removed: 0,
            more: false,
        }))
    }
}

#[async_trait]
impl Bend for SweepByJson {
    async fn sweep(&self, limit: usize) -> Result<Swept> {
        let now = self.reference.now();
        let by_json = |row: &Row| {
            let record = Record::decode(row.text.clone(), StoredExpiry::InJson);
            record.is_ok_and(|record| record.is_expired(now))
        };
        let found = find(&self.reference, by_json);
        Ok(remove(&self.reference, &found, limit))
    }
}

#[async_trait]
impl Bend for SweepStaleIndex {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        lock(&self.state).insert(id.as_str().to_owned(), record.expires());
        self.reference.set(id, record).await
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        let now = self.reference.now();
        let index = lock(&self.state);
        let mut found = expired(&self.reference);
        // What the index takes for live is passed over.
        found.retain(|id| {
            let end = index.get(id).copied().flatten();
            end.is_some_and(|end| end <= now)
        });
        Ok(remove(&self.reference, &found, limit))
    }
}

#[async_trait]
impl Bend for SweepTombstones {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        if lock(&self.state).contains(id.as_str()) {
            return Ok(());
        }
        self.reference.set(id, record).await
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        let found = expired(&self.reference);
        lock(&self.state).extend(found.iter().take(limit).cloned());
        Ok(remove(&self.reference, &found, limit))
    }
}

#[async_trait]
impl Bend for SweepKeepsIndex {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        lock(&self.state).insert(id.as_str().to_owned());
        self.reference.set(id, record).await
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        lock(&self.state).remove(id.as_str());
        self.reference.destroy(id).await
    }

    async fn length(&self) -> Result<u64> {
        Ok(number(lock(&self.state).len()))
    }
}

impl Bend for KeepsForEver {
    fn capabilities(&self) -> Capabilities {
        Capabilities::NONE
    }
}
