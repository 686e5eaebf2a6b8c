use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::StreamExt;
use session_core::{
    Capabilities, Created, Error, ErrorKind, Record, Replaced, Result, SessionCookie, SessionId,
    Store, StoreStream, Swept, Touched,
};

use crate::dialect::{Outcome, Reason};
use crate::driver::Values;
use crate::failure::Failure;
use crate::inner::Inner;
use crate::template::Statement;
use crate::walk::Walk;

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
/// [for a while](crate::SqlxStoreBuilder::trust_idle). On SQLite, where there is no trip to make,
/// `replace` looks a second time if nothing was written; on MySQL and MariaDB only `replace` by a
/// record that has ended does, which removes the row. `sweep` asks a second time whether anything
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
    pub(crate) fn new(inner: Arc<Inner>) -> Self {
        Self(inner)
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
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
        let answer = self.0.ask(MIGRATE, question, Values::default()).await?;
        Ok(answer.rows.first().and_then(|row| row.number))
    }

    async fn script<const N: usize>(&self, statements: [Option<&Statement>; N]) -> Result<()> {
        let statements: Vec<_> = statements.into_iter().flatten().collect();
        let done = self.0.backend.script(&statements).await;
        done.map_err(|failure| failure.of(MIGRATE))
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for SqlxStore {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        self.0.check_id("get", id)?;
        let values = Values {
            id: id.as_str(),
            ..Values::default()
        };
        let answer = self.0.ask("get", &self.0.statements.get, values).await?;
        let row = answer.rows.into_iter().next();
        row.map(|row| self.0.decode("get", row)).transpose()
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        self.0.check("set", id, record).await?;
        let values = Values {
            id: id.as_str(),
            data: record.json(),
            expires: self.0.end(record.expires()),
            ..Values::default()
        };
        self.0.ask("set", &self.0.statements.set, values).await?;
        Ok(())
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        self.0.check_id("destroy", id)?;
        let values = Values {
            id: id.as_str(),
            ..Values::default()
        };
        self.0
            .ask("destroy", &self.0.statements.destroy, values)
            .await?;
        Ok(())
    }

    fn capabilities(&self) -> Capabilities {
        match (
            self.0.capabilities.max_record_bytes,
            self.0.max_record_bytes(),
        ) {
            (Some(_), Some(max)) => self.0.capabilities.with_max_record_bytes(max),
            _ => self.0.capabilities,
        }
    }

    async fn length(&self) -> Result<u64> {
        let answer = self
            .0
            .ask("length", &self.0.statements.length, Values::default())
            .await?;
        let count = answer.rows.first().and_then(|row| row.number);
        u64::try_from(count.unwrap_or_default())
            .map_err(|_| Error::new(ErrorKind::Other, "length").with_message("no count came back"))
    }

    async fn clear(&self) -> Result<()> {
        self.0
            .ask("clear", &self.0.statements.clear, Values::default())
            .await?;
        Ok(())
    }

    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        self.0.check_id("touch", id)?;
        let values = Values {
            id: id.as_str(),
            expires: self.0.end(cookie.expires()),
            ..Values::default()
        };
        let answer = self
            .0
            .ask("touch", &self.0.statements.touch, values)
            .await?;
        Ok(match answer.done.rows {
            0 => Touched::Missing,
            _ => Touched::Touched,
        })
    }

    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        self.0.check("create", id, record).await?;
        let values = Values {
            id: id.as_str(),
            data: record.json(),
            expires: self.0.end(record.expires()),
            ..Values::default()
        };
        let answer = self
            .0
            .ask("create", &self.0.statements.create, values)
            .await?;
        Ok(if (self.0.dialect.created)(&answer.done) {
            Created::Created
        } else {
            Created::Exists
        })
    }

    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        self.0.check("replace", id, new).await?;
        let values = Values {
            id: id.as_str(),
            data: new.json(),
            old: old.json(),
            expires: self.0.end(new.expires()),
            ..Values::default()
        };
        let Inner {
            dialect,
            statements,
            clock,
            ..
        } = &*self.0;
        // A row that has ended would lie there until the next sweep.
        let ended = new.expires().is_some_and(|end| end <= clock.now());
        let (statement, outcome) = if ended {
            (&statements.end, dialect.ended)
        } else {
            (&statements.replace, dialect.replaced)
        };
        let mut answer = self.0.ask("replace", statement, values).await?;
        if let Some(mark) = answer.rows.first().and_then(|row| row.number) {
            answer.done.mark = mark;
        }
        Ok(match outcome(&answer.done) {
            Outcome::Replaced => Replaced::Replaced,
            Outcome::Conflict => Replaced::Conflict,
            Outcome::Missing => Replaced::Missing,
            Outcome::Unwritten => {
                let found = self.0.ask("replace", &statements.find, values).await?;
                if found.rows.is_empty() {
                    Replaced::Missing
                } else {
                    Replaced::Conflict
                }
            }
        })
    }

    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        Walk::records(&self.0).stream().boxed()
    }

    fn ids(&self) -> StoreStream<'_, SessionId> {
        Walk::ids(&self.0).stream().boxed()
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = Values {
            limit,
            ..Values::default()
        };
        let statements = &self.0.statements;
        let swept = self.0.ask("sweep", &statements.sweep, values).await?;
        let removed = swept.done.rows;
        // Fewer than were allowed are all that there were.
        let more = i64::try_from(removed).is_ok_and(|removed| removed >= limit) && {
            let left = self.0.ask("sweep", &statements.expired, values).await?;
            !left.rows.is_empty()
        };
        Ok(Swept {
            removed: usize::try_from(removed).unwrap_or(usize::MAX),
            more,
        })
    }
}
