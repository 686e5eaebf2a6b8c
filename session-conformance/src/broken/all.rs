//! Broken stores of the group ALL.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use session_core::{
    Data, Error, ErrorKind, Record, Result, SessionCookie, SessionId, Store, StoreStream,
    StoredExpiry,
};
use tokio::sync::{OwnedRwLockReadGuard, RwLock};

use super::len::{live, rows, stream_ids, stream_rows};
use super::{Bend, Broken, bent, each, lock, shared};
use crate::reference::{Reference, Row};

pub(super) const BROKEN: &[Broken] = &[
    Broken {
        name: "AllShowsJsonExpiry",
        bug: "`all` shows the expiry of the JSON, not the one that `touch` moved",
        open: |reference| each(reference, AllShowsJsonExpiry::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "AllLosesExpiry",
        bug: "`all` gives records without their expiry",
        open: |reference| each(reference, AllLosesExpiry::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "AllMixesData",
        bug: "`all` reads ids and data apart, in orders that do not agree",
        open: |reference| each(reference, AllMixesData::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "AllOwnOnly",
        bug: "`all` and `ids` give what this handle wrote",
        open: |reference| each(reference, AllOwnOnly::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "AllTwice",
        bug: "`all` and `ids` give a record once for each time that it was written",
        open: |reference| shared(reference, AllTwice::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "AllIncludesExpired",
        bug: "`all` and `ids` give every row, expired ones too",
        open: |reference| each(reference, AllIncludesExpired::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "IdsIncludeExpired",
        bug: "`ids` gives every key, also those of expired records",
        open: |reference| each(reference, IdsIncludeExpired::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "AllNeedsExpiry",
        bug: "`all` asks for `expires > now`, which is not true of NULL",
        open: |reference| each(reference, AllNeedsExpiry::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "AllEverywhere",
        bug: "`all` and `ids` give what is in other namespaces, too",
        open: |reference| each(reference, AllEverywhere::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "AllForeign",
        bug: "`all` and `ids` take what stands next to the sessions for one",
        open: |reference| each(reference, AllForeign::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "NilAll",
        bug: "`all` and `ids` of an empty store are an error",
        open: |reference| each(reference, NilAll::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "AllHashedIds",
        bug: "`all` and `ids` give the hashes under which records are stored",
        open: |reference| {
            each(reference, |reference| ListedAs {
                reference,
                name: hashed,
            })
        },
        ..Broken::REFERENCE
    },
    Broken {
        name: "AllTrimsPrefix",
        bug: "`all` and `ids` cut off the prefix `sess:` as often as it stands there",
        open: |reference| {
            each(reference, |reference| ListedAs {
                reference,
                name: trimmed,
            })
        },
        ..Broken::REFERENCE
    },
    Broken {
        name: "AllLowercase",
        bug: "`all` and `ids` give ids in lower case",
        open: |reference| {
            each(reference, |reference| ListedAs {
                reference,
                name: str::to_lowercase,
            })
        },
        ..Broken::REFERENCE
    },
    Broken {
        name: "IterInvalidation",
        bug: "`all` pages by OFFSET, and skips a record for each one that is destroyed",
        open: |reference| each(reference, IterInvalidation::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "AllFailsOnChange",
        bug: "`all` ends with an error when a listed record is gone meanwhile",
        open: |reference| each(reference, AllFailsOnChange::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "AllLocks",
        bug: "`all` holds a lock between two items that writes wait for",
        open: |reference| shared(reference, AllLocks::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "AllStopsAtBad",
        bug: "`all` ends at a row that cannot be decoded",
        open: |reference| each(reference, AllStopsAtBad::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "AllSkipsBad",
        bug: "`all` leaves out what cannot be decoded, without a word",
        open: |reference| each(reference, AllSkipsBad::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "AllFailsAtBad",
        bug: "`all` collects with `?`: one row that cannot be decoded is all that it gives",
        open: |reference| each(reference, AllFailsAtBad::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "AllLeaks",
        bug: "`all` gives its connection back only when it is read to its end",
        open: |reference| shared(reference, AllLeaks::new),
        ..Broken::REFERENCE
    },
];

bent!(
    AllShowsJsonExpiry,
    AllLosesExpiry,
    AllMixesData,
    AllOwnOnly: HashSet<SessionId>,
    AllTwice: Vec<SessionId>,
    AllIncludesExpired,
    IdsIncludeExpired,
    AllNeedsExpiry,
    AllEverywhere,
    AllForeign,
    NilAll,
    IterInvalidation,
    AllFailsOnChange,
    AllLocks: Arc<RwLock<()>>,
    AllStopsAtBad,
    AllSkipsBad,
    AllFailsAtBad,
    AllLeaks: u32,
);

#[async_trait]
impl Bend for AllShowsJsonExpiry {
    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        let items = live(&self.reference).into_iter();
        Box::pin(stream::iter(items.map(|(id, row)| {
            Ok((id, Record::decode(row.text, StoredExpiry::InJson)?))
        })))
    }
}

#[async_trait]
impl Bend for AllLosesExpiry {
    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        let items = live(&self.reference).into_iter();
        Box::pin(stream::iter(items.map(|(id, row)| {
            Ok((id, Record::decode(row.text, StoredExpiry::Never)?))
        })))
    }
}

#[async_trait]
impl Bend for AllMixesData {
    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        let found = live(&self.reference);
        let data: Vec<_> = found.iter().rev().map(|(_, row)| row.clone()).collect();
        stream_rows(found.into_iter().map(|(id, _)| id).zip(data).collect())
    }
}

impl AllOwnOnly {
    fn own(&self) -> Vec<(SessionId, Row)> {
        let mut found = live(&self.reference);
        let own = lock(&self.state);
        found.retain(|(id, _)| own.contains(id));
        found
    }
}

#[async_trait]
impl Bend for AllOwnOnly {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        lock(&self.state).insert(id.clone());
        self.reference.set(id, record).await
    }

    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        stream_rows(self.own())
    }

    fn ids(&self) -> StoreStream<'_, SessionId> {
        stream_ids(self.own())
    }
}

impl AllTwice {
    fn written(&self) -> Vec<(SessionId, Row)> {
        let found = live(&self.reference);
        let row = |id: &SessionId| found.iter().find(|(other, _)| other == id).cloned();
        lock(&self.state).iter().filter_map(row).collect()
    }
}

#[async_trait]
impl Bend for AllTwice {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        lock(&self.state).push(id.clone());
        self.reference.set(id, record).await
    }

    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        stream_rows(self.written())
    }

    fn ids(&self) -> StoreStream<'_, SessionId> {
        stream_ids(self.written())
    }
}

#[async_trait]
impl Bend for AllIncludesExpired {
    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        stream_rows(rows(&self.reference, |_| true))
    }

    fn ids(&self) -> StoreStream<'_, SessionId> {
        stream_ids(rows(&self.reference, |_| true))
    }
}

#[async_trait]
impl Bend for IdsIncludeExpired {
    fn ids(&self) -> StoreStream<'_, SessionId> {
        stream_ids(rows(&self.reference, |_| true))
    }
}

#[async_trait]
impl Bend for AllNeedsExpiry {
    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        let now = self.reference.now();
        let later = |expires: SystemTime| expires > now;
        stream_rows(rows(&self.reference, |row| row.expires.is_some_and(later)))
    }
}

impl AllEverywhere {
    fn everything(&self) -> Vec<(SessionId, Row)> {
        self.reference.everywhere().iter().flat_map(live).collect()
    }
}

#[async_trait]
impl Bend for AllEverywhere {
    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        stream_rows(self.everything())
    }

    fn ids(&self) -> StoreStream<'_, SessionId> {
        stream_ids(self.everything())
    }
}

impl AllForeign {
    fn found(&self) -> Vec<(SessionId, Row)> {
        let mut found = live(&self.reference);
        if let (true, Ok(id)) = (
            self.reference.foreign().load(Ordering::SeqCst),
            SessionId::new("lock-of-the-job-queue"),
        ) {
            let empty = Record::new(SessionCookie::new(), &Data::new());
            found.push((id, Row::of(&empty)));
        }
        found
    }
}

#[async_trait]
impl Bend for AllForeign {
    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        stream_rows(self.found())
    }

    fn ids(&self) -> StoreStream<'_, SessionId> {
        stream_ids(self.found())
    }
}

