use std::time::{Duration, SystemTime};

use session_core::{
    Clock, Created, Record, Replaced, Result, SessionCookie, SessionId, Swept, Touched,
};
use sled::transaction::ConflictableTransactionError::Abort;
use sled::{Db, Tree};

use crate::error::failed;
use crate::layout::{COUNT, End, Times, parse_expiry_key, parse_value, record};
use crate::swap::{Step, swap};
use crate::view::{Found, Outcome, View, parse_count, transact};

/// How many records one transaction of `sweep` or `clear` looks at: it holds up all others.
const PER_TRANSACTION: usize = 64;

/// The operations of a store, on the thread that calls them.
pub(crate) struct Sessions {
    pub(crate) db: Db,
    pub(crate) records: Tree,
    pub(crate) expiries: Tree,
    pub(crate) clock: Clock,
    /// Of sessions without an expiry of their own.
    pub(crate) ttl: Option<Duration>,
    /// Whether each write is flushed before it returns.
    pub(crate) flushes: bool,
}

impl Sessions {
    pub(crate) fn now(&self) -> End {
        End::at_millis(self.clock.now_millis())
    }

    /// When a record that asks for `expires` ends.
    fn end(&self, expires: Option<SystemTime>) -> End {
        match (expires, self.ttl) {
            (Some(expires), _) => End::at(expires),
            // Beyond the calendar is as good as never.
            (None, Some(ttl)) => self
                .clock
                .now()
                .checked_add(ttl)
                .map_or(End::NEVER, End::at),
            (None, None) => End::NEVER,
        }
    }

    pub(crate) fn flush(&self, operation: &'static str) -> Result<()> {
        let flushed = self.db.flush().map(drop);
        flushed.map_err(|error| failed(operation, error))
    }

    fn transact<T>(
        &self,
        operation: &'static str,
        work: impl Fn(&View<'_>) -> Outcome<T>,
    ) -> Result<T> {
        transact(operation, &self.records, &self.expiries, work)
    }

    /// A transaction, and the flush after it if each write is to have one.
    fn write<T>(
        &self,
        operation: &'static str,
        work: impl Fn(&View<'_>) -> Outcome<T>,
    ) -> Result<T> {
        let done = self.transact(operation, work)?;
        self.flush_after(operation, done)
    }

    /// The same, without a transaction if `step` can do without one.
    fn swap_or_write<'a, T>(
        &self,
        operation: &'static str,
        id: &[u8],
        now: End,
        step: impl Fn(Option<(Times, &[u8])>) -> Option<Step<'a, T>>,
        work: impl Fn(&View<'_>) -> Outcome<T>,
    ) -> Result<T> {
        match swap(&self.records, operation, id, now, step)? {
            Some(done) => self.flush_after(operation, done),
            None => self.write(operation, work),
        }
    }

    fn flush_after<T>(&self, operation: &'static str, done: T) -> Result<T> {
        if self.flushes {
            self.flush(operation)?;
        }
        Ok(done)
    }

    pub(crate) fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let value = self.records.get(id.as_str());
        let Some(value) = value.map_err(|error| failed("get", error))? else {
            return Ok(None);
        };
        let (times, json) = parse_value("get", &value)?;
        if times.end.is_live(self.now()) {
            record("get", times.end, json).map(Some)
        } else {
            Ok(None)
        }
    }

    pub(crate) fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let (id, end, now) = (
            id.as_str().as_bytes(),
            self.end(record.expires()),
            self.now(),
        );
        let json = record.json().as_bytes();
        self.swap_or_write(
            "set",
            id,
            now,
            |live| live.map(|_| Step::Write(end, json, ())),
            |view| {
                let old = view.find(id)?.times();
                store(view, id, old, end, now, json)
            },
        )
    }

    pub(crate) fn destroy(&self, id: &SessionId) -> Result<()> {
        let id = id.as_str().as_bytes();
        self.write("destroy", |view| {
            let old = view.find(id)?.times();
            view.remove(id, old)
        })
    }

