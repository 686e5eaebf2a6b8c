//! On databases: one prepared statement for each step, through sqlx on connections that are used
//! again without being asked whether they still live, and on PostgreSQL also through a client that
//! pipelines.

mod mysql;
mod pipelining;
mod pool;
mod postgres;
mod sqlite;

pub(crate) use mysql::MySqlRows;
pub(crate) use pipelining::PipelinedRows;
pub(crate) use postgres::PostgresRows;
pub(crate) use sqlite::SqliteRows;

use crate::cookie::Id;

fn text(id: &Id) -> &str {
    std::str::from_utf8(id).expect("base64 is ASCII")
}
