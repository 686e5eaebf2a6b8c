//! Broken stores of the group SCL.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::{StreamExt, future};
use session_core::{Error, ErrorKind, Record, Result, SessionId, Store, StoreStream, Swept};

use super::{Bend, Broken, bent, each, lock, shared};

pub(super) const BROKEN: &[Broken] = &[
    Broken {
        name: "EvictsLive",
        bug: "more than 10,000 records make room for a new one",
        open: |reference| each(reference, EvictsLive::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ListsAMegabyte",
        bug: "`all` ends after its first megabyte",
        open: |reference| each(reference, ListsAMegabyte::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ClearsAPage",
        bug: "`clear` removes 2,000 rows",
        open: |reference| each(reference, ClearsAPage::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "SweepsAPage",
        bug: "`sweep` looks at the first 4,000 rows",
        open: |reference| each(reference, SweepsAPage::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "StreamKeepsConnection",
        bug: "a stream of `all` keeps its connection between two items",
        open: |reference| shared(reference, StreamKeepsConnection::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "StreamEndsOnError",
        bug: "a stream of `all` ends where its connection does",
        open: |reference| each(reference, StreamEndsOnError::new),
        ..Broken::REFERENCE
    },
];

bent!(
    EvictsLive,
    ListsAMegabyte,
    ClearsAPage,
    SweepsAPage,
    StreamKeepsConnection: Arc<()>,
    StreamEndsOnError,
);

#[async_trait]
impl Bend for EvictsLive {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        self.reference.set(id, record).await?;
        let mut rows = self.reference.rows();
        if rows.len() > 10_000 {
            rows.pop_first();
        }
        Ok(())
    }
}

#[async_trait]
impl Bend for ListsAMegabyte {
    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        let mut bytes = 0;
        let fits = move |item: &Result<(SessionId, Record)>| {
            bytes += item.as_ref().map_or(0, |(_, record)| record.json().len());
            future::ready(bytes < 1 << 20)
        };
        Box::pin(self.reference.all().take_while(fits))
    }
}

#[async_trait]
impl Bend for ClearsAPage {
    async fn clear(&self) -> Result<()> {
        self.reference.trip("clear")?;
        let mut rows = self.reference.rows();
        for _ in 0..2_000 {
            rows.pop_first();
        }
        Ok(())
    }
}

#[async_trait]
impl Bend for SweepsAPage {
    async fn sweep(&self, limit: usize) -> Result<Swept> {
        self.reference.trip("sweep")?;
        let now = self.reference.now();
        let mut rows = self.reference.rows();
        let page = rows.iter().take(4_000);
        let over = page.filter(|(_, row)| !row.is_live(now));
        let over: Vec<_> = over.map(|(id, _)| id.clone()).collect();
        over.iter().take(limit).for_each(|id| drop(rows.remove(id)));
        Ok(Swept {
            removed: over.len().min(limit),
            more: over.len() > limit,
        })
    }
}

#[async_trait]
impl Bend for StreamKeepsConnection {
    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        let connection = Arc::clone(&lock(&self.state));
        Box::pin(self.reference.all().map(move |item| {
            let _kept = &connection;
            item
        }))
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let open = Arc::strong_count(&lock(&self.state)) > 1;
        if open && self.reference.connections() == Some(1) {
            return Err(Error::new(ErrorKind::Timeout, "set"));
        }
        self.reference.set(id, record).await
    }
}

#[async_trait]
impl Bend for StreamEndsOnError {
    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        let reachable = |_: &Result<_>| future::ready(self.reference.trip("all").is_ok());
        Box::pin(self.reference.all().take_while(reachable))
    }
}
