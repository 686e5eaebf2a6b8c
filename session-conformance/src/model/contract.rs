//! The contract of one id, call by call.

use std::sync::Arc;
use std::time::SystemTime;

use session_core::{Created, Record, Replaced, SessionCookie, StoredExpiry, Touched};

use crate::describe;
use crate::failure::Failure;

/// A record as the model knows it: a text, and when it ends.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Held {
    pub(crate) text: Arc<str>,
    pub(crate) ends: Option<SystemTime>,
}

impl Held {
    /// The record itself.
    pub(crate) fn record(&self) -> Result<Record, Failure> {
        Record::decode(Arc::clone(&self.text), StoredExpiry::from(self.ends)).map_err(|error| {
            // The suite's own texts: no store has seen them yet.
            Failure::inconclusive(format_args!(
                "cannot make a record: {}",
                describe::error(&error)
            ))
        })
    }

    /// A cookie that moves a record's end to this one's.
    pub(crate) fn cookie(ends: Option<SystemTime>, now: SystemTime) -> SessionCookie {
        let mut cookie = SessionCookie::new();
        cookie.set_expires(ends, now);
        cookie
    }
}

/// What a call does to one id.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Deed {
    Get,
    Set(Held),
    Destroy,
    Touch(Option<SystemTime>),
    Create(Held),
    /// From this text to that record.
    Replace(Arc<str>, Held),
    /// What `clear` does to each id.
    Clear,
    /// What `ids` says of each id.
    List,
}

/// What it says.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Done,
    Found(Option<Record>),
    Touched(Touched),
    Created(Created),
    Replaced(Replaced),
    Listed(bool),
    /// `InvalidId`: the backend cannot hold the id, and has not looked at it.
    Refused,
}

/// What may be stored under an id, and since when it has its expiry.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct State(pub(super) Option<(Held, SystemTime)>);

/// What the model says of a deed: the reply, and for `get` the record.
pub(super) enum Answer<'a> {
    Done,
    Found(Option<&'a Held>),
    Touched(Touched),
    Created(Created),
    Replaced(Replaced),
    Listed(bool),
}

/// The contract. `live` is whether the record that is there has not ended.
pub(super) fn contract<'a>(
    state: &'a State,
    deed: &Deed,
    live: bool,
    now: SystemTime,
) -> (Answer<'a>, State) {
    let held = state.0.as_ref().map(|(held, _)| held).filter(|_| live);
    let same = || state.clone();
    let wrote = |held: &Held| State(Some((held.clone(), now)));
    match (deed, held) {
        (Deed::Get, held) => (Answer::Found(held), same()),
        (Deed::List, held) => (Answer::Listed(held.is_some()), same()),
        (Deed::Set(new), _) => (Answer::Done, wrote(new)),
        (Deed::Destroy | Deed::Clear, _) => (Answer::Done, State(None)),
        (Deed::Touch(_), None) => (Answer::Touched(Touched::Missing), same()),
        (Deed::Touch(ends), Some(held)) => {
            let (text, ends) = (Arc::clone(&held.text), *ends);
            (
                Answer::Touched(Touched::Touched),
                wrote(&Held { text, ends }),
            )
        }
        (Deed::Create(new), None) => (Answer::Created(Created::Created), wrote(new)),
        (Deed::Create(_), Some(_)) => (Answer::Created(Created::Exists), same()),
        (Deed::Replace(..), None) => (Answer::Replaced(Replaced::Missing), same()),
        (Deed::Replace(old, new), Some(held)) if held.text == *old => {
            (Answer::Replaced(Replaced::Replaced), wrote(new))
        }
        (Deed::Replace(..), Some(_)) => (Answer::Replaced(Replaced::Conflict), same()),
    }
}
