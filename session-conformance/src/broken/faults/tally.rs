//! Indexes, counters and lists that do not follow.

use futures_util::future::BoxFuture;
use session_core::{SessionId, Swept};

use crate::Method;
use crate::broken::call::{Call, Reply};
use crate::broken::mutant::{Fault, How, Mutant};
use crate::reference::Row;

/// A sweep goes by an index of expiries, which every method but the faulty one keeps right.
const fn indexed(name: &'static str, bug: &'static str, forgets: Forgets) -> Fault {
    Fault {
        name,
        bug,
        how: How::Index(forgets),
        shared: true,
    }
}

/// Whether the index misses what became of a row: the row before, if it was live, and after.
pub(crate) type Forgets = fn(Option<&Row>, bool, Option<&Row>) -> bool;

pub(super) const FAULTS: &[Fault] = &[
    indexed(
        "IndexNotMoved",
        "does not move the entry in the index of expiries",
        |old, _, _| old.is_some(),
    ),
    indexed(
        "IndexNotMovedToNone",
        "leaves the entry in the index when the new expiry is none",
        |old, _, new| old.is_some() && new.is_some_and(|new| new.expires.is_none()),
    ),
    indexed(
        "IndexMissesExpired",
        "does not move the entry of an expired row that is overwritten",
        |old, live, _| old.is_some() && !live,
    ),
    indexed(
        "IndexMissesNew",
        "makes no entry in the index for a new row",
        |old, _, _| old.is_none(),
    ),
    indexed(
        "IndexKeepsEnded",
        "leaves the entry of a row that it removes",
        |_, _, new| new.is_none(),
    ),
    counter(
        "CounterNotRaised",
        "does not raise the counter of rows",
        |by| by.min(0),
    ),
    counter(
        "CounterNotLowered",
        "does not lower the counter of rows",
        |by| by.max(0),
    ),
    counter(
        "CounterRaisedTwice",
        "raises the counter whatever was there",
        |by| by + 1,
    ),
    counter(
        "CounterCountsOver",
        "counts a row that is written over an expired one as new",
        |by| by + i64::from(by == 0),
    ),
    listing(
        "ListForgets",
        "does not put the id into the list of ids",
        |ids, id| {
            ids.retain(|other| other != id);
        },
    ),
    listing(
        "ListTwice",
        "puts the id into the list of ids once more",
        |ids, id| {
            ids.push(id.to_owned());
        },
    ),
    listing(
        "ListKeeps",
        "leaves ids in the list whose rows it removes",
        |ids, id| {
            if !ids.iter().any(|other| other == id) {
                ids.push(id.to_owned());
            }
        },
    ),
    call(
        "LeavesExpired",
        "removes nothing that has expired",
        |mutant, call| {
            Box::pin(async move {
                let now = mutant.reference.now();
                let (before, method) = (mutant.reference.rows().clone(), call.method());
                let reply = mutant.right(call).await?;
                let over = before.into_iter().filter(|(_, row)| !row.is_live(now));
                if method != Method::Sweep {
                    mutant.reference.rows().extend(over);
                    return Ok(reply);
                }
                mutant.reference.rows().extend(over);
                Ok(Reply::Swept(Swept {
                    removed: 0,
                    more: false,
                }))
            })
        },
    ),
    call(
        "LeavesEndless",
        "leaves rows without an expiry",
        |mutant, call| {
            Box::pin(async move {
                let mut before = mutant.reference.rows().clone();
                let reply = mutant.right(call).await?;
                before.retain(|_, row| row.expires.is_none());
                mutant.reference.rows().extend(before);
                Ok(reply)
            })
        },
    ),
    call(
        "SweepsOne",
        "removes one row and says that this is all",
        |mutant, call| {
            Box::pin(async move {
                let Call::Sweep(limit) = call else {
                    return mutant.right(call).await;
                };
                let reply = mutant.right(Call::Sweep(limit.min(1))).await?;
                Ok(match reply {
                    Reply::Swept(swept) => Reply::Swept(Swept {
                        more: false,
                        ..swept
                    }),
                    reply => reply,
                })
            })
        },
    ),
    call(
        "SweepsEndless",
        "sweeps rows without an expiry, too",
        |mutant, call| {
            Box::pin(async move {
                mutant
                    .reference
                    .rows()
                    .retain(|_, row| row.expires.is_some());
                mutant.right(call).await
            })
        },
    ),
    call(
        "SweepsLiveToo",
        "sweeps what ends within the next hours",
        |mutant, call| {
            Box::pin(async move {
                let soon = mutant.reference.now() + std::time::Duration::from_secs(3 * 3_600);
                mutant.reference.rows().retain(|_, row| row.is_live(soon));
                mutant.right(call).await
            })
        },
    ),
    call(
        "DeletesInPassing",
        "removes what ends within three hours, in passing",
        |mutant, call| {
            Box::pin(async move {
                let soon = mutant.reference.now() + std::time::Duration::from_secs(3 * 3_600);
                mutant.reference.rows().retain(|_, row| row.is_live(soon));
                mutant.right(call).await
            })
        },
    ),
    Fault {
        name: "GetDeletesLater",
        bug: "removes an expired row at the next call of any method, whatever is there by then",
        how: How::Calls(
            |mutant, call| {
                Box::pin(async move {
                    let now = mutant.reference.now();
                    if let Some(id) = call.id() {
                        let over = mutant
                            .reference
                            .rows()
                            .get(id.as_str())
                            .is_some_and(|row| !row.is_live(now));
                        if over {
                            mutant.state().ids.push(id.as_str().to_owned());
                        }
                    }
                    mutant.right(call).await
                })
            },
            |mutant, call| {
                Box::pin(async move {
                    let writes = call.record().is_some();
                    let reply = mutant.right(call).await;
                    if writes {
                        for id in std::mem::take(&mut mutant.state().ids) {
                            mutant.reference.rows().remove(&id);
                        }
                    }
                    reply
                })
            },
        ),
        shared: true,
    },
    call(
        "ForgetsOthers",
        "removes the row that comes next in the order of ids",
        |mutant, call| {
            Box::pin(async move {
                let id = call.id().map(|id| id.as_str().to_owned());
                let reply = mutant.right(call).await?;
                if let Some(id) = id {
                    let mut rows = mutant.reference.rows();
                    let next = rows
                        .range(id.clone()..)
                        .find(|(other, _)| **other != id)
                        .map(|(other, _)| other.clone());
                    if let Some(next) = next {
                        rows.remove(&next);
                    }
                }
                Ok(reply)
            })
        },
    ),
    call(
        "ExpiredIsLive",
        "does not look whether the row has expired",
        |mutant, call| {
            Box::pin(async move {
                // The rows of before, as if they were live.
                let id = call.id().cloned();
                if let Some(id) = &id {
                    let now = mutant.reference.now();
                    if let Some(row) = mutant.reference.rows().get_mut(id.as_str())
                        && !row.is_live(now)
                    {
                        row.expires = None;
                    }
                }
                mutant.right(call).await
            })
        },
    ),
    call(
        "OrphanRow",
        "leaves a second row behind with each write",
        |mutant, call| {
            Box::pin(async move {
                let id = call.id().map(|id| format!("{}:tmp", id.as_str()));
                let reply = mutant.right(call).await?;
                if let Some((id, row)) = id.and_then(|id| {
                    let rows = mutant.reference.rows();
                    let row = rows.get(id.trim_end_matches(":tmp")).cloned()?;
                    Some((id, row))
                }) {
                    mutant.reference.rows().insert(id, row);
                }
                Ok(reply)
            })
        },
    ),
];

