//! Calls that leave something behind when they are dropped.

use std::sync::Arc;

use session_core::{Record, StoredExpiry};
use tokio::task::yield_now;

use crate::broken::call::{Call, Reply};
use crate::broken::mutant::{Fault, How, Mutant, Work};
use crate::reference::Row;

pub(super) const FAULTS: &[Fault] = &[
    shared(
        "LeavesLock",
        "sets a flag that keeps its next call waiting until it has ended",
        |mutant, call| {
            Box::pin(async move {
                while mutant.state().flag {
                    yield_now().await;
                }
                mutant.state().flag = true;
                yield_now().await;
                let reply = mutant.right(call).await;
                mutant.state().flag = false;
                reply
            })
        },
    ),
    Fault {
        name: "LeavesGlobalLock",
        bug: "sets a flag that keeps every call waiting until it has ended",
        how: How::Calls(
            |mutant, call| {
                Box::pin(async move {
                    while mutant.state().flag {
                        yield_now().await;
                    }
                    mutant.state().flag = true;
                    yield_now().await;
                    let reply = mutant.right(call).await;
                    mutant.state().flag = false;
                    reply
                })
            },
            |mutant, call| {
                Box::pin(async move {
                    while mutant.state().flag {
                        yield_now().await;
                    }
                    mutant.right(call).await
                })
            },
        ),
        shared: true,
    },
    shared(
        "LeavesIdLock",
        "locks the id until it has ended",
        |mutant, call| {
            Box::pin(async move {
                let id = call
                    .id()
                    .map(|id| id.as_str().to_owned())
                    .unwrap_or_default();
                while mutant.state().ids.contains(&id) {
                    yield_now().await;
                }
                mutant.state().ids.push(id.clone());
                yield_now().await;
                let reply = mutant.right(call).await;
                mutant.state().ids.retain(|other| *other != id);
                reply
            })
        },
    ),
    shared(
        "LosesPermit",
        "gives one of two permits back at its end alone",
        |mutant, call| {
            Box::pin(async move {
                while mutant.state().off >= 2 {
                    yield_now().await;
                }
                mutant.state().off += 1;
                yield_now().await;
                yield_now().await;
                let reply = mutant.right(call).await;
                mutant.state().off -= 1;
                reply
            })
        },
    ),
    shared(
        "TakesAway",
        "removes the row before it awaits the write",
        |mutant, call| {
            Box::pin(async move {
                let id = call
                    .id()
                    .map(|id| id.as_str().to_owned())
                    .unwrap_or_default();
                let row = mutant.reference.rows().remove(&id);
                // Where nothing was, something that is neither old nor new.
                let half = Row {
                    text: r#"{"cookie":{}}"#.into(),
                    expires: None,
                };
                if row.is_none() {
                    mutant.reference.rows().insert(id.clone(), half);
                }
                yield_now().await;
                mutant.reference.rows().remove(&id);
                mutant.reference.rows().extend(row.map(|row| (id, row)));
                mutant.right(call).await
            })
        },
    ),
    shared(
        "TextThenEnd",
        "writes the text and then the expiry",
        |mutant, call| {
            Box::pin(async move {
                let (id, end) = (call.id().cloned(), call.expires());
                let reply = mutant.right(call).await?;
                let Some(id) = id.filter(|_| reply.is_effect()) else {
                    return Ok(reply);
                };
                if let Some(row) = mutant.reference.rows().get_mut(id.as_str()) {
                    row.expires = None;
                }
                yield_now().await;
                if let (Some(row), Some(end)) = (mutant.reference.rows().get_mut(id.as_str()), end)
                {
                    row.expires = end;
                }
                Ok(reply)
            })
        },
    ),
    shared(
        "EndThenText",
        "writes the expiry and then the text",
        |mutant, call| {
            Box::pin(async move {
                if let (Some(id), Some(end)) = (call.id(), call.expires())
                    && let Some(row) = mutant.reference.rows().get_mut(id.as_str())
                {
                    row.expires = end;
                }
                yield_now().await;
                mutant.right(call).await
            })
        },
    ),
    shared(
        "WritesEmpty",
        "writes an empty session and then its text",
        |mutant, call| {
            Box::pin(async move {
                let (Some(id), Some(record)) = (call.id().cloned(), call.record().cloned()) else {
                    return mutant.right(call).await;
                };
                let old = mutant.reference.rows().get(id.as_str()).cloned();
                let empty = Row {
                    text: r#"{"cookie":{"originalMaxAge":null}}"#.into(),
                    expires: record.expires(),
                };
                mutant
                    .reference
                    .rows()
                    .insert(id.as_str().to_owned(), empty);
                yield_now().await;
                match old {
                    Some(old) => mutant.reference.rows().insert(id.as_str().to_owned(), old),
                    None => mutant.reference.rows().remove(id.as_str()),
                };
                mutant.right(call).await
            })
        },
    ),
    shared(
        "RemovesOnce",
        "takes all rows away for as long as it looks",
        |mutant, call| {
            Box::pin(async move {
                let rows = std::mem::take(&mut *mutant.reference.rows());
                yield_now().await;
                mutant.reference.rows().extend(rows);
                mutant.right(call).await
            })
        },
    ),
    shared(
        "DoneTwice",
        "meets what its own dropped call has left",
        |mutant, call| {
            Box::pin(async move {
                let key = call
                    .id()
                    .map(|id| id.as_str().to_owned())
                    .unwrap_or_default();
                let met = mutant.state().ids.contains(&key);
                mutant.state().ids.push(key.clone());
                yield_now().await;
                mutant.state().ids.retain(|other| *other != key);
                if met {
                    // As if somebody else had been first.
                    return Ok(match call {
                        Call::Create(..) => Reply::Created(session_core::Created::Exists),
                        _ => Reply::Replaced(session_core::Replaced::Conflict),
                    });
                }
                mutant.right(call).await
            })
        },
    ),
    Fault {
        name: "StaleReply",
        bug: "leaves its answer in the connection for the next call of any id",
        how: How::Call(|mutant: &Mutant, call| {
            Box::pin(async move {
                let stale = mutant.state().records.drain().next();
                let id = call.id().cloned();
                let reply = mutant.right(call).await?;
                if let (Some(id), Reply::Found(found)) = (&id, &reply) {
                    mutant.state().records.insert(id.clone(), found.clone());
                    yield_now().await;
                    mutant.state().records.clear();
                }
                let other = |text: &str| {
                    let text: Arc<str> = text.replace("old", "other").into();
                    Record::decode(text, StoredExpiry::InJson).ok()
                };
                Ok(match stale {
                    Some((_, Some(record))) => Reply::Found(other(record.json())),
                    _ => reply,
                })
            })
        }),
        shared: false,
    },
];

const fn shared(name: &'static str, bug: &'static str, work: Work) -> Fault {
    Fault {
        name,
        bug,
        how: How::Call(work),
        shared: true,
    }
}
