use std::time::{Duration, SystemTime};

use session_core::{
    Clock, Created, Record, Replaced, Result, SessionCookie, SessionId, Swept, Touched,
};
use sled::transaction::ConflictableTransactionError::Abort;
use sled::{Db, IVec, Tree};

use crate::error::failed;
use crate::layout::{COUNT, End, Times, parse_expiry_key, parse_value, record};
use crate::swap::{Step, swap};
use crate::view::{Found, Outcome, View, parse_count, transact};

/// How many records one transaction of `sweep` or `clear` looks at: it holds up all others.
const PER_TRANSACTION: usize = 64;
/// A sweep's transaction ends with the record that brings what it writes to this.
const BYTES_PER_TRANSACTION: usize = 1 << 20;

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

    /// Takes the step that `decide` chooses for the live record under `id` (`None` if there is none),
    /// without a transaction if it can be taken so.
    fn take<'a, T>(
        &self,
        operation: &'static str,
        id: &[u8],
        now: End,
        decide: impl Fn(Option<(Times, &[u8])>) -> Step<'a, T>,
    ) -> Result<T> {
        if let Some(done) = swap(&self.records, operation, id, now, &decide)? {
            return self.flush_after(operation, done);
        }
        self.write(operation, |view| {
            let live = view.find(id)?.live(now)?;
            let found = match &live {
                Some((times, json)) => Some((*times, json.bytes(operation).map_err(Abort)?)),
                None => None,
            };
            let (end, text, answer) = match decide(found) {
                Step::Leave(answer) => return Ok(answer),
                Step::Change { end, text, answer } => (end, text, answer),
            };
            let (old, json) = found.unzip();
            if let Some(json) = text.or(json) {
                store(view, id, old, end, now, json)?;
            }
            Ok(answer)
        })
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
        let written = swap(&self.records, "set", id, now, |_| Step::Change {
            end,
            text: Some(json),
            answer: (),
        })?;
        // What nobody can decode is written over.
        if written.is_none() {
            self.transact("set", |view| {
                let old = view.find(id)?.times();
                store(view, id, old, end, now, json)
            })?;
        }
        self.flush_after("set", ())
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
        self.take("touch", id, now, |live| match live {
            None => Step::Leave(Touched::Missing),
            Some((times, _)) if times.end == end => Step::Leave(Touched::Touched),
            Some(_) => Step::Change {
                end,
                text: None,
                answer: Touched::Touched,
            },
        })
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
        self.take("replace", id, now, |live| match live {
            None => Step::Leave(Replaced::Missing),
            Some((_, json)) if json != old => Step::Leave(Replaced::Conflict),
            Some(_) => Step::Change {
                end,
                text: Some(new),
                answer: Replaced::Replaced,
            },
        })
    }

    /// All records less those that are over. The second are counted before and after: as their
    /// number seldom rises, the same number means that none of them went in between.
    pub(crate) fn length(&self) -> Result<u64> {
        let now = self.now();
        let mut before = self.over(now)?;
        loop {
            let count = self.expiries.get(COUNT);
            let count = count.map_err(|error| failed("length", error))?;
            let after = self.over(now)?;
            if after == before {
                return Ok(parse_count(count.as_deref()).saturating_sub(after));
            }
            before = after;
        }
    }

    /// How many of the entries that have come due are not those of a live record.
    fn over(&self, now: End) -> Result<u64> {
        let mut over = 0;
        for key in self.expiries.range(now.over()).keys() {
            let key = key.map_err(|error| failed("length", error))?;
            over += u64::from(!self.is_live("length", &key, now)?);
        }
        Ok(over)
    }

    /// Whether an entry is that of a live record.
    fn is_live(&self, operation: &'static str, key: &[u8], now: End) -> Result<bool> {
        let Some((filed, id)) = parse_expiry_key(key) else {
            return Ok(false);
        };
        let value = self.records.get(id);
        let value = value.map_err(|error| failed(operation, error))?;
        let times = value.and_then(|value| Some(parse_value(operation, &value).ok()?.0));
        Ok(times.is_some_and(|times| times.filed == filed && times.end.is_live(now)))
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
        self.sweep_some(limit, usize::MAX)
    }

    /// Goes through the records that are filed under a time that is over: removes at most `limit` of
    /// those that have ended, and files those that live on under their ends, until there are no more
    /// of the first. After `most` of both together it stops in any case, and says that there is more.
    pub(crate) fn sweep_some(&self, limit: usize, most: usize) -> Result<Swept> {
        let now = self.now();
        let due = now.over();
        let mut from = due.start.to_vec();
        let mut turn = Turn::default();
        while !turn.found_more && turn.removed + turn.filed < most {
            let page = self.expiries.range(&from[..]..&due.end[..]).keys();
            let keys = page.take(PER_TRANSACTION).collect::<sled::Result<Vec<_>>>();
            let keys = keys.map_err(|error| failed("sweep", error))?;
            if keys.is_empty() {
                break;
            }
            turn = self.transact("sweep", |view| turn.go_on(view, &keys, now, limit))?;
            from = [&keys[turn.looked_at - 1][..], &[0][..]].concat();
        }
        if turn.removed > 0 {
            self.flush_after("sweep", ())?;
        }
        Ok(Swept {
            removed: turn.removed,
            more: turn.found_more || turn.removed + turn.filed >= most,
        })
    }
}

/// How far [`Sessions::sweep_some`] has come.
#[derive(Clone, Copy, Default)]
struct Turn {
    removed: usize,
    /// Entries that were moved to a record's end, or named none.
    filed: usize,
    /// Whether a record that has ended is left.
    found_more: bool,
    /// How many keys the last transaction looked at.
    looked_at: usize,
}

impl Turn {
    /// Looks at the keys one by one, until what it writes is enough for one transaction.
    fn go_on(mut self, view: &View<'_>, keys: &[IVec], now: End, limit: usize) -> Outcome<Self> {
        let mut bytes = 0;
        self.looked_at = 0;
        for key in keys {
            if self.found_more || bytes >= BYTES_PER_TRANSACTION {
                break;
            }
            self.looked_at += 1;
            bytes += self.look_at(view, key, now, limit)?;
        }
        Ok(self)
    }

    /// Returns how many bytes were written.
    fn look_at(&mut self, view: &View<'_>, key: &[u8], now: End, limit: usize) -> Outcome<usize> {
        let found = match parse_expiry_key(key) {
            Some((filed, id)) => Some((filed, id, view.find(id)?)),
            None => None,
        };
        match found {
            // It may live: another version has written it, say.
            Some((_, _, Found::Undecodable(_))) => {}
            Some((filed, id, Found::Record(times, json))) if times.filed == filed => {
                if times.end.is_live(now) {
                    self.filed += 1;
                    let json = json.bytes("sweep").map_err(Abort)?;
                    view.put(id, Some(times), times.end, json)?;
                    return Ok(json.len());
                }
                if self.removed == limit {
                    self.found_more = true;
                } else {
                    self.removed += 1;
                    view.remove(id, Some(times))?;
                }
            }
            // Removed or filed elsewhere while it could not be decoded.
            _ => {
                self.filed += 1;
                view.forget(key)?;
            }
        }
        Ok(0)
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
