//! One broken behaviour in one method: the table of properties and methods is tested by these.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use session_core::{
    Capabilities, Created, Error, ErrorKind, Record, Replaced, Result, SessionCookie, SessionId,
    Store, StoreStream, Swept, Touched,
};

use super::call::{Call, Reply};
use super::faults::{FAULTS, Forgets, with_text};
use super::state::State;
use super::{Broken, lock};
use crate::options::Rerun;
use crate::reference::{Reference, Row};
use crate::{Method, Options, Report};

/// A broken behaviour, to be had by any of some methods.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Fault {
    /// The name by which rules claim it.
    pub name: &'static str,
    /// What the method does wrong.
    pub bug: &'static str,
    pub(crate) how: How,
    /// Whether both handles have one state, as if the backend had the bug.
    pub(crate) shared: bool,
}

/// What a fault is.
#[derive(Clone, Copy)]
pub(crate) enum How {
    /// The text becomes another one where it is written, read or passed by.
    Text(fn(&str) -> String),
    /// The expiry becomes another one, where it is written or looked at: now, and the right one.
    Expiry(fn(SystemTime, Option<SystemTime>) -> Option<SystemTime>),
    /// The same in milliseconds since 1970, for expiries that there are.
    Millis(fn(u64, u64) -> u64),
    /// The expiry that is written depends on the one that was there: the old one, and the right
    /// one.
    Moves(fn(Option<SystemTime>, Option<SystemTime>) -> Option<SystemTime>),
    /// A row counts as that of an id although it is another's: the row's id, and the one that was
    /// asked for.
    Ids(fn(&str, &str) -> bool),
    /// `replace` takes texts for equal that are not.
    Compare(fn(&str, &str) -> bool),
    /// `sweep` goes by an index of expiries, of which the method forgets some.
    Index(Forgets),
    /// `length` goes by a counter, which the method changes by another number than the right one.
    Counter(fn(i64) -> i64),
    /// `ids` goes by a list, to which the method does something else with each id that it changes.
    Listing(fn(&mut Vec<String>, &str)),
    /// Its errors say this.
    Says(Says),
    /// An id is of a length that is allowed if this says so.
    Limit(fn(&str) -> bool),
    /// The method does its work like this.
    Call(Work),
    /// The method does its work like this, and every other one like that.
    Calls(Work, Work),
}

/// So long are ids only where a rule tries the limit.
const LONG: usize = 1_000;

/// What an error of a call says too much.
pub(crate) type Says = fn(&Call) -> Option<String>;

/// How a call is answered.
pub(crate) type Work = for<'a> fn(&'a Mutant, Call) -> BoxFuture<'a, Result<Reply>>;

/// The reference store with a fault in one method.
pub(crate) struct Mutant {
    pub(crate) reference: Reference,
    pub(crate) method: Method,
    fault: &'static Fault,
    state: Mutex<State>,
}

impl fmt::Debug for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mutant({} in {})", self.fault.name, self.method)
    }
}

impl Fault {
    pub(crate) const PLAIN: Self = Self {
        name: "",
        bug: "",
        how: How::Call(|mutant, call| mutant.right(call)),
        shared: false,
    };

    /// Every fault.
    pub fn every() -> impl Iterator<Item = &'static Self> {
        FAULTS.iter().copied().flatten()
    }

    /// The fault of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::every().find(|fault| fault.name == name)
    }

    /// Runs rules against the reference store with this fault in `method`.
    #[must_use]
    pub fn run(&'static self, method: Method, options: &Options) -> Report {
        let open = move |reference: Reference| -> [Arc<dyn Store>; 2] {
            let make = |reference| {
                Arc::new(Mutant {
                    reference,
                    method,
                    fault: self,
                    state: Mutex::default(),
                })
            };
            let first = make(reference.clone());
            if self.shared {
                return [first.clone(), first];
            }
            [first, make(reference)]
        };
        static REFERENCE: Broken = Broken::REFERENCE;
        let rerun = Rerun::Broken(self.name, Some(method));
        REFERENCE.run_with(
            format!("{} in {method}", self.name),
            Arc::new(open),
            &options.clone().rerun(rerun),
        )
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fault({}: {})", self.name, self.bug)
    }
}