const fn call(
    name: &'static str,
    bug: &'static str,
    work: for<'a> fn(&'a Mutant, Call) -> BoxFuture<'a, session_core::Result<Reply>>,
) -> Fault {
    Fault {
        name,
        bug,
        how: How::Call(work),
        shared: false,
    }
}

/// `length` answers from a counter, which the faulty method changes wrongly: from what is right to
/// what it does.
const fn counter(name: &'static str, bug: &'static str, wrong: fn(i64) -> i64) -> Fault {
    Fault {
        name,
        bug,
        how: How::Counter(wrong),
        shared: true,
    }
}

/// `all` and `ids` go by a list of ids, to which the faulty method does this with each id that it
/// changed.
const fn listing(
    name: &'static str,
    bug: &'static str,
    wrong: fn(&mut Vec<String>, &str),
) -> Fault {
    Fault {
        name,
        bug,
        how: How::Listing(wrong),
        shared: true,
    }
}

impl Mutant {
    /// A sweep by the index; other methods keep it, the faulty one unless it forgets.
    pub(crate) async fn with_index(
        &self,
        call: Call,
        forgets: Forgets,
    ) -> session_core::Result<Reply> {
        let now = self.reference.now();
        let faulty = call.method() == self.method;
        if let Call::Sweep(limit) = call {
            self.reference.trip("sweep")?;
            let over: Vec<_> = {
                let state = self.state();
                let over = state.index.iter().filter(|(_, end)| **end <= now);
                over.map(|(id, _)| id.clone()).collect()
            };
            let mut rows = self.reference.rows();
            for id in over.iter().take(limit) {
                rows.remove(id);
                if !(faulty && forgets(None, false, None)) {
                    self.state().index.remove(id);
                }
            }
            return Ok(Reply::Swept(Swept {
                removed: over.len().min(limit),
                more: over.len() > limit,
            }));
        }
        let before = self.reference.rows().clone();
        let reply = self.right(call).await?;
        let after = self.reference.rows().clone();
        let mut state = self.state();
        for id in before.keys().chain(after.keys()) {
            let (old, new) = (before.get(id), after.get(id));
            if old.map(|row| (&row.text, row.expires)) == new.map(|row| (&row.text, row.expires)) {
                continue;
            }
            let live = old.is_some_and(|row| row.is_live(now));
            if faulty && forgets(old, live, new) {
                continue;
            }
            match new.and_then(|row| row.expires) {
                Some(end) => {
                    state.index.insert(id.clone(), end);
                }
                None => {
                    state.index.remove(id);
                }
            }
        }
        Ok(reply)
    }

