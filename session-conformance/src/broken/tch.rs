//! Broken stores of the group TCH.

use std::collections::HashMap;

use async_trait::async_trait;
use session_core::{
    Data, Error, ErrorKind, Record, Result, SessionCookie, SessionId, Store, StoredExpiry, Touched,
};

use super::{Bend, Broken, bent, each, lock};
use crate::reference::Row;

pub(super) const BROKEN: &[Broken] = &[
    Broken {
        name: "TouchNoop",
        bug: "`touch` answers `Touched` and moves nothing",
        open: |reference| each(reference, TouchNoop::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "TouchShowsOld",
        bug: "`get` shows the expiry of the JSON, not the one that `touch` moved",
        open: |reference| each(reference, TouchShowsOld::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "TouchForever",
        bug: "`touch` takes the expiry away (PERSIST)",
        open: |reference| each(reference, TouchForever::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "TouchRewrites",
        bug: "`touch` writes back the record that this handle saw last",
        open: |reference| each(reference, TouchRewrites::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "TouchRewritesCookie",
        bug: "`touch` writes the caller's cookie settings into the record",
        open: |reference| each(reference, TouchRewritesCookie::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "TouchCreates",
        bug: "`touch` of an unknown id creates an empty session (HSET)",
        open: |reference| each(reference, TouchCreates::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "TouchSaysTouched",
        bug: "`touch` of an unknown id answers `Touched`",
        open: |reference| each(reference, TouchSaysTouched::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "TouchErrsOnMissing",
        bug: "`touch` of an unknown id is an error",
        open: |reference| each(reference, TouchErrsOnMissing::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "TouchRevives",
        bug: "`touch` does not look whether the record has expired",
        open: |reference| each(reference, TouchRevives::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "TouchResurrects",
        bug: "`touch` writes the record that this handle remembers when the backend has none",
        open: |reference| each(reference, TouchResurrects::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "TouchOnlyExtends",
        bug: "`touch` never brings an expiry forward (PEXPIRE GT)",
        open: |reference| each(reference, TouchOnlyExtends::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "TouchCannotRemove",
        bug: "`touch` with a cookie that has no expiry leaves the old one",
        open: |reference| each(reference, TouchCannotRemove::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "TouchPastIsForever",
        bug: "`touch` to a moment in the past takes the expiry away",
        open: |reference| each(reference, TouchPastIsForever::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "TwoStepTouch",
        bug: "`touch` reads before it writes",
        open: |reference| each(reference, TwoStepTouch::new),
        ..Broken::REFERENCE
    },
];

bent!(
    TouchNoop,
    TouchShowsOld,
    TouchForever,
    TouchRewrites: HashMap<SessionId, Record>,
    TouchRewritesCookie,
    TouchCreates,
    TouchSaysTouched,
    TouchErrsOnMissing,
    TouchRevives,
    TouchResurrects: HashMap<SessionId, Record>,
    TouchOnlyExtends,
    TouchCannotRemove,
    TouchPastIsForever,
    TwoStepTouch,
);

#[async_trait]
impl Bend for TouchNoop {
    async fn touch(&self, id: &SessionId, _: &SessionCookie) -> Result<Touched> {
        Ok(match self.reference.get(id).await? {
            Some(_) => Touched::Touched,
            None => Touched::Missing,
        })
    }
}

#[async_trait]
impl Bend for TouchShowsOld {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let found = self.reference.get(id).await?;
        found
            .map(|record| Record::decode(record.json(), StoredExpiry::InJson))
            .transpose()
    }
}

#[async_trait]
impl Bend for TouchForever {
    async fn touch(&self, id: &SessionId, _: &SessionCookie) -> Result<Touched> {
        self.reference.touch(id, &SessionCookie::new()).await
    }
}

#[async_trait]
impl Bend for TouchRewrites {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let found = self.reference.get(id).await?;
        lock(&self.state).extend(found.iter().map(|record| (id.clone(), record.clone())));
        Ok(found)
    }

    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        let touched = self.reference.touch(id, cookie).await?;
        let seen = lock(&self.state).get(id).cloned();
        if let (Touched::Touched, Some(seen)) = (touched, seen) {
            let row = Row {
                expires: cookie.expires(),
                ..Row::of(&seen)
            };
            self.reference.rows().insert(id.as_str().to_owned(), row);
        }
        Ok(touched)
    }
}

#[async_trait]
impl Bend for TouchRewritesCookie {
    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        let Some(record) = self.reference.get(id).await? else {
            return Ok(Touched::Missing);
        };
        let rewritten = Record::new(cookie.clone(), &record.data());
        self.reference.set(id, &rewritten).await?;
        Ok(Touched::Touched)
    }
}

#[async_trait]
impl Bend for TouchCreates {
    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        let touched = self.reference.touch(id, cookie).await?;
        if touched == Touched::Missing {
            let empty = Record::new(cookie.clone(), &Data::new());
            self.reference.set(id, &empty).await?;
        }
        Ok(touched)
    }
}

#[async_trait]
impl Bend for TouchSaysTouched {
    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        let _: Touched = self.reference.touch(id, cookie).await?;
        Ok(Touched::Touched)
    }
}

#[async_trait]
impl Bend for TouchErrsOnMissing {
    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        match self.reference.touch(id, cookie).await? {
            Touched::Touched => Ok(Touched::Touched),
            Touched::Missing => Err(Error::new(ErrorKind::Missing, "touch")),
        }
    }
}

#[async_trait]
impl Bend for TouchRevives {
    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        Ok(match self.reference.rows().get_mut(id.as_str()) {
            Some(row) => {
                row.expires = cookie.expires();
                Touched::Touched
            }
            None => Touched::Missing,
        })
    }
}

#[async_trait]
impl Bend for TouchResurrects {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let found = self.reference.get(id).await?;
        lock(&self.state).extend(found.iter().map(|record| (id.clone(), record.clone())));
        Ok(found)
    }

    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        let remembered = lock(&self.state).get(id).cloned();
        if let Some(record) = remembered.filter(|record| !record.is_expired(self.reference.now())) {
            let missing = !self.reference.rows().contains_key(id.as_str());
            if missing {
                self.reference.set(id, &record).await?;
            }
        }
        self.reference.touch(id, cookie).await
    }
}

#[async_trait]
impl Bend for TouchOnlyExtends {
    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        let before = self
            .reference
            .rows()
            .get(id.as_str())
            .and_then(|row| row.expires);
        match (before, cookie.expires()) {
            (Some(before), Some(after)) if after < before => Ok(Touched::Touched),
            _ => self.reference.touch(id, cookie).await,
        }
    }
}

#[async_trait]
impl Bend for TouchCannotRemove {
    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        let before = self
            .reference
            .rows()
            .get(id.as_str())
            .and_then(|row| row.expires);
        let touched = self.reference.touch(id, cookie).await?;
        if let (None, Some(row)) = (cookie.expires(), self.reference.rows().get_mut(id.as_str())) {
            row.expires = before;
        }
        Ok(touched)
    }
}

#[async_trait]
impl Bend for TouchPastIsForever {
    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        let over = cookie
            .expires()
            .is_some_and(|expires| expires <= self.reference.now());
        let endless = SessionCookie::new();
        self.reference
            .touch(id, if over { &endless } else { cookie })
            .await
    }
}

#[async_trait]
impl Bend for TwoStepTouch {
    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        match self.reference.get(id).await? {
            Some(_) => self.reference.touch(id, cookie).await,
            None => Ok(Touched::Missing),
        }
    }
}
