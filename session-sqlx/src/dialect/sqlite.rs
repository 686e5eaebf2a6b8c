use std::fs;
use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteQueryResult};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _, Row as _, Sqlite};

use super::{CREATE, Dialect, Done, END, PLAIN, Reason, SET, written};
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
    end: END,
    sweep: "DELETE FROM {table} WHERE {sid} IN \
            (SELECT {sid} FROM {table} WHERE NOT ({live}) LIMIT {limit})",
    lock: None,
    // To create it waits for whoever writes, although it is there.
    indexed: Some(
        "SELECT count(*) FROM {schema.}sqlite_master \
         WHERE type = 'index' AND name = CAST(X'{index hex}' AS TEXT) COLLATE NOCASE",
    ),
    exact: Some(
        "SELECT NOT EXISTS (SELECT 1 \
         FROM pragma_index_list(CAST(X'{table hex}' AS TEXT){in schema}) AS list, \
         pragma_index_xinfo(list.name{in schema}) AS part \
         WHERE list.\"unique\" AND part.key AND part.coll <> 'BINARY' \
         AND part.name = CAST(X'{sid hex}' AS TEXT) COLLATE NOCASE)",
    ),
    unique: Some(
        "SELECT count(*) FROM pragma_index_list(CAST(X'{table hex}' AS TEXT){in schema}) AS list \
         WHERE list.\"unique\" AND NOT list.partial \
         AND (SELECT count(*) = 1 AND max(part.name = CAST(X'{sid hex}' AS TEXT) COLLATE NOCASE) \
         FROM pragma_index_xinfo(list.name{in schema}) AS part WHERE part.key)",
    ),
    texts: 1,
    created: |done| done.rows > 0,
    // The second question of this store: in an embedded database it is no round trip.
    replaced: written,
    ended: written,
};

/// The question of [`Layout::fits`], with what the columns may be: their declared types are `type`, and
/// what SQLite makes of values in them `affinity`, unless the table is `strict`.
macro_rules! fits {
    ($id:literal, $data:literal, $end:literal) => {
        concat!(
            "SELECT CASE WHEN NOT max(name = CAST(X'{sid hex}' AS TEXT) COLLATE NOCASE AND ",
            $id,
            ") THEN 1 WHEN NOT max(name = CAST(X'{json hex}' AS TEXT) COLLATE NOCASE AND ",
            $data,
            ") THEN 2 WHEN NOT max(name = CAST(X'{end hex}' AS TEXT) COLLATE NOCASE AND ",
            $end,
            ") THEN 3 ELSE 0 END FROM (SELECT name, type, CASE WHEN instr(type, 'INT') THEN 'INTEGER' \
             WHEN instr(type, 'CHAR') OR instr(type, 'CLOB') OR instr(type, 'TEXT') THEN 'TEXT' \
             WHEN instr(type, 'BLOB') OR type = '' THEN 'BLOB' \
             WHEN instr(type, 'REAL') OR instr(type, 'FLOA') OR instr(type, 'DOUB') THEN 'REAL' \
             ELSE 'NUMERIC' END AS affinity, strict FROM (SELECT info.name, upper(info.type) AS type, \
             EXISTS (SELECT 1 FROM pragma_table_list(CAST(X'{table hex}' AS TEXT){in schema}) AS list \
             WHERE list.strict) AS strict \
             FROM pragma_table_info(CAST(X'{table hex}' AS TEXT){in schema}) AS info))"
        )
    };
}

pub(crate) const NATIVE: Layout = Layout {
    create: "CREATE TABLE IF NOT EXISTS {table} \
             ({sid} BLOB NOT NULL PRIMARY KEY, {json} BLOB NOT NULL, {end} INTEGER NOT NULL)",
    index: Some("CREATE INDEX IF NOT EXISTS {schema.}{index} ON {bare table} ({end})"),
    end_out: "iif(typeof({end}) = 'integer', {end}, NULL)",
    fits: fits!(
        "(NOT strict OR type IN ('BLOB', 'ANY'))",
        "(NOT strict OR type IN ('BLOB', 'ANY'))",
        "(affinity IN ('INTEGER', 'BLOB') AND NOT (strict AND type = 'BLOB') \
         OR affinity = 'NUMERIC')"
    ),
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
    // In a column of numbers, an id of digits would become one.
    fits: fits!(
        "(affinity = 'TEXT' OR affinity = 'BLOB' AND NOT strict OR strict AND type = 'ANY')",
        "(NOT strict OR type IN ('TEXT', 'ANY'))",
        "affinity <> 'TEXT' AND NOT (strict AND type = 'BLOB')"
    ),
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
    last: 253_402_300_799_999,
    fits: fits!(
        "(affinity = 'TEXT' OR affinity = 'BLOB' AND NOT strict OR strict AND type = 'ANY')",
        "(NOT strict OR type IN ('TEXT', 'ANY'))",
        "(NOT strict OR type IN ('TEXT', 'ANY'))"
    ),
    ..NATIVE
};

/// How long one writer waits for another one.
pub(crate) const BUSY: Duration = Duration::from_secs(5);

impl Driver for Sqlite {
    /// A transaction that begins by reading may not wait for its turn to write.
    const BEGIN: &'static str = "BEGIN IMMEDIATE";
    const BOUND_TO_RUNTIME: bool = false;
    /// There is one writer at a time. The others wait for it here, where it costs no connection.
    const WRITERS: usize = 1;

    fn done(result: &SqliteQueryResult) -> Done {
        Done {
            rows: result.rows_affected(),
            mark: 0,
        }
    }

    /// Sessions are secrets: a file of our making is for its owner alone. Those beside it (`-wal`,
    /// `-shm`) get what it has.
    fn before(options: &SqliteConnectOptions) {
        // The options say whether the file is to be created in this form alone.
        let url = options.clone().filename("/").to_url_lossy();
        let creates = url
            .query_pairs()
            .any(|pair| pair == ("mode".into(), "rwc".into()));
        let elsewhere = url.query_pairs().any(|(key, _)| key == "vfs");
        if creates && !elsewhere {
            let mut file = fs::OpenOptions::new();
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
            // One that is there is left alone; what else is wrong, SQLite says.
            let _ = file
                .write(true)
                .create_new(true)
                .open(options.get_filename());
        }
    }

    /// WAL mode, in which readers and the writer do not wait for each other. It is the file's: where
    /// another process writes to one that has another mode, it is left for the next connection.
    async fn prepare(connection: &mut SqliteConnection, ours: bool) -> sqlx::Result<Option<usize>> {
        if !ours {
            return Ok(None);
        }
        let mode = connection
            .fetch_one(sqlx::raw_sql("PRAGMA journal_mode"))
            .await?;
        if mode.try_get::<String, _>(0)? != "wal" {
            let switched = connection
                .execute(sqlx::raw_sql(
                    "PRAGMA busy_timeout = 100; PRAGMA journal_mode = WAL",
                ))
                .await;
            if let Err(error) = switched {
                let reason = error.as_database_error().map(Self::reason);
                if !matches!(reason, Some(Reason::Locked | Reason::ReadOnly)) {
                    return Err(error);
                }
            }
            let patience = format!("PRAGMA busy_timeout = {}", BUSY.as_millis());
            connection
                .execute(sqlx::raw_sql(AssertSqlSafe(patience)))
                .await?;
        }
        Ok(None)
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
