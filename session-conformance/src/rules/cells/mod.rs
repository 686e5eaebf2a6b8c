//! Properties that are demanded of every method: one file for each, one rule for each cell of the
//! table of properties and methods.

pub(crate) mod apart;
pub(crate) mod blocking;
pub(crate) mod bytes;
pub(crate) mod down;
pub(crate) mod dropped;
pub(crate) mod ends;
pub(crate) mod ids;
pub(crate) mod kill;
pub(crate) mod lost;
pub(crate) mod panics;
pub(crate) mod runtimes;
pub(crate) mod seen;
pub(crate) mod steps;
pub(crate) mod tally;
pub(crate) mod texts;

use std::time::{Duration, SystemTime};

use session_core::{Created, Error, Record, Replaced, Swept, Touched};

use crate::Method;
use crate::context::Context;
use crate::failure::{Failure, ensure};
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

/// What a call says that is made to see whether it works: its failure, or an error as the store
/// gave it.
enum Made {
    Right,
    Failed(Error),
}

/// Calls the method, and takes any answer for right but an error: `old` is there, or nothing for
/// `create`.
async fn make(by: &Handle, method: Method, id: &Id, old: &Record, new: &Record) -> Made {
    let result = match method {
        Method::All => by.all().await.result.map(drop),
        Method::Clear => by.clear().await.result,
        Method::Create => by.create(id, new).await.result.map(|_: Created| ()),
        Method::Destroy => by.destroy(id).await.result,
        Method::Get => by.get(id).await.result.map(drop),
        Method::Ids => by.ids().await.result.map(drop),
        Method::Length => by.length().await.result.map(drop),
        Method::Replace => by.replace(id, old, new).await.result.map(|_: Replaced| ()),
        Method::Set => by.set(id, new).await.result,
        Method::Sweep => by.sweep(100).await.result.map(|_: Swept| ()),
        Method::Touch => by.touch(id, new.cookie()).await.result.map(|_: Touched| ()),
    };
    result.map_or_else(Made::Failed, |()| Made::Right)
}

/// Demands that the method does its work through this handle, and that the other one sees it: a
/// fresh id, what has to be there, the call, a look.
async fn works(
    ctx: &Context,
    by: &Handle,
    reader: &Handle,
    method: Method,
    name: &str,
) -> Result<(), Failure> {
    let id = ctx.id(name);
    let (old, new) = (
        ctx.record_until("old", Some(ctx.late() + HOUR)),
        ctx.record_until("new", Some(ctx.late() + 2 * HOUR)),
    );
    let because = format!("`{method}` has returned");
    if method != Method::Create {
        by.set(&id, &old).await.ok()?;
    }
    let left = match method {
        Method::Get => {
            by.get(&id).await.record(&old, "it was written")?;
            Some(old)
        }
        Method::Length => {
            let length = by.length().await.ok()?;
            ensure(length > 0, "a record at least to be counted", length)?;
            Some(old)
        }
        Method::All => {
            let all = by.all().await.ok()?;
            let found = all.iter().any(|(found, _)| *found == id.id);
            ensure(found, "`all` to give the record", "it is not there")?;
            Some(old)
        }
        Method::Ids => {
            let found = by.ids().await.ok()?.contains(&id.id);
            ensure(found, "`ids` to give the id", "it is not there")?;
            Some(old)
        }
        Method::Sweep => {
            let _: Swept = by.sweep(100).await.ok()?;
            Some(old)
        }
        Method::Destroy => {
            by.destroy(&id).await.ok()?;
            None
        }
        Method::Clear => {
            by.clear().await.ok()?;
            None
        }
        _ => {
            write(by, method, &id, &old, &new).await?;
            Some(written(method, &old, &new))
        }
    };
    for handle in [reader, by] {
        let found = handle.get(&id).await;
        match &left {
            Some(record) => found.record(record, &because)?,
            None => found.none(&because)?,
        }
    }
    by.destroy(&id).await.ok()
}
