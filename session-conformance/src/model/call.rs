//! Calls as the model and a handle both understand them.

use session_core::{Error, ErrorKind, Record, SessionId, Swept};

use super::{Deed, Held, Reply};
use crate::answer::Answer;
use crate::failure::Failure;
use crate::handle::{Handle, Id};

/// A call of a method.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    /// On the id of this number.
    One(usize, Deed),
    Length,
    Clear,
    All,
    Ids,
    Sweep(usize),
}

/// What it said.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    Reply(Reply),
    Length(u64),
    Records(Vec<(SessionId, Record)>),
    Ids(Vec<SessionId>),
    Swept(Swept),
}

impl Said {
    /// The answer in words.
    pub(crate) fn text(&self, now: std::time::SystemTime) -> String {
        match self {
            Self::Reply(Reply::Found(found)) => {
                crate::describe::optional_record(found.as_ref(), now)
            }
            Self::Reply(Reply::Done) => "Ok".into(),
            Self::Reply(Reply::Touched(touched)) => format!("{touched:?}"),
            Self::Reply(Reply::Created(created)) => format!("{created:?}"),
            Self::Reply(Reply::Replaced(replaced)) => format!("{replaced:?}"),
            Self::Reply(Reply::Listed(listed)) => format!("{listed}"),
            Self::Reply(Reply::Refused) => "Err(InvalidId)".into(),
            Self::Length(length) => format!("{length}"),
            Self::Records(records) => format!("{} records", records.len()),
            Self::Ids(ids) => format!("{} ids", ids.len()),
            Self::Swept(swept) => format!("{swept:?}"),
        }
    }
}

/// Makes a call, and turns what it answers into what the model hears. An id that is refused is an
/// answer like any other: the model knows whether it may be.
pub(crate) async fn perform(
    handle: &Handle,
    ids: &[Id],
    call: &Call,
) -> Result<Answer<Said>, Failure> {
    let (id, deed) = match call {
        Call::One(id, deed) => (&ids[*id], deed),
        Call::Length => return Ok(said(handle.length().await, Said::Length)),
        Call::Clear => return Ok(said(handle.clear().await, |()| Said::Reply(Reply::Done))),
        Call::All => return Ok(said(handle.all().await, Said::Records)),
        Call::Ids => return Ok(said(handle.ids().await, Said::Ids)),
        Call::Sweep(limit) => return Ok(said(handle.sweep(*limit).await, Said::Swept)),
    };
    let done = |()| Said::Reply(Reply::Done);
    let mut answer = match deed {
        Deed::Get | Deed::List => said(handle.get(id).await, |found| {
            Said::Reply(Reply::Found(found))
        }),
        Deed::Set(new) => said(handle.set(id, &new.record()?).await, done),
        Deed::Destroy | Deed::Clear => said(handle.destroy(id).await, done),
        Deed::Touch(ends) => {
            let cookie = Held::cookie(*ends, handle.timing.now());
            said(handle.touch(id, &cookie).await, |touched| {
                Said::Reply(Reply::Touched(touched))
            })
        }
        Deed::Create(new) => said(handle.create(id, &new.record()?).await, |created| {
            Said::Reply(Reply::Created(created))
        }),
        Deed::Replace(old, new) => {
            let old = Held {
                text: std::sync::Arc::clone(old),
                ends: new.ends,
            };
            let answer = handle.replace(id, &old.record()?, &new.record()?).await;
            said(answer, |replaced| Said::Reply(Reply::Replaced(replaced)))
        }
    };
    if answer.result.as_ref().is_err_and(is_refused) {
        answer.result = Ok(Said::Reply(Reply::Refused));
    }
    Ok(answer)
}

fn is_refused(error: &Error) -> bool {
    error.kind() == ErrorKind::InvalidId
}

fn said<T>(answer: Answer<T>, say: impl FnOnce(T) -> Said) -> Answer<Said> {
    Answer {
        call: answer.call,
        timing: answer.timing,
        result: answer.result.map(say),
    }
}
