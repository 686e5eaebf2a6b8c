use sqlx::Sqlite;
use sqlx::error::DatabaseError;
use sqlx::sqlite::{SqliteConnection, SqliteQueryResult};

use super::{CREATE, Dialect, Done, Outcome, PLAIN, Reason, SET};
use crate::driver::Driver;
use crate::layout::Layout;

/// In double quotes, the name of a column that is not there would be taken for a string.
pub(crate) const DIALECT: Dialect = Dialect {
    quote: '`',
    numbered: true,
    longest_name: 64,
    set: SET,
    create: CREATE,
    replace: "UPDATE {table} SET {json} = {data in}, {end} = {end in} \
              WHERE {sid} = {id} AND {live} AND {same}",
    sweep: "DELETE FROM {table} WHERE {sid} IN \
            (SELECT {sid} FROM {table} WHERE NOT ({live}) LIMIT {limit})",
    // A row that is not due is read by the next question, as in `replace`.
    get_and_touch: Some(
        "UPDATE {table} SET {end} = {end in} \
         WHERE {sid} = {id} AND {live} AND {due} AND {starts} \
         RETURNING {end out}, {data out}, {sid}",
    ),
    looks_first: true,
    lock: None,
    indexed: None,
    exact: None,
    unique: None,
    created: |done| done.rows > 0,
    replaced: |done| {
        if done.rows > 0 {
            Outcome::Replaced
        } else {
            // The second question of this store: in an embedded database it is no round trip.
            Outcome::Unwritten
        }
    },
};

pub(crate) const NATIVE: Layout = Layout {
    create: "CREATE TABLE IF NOT EXISTS {table} \
             ({sid} BLOB NOT NULL PRIMARY KEY, {json} BLOB NOT NULL, {end} INTEGER NOT NULL)",
    index: Some("CREATE INDEX IF NOT EXISTS {schema.}{index} ON {bare table} ({end})"),
    end_out: "iif(typeof({end}) = 'integer', {end}, NULL)",
    starts: "substr({json}, 1, length({start})) = {start}",
    ..PLAIN
};

/// node-sqlite3 binds numbers of this size as REAL, and so do we.
pub(crate) const CONNECT_SQLITE3: Layout = Layout {
    table: "sessions",
    id: "sid",
    data: "sess",
    end: "expired",
    create: "CREATE TABLE IF NOT EXISTS {table} ({sid} PRIMARY KEY, {end}, {json})",
    index: None,
    binary: false,
    end_in: "CAST({expires} AS REAL)",
    end_out: "iif(typeof({end}) IN ('integer', 'real'), CAST({end} AS INTEGER), NULL)",
    live: "ifnull({end} > {now}, 1)",
    ..NATIVE
};

/// The expiry is text, and any that SQLite takes for a time counts, as in Node. In Julian days its
/// own milliseconds survive.
pub(crate) const BETTER_SQLITE3: Layout = Layout {
    table: "sessions",
    id: "sid",
    data: "sess",
    end: "expire",
    create: "CREATE TABLE IF NOT EXISTS {table} \
               ({sid} TEXT NOT NULL PRIMARY KEY, {json} JSON NOT NULL, {end} TEXT NOT NULL)",
    index: None,
    binary: false,
    end_in: "strftime('%Y-%m-%dT%H:%M:%fZ', {expires} / 1000.0, 'unixepoch')",
    end_out: "CAST(round((julianday({end}) - 2440587.5) * 86400000.0) AS INTEGER)",
    live: "ifnull(round((julianday({end}) - 2440587.5) * 86400000.0) > {now}, 1)",
    due: "round((julianday({end}) - 2440587.5) * 86400000.0) <= {latest}",
    last: 253_402_300_799_999,
    ..NATIVE
};

impl Driver for Sqlite {
    /// A transaction that begins by reading may not wait for its turn to write.
    const BEGIN: &'static str = "BEGIN IMMEDIATE";
    const BOUND_TO_RUNTIME: bool = false;

    fn done(result: &SqliteQueryResult) -> Done {
        Done {
            rows: result.rows_affected(),
            mark: 0,
        }
    }

    async fn prepare(_: &mut SqliteConnection) -> sqlx::Result<()> {
        Ok(())
    }

    /// <https://www.sqlite.org/rescode.html>
    fn reason(error: &dyn DatabaseError) -> Reason {
        let code = error.code().and_then(|code| code.parse::<u32>().ok());
        match code.map(|code| code & 0xff) {
            Some(5 | 6) => Reason::Locked,
            Some(13) => Reason::Full,
            Some(14) => Reason::NoDatabase,
            Some(8) => Reason::ReadOnly,
            Some(3 | 23) => Reason::Denied,
            Some(11 | 26) => Reason::Damaged,
            Some(18) => Reason::TooLarge,
            Some(19 | 20) => Reason::OtherShape,
            Some(7 | 10) => Reason::Unavailable,
            Some(9) => Reason::Cancelled,
            // There is one code for everything that is wrong with a statement.
            Some(1) if error.message().starts_with("no such table") => Reason::NoTable,
            Some(1) => Reason::OtherShape,
            _ => Reason::Other,
        }
    }
}
