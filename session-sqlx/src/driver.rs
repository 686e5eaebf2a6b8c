//! What the store needs of a database, behind one object for all three.

use std::fmt;
use std::future::Future;

use async_trait::async_trait;
use sqlx::error::DatabaseError;
use sqlx::{Connection, Database};

use crate::dialect::{Done, Reason};
use crate::failure::Failure;
use crate::template::Statement;

/// A driver of sqlx: what its types do not say.
pub(crate) trait Driver: Database {
    /// What begins a transaction that is to write.
    const BEGIN: &'static str = "BEGIN";

    /// Its connections work on the runtime alone on which they were made.
    const BOUND_TO_RUNTIME: bool;

    /// How many connections may write at the same time.
    const WRITERS: usize = usize::MAX;

    fn done(result: &Self::QueryResult) -> Done;

    /// What comes before a connection is made.
    fn before(_: &<Self::Connection as Connection>::Options) {}

    /// Makes a new connection ready, and says how large a message the server takes, if there is such a
    /// limit. What the application has left open is ours to choose if `ours`.
    fn prepare(
        connection: &mut Self::Connection,
        ours: bool,
    ) -> impl Future<Output = sqlx::Result<Option<usize>>> + Send + '_;

    fn reason(error: &dyn DatabaseError) -> Reason;
}

/// The values of a statement's parameters; those that it does not have are not looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Values<'a> {
    pub(crate) id: &'a str,
    /// An id as it came from the table.
    pub(crate) after: &'a [u8],
    pub(crate) data: &'a str,
    pub(crate) old: &'a str,
    pub(crate) expires: i64,
    pub(crate) now: i64,
    pub(crate) limit: i64,
    /// Texts are bound as bytes.
    pub(crate) binary: bool,
}

impl Values<'_> {
    /// About as many as the driver writes for them, each with its length.
    pub(crate) fn bytes(&self) -> usize {
        const NUMBERS_AND_LENGTHS: usize = 128;
        let texts = [self.id, self.data, self.old];
        let texts = texts.map(str::len).iter().sum::<usize>();
        texts + self.after.len() + NUMBERS_AND_LENGTHS
    }
}

/// A row of any statement of the store: a number, a text, an id.
#[derive(Debug, Default)]
pub(crate) struct Row {
    pub(crate) number: Option<i64>,
    pub(crate) data: Option<Vec<u8>>,
    pub(crate) id: Option<Vec<u8>>,
}

#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) done: Done,
    pub(crate) rows: Vec<Row>,
}

/// A database.
#[async_trait]
pub(crate) trait Backend: fmt::Debug + Send + Sync {
    /// Runs one statement.
    async fn ask(&self, statement: &Statement, values: Values<'_>) -> Result<Answer, Failure>;

    /// Runs statements in one transaction.
    async fn script(&self, statements: &[&Statement]) -> Result<(), Failure>;

    /// Makes a connection, if there is none.
    async fn connect(&self) -> Result<(), Failure>;

    /// The largest message that the server takes, where it was asked.
    fn packet(&self) -> Option<usize>;
}
