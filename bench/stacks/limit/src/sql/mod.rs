//! On databases, through sqlx: one prepared statement for each step, on connections that are used
//! again without being asked whether they still live.

mod mysql;
mod pool;
mod postgres;
mod sqlite;

pub(crate) use mysql::MySqlRows;
pub(crate) use postgres::PostgresRows;
pub(crate) use sqlite::SqliteRows;

use crate::cookie::Id;

fn text(id: &Id) -> &str {
    std::str::from_utf8(id).expect("base64 is ASCII")
}