impl Mutant {
    /// Does a call as it should be done.
    pub(crate) fn right(&self, call: Call) -> BoxFuture<'_, Result<Reply>> {
        call.on(&self.reference).boxed()
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    async fn answer(&self, call: Call) -> Result<Reply> {
        let faulty = call.method() == self.method;
        match self.fault.how {
            How::Index(forgets) => self.with_index(call, forgets).await,
            How::Counter(wrong) => self.with_counter(call, wrong).await,
            How::Listing(wrong) => self.with_listing(call, wrong).await,
            How::Calls(work, other) => {
                let work = if faulty { work } else { other };
                work(self, call).await
            }
            _ if !faulty => self.right(call).await,
            How::Call(work) => work(self, call).await,
            How::Text(change) => self.with_texts(call, change).await,
            How::Expiry(change) => self.with_expiries(call, change).await,
            How::Millis(change) => {
                let change = |now, end: Option<SystemTime>| {
                    end.map(|end| match (millis(now), millis(end)) {
                        (Some(now), Some(end)) => {
                            SystemTime::UNIX_EPOCH + Duration::from_millis(change(now, end))
                        }
                        _ => end,
                    })
                };
                self.with_expiries(call, change).await
            }
            How::Moves(change) => {
                let id = call.id().cloned();
                let row = |id: &SessionId| self.reference.rows().get(id.as_str()).cloned();
                let old = id.as_ref().and_then(row);
                let reply = self.right(call).await?;
                if let (Some(id), Some(old), true) = (id, old, reply.is_effect())
                    && let Some(row) = self.reference.rows().get_mut(id.as_str())
                {
                    row.expires = change(old.expires, row.expires);
                }
                Ok(reply)
            }
            How::Compare(same) => self.with_another_old(call, same).await,
            How::Says(what) => {
                let text = what(&call);
                let told = |error: Error| match &text {
                    Some(text) => with_text(&error, text.clone()),
                    None => error,
                };
                Ok(match self.right(call).await.map_err(&told)? {
                    Reply::All(items) => {
                        Reply::All(items.into_iter().map(|item| item.map_err(&told)).collect())
                    }
                    Reply::Ids(items) => {
                        Reply::Ids(items.into_iter().map(|item| item.map_err(&told)).collect())
                    }
                    reply => reply,
                })
            }
            How::Limit(takes) => {
                let long = |id: &&SessionId| id.as_str().len() > LONG && takes(id.as_str());
                // Under an id that the reference takes as well.
                let head: Option<String> = call
                    .id()
                    .filter(long)
                    .map(|id| id.as_str().chars().take(LONG).collect());
                match head.and_then(|head| SessionId::new(head).ok()) {
                    Some(head) => self.right(call.with_id(head)).await,
                    None => self.right(call).await,
                }
            }
            How::Ids(same) => self.with_ids(call, same).await,
        }
    }

    async fn with_another_old(&self, call: Call, same: fn(&str, &str) -> bool) -> Result<Reply> {
        let Call::Replace(id, old, new) = call else {
            return self.right(call).await;
        };
        let row = self.reference.rows().get(id.as_str()).cloned();
        let old = match row {
            Some(row) if same(&row.text, old.json()) => row.decode()?,
            _ => old,
        };
        self.right(Call::Replace(id, old, new)).await
    }

    async fn with_texts(&self, call: Call, change: fn(&str) -> String) -> Result<Reply> {
        let id = call.id().cloned();
        let changed = |record: Record| {
            let text = change(record.json());
            if text == record.json() {
                return Ok(record);
            }
            Record::decode(text, record.expires().into())
        };
        let reply = self.right(call).await?;
        Ok(match reply {
            Reply::Found(Some(record)) => Reply::Found(Some(changed(record)?)),
            Reply::All(items) => Reply::All(
                items
                    .into_iter()
                    .map(|item| item.and_then(|(id, record)| Ok((id, changed(record)?))))
                    .collect(),
            ),
            reply => {
                if let (Some(id), true) = (id, reply.is_effect())
                    && let Some(row) = self.reference.rows().get_mut(id.as_str())
                {
                    row.text = change(&row.text).into();
                }
                reply
            }
        })
    }

    async fn with_expiries(
        &self,
        call: Call,
        change: impl Fn(SystemTime, Option<SystemTime>) -> Option<SystemTime> + Sync,
    ) -> Result<Reply> {
        let (id, now) = (call.id().cloned(), self.reference.now());
        let live = |row: &Row| {
            let expires = change(now, row.expires);
            expires.is_none_or(|expires| expires > now)
        };
        if let Call::Sweep(limit) = call {
            self.reference.trip("sweep")?;
            let mut rows = self.reference.rows();
            let over = rows.iter().filter(|(_, row)| !live(row));
            let over: Vec<_> = over.map(|(id, _)| id.clone()).collect();
            for id in over.iter().take(limit) {
                rows.remove(id);
            }
            return Ok(Reply::Swept(Swept {
                removed: over.len().min(limit),
                more: over.len() > limit,
            }));
        }
        let rows = || -> Vec<(SessionId, Row)> {
            let rows = self.reference.rows();
            let live = rows.iter().filter(|(_, row)| live(row));
            live.filter_map(|(id, row)| Some((SessionId::new(id).ok()?, row.clone())))
                .collect()
        };
        let decoded = |row: &Row| {
            let expires = change(now, row.expires);
            Record::decode(Arc::clone(&row.text), expires.into())
        };
        Ok(match self.right(call).await? {
            Reply::Found(_) => {
                let row = rows()
                    .into_iter()
                    .find(|(found, _)| Some(found) == id.as_ref());
                Reply::Found(row.map(|(_, row)| decoded(&row)).transpose()?)
            }
            Reply::All(_) => {
                let items = rows().into_iter();
                Reply::All(items.map(|(id, row)| Ok((id, decoded(&row)?))).collect())
            }
            Reply::Ids(_) => Reply::Ids(rows().into_iter().map(|(id, _)| Ok(id)).collect()),
            Reply::Length(_) => Reply::Length(u64::try_from(rows().len()).unwrap_or(u64::MAX)),
            reply => {
                if let (Some(id), true) = (id, reply.is_effect())
                    && let Some(row) = self.reference.rows().get_mut(id.as_str())
                {
                    row.expires = change(now, row.expires);
                }
                reply
            }
        })
    }

