//! Methods that look in one step and act in another.

use session_core::{Created, Replaced, Touched};
use tokio::task::yield_now;

use crate::broken::call::{Call, Reply};
use crate::broken::mutant::{Fault, How, Work};
use crate::reference::Row;

pub(super) const FAULTS: &[Fault] = &[
    steps(
        "ReadsThenWrites",
        "reads the row and writes the whole row back",
        |mutant, call| {
            Box::pin(async move {
                let now = mutant.reference.now();
                let Some(id) = call.id().cloned() else {
                    return mutant.right(call).await;
                };
                let row = mutant.reference.rows().get(id.as_str()).cloned();
                let row = row.filter(|row| row.is_live(now));
                yield_now().await;
                let Some(row) = row else {
                    return mutant.right(call).await;
                };
                mutant.reference.rows().insert(id.as_str().to_owned(), row);
                mutant.right(call).await
            })
        },
    ),
    steps(
        "LooksThenCreates",
        "looks whether there is something, and writes then",
        |mutant, call| {
            Box::pin(async move {
                let Call::Create(id, record) = call else {
                    return mutant.right(call).await;
                };
                let now = mutant.reference.now();
                let row = mutant.reference.rows().get(id.as_str()).cloned();
                yield_now().await;
                if row.is_some_and(|row| row.is_live(now)) {
                    return Ok(Reply::Created(Created::Exists));
                }
                mutant.right(Call::Set(id, record)).await?;
                Ok(Reply::Created(Created::Created))
            })
        },
    ),
    steps(
        "ComparesThenWrites",
        "compares the text, and writes then",
        |mutant, call| {
            Box::pin(async move {
                let Call::Replace(id, old, new) = call else {
                    return mutant.right(call).await;
                };
                let now = mutant.reference.now();
                let row = mutant.reference.rows().get(id.as_str()).cloned();
                yield_now().await;
                match row.filter(|row| row.is_live(now)) {
                    None => Ok(Reply::Replaced(Replaced::Missing)),
                    Some(row) if *row.text != *old.json() => {
                        Ok(Reply::Replaced(Replaced::Conflict))
                    }
                    Some(_) => {
                        mutant.right(Call::Set(id, new)).await?;
                        Ok(Reply::Replaced(Replaced::Replaced))
                    }
                }
            })
        },
    ),
    steps(
        "GetDeletesEnded",
        "removes an expired row by its id in a second step",
        |mutant, call| {
            Box::pin(async move {
                let now = mutant.reference.now();
                let id = call
                    .id()
                    .map(|id| id.as_str().to_owned())
                    .unwrap_or_default();
                let over = mutant
                    .reference
                    .rows()
                    .get(&id)
                    .is_some_and(|row| !row.is_live(now));
                let reply = mutant.right(call).await;
                if over {
                    yield_now().await;
                    mutant.reference.rows().remove(&id);
                }
                reply
            })
        },
    ),
    steps(
        "SweepsFound",
        "selects what has expired, and removes it by its id then",
        |mutant, call| {
            Box::pin(async move {
                let now = mutant.reference.now();
                let over: Vec<_> = {
                    let rows = mutant.reference.rows();
                    let over = rows.iter().filter(|(_, row)| !row.is_live(now));
                    over.map(|(id, _)| id.clone()).collect()
                };
                let reply = mutant.right(call).await;
                yield_now().await;
                for id in over {
                    mutant.reference.rows().remove(&id);
                }
                reply
            })
        },
    ),
    Fault {
        name: "InvalidatesFirst",
        bug: "empties the cache before it writes, and not after",
        how: How::Calls(
            |mutant, call| {
                Box::pin(async move {
                    if let Some(id) = call.id() {
                        mutant.state().records.remove(id);
                    }
                    yield_now().await;
                    mutant.right(call).await
                })
            },
            |mutant, call| {
                Box::pin(async move {
                    let id = call.id().cloned();
                    let known = id
                        .as_ref()
                        .and_then(|id| mutant.state().records.get(id).cloned());
                    let now = mutant.reference.now();
                    if let (Call::Get(_), Some(Some(known))) = (&call, &known)
                        && !known.is_expired(now)
                    {
                        return Ok(Reply::Found(Some(known.clone())));
                    }
                    let clears = matches!(call, Call::Clear);
                    let reply = mutant.right(call).await?;
                    let mut state = mutant.state();
                    match (&reply, id) {
                        (Reply::Found(found), Some(id)) => {
                            drop(state.records.insert(id, found.clone()))
                        }
                        (_, Some(id)) => drop(state.records.remove(&id)),
                        _ if clears => state.records.clear(),
                        _ => {}
                    }
                    drop(state);
                    Ok(reply)
                })
            },
        ),
        shared: true,
    },
    Fault {
        name: "FillsLate",
        bug: "fills a cache with what it read before a write that has emptied it",
        how: How::Calls(
            |mutant, call| {
                Box::pin(async move {
                    let id = call.id().cloned();
                    let known = id
                        .as_ref()
                        .and_then(|id| mutant.state().records.get(id).cloned());
                    let now = mutant.reference.now();
                    if let Some(Some(known)) = known
                        && !known.is_expired(now)
                        && mutant.state().flag
                    {
                        return Ok(Reply::Found(Some(known)));
                    }
                    mutant.state().flag = true;
                    let reply = mutant.right(call).await?;
                    yield_now().await;
                    if let (Some(id), Reply::Found(found)) = (id, &reply) {
                        mutant.state().records.insert(id, found.clone());
                    }
                    Ok(reply)
                })
            },
            |mutant, call| {
                Box::pin(async move {
                    let (id, clears) = (call.id().cloned(), matches!(call, Call::Clear));
                    let reply = mutant.right(call).await;
                    let mut state = mutant.state();
                    match id {
                        Some(id) => drop(state.records.remove(&id)),
                        None if clears => state.records.clear(),
                        None => {}
                    }
                    drop(state);
                    reply
                })
            },
        ),
        shared: true,
    },
    steps(
        "DeletesThenWrites",
        "removes the row and inserts another one then",
        |mutant, call| {
            Box::pin(async move {
                let Some(id) = call.id().cloned() else {
                    return mutant.right(call).await;
                };
                let same = match &call {
                    Call::Replace(_, old, _) => {
                        let row = mutant.reference.rows().get(id.as_str()).cloned();
                        row.is_some_and(|row| *row.text == *old.json())
                    }
                    _ => true,
                };
                let now = mutant.reference.now();
                let old = mutant.reference.rows().get(id.as_str()).cloned();
                if !same || !old.as_ref().is_some_and(|row| row.is_live(now)) {
                    return mutant.right(call).await;
                }
                mutant.reference.rows().remove(id.as_str());
                yield_now().await;
                let Some(record) = call.record() else {
                    return mutant.right(call).await;
                };
                let free = !mutant.reference.rows().contains_key(id.as_str());
                if free {
                    let row = Row::of(record);
                    mutant.reference.rows().insert(id.as_str().to_owned(), row);
                }
                Ok(match call {
                    Call::Replace(..) => Reply::Replaced(Replaced::Replaced),
                    _ => Reply::Done,
                })
            })
        },
    ),
    steps(
        "WritesTextThenEnd",
        "writes the text with the old expiry, and the new one then",
        |mutant, call| {
            Box::pin(async move {
                let (id, end) = (call.id().cloned(), call.expires());
                let old = id
                    .as_ref()
                    .and_then(|id| mutant.reference.rows().get(id.as_str()).cloned());
                let reply = mutant.right(call).await?;
                if let (Some(id), Some(old), true) = (id, old, reply.is_effect()) {
                    if let Some(row) = mutant.reference.rows().get_mut(id.as_str()) {
                        row.expires = old.expires;
                    }
                    yield_now().await;
                    if let (Some(row), Some(end)) =
                        (mutant.reference.rows().get_mut(id.as_str()), end)
                    {
                        row.expires = end;
                    }
                }
                Ok(reply)
            })
        },
    ),
    steps(
        "RemovesTwice",
        "removes once more what it has removed before",
        |mutant, call| {
            Box::pin(async move {
                mutant.right(call.clone()).await?;
                yield_now().await;
                mutant.right(call).await
            })
        },
    ),
    steps(
        "ReadsThenDestroys",
        "reads the row, and puts it back if it was another one by then",
        |mutant, call| {
            Box::pin(async move {
                let id = call
                    .id()
                    .map(|id| id.as_str().to_owned())
                    .unwrap_or_default();
                let before = mutant.reference.rows().get(&id).cloned();
                yield_now().await;
                let after = mutant.reference.rows().get(&id).cloned();
                let reply = mutant.right(call).await;
                if let (Some(before), Some(after)) = (before, after)
                    && before.text != after.text
                {
                    mutant.reference.rows().insert(id, before);
                }
                reply
            })
        },
    ),
    steps(
        "WritesTheRowItRead",
        "reads the row, and writes it with the new expiry then",
        |mutant, call| {
            Box::pin(async move {
                let Call::Touch(id, cookie) = call else {
                    return mutant.right(call).await;
                };
                let now = mutant.reference.now();
                let row = mutant.reference.rows().get(id.as_str()).cloned();
                let Some(mut row) = row.filter(|row| row.is_live(now)) else {
                    return Ok(Reply::Touched(Touched::Missing));
                };
                yield_now().await;
                row.expires = cookie.expires();
                mutant.reference.rows().insert(id.as_str().to_owned(), row);
                Ok(Reply::Touched(Touched::Touched))
            })
        },
    ),
    steps(
        "PlansThenSets",
        "decides for INSERT or UPDATE in one step, and does it in the next",
        |mutant, call| {
            Box::pin(async move {
                let Some(id) = call.id().cloned() else {
                    return mutant.right(call).await;
                };
                let there = mutant.reference.rows().contains_key(id.as_str());
                yield_now().await;
                let still = mutant.reference.rows().contains_key(id.as_str());
                // An UPDATE of nothing, or an INSERT .. ON CONFLICT DO NOTHING.
                if there != still {
                    return Ok(Reply::Done);
                }
                mutant.right(call).await
            })
        },
    ),
];

const fn steps(name: &'static str, bug: &'static str, work: Work) -> Fault {
    Fault {
        name,
        bug,
        how: How::Call(work),
        shared: false,
    }
}
