//! What a store with a fault remembers.

use std::collections::HashMap;
use std::time::SystemTime;

use session_core::{Created, Record, Replaced, Result, SessionId, Swept, Touched};

use super::call::{Call, Reply};

/// What a mutant remembers.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) ids: Vec<String>,
    pub(crate) index: HashMap<String, SystemTime>,
    pub(crate) records: HashMap<SessionId, Option<Record>>,
    pub(crate) replies: HashMap<String, Kept>,
    pub(crate) waiting: Option<Call>,
    pub(crate) calls: Vec<Call>,
    pub(crate) last: String,
    pub(crate) off: i64,
    pub(crate) flag: bool,
    pub(crate) runtime: Option<tokio::runtime::Handle>,
}

/// An answer to be given again.
#[derive(Clone, Debug)]
pub(crate) enum Kept {
    All(Vec<(SessionId, Record)>),
    Created(Created),
    Done,
    Found(Option<Record>),
    Ids(Vec<SessionId>),
    Length(u64),
    Replaced(Replaced),
    Swept(Swept),
    Touched(Touched),
}

impl Kept {
    /// None of an answer that has an error in it.
    pub(crate) fn of(reply: &Reply) -> Option<Self> {
        Some(match reply {
            Reply::All(items) => {
                let whole = |item: &Result<_>| item.as_ref().ok().cloned();
                Self::All(items.iter().map(whole).collect::<Option<_>>()?)
            }
            Reply::Ids(items) => {
                let whole = |item: &Result<_>| item.as_ref().ok().cloned();
                Self::Ids(items.iter().map(whole).collect::<Option<_>>()?)
            }
            Reply::Created(created) => Self::Created(*created),
            Reply::Done => Self::Done,
            Reply::Found(found) => Self::Found(found.clone()),
            Reply::Length(length) => Self::Length(*length),
            Reply::Replaced(replaced) => Self::Replaced(*replaced),
            Reply::Swept(swept) => Self::Swept(*swept),
            Reply::Touched(touched) => Self::Touched(*touched),
        })
    }

    pub(crate) fn into_reply(self) -> Reply {
        match self {
            Self::All(items) => Reply::All(items.into_iter().map(Ok).collect()),
            Self::Ids(items) => Reply::Ids(items.into_iter().map(Ok).collect()),
            Self::Created(created) => Reply::Created(created),
            Self::Done => Reply::Done,
            Self::Found(found) => Reply::Found(found),
            Self::Length(length) => Reply::Length(length),
            Self::Replaced(replaced) => Reply::Replaced(replaced),
            Self::Swept(swept) => Reply::Swept(swept),
            Self::Touched(touched) => Reply::Touched(touched),
        }
    }
}