    async fn with_ids(&self, call: Call, same: fn(&str, &str) -> bool) -> Result<Reply> {
        let keys = || -> Vec<String> { self.reference.rows().keys().cloned().collect() };
        let first = |id: &str| keys().into_iter().find(|row| same(row, id));
        let Some(asked) = call.id().cloned() else {
            let now = self.reference.now();
            if let Call::Sweep(_) = call {
                let over: Vec<_> = self
                    .reference
                    .rows()
                    .iter()
                    .filter(|(_, row)| !row.is_live(now))
                    .map(|(id, _)| id.clone())
                    .collect();
                let reply = self.right(call).await?;
                let mut rows = self.reference.rows();
                rows.retain(|id, _| !over.iter().any(|gone| same(id, gone)));
                return Ok(reply);
            }
            if let Call::Clear = call {
                self.reference.trip("clear")?;
                let all = keys();
                let own = |id: &String| all.iter().find(|row| same(row, id)) == Some(id);
                self.reference.rows().retain(|id, _| !own(id));
                return Ok(Reply::Done);
            }
            return Ok(match self.right(call).await? {
                Reply::All(items) => Reply::All(
                    items
                        .into_iter()
                        .filter(|item| {
                            item.as_ref().is_ok_and(|(id, _)| {
                                first(id.as_str()).is_none_or(|first| first == id.as_str())
                            })
                        })
                        .collect(),
                ),
                Reply::Ids(items) => Reply::Ids(
                    items
                        .into_iter()
                        .filter(|item| {
                            item.as_ref().is_ok_and(|id| {
                                first(id.as_str()).is_none_or(|first| first == id.as_str())
                            })
                        })
                        .collect(),
                ),
                Reply::Length(_) => {
                    let ids: Vec<_> = keys();
                    let own = ids.iter().filter(|id| first(id).as_deref() == Some(id));
                    Reply::Length(u64::try_from(own.count()).unwrap_or(u64::MAX))
                }
                reply => reply,
            });
        };
        if let Call::Destroy(_) = call {
            self.reference.trip("destroy")?;
            self.reference
                .rows()
                .retain(|row, _| !same(row, asked.as_str()));
            return Ok(Reply::Done);
        }
        let row = first(asked.as_str()).and_then(|row| SessionId::new(row).ok());
        self.right(call.with_id(row.unwrap_or(asked))).await
    }
}

/// Since 1970, if that is not yet to come.
fn millis(time: SystemTime) -> Option<u64> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis())
        .ok()
        .filter(|millis| *millis > 0)
}

fn other<T>(operation: &'static str) -> Result<T> {
    Err(Error::new(ErrorKind::Other, operation))
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for Mutant {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        match self.answer(Call::Get(id.clone())).await? {
            Reply::Found(found) => Ok(found),
            _ => other("get"),
        }
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let call = Call::Set(id.clone(), record.clone());
        self.answer(call).await.map(drop)
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        self.answer(Call::Destroy(id.clone())).await.map(drop)
    }

    fn capabilities(&self) -> Capabilities {
        self.reference.capabilities()
    }

    async fn length(&self) -> Result<u64> {
        match self.answer(Call::Length).await? {
            Reply::Length(length) => Ok(length),
            _ => other("length"),
        }
    }

    async fn clear(&self) -> Result<()> {
        self.answer(Call::Clear).await.map(drop)
    }

    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        match self.answer(Call::Touch(id.clone(), cookie.clone())).await? {
            Reply::Touched(touched) => Ok(touched),
            _ => other("touch"),
        }
    }

    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        let call = Call::Create(id.clone(), record.clone());
        match self.answer(call).await? {
            Reply::Created(created) => Ok(created),
            _ => other("create"),
        }
    }

    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        let call = Call::Replace(id.clone(), old.clone(), new.clone());
        match self.answer(call).await? {
            Reply::Replaced(replaced) => Ok(replaced),
            _ => other("replace"),
        }
    }

    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        let items = self.answer(Call::All).map(|reply| match reply {
            Ok(Reply::All(items)) => items,
            Ok(_) => vec![other("all")],
            Err(error) => vec![Err(error)],
        });
        Box::pin(stream::once(items).flat_map(stream::iter))
    }

    fn ids(&self) -> StoreStream<'_, SessionId> {
        let items = self.answer(Call::Ids).map(|reply| match reply {
            Ok(Reply::Ids(items)) => items,
            Ok(_) => vec![other("ids")],
            Err(error) => vec![Err(error)],
        });
        Box::pin(stream::once(items).flat_map(stream::iter))
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        match self.answer(Call::Sweep(limit)).await? {
            Reply::Swept(swept) => Ok(swept),
            _ => other("sweep"),
        }
    }
}
