//! Processes that die, and backends that go away.

use futures_util::future::BoxFuture;
use session_core::{Created, Error, ErrorKind, Replaced, Result, SessionId, Swept, Touched};

use crate::Method;
use crate::broken::call::{Call, Reply};
use crate::broken::mutant::{Fault, How, Mutant, Work};
use crate::reference::Row;

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        name: "EndLater",
        bug: "writes the expiry at this handle's next call",
        how: How::Calls(
            |mutant, call| {
                Box::pin(async move {
                    settle(mutant);
                    let (id, end) = (call.id().cloned(), call.expires());
                    let old = id
                        .as_ref()
                        .and_then(|id| mutant.reference.rows().get(id.as_str()).cloned());
                    let reply = mutant.right(call).await?;
                    if let (Some(id), Some(Some(end))) = (id, end) {
                        if let Some(row) = mutant.reference.rows().get_mut(id.as_str()) {
                            row.expires = old.and_then(|old| old.expires);
                        }
                        mutant.state().index.insert(id.as_str().to_owned(), end);
                    }
                    Ok(reply)
                })
            },
            |mutant, call| {
                settle(mutant);
                mutant.right(call)
            },
        ),
        shared: false,
    },
    Fault {
        name: "EveryThird",
        bug: "does its work when three calls of it are together, or somebody looks",
        how: How::Calls(
            |mutant, call| {
                Box::pin(async move {
                    let reply = fine(call.method());
                    mutant.state().calls.push(call);
                    if mutant.state().calls.len() >= 3 {
                        flush(mutant).await?;
                    }
                    Ok(reply)
                })
            },
            |mutant, call| {
                Box::pin(async move {
                    flush(mutant).await?;
                    mutant.right(call).await
                })
            },
        ),
        shared: false,
    },
    lost(
        "LostIsDone",
        "says that it is done, and undoes it, where its answer is lost",
        |mutant, call| {
            Box::pin(async move {
                let before = mutant.reference.rows().clone();
                let method = call.method();
                match mutant.right(call).await {
                    Err(error) if error.kind() == ErrorKind::Unavailable => {
                        *mutant.reference.rows() = before;
                        Ok(fine(method))
                    }
                    reply => reply,
                }
            })
        },
    ),
    lost(
        "LostIsNothing",
        "answers as if nothing were there where its answer is lost",
        nothing,
    ),
    lost(
        "LostIsTorn",
        "leaves half of what it wrote where its answer is lost",
        |mutant, call| {
            Box::pin(async move {
                let id = call.id().cloned();
                let reply = mutant.right(call).await;
                if let (Err(_), Some(id)) = (&reply, id)
                    && let Some(row) = mutant.reference.rows().get_mut(id.as_str())
                {
                    row.expires = None;
                }
                reply
            })
        },
    ),
    lost(
        "LostIsOther",
        "is an error of another kind where its answer is lost",
        another_kind,
    ),
    lost(
        "LostIsTriedAgain",
        "tries again by itself where its answer is lost",
        |mutant, call| {
            Box::pin(async move {
                match mutant.right(call.clone()).await {
                    Err(error) if error.kind() == ErrorKind::Unavailable => {
                        mutant.right(call).await
                    }
                    reply => reply,
                }
            })
        },
    ),
    for_good("LostForGood", "fails for ever once its answer was lost"),
    deaf(
        "LostStopsListening",
        "hears no more of others' writes once its answer was lost",
    ),
    lost(
        "DownIsNothing",
        "answers as if nothing were there while the backend is down",
        |mutant, call| {
            Box::pin(async move {
                let method = call.method();
                match nothing(mutant, call).await {
                    Err(_) => Ok(fine(method)),
                    reply => reply,
                }
            })
        },
    ),
    lost(
        "DownIsFine",
        "answers as if all were well while the backend is down",
        |mutant, call| {
            Box::pin(async move {
                let method = call.method();
                mutant.right(call).await.or_else(|_| Ok(fine(method)))
            })
        },
    ),
    lost(
        "DownIsAnotherKind",
        "is an error of another kind while the backend is down",
        another_kind,
    ),
    for_good("DownForGood", "fails for ever once the backend was down"),
    lost(
        "DownWaits",
        "waits for a backend that is down",
        |mutant, call| {
            Box::pin(async move {
                match whole(mutant.right(call).await) {
                    Err(error) if error.kind() == ErrorKind::Unavailable => {
                        std::future::pending::<()>().await;
                        Err(error)
                    }
                    reply => reply,
                }
            })
        },
    ),
    lost(
        "DownPanics",
        "panics while the backend is down",
        |mutant, call| {
            Box::pin(async move {
                let reply = whole(mutant.right(call).await);
                if reply.is_err() {
                    std::panic::resume_unwind(Box::new("the backend is gone"));
                }
                reply
            })
        },
    ),
    Fault {
        name: "DownDoesItLater",
        bug: "is refused while the backend is down, and done when that is back",
        how: How::Calls(
            |mutant, call| {
                Box::pin(async move {
                    let reply = mutant.right(call.clone()).await;
                    if reply.is_err() {
                        mutant.state().calls.push(call);
                    }
                    reply
                })
            },
            |mutant, call| {
                Box::pin(async move {
                    let up = mutant.right(Call::Length).await.is_ok();
                    if up {
                        flush(mutant).await?;
                    }
                    mutant.right(call).await
                })
            },
        ),
        shared: false,
    },
    deaf(
        "DownStopsListening",
        "hears no more of others' writes once the backend was down",
    ),
];

