use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_util::StreamExt;
use session_core::{
    Capabilities, Clock, Created, Error, ErrorKind, Record, Replaced, Result, SessionCookie,
    SessionId, Store, StoreStream, StoredExpiry, Swept, Touched,
};

use crate::dialect::{Dialect, Outcome, Reason};
use crate::driver::{Answer, Backend, Row, Values};
use crate::failure::Failure;
use crate::layout::Layout;
use crate::statements::Statements;
use crate::sweeper::Sweeper;
use crate::template::Statement;
use crate::walk::Walk;
use crate::{Database, SqlxStoreBuilder};

const MIGRATE: &str = "migrate";

/// A session store on SQLite, PostgreSQL, MySQL or MariaDB.
///
/// Clones share the connections. Opened by [`connect`](Self::connect) with express-session's usual
/// table on that database, or by [`builder`](Self::builder).
///
/// # Round trips
///
/// Each of `get`, `set`, `destroy`, `touch`, `create`, `replace`, `length` and `clear` is one
/// statement, and one round trip once the connection knows it; preparing it takes another one.
/// There is no transaction and no ping before or after, but for a connection that nobody has used
/// [for a while](SqlxStoreBuilder::trust_idle). On SQLite, where there is no trip to make,
/// `replace` looks a second time if nothing was written. `sweep` asks a second time whether anything
/// is left if it removed as many as it was allowed to. `all` and `ids` take one for each page.
///
/// A read is one plain `SELECT`, and waits for no writer: writers have a part of the connections
/// only, so that those that wait for a lock leave some to read over.
///
/// # Time
///
/// The client's clock decides what has expired, as it does for Node's stores: all processes that
/// share a table need clocks that agree.
///
/// # Errors
///
/// A table that is missing, or has another shape, is
/// [`Config`](session_core::ErrorKind::Config); nothing but [`migrate`](Self::migrate) ever creates
/// one. What a lost connection leaves open is an error: a statement is sent a second time only if it
/// reads, or if the database has said that it did nothing.
#[derive(Clone)]
pub struct SqlxStore(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) database: Database,
    pub(crate) dialect: &'static Dialect,
    pub(crate) layout: &'static Layout,
    pub(crate) statements: Statements,
    pub(crate) capabilities: Capabilities,
    pub(crate) clock: Clock,
    pub(crate) table: String,
}

impl fmt::Debug for SqlxStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlxStore")
            .field("database", &self.0.database)
            .field("table", &self.0.table)
            .field("ttl", &self.0.capabilities.default_ttl)
            .finish_non_exhaustive()
    }
}

impl SqlxStore {
    /// The options of a store.
    pub fn builder() -> SqlxStoreBuilder {
        SqlxStoreBuilder::default()
    }

    /// A store on the database of a URL, with the default options; see
    /// [`SqlxStoreBuilder::connect`].
    ///
    /// # Errors
    ///
    /// See [`SqlxStoreBuilder::connect`].
    pub async fn connect(url: &str) -> Result<Self> {
        Self::builder().connect(url).await
    }

    pub(crate) fn new(inner: Arc<Inner>) -> Self {
        Self(inner)
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }

    /// Creates the table and its index, unless they are there, and checks that the table has the
    /// columns that this store needs, that they hold the ids, the JSON and a time to the second as they
    /// are written, and that the table tells all ids apart and has each once.
    ///
    /// Any number of processes may do this at the same time, and as often as they like. A table that
    /// is there already is not altered. On PostgreSQL, and on SQLite for
    /// [`Schema::Native`](crate::Schema::Native), it gets its index if it has none, and while that
    /// is built nobody can write to the table: with millions of rows, make the index beforehand
    /// (`CREATE INDEX CONCURRENTLY "IDX_session_expire" ON session (expire)` on PostgreSQL, by the
    /// names of the table and the column). On MySQL a table of an older installation stays without.
    /// The schema and the database have to be there.
    ///
    /// # Errors
    ///
    /// [`Config`](session_core::ErrorKind::Config) if the user may not create tables, if the schema
    /// does not exist, or if there is a table of another shape, one with a column of a type that does
    /// not do, one that takes `a` and `A` for the same id, or one without a unique index of its ids;
    /// [`Unavailable`](session_core::ErrorKind::Unavailable) if somebody
    /// else holds a lock on the table for ten seconds (on SQLite, for the connections' busy
    /// timeout) or is migrating for ten minutes; [`Timeout`](session_core::ErrorKind::Timeout) after
    /// a quarter of an hour.
    pub async fn migrate(&self) -> Result<()> {
        let statements = &self.0.statements;
        if self.is_there().await? {
            // Only what is missing: the table may be one of another schema on the search path, and
            // even an index that is there already would wait for everybody who writes.
            let indexed = match &statements.indexed {
                Some(indexed) => self.answers_yes(indexed).await?,
                None => false,
            };
            if !indexed && let Some(index) = &statements.create_index {
                self.script([statements.lock.as_ref(), Some(index)]).await?;
            }
        } else {
            let (table, index) = (&statements.create_table, statements.create_index.as_ref());
            self.script([statements.lock.as_ref(), Some(table), index])
                .await?;
            self.is_there().await?;
        }
        for (question, otherwise) in [
            (&statements.exact, Reason::Folding),
            (&statements.unique, Reason::Repeating),
        ] {
            if let Some(question) = question
                && !self.answers_yes(question).await?
            {
                return Err(Failure::of_table(otherwise).of(MIGRATE));
            }
        }
        let unfit = match self.number(&statements.fits).await? {
            Some(1) => Reason::UnfitId,
            Some(2) => Reason::UnfitData,
            Some(3) => Reason::UnfitEnd,
            _ => return Ok(()),
        };
        Err(Failure::of_table(unfit).of(MIGRATE))
    }

