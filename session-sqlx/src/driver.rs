//! What the store needs of a database, behind one object for all three.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{TryStreamExt, future};
use sqlx::error::DatabaseError;
use sqlx::{Arguments, ColumnIndex, Database, Decode, Either, Encode, Executor, IntoArguments};
use sqlx::{Row as _, SqlStr, Type};
use tokio::time::timeout;

use crate::dialect::{Done, Reason};
use crate::failure::Failure;
use crate::pool::Pool;
use crate::template::{Effect, Parameter, Statement};

/// A driver of sqlx: what its types do not say.
pub(crate) trait Driver: Database {
    /// What begins a transaction that is to write.
    const BEGIN: &'static str = "BEGIN";

    /// Its connections work on the runtime alone on which they were made.
    const BOUND_TO_RUNTIME: bool;

    fn done(result: &Self::QueryResult) -> Done;

    /// Makes a new connection ready.
    fn prepare(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = sqlx::Result<()>> + Send + '_;

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
    pub(crate) start: &'a str,
    pub(crate) expires: i64,
    pub(crate) latest: i64,
    pub(crate) now: i64,
    pub(crate) limit: i64,
    /// Texts are bound as bytes.
    pub(crate) binary: bool,
}

impl Values<'_> {
    /// About as many as the driver writes for them, each with its length.
    fn bytes(&self) -> usize {
        const NUMBERS_AND_LENGTHS: usize = 128;
        let texts = [self.id, self.data, self.old, self.start];
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
}

/// How long a script may take: the index of a large table takes its time.
const SCRIPT_LIMIT: Duration = Duration::from_secs(15 * 60);

/// How often a statement that was undone is sent again.
const UNDONE_LIMIT: u32 = 5;

#[async_trait]
impl<DB> Backend for Pool<DB>
where
    DB: Driver,
    DB::Connection: Sync,
    DB::Arguments: IntoArguments<DB>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'t> &'t str: Encode<'t, DB> + Type<DB>,
    for<'t> &'t [u8]: Encode<'t, DB> + Type<DB>,
    for<'t> i64: Encode<'t, DB> + Type<DB> + Decode<'t, DB>,
    for<'t> Vec<u8>: Decode<'t, DB>,
    usize: ColumnIndex<DB::Row>,
{
    async fn ask(&self, statement: &Statement, values: Values<'_>) -> Result<Answer, Failure> {
        let mut undone = 0;
        let mut lost = false;
        loop {
            let mut connection = self.take().await?;
            let asking = ask(&mut connection, statement, &values);
            let failure = match self.in_time(asking).await {
                Ok(answer) => {
                    connection.give_back();
                    return Ok(answer);
                }
                Err(failure) => failure,
            };
            match failure.reason() {
                // The answer is an error, and the connection is as good as before.
                Some(Reason::Undone) if undone < UNDONE_LIMIT => {
                    connection.give_back();
                    undone += 1;
                }
                // A write has to find the server that can be written to: this one may have become
                // a replica. Whoever reads is content with it.
                Some(Reason::ReadOnly) if statement.effect == Effect::Writes => {
                    connection.close();
                    self.forget_idle();
                    return Err(failure);
                }
                // MySQL hangs up on whoever sends a packet that is too large.
                Some(Reason::TooLarge) => {
                    connection.close();
                    return Err(failure);
                }
                Some(reason) if reason != Reason::Unavailable => {
                    connection.give_back();
                    return Err(failure);
                }
                // A connection that was waiting may have died, and its neighbours with it.
                _ => {
                    let fresh = connection.is_fresh();
                    if failure.is_late() {
                        // The server may still be at work.
                        drop(connection);
                    } else {
                        connection.close();
                    }
                    self.forget_idle();
                    if fresh || lost || !statement.effect.repeats() || failure.is_late() {
                        return Err(failure);
                    }
                    lost = true;
                }
            }
        }
    }

    async fn script(&self, statements: &[&Statement]) -> Result<(), Failure> {
        let mut connection = self.take().await?;
        let run = async {
            run::<DB>(&mut connection, SqlStr::from_static(DB::BEGIN)).await?;
            for statement in statements {
                run::<DB>(&mut connection, statement.text.clone()).await?;
            }
            run::<DB>(&mut connection, SqlStr::from_static("COMMIT")).await
        };
        match timeout(SCRIPT_LIMIT, run).await {
            Ok(Ok(())) => {
                connection.give_back();
                Ok(())
            }
            Ok(Err(error)) => {
                connection.close();
                Err(Failure::talking::<DB>(&error))
            }
            Err(_) => Err(Failure::Late),
        }
    }

    async fn connect(&self) -> Result<(), Failure> {
        self.take().await?.give_back();
        Ok(())
    }
}

async fn run<DB: Driver>(connection: &mut DB::Connection, text: SqlStr) -> sqlx::Result<()>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    connection
        .fetch_many(sqlx::raw_sql(text))
        .try_for_each(|_| future::ready(Ok(())))
        .await
}