    /// `length` by a counter: what is live, and by how much the faulty method has been wrong.
    pub(crate) async fn with_counter(
        &self,
        call: Call,
        wrong: fn(i64) -> i64,
    ) -> session_core::Result<Reply> {
        let now = self.reference.now();
        let live = || {
            let rows = self.reference.rows();
            i64::try_from(rows.values().filter(|row| row.is_live(now)).count()).unwrap_or(0)
        };
        let (before, method) = (live(), call.method());
        let clears = matches!(call, Call::Clear);
        let stored = self.reference.rows().len();
        let reply = self.right(call).await?;
        if method == self.method && reply.is_effect() {
            let by = match method {
                // It counts rows, expired or not.
                Method::Sweep => {
                    i64::try_from(self.reference.rows().len()).unwrap_or(0)
                        - i64::try_from(stored).unwrap_or(0)
                }
                _ => live() - before,
            };
            self.state().off += wrong(by) - by;
        } else if clears {
            self.state().off = 0;
        }
        Ok(match reply {
            Reply::Length(length) => {
                let off = self.state().off;
                Reply::Length(length.saturating_add_signed(off))
            }
            reply => reply,
        })
    }

    /// `all` and `ids` by a list.
    pub(crate) async fn with_listing(
        &self,
        call: Call,
        wrong: fn(&mut Vec<String>, &str),
    ) -> session_core::Result<Reply> {
        let faulty = call.method() == self.method;
        let before = self.reference.rows().clone();
        let reply = self.right(call).await?;
        let after = self.reference.rows().clone();
        let mut state = self.state();
        for id in before.keys().chain(after.keys()) {
            let (old, new) = (before.get(id), after.get(id));
            if old.map(|row| (&row.text, row.expires)) == new.map(|row| (&row.text, row.expires)) {
                continue;
            }
            state.ids.retain(|other| other != id);
            if new.is_some() {
                state.ids.push(id.clone());
            }
            if faulty {
                wrong(&mut state.ids, id);
            }
        }
        let listed = |id: &SessionId| {
            state
                .ids
                .iter()
                .filter(|other| *other == id.as_str())
                .count()
        };
        Ok(match reply {
            Reply::Ids(items) => {
                let mut ids = Vec::new();
                for item in items {
                    let id = item?;
                    ids.extend((0..listed(&id)).map(|_| Ok(id.clone())));
                }
                let gone = state.ids.iter().filter(|id| !after.contains_key(*id));
                ids.extend(gone.filter_map(|id| SessionId::new(id).ok().map(Ok)));
                Reply::Ids(ids)
            }
            reply => reply,
        })
    }
}
