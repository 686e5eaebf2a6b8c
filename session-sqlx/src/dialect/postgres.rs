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
    end: "WITH session_sqlx_ended AS (DELETE FROM {table} \
          WHERE {sid} = {id} AND {live} AND {same} RETURNING 1) \
          SELECT CASE WHEN EXISTS (SELECT 1 FROM session_sqlx_ended) THEN 2 \
          WHEN EXISTS (SELECT 1 FROM {table} WHERE {sid} = {id} AND {live}) THEN 1 \
          ELSE 0 END::bigint",
    // An array is made once. With IN the planner may run the subquery, and its limit, for every row
    // of an outer loop.
    sweep: "DELETE FROM {table} WHERE {sid} = ANY (ARRAY \
            (SELECT {sid} FROM {table} WHERE NOT ({live}) LIMIT {limit} FOR UPDATE SKIP LOCKED))",
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
    // ON CONFLICT fails with the first write where there is none.
    unique: Some(
        "SELECT count(*) FROM pg_catalog.pg_index JOIN pg_catalog.pg_attribute \
         ON attrelid = indrelid AND attnum = indkey[0] \
         WHERE indrelid = to_regclass(convert_from('\\x{quoted table hex}'::bytea, 'UTF8')) \
         AND attname = convert_from('\\x{sid hex}'::bytea, 'UTF8') \
         AND indisunique AND indisvalid AND indimmediate AND indnkeyatts = 1 \
         AND indpred IS NULL AND indexprs IS NULL",
    ),
    texts: 2,
    created: |done| done.rows > 0,
    replaced: marked,
    ended: marked,
};

fn marked(done: &Done) -> Outcome {
    match done.mark {
        REPLACED => Outcome::Replaced,
        1 => Outcome::Conflict,
        _ => Outcome::Missing,
    }
}

/// The question of [`Layout::fits`], with what the columns may be: their type below a domain is
/// `base`, and what it is limited to, with the four bytes of its length, `most`.
macro_rules! fits {
    ($id:literal, $data:literal, $end:literal) => {
        concat!(
            "SELECT (CASE WHEN NOT bool_or(name = convert_from('\\x{sid hex}'::bytea, 'UTF8') AND ",
            $id,
            ") THEN 1 WHEN NOT bool_or(name = convert_from('\\x{json hex}'::bytea, 'UTF8') AND ",
            $data,
            ") THEN 2 WHEN NOT bool_or(name = convert_from('\\x{end hex}'::bytea, 'UTF8') AND ",
            $end,
            ") THEN 3 ELSE 0 END)::bigint FROM (SELECT attname AS name, \
             coalesce(nullif(typbasetype, 0), pg_type.oid)::regtype AS base, \
             greatest(atttypmod, typtypmod) AS most, \
             coalesce((to_jsonb(pg_collation) ->> 'collisdeterministic')::boolean, true) AS exact \
             FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_type ON pg_type.oid = atttypid \
             LEFT JOIN pg_catalog.pg_collation ON pg_collation.oid = attcollation \
             WHERE attrelid = to_regclass(convert_from('\\x{quoted table hex}'::bytea, 'UTF8')) \
             AND attnum > 0 AND NOT attisdropped) AS columns"
        )
    };
}

pub(crate) const NATIVE: Layout = Layout {
    create: "CREATE TABLE IF NOT EXISTS {table} \
         ({sid} bytea NOT NULL PRIMARY KEY, {json} bytea NOT NULL, {end} bigint NOT NULL)",
    index: Some("CREATE INDEX IF NOT EXISTS {index} ON {table} ({end})"),
    fits: fits!(
        "base = 'bytea'::regtype",
        "base = 'bytea'::regtype",
        "base = 'bigint'::regtype"
    ),
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
    step: 1_000,
    // jsonb puts the text in another form. A timestamptz is written and read on the connection's
    // zone, which is UTC.
    fits: fits!(
        "exact AND base IN ('varchar'::regtype, 'text'::regtype) AND (most < 0 OR most >= 36)",
        "(base IN ('json'::regtype, 'text'::regtype) \
         OR base = 'varchar'::regtype AND (most < 0 OR most >= 4100))",
        "(base = 'timestamp'::regtype \
         OR base = 'timestamptz'::regtype AND upper({zone}) IN ('UTC', 'ETC/UTC'))"
    ),
    ..PLAIN
};

/// `IF NOT EXISTS` alone fails when two processes come at the same time. The number means nothing;
/// the lock ends with the transaction. Another process that is making the index of a large table
/// needs more patience than one that has merely locked it.
const LOCK: &str = "SET LOCAL lock_timeout = '10min'; \
                    SELECT pg_advisory_xact_lock(7310594858329008499); \
                    SET LOCAL lock_timeout = '10s'";

/// What the server takes in one message: a GiB, less a byte.
const PACKET: usize = (1 << 30) - 1;

impl Driver for Postgres {
    const BOUND_TO_RUNTIME: bool = true;

    fn done(result: &PgQueryResult) -> Done {
        Done {
            rows: result.rows_affected(),
            mark: 0,
        }
    }

    async fn prepare(_: &mut PgConnection, _: bool) -> sqlx::Result<Option<usize>> {
        Ok(Some(PACKET))
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
            // An administrator's command, and `idle_session_timeout`. Before the statement has
            // ended, that undoes it; later it is taken for a lost connection.
            "57P01" | "57P05" => Reason::Ended,
            // The second one: it is starting, or stopping.
            "53300" | "57P03" => Reason::NoRoom,
            "22023" => Reason::Zone,
            "XX001" | "XX002" => Reason::Damaged,
            _ => match code.get(..2) {
                Some("08" | "53" | "57" | "58") => Reason::Unavailable,
                _ => Reason::Other,
            },
        }
    }
}
