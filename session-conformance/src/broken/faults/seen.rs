//! Handles that know better than the backend.

use futures_util::future::BoxFuture;
use session_core::{Created, Replaced, SessionId, Touched};

use crate::Method;
use crate::broken::call::{Call, Reply};
use crate::broken::mutant::{Fault, How, Mutant, Work};
use crate::broken::state::Kept;

pub(super) const FAULTS: &[Fault] = &[
    own(
        "SkipsItsLast",
        "does nothing if this handle has done the same as its last write",
        |mutant, call| {
            Box::pin(async move {
                let key = format!("{call:?}");
                if std::mem::replace(&mut mutant.state().last, key.clone()) == key {
                    return Ok(match call.method() {
                        Method::Create => Reply::Created(Created::Created),
                        Method::Replace => Reply::Replaced(Replaced::Replaced),
                        Method::Touch => Reply::Touched(Touched::Touched),
                        _ => Reply::Done,
                    });
                }
                mutant.right(call).await
            })
        },
    ),
    own(
        "OwnCopy",
        "works on a copy that this handle made at its first call",
        |mutant, call| {
            Box::pin(async move {
                // Only what was there at the first call, and what this handle changed since.
                let copy = mutant.reference.elsewhere(&format!(
                    "{}_{:p}",
                    mutant.reference.namespace(),
                    mutant
                ));
                if !std::mem::replace(&mut mutant.state().flag, true) {
                    *copy.rows() = mutant.reference.rows().clone();
                }
                call.on(&copy).await
            })
        },
    ),
    own(
        "AnswersAsBefore",
        "answers the same question as it did the last time",
        |mutant, call| {
            Box::pin(async move {
                let key = format!("{:?}{:?}", call.method(), call.id());
                let known = mutant.state().replies.get(&key).cloned();
                if let Some(known) = known {
                    return Ok(known.into_reply());
                }
                let reply = mutant.right(call).await?;
                if let Some(kept) = Kept::of(&reply) {
                    mutant.state().replies.insert(key, kept);
                }
                Ok(reply)
            })
        },
    ),
    Fault {
        name: "WriteBehind1",
        bug: "does its work at this handle's next call",
        how: How::Calls(
            |mutant, call| {
                Box::pin(async move {
                    let reply = match call.method() {
                        Method::Create => Reply::Created(Created::Created),
                        Method::Replace => Reply::Replaced(Replaced::Replaced),
                        Method::Touch => Reply::Touched(Touched::Touched),
                        _ => Reply::Done,
                    };
                    let waiting = mutant.state().waiting.replace(call);
                    if let Some(waiting) = waiting {
                        mutant.right(waiting).await?;
                    }
                    Ok(reply)
                })
            },
            |mutant, call| {
                Box::pin(async move {
                    let waiting = mutant.state().waiting.take();
                    if let Some(waiting) = waiting {
                        mutant.right(waiting).await?;
                    }
                    mutant.right(call).await
                })
            },
        ),
        shared: false,
    },
    Fault {
        name: "PrivateCopy",
        bug: "answers from what this handle has read or written",
        how: How::Calls(
            |mutant, call| {
                Box::pin(async move {
                    let Some(id) = call.id().cloned() else {
                        return mutant.right(call).await;
                    };
                    let known = mutant.state().records.get(&id).cloned();
                    if let Some(known) = known {
                        return Ok(Reply::Found(known));
                    }
                    let reply = mutant.right(call).await?;
                    if let Reply::Found(Some(found)) = &reply {
                        mutant.state().records.insert(id, Some(found.clone()));
                    }
                    Ok(reply)
                })
            },
            forgets,
        ),
        shared: false,
    },
    Fault {
        name: "CachedCount",
        bug: "answers from what this handle has counted, until it writes itself",
        how: How::Calls(cached, forgets),
        shared: false,
    },
    Fault {
        name: "CachedList",
        bug: "answers from what this handle has listed, until it writes itself",
        how: How::Calls(cached, forgets),
        shared: false,
    },
    Fault {
        name: "KnowsMissing",
        bug: "remembers of an id that there is nothing",
        how: How::Calls(
            |mutant, call| {
                Box::pin(async move {
                    let Some(id) = call.id().cloned() else {
                        return mutant.right(call).await;
                    };
                    let missing = mutant.state().records.contains_key(&id);
                    if missing {
                        match call.method() {
                            Method::Get => return Ok(Reply::Found(None)),
                            Method::Touch => return Ok(Reply::Touched(Touched::Missing)),
                            Method::Replace => return Ok(Reply::Replaced(Replaced::Missing)),
                            // As if nothing were there.
                            Method::Create => {
                                mutant.reference.rows().remove(id.as_str());
                            }
                            _ => {}
                        }
                    }
                    looks(mutant, call).await
                })
            },
            looks,
        ),
        shared: false,
    },
    Fault {
        name: "KnowsExists",
        bug: "remembers of an id that there is something",
        how: How::Calls(
            |mutant, call| {
                Box::pin(async move {
                    let known = call
                        .id()
                        .is_some_and(|id| mutant.state().records.contains_key(id));
                    let id = call.id().cloned();
                    if known {
                        return Ok(Reply::Created(Created::Exists));
                    }
                    let reply = mutant.right(call).await?;
                    if let Some(id) = id {
                        mutant.state().records.insert(id, None);
                    }
                    Ok(reply)
                })
            },
            forgets,
        ),
        shared: false,
    },
    Fault {
        name: "OnlyOwnIds",
        bug: "knows the ids alone that this handle has written",
        how: How::Calls(
            |mutant, call| {
                Box::pin(async move {
                    let own = |id: &SessionId| mutant.state().records.contains_key(id);
                    let foreign: Vec<_> = {
                        let rows = mutant.reference.rows().clone();
                        let rows = rows.into_iter();
                        rows.filter(|(id, _)| SessionId::new(id).is_ok_and(|id| !own(&id)))
                            .collect()
                    };
                    let removes = matches!(call, Call::Clear | Call::Sweep(_));
                    if removes {
                        mutant
                            .reference
                            .rows()
                            .retain(|id, _| !foreign.iter().any(|(other, _)| other == id));
                    }
                    let reply = mutant.right(call).await?;
                    if removes {
                        mutant.reference.rows().extend(foreign);
                        return Ok(reply);
                    }
                    Ok(match reply {
                        Reply::All(items) => Reply::All(
                            items
                                .into_iter()
                                .filter(|item| item.as_ref().is_ok_and(|(id, _)| own(id)))
                                .collect(),
                        ),
                        Reply::Ids(items) => Reply::Ids(
                            items
                                .into_iter()
                                .filter(|item| item.as_ref().is_ok_and(own))
                                .collect(),
                        ),
                        Reply::Length(_) => {
                            let now = mutant.reference.now();
                            let rows = mutant.reference.rows();
                            let live = rows.iter().filter(|(_, row)| row.is_live(now)).count();
                            let theirs = foreign.iter().filter(|(_, row)| row.is_live(now)).count();
                            Reply::Length(u64::try_from(live - theirs).unwrap_or(0))
                        }
                        reply => reply,
                    })
                })
            },
            |mutant, call| {
                Box::pin(async move {
                    if let (Some(id), true) = (call.id().cloned(), call.record().is_some()) {
                        mutant.state().records.insert(id, None);
                    }
                    mutant.right(call).await
                })
            },
        ),
        shared: false,
    },
];

