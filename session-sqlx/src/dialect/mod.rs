//! The three databases. Each is a file of data: its statements, its table layouts, and what its
//! error codes mean.

#[cfg(feature = "mysql")]
pub(crate) mod mysql;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;

use crate::layout::{LAST_DATE, Layout};

/// How a database wants to be asked.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// What identifiers are quoted with.
    pub(crate) quote: char,
    /// Parameters are `$1`, `$2`, and may be used again; otherwise each `?` is one.
    pub(crate) numbered: bool,
    /// The longest identifier in bytes.
    pub(crate) longest_name: usize,
    pub(crate) set: &'static str,
    pub(crate) create: &'static str,
    pub(crate) replace: &'static str,
    /// `replace` by a record that has ended, on the same condition.
    pub(crate) end: &'static str,
    pub(crate) sweep: &'static str,
    /// What comes first in a migration.
    pub(crate) lock: Option<&'static str>,
    /// Asks whether there is the index of expiries, where creating it would stop others although it
    /// is there.
    pub(crate) indexed: Option<&'static str>,
    /// Asks whether the column of the ids tells any two of them apart, where that is in doubt.
    pub(crate) exact: Option<&'static str>,
    /// Asks whether an id can stand in the table only once, where the upsert does not say so.
    pub(crate) unique: Option<&'static str>,
    /// How many records a `replace` sends in one message.
    pub(crate) texts: usize,
    /// What `create`, `replace` and `end` have done, from what the driver says of them.
    pub(crate) created: fn(&Done) -> bool,
    pub(crate) replaced: fn(&Done) -> Outcome,
    pub(crate) ended: fn(&Done) -> Outcome,
}

/// These are the same everywhere.
pub(crate) const GET: &str =
    "SELECT {end out}, {data out} FROM {table} WHERE {sid} = {id} AND {live}";
pub(crate) const TOUCH: &str = "UPDATE {table} SET {end} = {end in} WHERE {sid} = {id} AND {live}";
pub(crate) const DESTROY: &str = "DELETE FROM {table} WHERE {sid} = {id}";
pub(crate) const CLEAR: &str = "DELETE FROM {table}";
pub(crate) const LENGTH: &str = "SELECT count(*) FROM {table} WHERE {live}";
/// Whether there is a live record.
pub(crate) const FIND: &str = "SELECT 1 FROM {table} WHERE {sid} = {id} AND {live}";
/// Whether there is an expired one.
pub(crate) const EXPIRED: &str = "SELECT 1 FROM {table} WHERE NOT ({live}) LIMIT 1";
/// Pages by id: a cursor would keep a connection, and a transaction, for as long as the stream is
/// read.
pub(crate) const ALL: [&str; 2] = [
    "SELECT {end out}, {data out}, {sid} FROM {table} WHERE {live} ORDER BY {sid} LIMIT {limit}",
    "SELECT {end out}, {data out}, {sid} FROM {table} WHERE {live} AND {sid} > {after} ORDER BY {sid} LIMIT {limit}",
];
pub(crate) const IDS: [&str; 2] = [
    "SELECT 1, NULL, {sid} FROM {table} WHERE {live} ORDER BY {sid} LIMIT {limit}",
    "SELECT 1, NULL, {sid} FROM {table} WHERE {live} AND {sid} > {after} ORDER BY {sid} LIMIT {limit}",
];
/// Fails unless the table has the columns, and the server knows the time zone.
pub(crate) const CHECK: &str =
    "SELECT {end out}, {data out}, {sid} FROM {table} WHERE {live} LIMIT 0";

/// `replace` by a record that has ended, where the statement cannot say why it removed nothing.
#[cfg(any(feature = "sqlite", feature = "mysql"))]
pub(crate) const END: &str = "DELETE FROM {table} WHERE {sid} = {id} AND {live} AND {same}";

/// The upserts of SQLite and PostgreSQL. With a name of its own, the table may be called `excluded`.
/// `create` takes over the row of what has ended, in the same statement.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) const SET: &str = "INSERT INTO {table} AS kept ({sid}, {json}, {end}) \
     VALUES ({id}, {data in}, {end in}) \
     ON CONFLICT ({sid}) DO UPDATE SET {json} = excluded.{json}, {end} = excluded.{end}";
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) const CREATE: &str = "INSERT INTO {table} AS kept ({sid}, {json}, {end}) \
     VALUES ({id}, {data in}, {end in}) \
     ON CONFLICT ({sid}) DO UPDATE SET {json} = excluded.{json}, {end} = excluded.{end} \
     WHERE NOT ({kept live})";

/// This crate's own table, but for what creates it.
pub(crate) const PLAIN: Layout = Layout {
    table: "sessions",
    id: "id",
    data: "data",
    end: "expires",
    create: "",
    index: None,
    binary: true,
    data_in: "{data}",
    data_out: "{json}",
    same: "{json} = {old}",
    end_in: "{expires}",
    end_out: "{end}",
    live: "{end} > {now}",
    step: 1,
    last: LAST_DATE,
    fits: "",
    pads: false,
};

/// What the database says of a statement that is no question.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Done {
    /// The rows that were changed, or that were found to be changed.
    pub(crate) rows: u64,
    /// A number by which the statement says what it has done.
    pub(crate) mark: i64,
}

/// The end of a `replace`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Replaced,
    Conflict,
    Missing,
    /// Nothing was written, and whether there is a record has to be asked.
    Unwritten,
}

/// The end of a statement that cannot say why it wrote nothing.
#[cfg(any(feature = "sqlite", feature = "mysql"))]
pub(crate) fn written(done: &Done) -> Outcome {
    match done.rows {
        0 => Outcome::Unwritten,
        _ => Outcome::Replaced,
    }
}

/// The mark of a statement that says it all.
#[cfg(any(feature = "mysql", feature = "postgres"))]
pub(crate) const REPLACED: i64 = 2;

/// What an error of the database means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Login,
    NoDatabase,
    NoTable,
    /// There is nowhere to create the table.
    NoSchema,
    OtherShape,
    Denied,
    TooLarge,
    /// A text that the column cannot hold.
    Rejected,
    Full,
    /// Somebody else holds a lock for too long.
    Locked,
    /// The statement was undone because it and another one waited for each other.
    Undone,
    ReadOnly,
    Damaged,
    Cancelled,
    Zone,
    /// The column takes different ids for the same.
    Folding,
    /// The column may have an id more than once.
    Repeating,
    /// The column of the ids, of the data or of the expiry is of a type that does not hold them all.
    UnfitId,
    UnfitData,
    UnfitEnd,
    /// The server's binary log cannot record statements at this isolation level.
    LogFormat,
    Unavailable,
    /// The server has ended the connection, and did nothing with the statement: what it had begun is
    /// undone.
    Ended,
    /// The server has no room for another connection, or is not ready for one yet.
    NoRoom,
    Other,
}

impl Reason {
    /// The connection is of no use after it.
    pub(crate) fn ends_connection(self) -> bool {
        matches!(self, Self::Unavailable | Self::Ended | Self::NoRoom)
    }
}