async fn ask<DB>(
    connection: &mut DB::Connection,
    statement: &Statement,
    values: &Values<'_>,
) -> sqlx::Result<Answer>
where
    DB: Driver,
    DB::Arguments: IntoArguments<DB>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'t> &'t str: Encode<'t, DB> + Type<DB>,
    for<'t> &'t [u8]: Encode<'t, DB> + Type<DB>,
    for<'t> i64: Encode<'t, DB> + Type<DB> + Decode<'t, DB>,
    for<'t> Vec<u8>: Decode<'t, DB>,
    usize: ColumnIndex<DB::Row>,
{
    let mut arguments = DB::Arguments::default();
    arguments.reserve(statement.parameters.len(), values.bytes());
    for parameter in &statement.parameters {
        let bytes = match parameter {
            Parameter::Id => values.id.as_bytes(),
            Parameter::After => values.after,
            Parameter::Data => values.data.as_bytes(),
            Parameter::Old => values.old.as_bytes(),
            Parameter::Start => values.start.as_bytes(),
            Parameter::Expires | Parameter::Latest | Parameter::Now | Parameter::Limit => {
                let number = match parameter {
                    Parameter::Expires => values.expires,
                    Parameter::Latest => values.latest,
                    Parameter::Now => values.now,
                    _ => values.limit,
                };
                arguments.add(number).map_err(sqlx::Error::Encode)?;
                continue;
            }
        };
        if values.binary {
            arguments.add(bytes)
        } else {
            let text = std::str::from_utf8(bytes);
            arguments.add(text.map_err(|error| sqlx::Error::Encode(error.into()))?)
        }
        .map_err(sqlx::Error::Encode)?;
    }
    let query = sqlx::query_with(statement.text.clone(), arguments);
    let mut answer = Answer::default();
    let mut steps = connection.fetch_many(query);
    while let Some(step) = steps.try_next().await? {
        match step {
            Either::Left(result) => answer.done = DB::done(&result),
            Either::Right(row) => answer.rows.push(read::<DB>(&row)?),
        }
    }
    Ok(answer)
}

/// The columns of a row. Their types are known: another one would be that of another table.
fn read<DB>(row: &DB::Row) -> sqlx::Result<Row>
where
    DB: Driver,
    for<'t> i64: Type<DB> + Decode<'t, DB>,
    for<'t> Vec<u8>: Decode<'t, DB>,
    usize: ColumnIndex<DB::Row>,
{
    let bytes = |place: usize| -> sqlx::Result<Option<Vec<u8>>> {
        if place < row.len() {
            row.try_get_unchecked(place)
        } else {
            Ok(None)
        }
    };
    Ok(Row {
        number: row.try_get_unchecked(0)?,
        data: bytes(1)?,
        id: bytes(2)?,
    })
}
