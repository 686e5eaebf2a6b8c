use sqlx::Postgres;
use sqlx::error::DatabaseError;
use sqlx::postgres::{PgConnection, PgQueryResult};

use super::{CREATE, Dialect, Done, Outcome, PLAIN, REPLACED, Reason, SET};
use crate::driver::Driver;
use crate::layout::Layout;

/// The names in WITH hide tables: they are such as no table is likely to have.
pub(crate) const DIALECT: Dialect = Dialect {
    quote: '"',
    numbered: true,
    longest_name: 63,
    set: SET,
    create: CREATE,
    // What was found counts only where nothing was written: it is what the statement saw at its
    // beginning, and another one may have written since.
    replace: "WITH session_sqlx_written AS (UPDATE {table} SET {json} = {data in}, {end} = {end in} \
              WHERE {sid} = {id} AND {live} AND {same} RETURNING 1) \
              SELECT CASE WHEN EXISTS (SELECT 1 FROM session_sqlx_written) THEN 2 \
              WHEN EXISTS (SELECT 1 FROM {table} WHERE {sid} = {id} AND {live}) THEN 1 \
              ELSE 0 END::bigint",
    // An array is made once. With IN the planner may run the subquery, and its limit, for every row
    // of an outer loop.
    sweep: "DELETE FROM {table} WHERE {sid} = ANY (ARRAY \
            (SELECT {sid} FROM {table} WHERE NOT ({live}) LIMIT {limit} FOR UPDATE SKIP LOCKED))",
    // A row that another one has changed meanwhile is looked at again by the update, and is read as
    // it was at the beginning if there was nothing to touch then.
    get_and_touch: Some(
        "WITH session_sqlx_touched AS (UPDATE {table} SET {end} = {end in} \
         WHERE {sid} = {id} AND {live} AND {due} AND {starts} \
         RETURNING {end out} AS ended, {data out} AS text) \
         SELECT ended, text, 'touched'::bytea FROM session_sqlx_touched UNION ALL \
         SELECT {end out}, {data out}, NULL::bytea FROM {table} \
         WHERE {sid} = {id} AND {live} AND NOT EXISTS (SELECT 1 FROM session_sqlx_touched)",
    ),
    looks_first: false,
    lock: Some(LOCK),
    // IF NOT EXISTS takes the table's lock before it looks. Another schema's table may have an index
    // of the same name.
    indexed: Some(
        "SELECT count(*) FROM pg_catalog.pg_index \
         JOIN pg_catalog.pg_class ON pg_class.oid = pg_index.indexrelid \
         WHERE indrelid = to_regclass(convert_from('\\x{quoted table hex}'::bytea, 'UTF8')) \
         AND relname = convert_from('\\x{index hex}'::bytea, 'UTF8') AND indisvalid",
    ),
    exact: None,
    unique: None,
    created: |done| done.rows > 0,
    replaced: |done| match done.mark {
        REPLACED => Outcome::Replaced,
        1 => Outcome::Conflict,
        _ => Outcome::Missing,
    },
};

pub(crate) const NATIVE: Layout = Layout {
    create: "CREATE TABLE IF NOT EXISTS {table} \
         ({sid} bytea NOT NULL PRIMARY KEY, {json} bytea NOT NULL, {end} bigint NOT NULL)",
    index: Some("CREATE INDEX IF NOT EXISTS {index} ON {table} ({end})"),
    starts: "substring({json} FROM 1 FOR octet_length({start})) = {start}",
    ..PLAIN
};

/// The column has no zone: what it says is the time in the zone of Node's connections.
pub(crate) const CONNECT_PG_SIMPLE: Layout = Layout {
    table: "session",
    id: "sid",
    data: "sess",
    end: "expire",
    create: "CREATE TABLE IF NOT EXISTS {table} ({sid} varchar NOT NULL COLLATE \"default\" PRIMARY KEY, \
         {json} json NOT NULL, {end} timestamp(6) NOT NULL)",
    index: Some("CREATE INDEX IF NOT EXISTS {index} ON {table} ({end})"),
    binary: false,
    data_in: "{data}::text::json",
    data_out: "{json}::text",
    same: "{json}::text = {old}::text",
    end_in: "to_timestamp({expires}::bigint / 1000.0) AT TIME ZONE {zone}",
    // Infinity is no number of milliseconds.
    end_out: "(extract(epoch FROM least({end}, timestamp '275760-09-13') AT TIME ZONE {zone}) \
              * 1000)::bigint",
    live: "{end} > to_timestamp({now}::bigint / 1000.0) AT TIME ZONE {zone}",
    due: "{end} <= to_timestamp({latest}::bigint / 1000.0) AT TIME ZONE {zone}",
    starts: "starts_with({json}::text, {start}::text)",
    step: 1_000,
    ..PLAIN
};

/// `IF NOT EXISTS` alone fails when two processes come at the same time. The number means nothing;
/// the lock ends with the transaction. Another process that is making the index of a large table
/// needs more patience than one that has merely locked it.
const LOCK: &str = "SET LOCAL lock_timeout = '10min'; \
                    SELECT pg_advisory_xact_lock(7310594858329008499); \
                    SET LOCAL lock_timeout = '10s'";

impl Driver for Postgres {
    const BOUND_TO_RUNTIME: bool = true;

    fn done(result: &PgQueryResult) -> Done {
        Done {
            rows: result.rows_affected(),
            mark: 0,
        }
    }

    async fn prepare(_: &mut PgConnection) -> sqlx::Result<()> {
        Ok(())
    }

    /// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
    fn reason(error: &dyn DatabaseError) -> Reason {
        let code = error.code().unwrap_or_default();
        match &*code {
            "28P01" | "28000" => Reason::Login,
            "3D000" => Reason::NoDatabase,
            "42P01" => Reason::NoTable,
            "3F000" => Reason::NoSchema,
            "42703" | "42804" | "42846" | "42883" | "42P10" | "42P08" | "23502" => {
                Reason::OtherShape
            }
            "42501" => Reason::Denied,
            "54000" | "22001" => Reason::TooLarge,
            "22P02" | "22P05" | "22021" => Reason::Rejected,
            "53100" => Reason::Full,
            "55P03" => Reason::Locked,
            "40001" | "40P01" => Reason::Undone,
            "25006" => Reason::ReadOnly,
            "57014" => Reason::Cancelled,
            "22023" => Reason::Zone,
            "XX001" | "XX002" => Reason::Damaged,
            _ => match code.get(..2) {
                Some("08" | "53" | "57" | "58") => Reason::Unavailable,
                _ => Reason::Other,
            },
        }
    }
}
