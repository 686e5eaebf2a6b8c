use std::time::{Duration, SystemTime};

use session_core::{
    Clock, Created, Record, Replaced, Result, SessionCookie, SessionId, Swept, Touched,
};
use sled::transaction::ConflictableTransactionError::Abort;
use sled::{Db, Tree};

use crate::error::failed;
use crate::layout::{COUNT, End, parse_expiry_key, parse_value, record};
use crate::view::{Outcome, View, parse_count, transact};

/// How many records one transaction of `sweep` or `clear` removes: it holds up all others.
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
        let (end, json) = parse_value("get", &value)?;
        if end.is_live(self.now()) {
            record("get", end, json).map(Some)
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
        self.write("set", |view| {
            let old = view.find(id)?.end();
            store(view, id, old, end, now, record.json().as_bytes())
        })
    }

    pub(crate) fn destroy(&self, id: &SessionId) -> Result<()> {
        let id = id.as_str().as_bytes();
        self.write("destroy", |view| {
            let old = view.find(id)?.end();
            view.remove(id, old)
        })
    }

    pub(crate) fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        let (id, end, now) = (
            id.as_str().as_bytes(),
            self.end(cookie.expires()),
            self.now(),
        );
        self.write("touch", |view| {
            let Some((old, json)) = view.find(id)?.live(now)? else {
                return Ok(Touched::Missing);
            };
            if old != end {
                let json = json.bytes("touch").map_err(Abort)?;
                store(view, id, Some(old), end, now, json)?;
            }
            Ok(Touched::Touched)
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
            let old = found.end();
            if found.live(now)?.is_some() {
                return Ok(Created::Exists);
            }
            store(view, id, old, end, now, record.json().as_bytes())?;
            Ok(Created::Created)
        })
    }

    pub(crate) fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        let (id, end, now) = (id.as_str().as_bytes(), self.end(new.expires()), self.now());
        self.write("replace", |view| {
            let Some((old_end, json)) = view.find(id)?.live(now)? else {
                return Ok(Replaced::Missing);
            };
            if json.bytes("replace").map_err(Abort)? != old.json().as_bytes() {
                return Ok(Replaced::Conflict);
            }
            store(view, id, Some(old_end), end, now, new.json().as_bytes())?;
            Ok(Replaced::Replaced)
        })
    }

    /// All records less those that are over. The second are counted before and after: as their
    /// number can only fall, the same number means that none of them went in between.
    pub(crate) fn length(&self) -> Result<u64> {
        let now = self.now();
        let error = |error| failed("length", error);
        let over = || {
            let mut keys = self.expiries.range(now.over()).keys();
            keys.try_fold(0, |count, key| key.map(|_| count + 1))
        };
        let mut before: u64 = over().map_err(error)?;
        loop {
            let all = parse_count(self.expiries.get(COUNT).map_err(error)?.as_deref());
            let after = over().map_err(error)?;
            if after == before {
                return Ok(all.saturating_sub(after));
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
                    let old = view.find(id)?.end();
                    view.remove(id, old)?;
                }
                Ok(())
            })?;
        }
        if self.flushes {
            self.flush("clear")
        } else {
            Ok(())
        }
    }

    pub(crate) fn sweep(&self, limit: usize) -> Result<Swept> {
        let now = self.now();
        let mut swept = Swept {
            removed: 0,
            more: true,
        };
        loop {
            let wanted = PER_TRANSACTION.min(limit - swept.removed);
            // One more than wanted says whether there is more.
            let page = self.expiries.range(now.over()).keys().take(wanted + 1);
            let keys = page.collect::<sled::Result<Vec<_>>>();
            let mut keys = keys.map_err(|error| failed("sweep", error))?;
            swept.more = keys.len() > wanted;
            keys.truncate(wanted);
            if keys.is_empty() {
                break;
            }
            swept.removed += self.transact("sweep", |view| {
                let mut removed = 0;
                for key in &keys {
                    match parse_expiry_key(key) {
                        Some((end, id)) if view.find(id)?.end() == Some(end) => {
                            view.remove(id, Some(end))?;
                            removed += 1;
                        }
                        // Another write came first, and its record may be live.
                        _ => view.forget(key)?,
                    }
                }
                Ok(removed)
            })?;
            if !swept.more {
                break;
            }
        }
        if self.flushes && swept.removed > 0 {
            self.flush("sweep")?;
        }
        Ok(swept)
    }
}

/// Writes a record, or removes what is there for one that has ended already.
fn store(
    view: &View<'_>,
    id: &[u8],
    old: Option<End>,
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