    pub(crate) fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        let (id, end, now) = (
            id.as_str().as_bytes(),
            self.end(cookie.expires()),
            self.now(),
        );
        self.swap_or_write(
            "touch",
            id,
            now,
            |live| {
                Some(match live {
                    None => Step::Leave(Touched::Missing),
                    Some((times, _)) if times.end == end => Step::Leave(Touched::Touched),
                    Some(_) => Step::Move(end, Touched::Touched),
                })
            },
            |view| {
                let Some((old, json)) = view.find(id)?.live(now)? else {
                    return Ok(Touched::Missing);
                };
                let json = json.bytes("touch").map_err(Abort)?;
                store(view, id, Some(old), end, now, json)?;
                Ok(Touched::Touched)
            },
        )
    }

    pub(crate) fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        let (id, end, now) = (
            id.as_str().as_bytes(),
            self.end(record.expires()),
            self.now(),
        );
        self.write("create", |view| {
            let found = view.find(id)?;
            let old = found.times();
            if found.live(now)?.is_some() {
                return Ok(Created::Exists);
            }
            store(view, id, old, end, now, record.json().as_bytes())?;
            Ok(Created::Created)
        })
    }

    pub(crate) fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        let (id, end, now) = (id.as_str().as_bytes(), self.end(new.expires()), self.now());
        let (old, new) = (old.json().as_bytes(), new.json().as_bytes());
        self.swap_or_write(
            "replace",
            id,
            now,
            |live| {
                Some(match live {
                    None => Step::Leave(Replaced::Missing),
                    Some((_, json)) if json != old => Step::Leave(Replaced::Conflict),
                    Some(_) => Step::Write(end, new, Replaced::Replaced),
                })
            },
            |view| {
                let Some((times, json)) = view.find(id)?.live(now)? else {
                    return Ok(Replaced::Missing);
                };
                if json.bytes("replace").map_err(Abort)? != old {
                    return Ok(Replaced::Conflict);
                }
                store(view, id, Some(times), end, now, new)?;
                Ok(Replaced::Replaced)
            },
        )
    }

    /// All records less those that are over. The second are counted before and after: as their
    /// number can only fall, the same number means that none of them went in between.
    pub(crate) fn length(&self) -> Result<u64> {
        let now = self.now();
        let mut before = self.settle("length", now, 0)?.left;
        loop {
            let count = self.expiries.get(COUNT);
            let count = count.map_err(|error| failed("length", error))?;
            let after = self.settle("length", now, 0)?.left;
            if after == before {
                return Ok(parse_count(count.as_deref()).saturating_sub(after));
            }
            before = after;
        }
    }

    pub(crate) fn clear(&self) -> Result<()> {
        let mut from = Vec::new();
        loop {
            let page = self.records.range(from..).keys().take(PER_TRANSACTION);
            let ids = page.collect::<sled::Result<Vec<_>>>();
            let ids = ids.map_err(|error| failed("clear", error))?;
            let Some(last) = ids.last() else { break };
            // Those that are written behind us while we go may stay.
            from = [last, &[0][..]].concat();
            self.transact("clear", |view| {
                for id in &ids {
                    let old = view.find(id)?.times();
                    view.remove(id, old)?;
                }
                Ok(())
            })?;
        }
        self.flush_after("clear", ())
    }

    pub(crate) fn sweep(&self, limit: usize) -> Result<Swept> {
        let Settled { removed, left } = self.settle("sweep", self.now(), limit)?;
        if removed > 0 {
            self.flush_after("sweep", ())?;
        }
        Ok(Swept {
            removed,
            more: left > 0,
        })
    }

    /// Goes through the records that are filed under a time up to `now`: removes at most `limit` of
    /// those that are over, and files those that live on under their ends. What is left is counted
    /// to the end if nothing is to be removed, and else until it is known that there is something.
    fn settle(&self, operation: &'static str, now: End, limit: usize) -> Result<Settled> {
        let due = now.over();
        let mut from = due.start.to_vec();
        let mut settled = Settled::default();
        loop {
            let page = self.expiries.range(&from[..]..&due.end[..]).keys();
            let keys = page.take(PER_TRANSACTION).collect::<sled::Result<Vec<_>>>();
            let keys = keys.map_err(|error| failed(operation, error))?;
            let Some(last) = keys.last() else {
                return Ok(settled);
            };
            from = [last, &[0][..]].concat();
            let here = self.transact(operation, |view| {
                let mut here = settled;
                for key in &keys {
                    here.look_at(view, key, now, limit)?;
                }
                Ok(here)
            })?;
            settled = here;
            if limit > 0 && settled.left > 0 {
                return Ok(settled);
            }
        }
    }
}

/// How far [`Sessions::settle`] has come.
#[derive(Clone, Copy, Default)]
struct Settled {
    removed: usize,
    /// Records that are over and still there.
    left: u64,
}

impl Settled {
    fn look_at(&mut self, view: &View<'_>, key: &[u8], now: End, limit: usize) -> Outcome<()> {
        let Some((filed, id)) = parse_expiry_key(key) else {
            return view.forget(key);
        };
        match view.find(id)? {
            Found::Record(times, json) if times.filed == filed => {
                if times.end.is_live(now) {
                    let json = json.bytes("sweep").map_err(Abort)?;
                    return view.put(id, Some(times), times.end, json);
                }
                if self.removed == limit {
                    self.left += 1;
                    return Ok(());
                }
                self.removed += 1;
                view.remove(id, Some(times))
            }
            // Another write came first, and filed it elsewhere.
            _ => view.forget(key),
        }
    }
}

/// Writes a record, or removes what is there for one that has ended already.
fn store(
    view: &View<'_>,
    id: &[u8],
    old: Option<Times>,
    end: End,
    now: End,
    json: &[u8],
) -> Outcome<()> {
    if end.is_live(now) {
        view.put(id, old, end, json)
    } else {
        view.remove(id, old)
    }
}
