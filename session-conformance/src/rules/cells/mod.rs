//! Properties that are demanded of every method: one file for each, one rule for each cell of the
//! table of properties and methods.

pub(crate) mod bytes;
pub(crate) mod dropped;
pub(crate) mod ends;
pub(crate) mod ids;
pub(crate) mod seen;
pub(crate) mod steps;
pub(crate) mod tally;

use std::time::{Duration, SystemTime};

use session_core::{Created, Record, Replaced, Touched};

use crate::Method;
use crate::context::Context;
use crate::failure::Failure;
use crate::handle::{Handle, Id};

const HOUR: Duration = Duration::from_secs(3_600);

/// Writes `new` by a method that writes: `create` where nothing is, `replace` and `touch` over
/// `old`, which is there. What is there then is [`written`].
async fn write(
    by: &Handle,
    method: Method,
    id: &Id,
    old: &Record,
    new: &Record,
) -> Result<(), Failure> {
    match method {
        Method::Create => {
            let created = by.create(id, new).await;
            created.is(Created::Created, "no live record has this id")
        }
        Method::Replace => {
            let replaced = by.replace(id, old, new).await;
            replaced.is(Replaced::Replaced, "it has this text")
        }
        Method::Touch => {
            let touched = by.touch(id, new.cookie()).await;
            touched.is(Touched::Touched, "it is live")
        }
        _ => by.set(id, new).await.ok(),
    }
}

/// Puts `old` where `method` needs something to be, and sees to it that nothing is there where it
/// needs that.
async fn prepare(by: &Handle, method: Method, id: &Id, old: &Record) -> Result<(), Failure> {
    match method {
        Method::Create => by.destroy(id).await.ok(),
        Method::Replace | Method::Touch => by.set(id, old).await.ok(),
        _ => Ok(()),
    }
}

/// What is there after [`write`].
fn written(method: Method, old: &Record, new: &Record) -> Record {
    match method {
        Method::Touch => until(old, new.expires()),
        _ => new.clone(),
    }
}

/// The same text with another end.
fn until(record: &Record, expires: Option<SystemTime>) -> Record {
    record.clone().with_stored_expires(expires.into())
}

/// A record of this text and another one of another text, both with the same end.
fn pair(ctx: &Context) -> (Record, Record) {
    (ctx.record("old"), ctx.record("new"))
}
