//! A call as a value, so that one broken behaviour can be written for every method.

use std::time::SystemTime;

use futures_util::StreamExt as _;
use session_core::{
    Created, Record, Replaced, Result, SessionCookie, SessionId, Store as _, Swept, Touched,
};

use crate::Method;
use crate::reference::Reference;

/// What a store was asked.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    All,
    Clear,
    Create(SessionId, Record),
    Destroy(SessionId),
    Get(SessionId),
    Ids,
    Length,
    Replace(SessionId, Record, Record),
    Set(SessionId, Record),
    Sweep(usize),
    Touch(SessionId, SessionCookie),
}

/// What it answers.
#[derive(Debug)]
pub(crate) enum Reply {
    All(Vec<Result<(SessionId, Record)>>),
    Created(Created),
    Done,
    Found(Option<Record>),
    Ids(Vec<Result<SessionId>>),
    Length(u64),
    Replaced(Replaced),
    Swept(Swept),
    Touched(Touched),
}

impl Call {
    pub(crate) fn method(&self) -> Method {
        match self {
            Self::All => Method::All,
            Self::Clear => Method::Clear,
            Self::Create(..) => Method::Create,
            Self::Destroy(_) => Method::Destroy,
            Self::Get(_) => Method::Get,
            Self::Ids => Method::Ids,
            Self::Length => Method::Length,
            Self::Replace(..) => Method::Replace,
            Self::Set(..) => Method::Set,
            Self::Sweep(_) => Method::Sweep,
            Self::Touch(..) => Method::Touch,
        }
    }

    pub(crate) fn id(&self) -> Option<&SessionId> {
        match self {
            Self::Create(id, _)
            | Self::Destroy(id)
            | Self::Get(id)
            | Self::Replace(id, ..)
            | Self::Set(id, _)
            | Self::Touch(id, _) => Some(id),
            _ => None,
        }
    }

    /// The same call for another id.
    pub(crate) fn with_id(mut self, other: SessionId) -> Self {
        match &mut self {
            Self::Create(id, _)
            | Self::Destroy(id)
            | Self::Get(id)
            | Self::Replace(id, ..)
            | Self::Set(id, _)
            | Self::Touch(id, _) => *id = other,
            _ => {}
        }
        self
    }

    /// What is to be there after it.
    pub(crate) fn record(&self) -> Option<&Record> {
        match self {
            Self::Create(_, record) | Self::Replace(_, _, record) | Self::Set(_, record) => {
                Some(record)
            }
            _ => None,
        }
    }

    /// The expiry that it writes; `None` if it writes none.
    pub(crate) fn expires(&self) -> Option<Option<SystemTime>> {
        match self {
            Self::Touch(_, cookie) => Some(cookie.expires()),
            _ => self.record().map(Record::expires),
        }
    }

    /// Does it as it should be done.
    pub(crate) async fn on(self, reference: &Reference) -> Result<Reply> {
        Ok(match self {
            Self::All => Reply::All(reference.all().collect().await),
            Self::Clear => reference.clear().await.map(|()| Reply::Done)?,
            Self::Create(id, record) => Reply::Created(reference.create(&id, &record).await?),
            Self::Destroy(id) => reference.destroy(&id).await.map(|()| Reply::Done)?,
            Self::Get(id) => Reply::Found(reference.get(&id).await?),
            Self::Ids => Reply::Ids(reference.ids().collect().await),
            Self::Length => Reply::Length(reference.length().await?),
            Self::Replace(id, old, new) => {
                Reply::Replaced(reference.replace(&id, &old, &new).await?)
            }
            Self::Set(id, record) => reference.set(&id, &record).await.map(|()| Reply::Done)?,
            Self::Sweep(limit) => Reply::Swept(reference.sweep(limit).await?),
            Self::Touch(id, cookie) => Reply::Touched(reference.touch(&id, &cookie).await?),
        })
    }
}

impl Reply {
    /// Whether the call did what it was to do.
    pub(crate) fn is_effect(&self) -> bool {
        !matches!(
            self,
            Self::Created(Created::Exists)
                | Self::Replaced(Replaced::Conflict | Replaced::Missing)
                | Self::Touched(Touched::Missing)
                | Self::Found(None)
        )
    }
}