const fn own(name: &'static str, bug: &'static str, work: Work) -> Fault {
    Fault {
        name,
        bug,
        how: How::Call(work),
        shared: false,
    }
}

/// Another method: this handle's own writes empty its cache.
fn forgets(mutant: &Mutant, call: Call) -> BoxFuture<'_, session_core::Result<Reply>> {
    Box::pin(async move {
        let writes = !matches!(call, Call::Get(_) | Call::Length | Call::All | Call::Ids);
        let id = call.id().cloned();
        let reply = mutant.right(call).await;
        if writes {
            let mut state = mutant.state();
            state.replies.clear();
            match id {
                Some(id) => drop(state.records.remove(&id)),
                None => state.records.clear(),
            }
        }
        reply
    })
}

/// An answer of before, if there is one.
fn cached(mutant: &Mutant, call: Call) -> BoxFuture<'_, session_core::Result<Reply>> {
    Box::pin(async move {
        let key = format!("{call:?}");
        let known = mutant.state().replies.get(&key).cloned();
        if let Some(known) = known {
            return Ok(known.into_reply());
        }
        let reply = mutant.right(call).await?;
        if let Some(kept) = Kept::of(&reply) {
            mutant.state().replies.insert(key, kept);
        }
        Ok(reply)
    })
}

/// Notes where nothing was found, and forgets it at this handle's own writes.
fn looks(mutant: &Mutant, call: Call) -> BoxFuture<'_, session_core::Result<Reply>> {
    Box::pin(async move {
        let (id, writes) = (call.id().cloned(), call.record().is_some());
        let reply = mutant.right(call).await?;
        let Some(id) = id else { return Ok(reply) };
        let mut state = mutant.state();
        if matches!(reply, Reply::Found(None)) {
            state.records.insert(id, None);
        } else if writes {
            state.records.remove(&id);
        }
        drop(state);
        Ok(reply)
    })
}