    /// Whether there is a table; one of another shape is an error.
    async fn is_there(&self) -> Result<bool> {
        let Inner {
            backend,
            statements,
            clock,
            ..
        } = &*self.0;
        let values = Values {
            now: clock.now_millis(),
            ..Values::default()
        };
        match backend.ask(&statements.check, values).await {
            Ok(_) => Ok(true),
            Err(failure) if failure.reason() == Some(Reason::NoTable) => Ok(false),
            Err(failure) => Err(failure.of(MIGRATE)),
        }
    }

    async fn answers_yes(&self, question: &Statement) -> Result<bool> {
        let number = self.number(question).await?;
        Ok(number.is_some_and(|number| number > 0))
    }

    async fn number(&self, question: &Statement) -> Result<Option<i64>> {
        let answer = self.ask(MIGRATE, question, Values::default()).await?;
        Ok(answer.rows.first().and_then(|row| row.number))
    }

    async fn script<const N: usize>(&self, statements: [Option<&Statement>; N]) -> Result<()> {
        let statements: Vec<_> = statements.into_iter().flatten().collect();
        let done = self.0.backend.script(&statements).await;
        done.map_err(|failure| failure.of(MIGRATE))
    }

    /// Starts a task that removes expired sessions every `interval`, for as long as the handle
    /// that it returns lives.
    ///
    /// An error does not end it: it is logged, and the next turn comes.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn sweeper(&self, interval: Duration) -> Sweeper {
        Sweeper::start(Arc::downgrade(&self.0), interval)
    }

    pub(crate) async fn ask(
        &self,
        operation: &'static str,
        statement: &Statement,
        values: Values<'_>,
    ) -> Result<Answer> {
        let values = Values {
            now: self.0.clock.now_millis(),
            binary: self.0.layout.binary,
            ..values
        };
        let answer = self.0.backend.ask(statement, values).await;
        answer.map_err(|failure| failure.of(operation))
    }

    /// When a record that ends at `expires` ends in the column.
    fn end(&self, expires: Option<SystemTime>) -> i64 {
        let Inner {
            clock,
            layout,
            capabilities,
            ..
        } = &*self.0;
        let millis = match (expires, capabilities.default_ttl) {
            (Some(expires), _) => Clock::to_millis(expires),
            (None, Some(ttl)) => clock
                .now_millis()
                .saturating_add(i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX)),
            (None, None) => layout.last,
        };
        layout.stored(millis)
    }

    /// Refuses an id that the table cannot hold, or would take for another one.
    fn check_id(&self, operation: &'static str, id: &SessionId) -> Result<()> {
        let (text, inner) = (id.as_str(), &self.0);
        let too_long = inner
            .capabilities
            .max_id_bytes
            .is_some_and(|max| text.len() > max);
        let padded = inner.layout.pads && text.ends_with(' ');
        let nul = !inner.layout.binary && text.contains('\0');
        if too_long || padded || nul {
            let why = if too_long {
                "it is too long"
            } else if padded {
                "it ends with a space, which the column's collation does not see"
            } else {
                "it has a NUL, which a text column cannot hold"
            };
            return Err(Error::new(ErrorKind::InvalidId, operation).with_message(why));
        }
        Ok(())
    }

    /// The longest record: a `replace` sends the old one and the new one in one message, so that a
    /// longer one could be created and never be changed.
    fn max_record_bytes(&self) -> Option<usize> {
        /// The statement's number, the types, the times and the id.
        const REST: usize = 1_024;
        let Inner {
            backend,
            dialect,
            capabilities,
            ..
        } = &*self.0;
        let packet = backend.packet();
        let room = packet.map(|packet| packet.saturating_sub(REST) / dialect.texts);
        match (room, capabilities.max_record_bytes) {
            (Some(room), Some(max)) => Some(room.min(max)),
            (room, max) => room.or(max),
        }
    }

    async fn check(&self, operation: &'static str, id: &SessionId, record: &Record) -> Result<()> {
        self.check_id(operation, id)?;
        if self.0.database == Database::MySql && self.0.backend.packet().is_none() {
            // The server says how large a message may be when it is connected to.
            let connected = self.0.backend.connect().await;
            connected.map_err(|failure| failure.of(operation))?;
        }
        match self.max_record_bytes() {
            Some(max) if record.json().len() > max => {
                Err(Error::new(ErrorKind::TooLarge, operation))
            }
            _ => Ok(()),
        }
    }

    /// The record of a row.
    pub(crate) fn decode(&self, operation: &'static str, row: Row) -> Result<Record> {
        let broken = |what| Error::new(ErrorKind::Decode, operation).with_message(what);
        let end = row.number.ok_or_else(|| broken("the expiry is no time"))?;
        let data = row.data.ok_or_else(|| broken("there is no text"))?;
        let text = String::from_utf8(data).map_err(|_| broken("the text is not UTF-8"))?;
        let layout = self.0.layout;
        if end < layout.last {
            return Record::decode(text, StoredExpiry::At(Clock::from_millis(end)));
        }
        // The JSON may know more than that it is beyond the column's last time.
        let record = Record::decode(text, StoredExpiry::InJson)?;
        match record.expires() {
            Some(expires) if Clock::to_millis(expires) >= layout.last => Ok(record),
            _ => Ok(record.with_stored_expires(StoredExpiry::Never)),
        }
    }
}