const fn lost(name: &'static str, bug: &'static str, work: Work) -> Fault {
    Fault {
        name,
        bug,
        how: How::Call(work),
        shared: false,
    }
}

/// Once it was an error, this method is one for ever.
const fn for_good(name: &'static str, bug: &'static str) -> Fault {
    lost(name, bug, |mutant, call| {
        Box::pin(async move {
            if mutant.state().flag {
                return Err(Error::new(ErrorKind::Unavailable, "call"));
            }
            let reply = whole(mutant.right(call).await);
            mutant.state().flag = reply.is_err();
            reply
        })
    })
}

/// Once it was an error, `get` answers from what this handle has read.
const fn deaf(name: &'static str, bug: &'static str) -> Fault {
    Fault {
        name,
        bug,
        how: How::Calls(
            |mutant, call| {
                Box::pin(async move {
                    let id = call.id().cloned();
                    let reply = mutant.right(call).await;
                    mutant.state().flag |= reply.is_err();
                    id.map(|id| mutant.state().records.remove(&id));
                    reply
                })
            },
            |mutant, call| {
                Box::pin(async move {
                    let id = call.id().cloned();
                    let known = id
                        .as_ref()
                        .and_then(|id| mutant.state().records.get(id).cloned());
                    let deaf = mutant.state().flag;
                    if let (Call::Get(_), Some(Some(known)), true) = (&call, known, deaf) {
                        return Ok(Reply::Found(Some(known)));
                    }
                    let reply = mutant.right(call).await?;
                    let mut state = mutant.state();
                    match (&reply, id) {
                        (Reply::Found(found), Some(id)) => {
                            drop(state.records.insert(id, found.clone()))
                        }
                        (_, Some(id)) => drop(state.records.remove(&id)),
                        _ => {}
                    }
                    drop(state);
                    Ok(reply)
                })
            },
        ),
        shared: false,
    }
}

/// An error in a list is an error.
fn whole(reply: Result<Reply>) -> Result<Reply> {
    match reply? {
        Reply::All(items) => {
            let items: Result<Vec<_>> = items.into_iter().collect();
            Ok(Reply::All(items?.into_iter().map(Ok).collect()))
        }
        Reply::Ids(items) => {
            let items: Result<Vec<SessionId>> = items.into_iter().collect();
            Ok(Reply::Ids(items?.into_iter().map(Ok).collect()))
        }
        reply => Ok(reply),
    }
}

/// What a method says that has done its work.
fn fine(method: Method) -> Reply {
    match method {
        Method::Create => Reply::Created(Created::Created),
        Method::Replace => Reply::Replaced(Replaced::Replaced),
        Method::Touch => Reply::Touched(Touched::Touched),
        _ => Reply::Done,
    }
}

/// What a method says that has found nothing, instead of an error.
fn nothing(mutant: &Mutant, call: Call) -> BoxFuture<'_, Result<Reply>> {
    Box::pin(async move {
        let method = call.method();
        match whole(mutant.right(call).await) {
            Err(error) if error.kind() == ErrorKind::Unavailable => Ok(match method {
                Method::All => Reply::All(Vec::new()),
                Method::Create => Reply::Created(Created::Exists),
                Method::Get => Reply::Found(None),
                Method::Ids => Reply::Ids(Vec::new()),
                Method::Length => Reply::Length(0),
                Method::Replace => Reply::Replaced(Replaced::Missing),
                Method::Sweep => Reply::Swept(Swept {
                    removed: 0,
                    more: false,
                }),
                Method::Touch => Reply::Touched(Touched::Missing),
                _ => return Err(error),
            }),
            reply => reply,
        }
    })
}

fn another_kind(mutant: &Mutant, call: Call) -> BoxFuture<'_, Result<Reply>> {
    Box::pin(async move {
        let reply = whole(mutant.right(call).await);
        reply.map_err(|error| match error.kind() {
            ErrorKind::Unavailable => Error::new(ErrorKind::Other, "call"),
            _ => error,
        })
    })
}

fn settle(mutant: &Mutant) {
    let waiting = std::mem::take(&mut mutant.state().index);
    for (id, end) in waiting {
        if let Some(row) = mutant.reference.rows().get_mut(&id) {
            *row = Row {
                text: row.text.clone(),
                expires: Some(end),
            };
        }
    }
}

async fn flush(mutant: &Mutant) -> Result<()> {
    let calls = std::mem::take(&mut mutant.state().calls);
    for call in calls {
        mutant.right(call).await?;
    }
    Ok(())
}