fn failed<'a, T: Send + 'a>(kind: ErrorKind, operation: &'static str) -> StoreStream<'a, T> {
    Box::pin(stream::iter([Err(Error::new(kind, operation))]))
}

#[async_trait]
impl Bend for NilAll {
    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        if live(&self.reference).is_empty() {
            return failed(ErrorKind::Missing, "all");
        }
        self.reference.all()
    }

    fn ids(&self) -> StoreStream<'_, SessionId> {
        if live(&self.reference).is_empty() {
            return failed(ErrorKind::Missing, "ids");
        }
        self.reference.ids()
    }
}

/// Lists ids in another form than they were written in.
#[derive(Debug)]
struct ListedAs {
    reference: Reference,
    name: fn(&str) -> String,
}

fn hashed(id: &str) -> String {
    let hash = id.bytes().fold(5_381_u64, |hash, byte| {
        hash.wrapping_mul(33) ^ u64::from(byte)
    });
    format!("{hash:016x}")
}

fn trimmed(id: &str) -> String {
    id.trim_start_matches("sess:").to_owned()
}

impl ListedAs {
    fn listed(&self) -> Vec<(SessionId, Row)> {
        live(&self.reference)
            .into_iter()
            .filter_map(|(id, row)| Some((SessionId::new((self.name)(id.as_str())).ok()?, row)))
            .collect()
    }
}

