//! Broken stores of the group PAR.

use std::time::Duration;

use async_trait::async_trait;
use session_core::{
    Created, Record, Replaced, Result, SessionCookie, SessionId, Store, Swept, Touched,
};
use tokio::task::yield_now;

use super::{Bend, Broken, bent, each};
use crate::reference::Row;

pub(super) const BROKEN: &[Broken] = &[
    Broken {
        name: "TouchWritesBack",
        bug: "`touch` reads the row, and then writes the whole row back",
        open: |reference| each(reference, TouchWritesBack::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "GetDeletesLate",
        bug: "`get` finds a row that has ended, and then deletes what is under its id",
        open: |reference| each(reference, GetDeletesLate::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "SweepDeletesLate",
        bug: "`sweep` selects what has ended, and then deletes by id",
        open: |reference| each(reference, SweepDeletesLate::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ReplacesLate",
        bug: "`replace` compares, and then writes where there is still a row",
        open: |reference| each(reference, ReplacesLate::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "CreatesLate",
        bug: "`create` looks on its thread, and then writes",
        open: |reference| each(reference, CreatesLate::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "TouchesLate",
        bug: "`touch` looks on its thread, and then writes the row that it has seen",
        open: |reference| each(reference, TouchesLate::new),
        ..Broken::REFERENCE
    },
];

bent!(
    TouchWritesBack,
    GetDeletesLate,
    SweepDeletesLate,
    ReplacesLate,
    CreatesLate,
    TouchesLate,
);

/// A gap in which nothing is awaited: no order of polls shows it.
fn step() {
    std::thread::sleep(Duration::from_micros(200));
}

#[async_trait]
impl Bend for TouchWritesBack {
    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        let Some(record) = self.reference.get(id).await? else {
            return Ok(Touched::Missing);
        };
        yield_now().await;
        let mut row = Row::of(&record);
        row.expires = cookie.expires();
        self.reference.rows().insert(id.as_str().to_owned(), row);
        Ok(Touched::Touched)
    }
}

#[async_trait]
impl Bend for GetDeletesLate {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let found = self.reference.get(id).await?;
        let ended = found.is_none() && self.reference.rows().contains_key(id.as_str());
        if ended {
            yield_now().await;
            self.reference.rows().remove(id.as_str());
        }
        Ok(found)
    }
}

#[async_trait]
impl Bend for SweepDeletesLate {
    async fn sweep(&self, limit: usize) -> Result<Swept> {
        self.reference.trip("sweep")?;
        let now = self.reference.now();
        let over: Vec<String> = {
            let rows = self.reference.rows();
            let over = rows.iter().filter(|(_, row)| !row.is_live(now));
            over.map(|(id, _)| id.clone()).collect()
        };
        yield_now().await;
        let mut rows = self.reference.rows();
        over.iter().take(limit).for_each(|id| drop(rows.remove(id)));
        Ok(Swept {
            removed: over.len().min(limit),
            more: over.len() > limit,
        })
    }
}

#[async_trait]
impl Bend for ReplacesLate {
    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        match self.reference.get(id).await? {
            None => return Ok(Replaced::Missing),
            Some(found) if !found.same_json(old) => return Ok(Replaced::Conflict),
            Some(_) => yield_now().await,
        }
        match self.reference.rows().get_mut(id.as_str()) {
            None => Ok(Replaced::Missing),
            Some(row) => {
                *row = Row::of(new);
                Ok(Replaced::Replaced)
            }
        }
    }
}

#[async_trait]
impl Bend for CreatesLate {
    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        if self.reference.get(id).await?.is_some() {
            return Ok(Created::Exists);
        }
        step();
        self.reference.set(id, record).await?;
        Ok(Created::Created)
    }
}

#[async_trait]
impl Bend for TouchesLate {
    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        let Some(record) = self.reference.get(id).await? else {
            return Ok(Touched::Missing);
        };
        step();
        let mut row = Row::of(&record);
        row.expires = cookie.expires();
        self.reference.rows().insert(id.as_str().to_owned(), row);
        Ok(Touched::Touched)
    }
}
