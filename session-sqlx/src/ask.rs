//! How a question is put to a database, and what becomes of the connection.

use std::io::ErrorKind::ConnectionAborted;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{TryStreamExt, future};
use sqlx::{Arguments, ColumnIndex, Decode, Either, Encode, Executor, IntoArguments};
use sqlx::{Row as _, SqlStr, Type};
use tokio::time::timeout;

use crate::dialect::Reason;
use crate::driver::{Answer, Backend, Driver, Row, Values};
use crate::failure::Failure;
use crate::finish::Finishing;
use crate::pool::Pool;
use crate::template::{Effect, Parameter, Statement};

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
            let mut connection = self.check_out(statement.effect).await?;
            let arguments = arguments::<DB>(statement, &values)
                .map_err(|error| Failure::talking(&error, DB::reason))?;
            let text = statement.text.clone();
            let asking = async move {
                let answer = ask::<DB>(connection.ask(), text, arguments).await;
                let complete = match &answer {
                    Ok(_) => true,
                    Err(sqlx::Error::Database(error)) => !DB::reason(&**error).ends_connection(),
                    Err(_) => false,
                };
                if complete {
                    connection.answered();
                }
                (connection, answer)
            };
            // For as long again, it may end when nobody waits for it any more.
            let limit = self.limits().response;
            let asking = Finishing::new(asking, limit.saturating_mul(2));
            let Ok((connection, answer)) = timeout(limit, asking).await else {
                self.forget_idle();
                return Err(Failure::Late);
            };
            let failure = match answer {
                Ok(answer) => return Ok(answer),
                Err(error) => Failure::talking(&error, DB::reason),
            };
            match failure.reason() {
                // The answer is an error, and the connection is as good as before.
                Some(Reason::Undone) if undone < UNDONE_LIMIT => undone += 1,
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
                Some(reason) if !reason.ends_connection() => return Err(failure),
                // A connection that was waiting may have died, and its neighbours with it.
                reason => {
                    let nothing_done = reason == Some(Reason::Ended);
                    let again =
                        nothing_done || statement.effect == Effect::Reads && !connection.is_fresh();
                    connection.close();
                    self.forget_idle();
                    if lost || !again {
                        return Err(failure);
                    }
                    lost = true;
                }
            }
        }
    }

    async fn script(&self, statements: &[&Statement]) -> Result<(), Failure> {
        let mut connection = self.check_out(Effect::Writes).await?;
        let texts: Vec<SqlStr> = statements.iter().map(|one| one.text.clone()).collect();
        let running = async move {
            let on = connection.ask();
            let run = async {
                run::<DB>(on, SqlStr::from_static(DB::BEGIN)).await?;
                for text in texts {
                    run::<DB>(on, text).await?;
                }
                run::<DB>(on, SqlStr::from_static("COMMIT")).await
            };
            // Otherwise the connection is closed, and the transaction with it.
            let done = timeout(SCRIPT_LIMIT, run).await;
            if let Ok(Ok(())) = done {
                connection.answered();
            }
            done
        };
        match Finishing::new(running, SCRIPT_LIMIT).await {
            Ok(done) => done.map_err(|error| Failure::talking(&error, DB::reason)),
            Err(_) => Err(Failure::Late),
        }
    }

    async fn connect(&self) -> Result<(), Failure> {
        self.check_out(Effect::Reads).await.map(drop)
    }

    fn packet(&self) -> Option<usize> {
        self.packet()
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
    text: SqlStr,
    arguments: DB::Arguments,
) -> sqlx::Result<Answer>
where
    DB: Driver,
    DB::Arguments: IntoArguments<DB>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'t> i64: Type<DB> + Decode<'t, DB>,
    for<'t> Vec<u8>: Decode<'t, DB>,
    usize: ColumnIndex<DB::Row>,
{
    let query = sqlx::query_with(text, arguments);
    let mut answer = Answer::default();
    let mut ended = false;
    let mut steps = connection.fetch_many(query);
    loop {
        match steps.try_next().await {
            Ok(Some(Either::Left(result))) => {
                answer.done = DB::done(&result);
                ended = true;
            }
            Ok(Some(Either::Right(row))) => answer.rows.push(read::<DB>(&row)?),
            Ok(None) => return Ok(answer),
            // The statement has come to its end, and a farewell after it does not say how.
            Err(sqlx::Error::Database(error)) if ended && DB::reason(&*error).ends_connection() => {
                return Err(std::io::Error::from(ConnectionAborted).into());
            }
            Err(error) => return Err(error),
        }
    }
}

fn arguments<DB>(statement: &Statement, values: &Values<'_>) -> sqlx::Result<DB::Arguments>
where
    DB: Driver,
    for<'t> &'t str: Encode<'t, DB> + Type<DB>,
    for<'t> &'t [u8]: Encode<'t, DB> + Type<DB>,
    for<'t> i64: Encode<'t, DB> + Type<DB>,
{
    let mut arguments = DB::Arguments::default();
    arguments.reserve(statement.parameters.len(), values.bytes());
    for parameter in &statement.parameters {
        let bytes = match parameter {
            Parameter::Id => values.id.as_bytes(),
            Parameter::After => values.after,
            Parameter::Data => values.data.as_bytes(),
            Parameter::Old => values.old.as_bytes(),
            Parameter::Expires | Parameter::Now | Parameter::Limit => {
                let number = match parameter {
                    Parameter::Expires => values.expires,
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
    Ok(arguments)
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