impl AsRef<Reference> for ListedAs {
    fn as_ref(&self) -> &Reference {
        &self.reference
    }
}

#[async_trait]
impl Bend for ListedAs {
    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        stream_rows(self.listed())
    }

    fn ids(&self) -> StoreStream<'_, SessionId> {
        stream_ids(self.listed())
    }
}

#[async_trait]
impl Bend for IterInvalidation {
    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        const PAGE: usize = 50;
        let pages = stream::unfold(0, move |offset| async move {
            let page: Vec<_> = live(&self.reference)
                .into_iter()
                .skip(offset)
                .take(PAGE)
                .collect();
            (!page.is_empty()).then(|| (stream_rows(page), offset + PAGE))
        });
        Box::pin(pages.flatten())
    }
}

#[async_trait]
impl Bend for AllFailsOnChange {
    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        let ids = live(&self.reference).into_iter().map(|(id, _)| id);
        Box::pin(stream::iter(ids).then(move |id| async move {
            let record = self.reference.get(&id).await?;
            let record = record.ok_or_else(|| Error::new(ErrorKind::Missing, "all"))?;
            Ok((id, record))
        }))
    }
}

#[async_trait]
impl Bend for AllLocks {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let lock = Arc::clone(&lock(&self.state));
        let _guard = lock.write().await;
        self.reference.set(id, record).await
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        let lock = Arc::clone(&lock(&self.state));
        let _guard = lock.write().await;
        self.reference.destroy(id).await
    }

    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        let lock = Arc::clone(&lock(&self.state));
        let locked = async move {
            let guard: OwnedRwLockReadGuard<()> = lock.read_owned().await;
            self.reference.all().map(move |item| {
                let _held = &guard;
                item
            })
        };
        Box::pin(stream::once(locked).flatten())
    }
}

#[async_trait]
impl Bend for AllStopsAtBad {
    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        let mut stopped = false;
        Box::pin(self.reference.all().take_while(move |item| {
            let before = stopped;
            stopped |= item.is_err();
            std::future::ready(!before)
        }))
    }
}

#[async_trait]
impl Bend for AllSkipsBad {
    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        let good = |item: &Result<_>| std::future::ready(item.is_ok());
        Box::pin(self.reference.all().filter(good))
    }
}

#[async_trait]
impl Bend for AllFailsAtBad {
    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        let decoded: Result<Vec<_>> = live(&self.reference)
            .into_iter()
            .map(|(id, row)| Ok((id, row.decode()?)))
            .collect();
        match decoded {
            Ok(records) => Box::pin(stream::iter(records.into_iter().map(Ok))),
            Err(error) => Box::pin(stream::iter([Err(error)])),
        }
    }
}

#[async_trait]
impl Bend for AllLeaks {
    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        const CONNECTIONS: u32 = 16;
        let mut taken = lock(&self.state);
        if *taken == CONNECTIONS {
            return failed(ErrorKind::Timeout, "all");
        }
        *taken += 1;
        drop(taken);
        let end = stream::once(async { *lock(&self.state) -= 1 });
        let none = end.filter_map(|()| std::future::ready(None));
        Box::pin(self.reference.all().chain(none))
    }
}