#[async_trait]
impl Store for SqlxStore {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        self.check_id("get", id)?;
        let values = Values {
            id: id.as_str(),
            ..Values::default()
        };
        let answer = self.ask("get", &self.0.statements.get, values).await?;
        let row = answer.rows.into_iter().next();
        row.map(|row| self.decode("get", row)).transpose()
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        self.check("set", id, record).await?;
        let values = Values {
            id: id.as_str(),
            data: record.json(),
            expires: self.end(record.expires()),
            ..Values::default()
        };
        self.ask("set", &self.0.statements.set, values).await?;
        Ok(())
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        self.check_id("destroy", id)?;
        let values = Values {
            id: id.as_str(),
            ..Values::default()
        };
        self.ask("destroy", &self.0.statements.destroy, values)
            .await?;
        Ok(())
    }

    fn capabilities(&self) -> Capabilities {
        match (
            self.0.capabilities.max_record_bytes,
            self.max_record_bytes(),
        ) {
            (Some(_), Some(max)) => self.0.capabilities.with_max_record_bytes(max),
            _ => self.0.capabilities,
        }
    }

    async fn length(&self) -> Result<u64> {
        let answer = self
            .ask("length", &self.0.statements.length, Values::default())
            .await?;
        let count = answer.rows.first().and_then(|row| row.number);
        u64::try_from(count.unwrap_or_default())
            .map_err(|_| Error::new(ErrorKind::Other, "length").with_message("no count came back"))
    }

    async fn clear(&self) -> Result<()> {
        self.ask("clear", &self.0.statements.clear, Values::default())
            .await?;
        Ok(())
    }

    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        self.check_id("touch", id)?;
        let values = Values {
            id: id.as_str(),
            expires: self.end(cookie.expires()),
            ..Values::default()
        };
        let answer = self.ask("touch", &self.0.statements.touch, values).await?;
        Ok(match answer.done.rows {
            0 => Touched::Missing,
            _ => Touched::Touched,
        })
    }

    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        self.check("create", id, record).await?;
        let values = Values {
            id: id.as_str(),
            data: record.json(),
            expires: self.end(record.expires()),
            ..Values::default()
        };
        let answer = self
            .ask("create", &self.0.statements.create, values)
            .await?;
        Ok(if (self.0.dialect.created)(&answer.done) {
            Created::Created
        } else {
            Created::Exists
        })
    }

    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        self.check("replace", id, new).await?;
        let values = Values {
            id: id.as_str(),
            data: new.json(),
            old: old.json(),
            expires: self.end(new.expires()),
            ..Values::default()
        };
        let mut answer = self
            .ask("replace", &self.0.statements.replace, values)
            .await?;
        if let Some(mark) = answer.rows.first().and_then(|row| row.number) {
            answer.done.mark = mark;
        }
        Ok(match (self.0.dialect.replaced)(&answer.done) {
            Outcome::Replaced => Replaced::Replaced,
            Outcome::Conflict => Replaced::Conflict,
            Outcome::Missing => Replaced::Missing,
            Outcome::Unwritten => {
                let found = self.ask("replace", &self.0.statements.find, values).await?;
                if found.rows.is_empty() {
                    Replaced::Missing
                } else {
                    Replaced::Conflict
                }
            }
        })
    }

    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        Walk::records(self).stream().boxed()
    }

    fn ids(&self) -> StoreStream<'_, SessionId> {
        Walk::ids(self).stream().boxed()
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = Values {
            limit,
            ..Values::default()
        };
        let statements = &self.0.statements;
        let swept = self.ask("sweep", &statements.sweep, values).await?;
        let removed = swept.done.rows;
        // Fewer than were allowed are all that there were.
        let more = i64::try_from(removed).is_ok_and(|removed| removed >= limit) && {
            let left = self.ask("sweep", &statements.expired, values).await?;
            !left.rows.is_empty()
        };
        Ok(Swept {
            removed: usize::try_from(removed).unwrap_or(usize::MAX),
            more,
        })
    }
}
