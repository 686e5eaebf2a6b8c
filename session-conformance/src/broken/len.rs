//! Broken stores of the group LEN.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use async_trait::async_trait;
use futures_util::stream;
use session_core::{Record, Replaced, Result, SessionId, Store, StoreStream, StoredExpiry};

use super::{Bend, Broken, bent, each, lock, shared};
use crate::reference::{Reference, Row};

/// What a page of a backend holds.
pub(super) const PAGE: usize = 1_000;

pub(super) const BROKEN: &[Broken] = &[
    Broken {
        name: "LengthCountsExpired",
        bug: "`length` counts every row, expired ones too",
        open: |reference| each(reference, LengthCountsExpired::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "LengthNeedsExpiry",
        bug: "`length` counts where `expires > now`, which is not true of NULL",
        open: |reference| each(reference, LengthNeedsExpiry::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "LenDrift",
        bug: "`length` is a counter that each `set` increases, an overwrite too",
        open: |reference| shared(reference, LenDrift::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "LenDestroyDrift",
        bug: "`length` is a counter that each `destroy` decreases, one of nothing too",
        open: |reference| shared(reference, LenDestroyDrift::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "LenOwnOnly",
        bug: "`length` counts what this handle wrote",
        open: |reference| each(reference, LenOwnOnly::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "LenCached",
        bug: "`length` remembers its last answer until this handle writes",
        open: |reference| each(reference, LenCached::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "DbSize",
        bug: "`length` counts the whole database (DBSIZE)",
        open: |reference| each(reference, DbSize::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "LenPrefix",
        bug: "`length` counts every namespace whose name begins with this one's",
        open: |reference| each(reference, LenPrefix::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "FirstPage",
        bug: "`length`, `all` and `ids` read the first page of a cursor and stop",
        open: |reference| each(reference, FirstPage::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ScanDup",
        bug: "`length`, `all` and `ids` give again what SCAN returns twice",
        open: |reference| each(reference, ScanDup::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "LenByJson",
        bug: "`length` goes by the expiry in the JSON, not by the one that `touch` moved",
        open: |reference| each(reference, LenByJson::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "LenForgetsCreate",
        bug: "`length` counts an index that `create` does not write to",
        open: |reference| shared(reference, LenForgetsCreate::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "LenCountsReplace",
        bug: "`length` counts each `replace` as another record",
        open: |reference| shared(reference, LenCountsReplace::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "LenForeign",
        bug: "`length` counts what stands next to the sessions",
        open: |reference| each(reference, LenForeign::new),
        ..Broken::REFERENCE
    },
];

bent!(
    LengthCountsExpired,
    LengthNeedsExpiry,
    LenDrift: u64,
    LenDestroyDrift: u64,
    LenOwnOnly: HashSet<SessionId>,
    LenCached: Option<u64>,
    DbSize,
    LenPrefix,
    FirstPage,
    ScanDup,
    LenByJson,
    LenForgetsCreate: HashSet<SessionId>,
    LenCountsReplace: u64,
    LenForeign,
);

pub(super) fn number(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// The rows that `keep` wants, with their ids.
pub(super) fn rows(reference: &Reference, keep: impl Fn(&Row) -> bool) -> Vec<(SessionId, Row)> {
    reference
        .rows()
        .iter()
        .filter(|(_, row)| keep(row))
        .filter_map(|(id, row)| Some((SessionId::new(id).ok()?, row.clone())))
        .collect()
}

pub(super) fn live(reference: &Reference) -> Vec<(SessionId, Row)> {
    let now = reference.now();
    rows(reference, |row| row.is_live(now))
}

/// `all` of these rows.
pub(super) fn stream_rows<'a>(rows: Vec<(SessionId, Row)>) -> StoreStream<'a, (SessionId, Record)> {
    let items = rows.into_iter();
    Box::pin(stream::iter(
        items.map(|(id, row)| row.decode().map(|record| (id, record))),
    ))
}

/// `ids` of these rows.
pub(super) fn stream_ids<'a>(rows: Vec<(SessionId, Row)>) -> StoreStream<'a, SessionId> {
    Box::pin(stream::iter(rows.into_iter().map(|(id, _)| Ok(id))))
}

#[async_trait]
impl Bend for LengthCountsExpired {
    async fn length(&self) -> Result<u64> {
        Ok(number(self.reference.rows().len()))
    }
}

#[async_trait]
impl Bend for LengthNeedsExpiry {
    async fn length(&self) -> Result<u64> {
        let live = live(&self.reference);
        Ok(number(
            live.iter().filter(|(_, row)| row.expires.is_some()).count(),
        ))
    }
}

#[async_trait]
impl Bend for LenDrift {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        *lock(&self.state) += 1;
        self.reference.set(id, record).await
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        if self.reference.rows().contains_key(id.as_str()) {
            *lock(&self.state) -= 1;
        }
        self.reference.destroy(id).await
    }

    async fn length(&self) -> Result<u64> {
        Ok(*lock(&self.state))
    }
}

#[async_trait]
impl Bend for LenDestroyDrift {
    async fn destroy(&self, id: &SessionId) -> Result<()> {
        if !self.reference.rows().contains_key(id.as_str()) {
            *lock(&self.state) += 1;
        }
        self.reference.destroy(id).await
    }

    async fn length(&self) -> Result<u64> {
        let length = self.reference.length().await?;
        Ok(length.saturating_sub(*lock(&self.state)))
    }
}

#[async_trait]
impl Bend for LenOwnOnly {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        lock(&self.state).insert(id.clone());
        self.reference.set(id, record).await
    }

    async fn length(&self) -> Result<u64> {
        let live = live(&self.reference);
        let own = lock(&self.state);
        Ok(number(
            live.iter().filter(|(id, _)| own.contains(id)).count(),
        ))
    }
}

#[async_trait]
impl Bend for LenCached {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        *lock(&self.state) = None;
        self.reference.set(id, record).await
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        *lock(&self.state) = None;
        self.reference.destroy(id).await
    }

    async fn length(&self) -> Result<u64> {
        let length = self.reference.length().await?;
        Ok(*lock(&self.state).get_or_insert(length))
    }
}

#[async_trait]
impl Bend for DbSize {
    async fn length(&self) -> Result<u64> {
        let everywhere = self.reference.everywhere();
        Ok(everywhere
            .iter()
            .map(|other| number(live(other).len()))
            .sum())
    }
}

#[async_trait]
impl Bend for LenPrefix {
    async fn length(&self) -> Result<u64> {
        let everywhere = self.reference.everywhere().into_iter();
        Ok(everywhere
            .filter(|other| other.namespace().starts_with(self.reference.namespace()))
            .map(|other| number(live(&other).len()))
            .sum())
    }
}

impl FirstPage {
    fn page(&self) -> Vec<(SessionId, Row)> {
        let mut page = live(&self.reference);
        page.truncate(PAGE);
        page
    }
}

#[async_trait]
impl Bend for FirstPage {
    async fn length(&self) -> Result<u64> {
        Ok(number(self.page().len()))
    }

    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        stream_rows(self.page())
    }

    fn ids(&self) -> StoreStream<'_, SessionId> {
        stream_ids(self.page())
    }
}

impl ScanDup {
    /// A table that grows while it is scanned gives some of its keys a second time.
    fn scan(&self) -> Vec<(SessionId, Row)> {
        let mut scanned = live(&self.reference);
        let again: Vec<_> = scanned.iter().skip(PAGE).step_by(50).cloned().collect();
        scanned.extend(again);
        scanned
    }
}

#[async_trait]
impl Bend for ScanDup {
    async fn length(&self) -> Result<u64> {
        Ok(number(self.scan().len()))
    }

    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        stream_rows(self.scan())
    }

    fn ids(&self) -> StoreStream<'_, SessionId> {
        stream_ids(self.scan())
    }
}

#[async_trait]
impl Bend for LenByJson {
    async fn length(&self) -> Result<u64> {
        let now: SystemTime = self.reference.now();
        let by_json = |row: &Row| {
            let record = Record::decode(row.text.clone(), StoredExpiry::InJson);
            record.is_ok_and(|record| !record.is_expired(now))
        };
        Ok(number(rows(&self.reference, by_json).len()))
    }
}

#[async_trait]
impl Bend for LenForgetsCreate {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        lock(&self.state).insert(id.clone());
        self.reference.set(id, record).await
    }

    async fn length(&self) -> Result<u64> {
        let live = live(&self.reference);
        let index = lock(&self.state);
        Ok(number(
            live.iter().filter(|(id, _)| index.contains(id)).count(),
        ))
    }
}

#[async_trait]
impl Bend for LenCountsReplace {
    async fn length(&self) -> Result<u64> {
        let length = self.reference.length().await?;
        Ok(length + *lock(&self.state))
    }

    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        let replaced = self.reference.replace(id, old, new).await?;
        if replaced == Replaced::Replaced {
            *lock(&self.state) += 1;
        }
        Ok(replaced)
    }
}

#[async_trait]
impl Bend for LenForeign {
    async fn length(&self) -> Result<u64> {
        let length = self.reference.length().await?;
        Ok(length + u64::from(self.reference.foreign().load(Ordering::SeqCst)))
    }
}
