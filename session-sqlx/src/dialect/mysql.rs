use sqlx::error::DatabaseError;
use sqlx::mysql::{MySqlConnection, MySqlDatabaseError, MySqlQueryResult};
use sqlx::{Executor, MySql, Row as _};

use super::{Dialect, Done, END, Outcome, PLAIN, REPLACED, Reason, written};
use crate::driver::Driver;
use crate::layout::Layout;

/// `VALUES()` and not a row alias: MariaDB has none, and MySQL 8 takes both. A number that goes
/// through `LAST_INSERT_ID` comes back with the answer, and says what an upsert or an update has
/// done; columns are assigned from left to right.
pub(crate) const DIALECT: Dialect = Dialect {
    quote: '`',
    numbered: false,
    longest_name: 64,
    set: "INSERT INTO {table} ({sid}, {json}, {end}) VALUES ({id}, {data in}, {end in}) \
          ON DUPLICATE KEY UPDATE {json} = VALUES({json}), {end} = VALUES({end})",
    create: "INSERT INTO {table} ({sid}, {json}, {end}) VALUES ({id}, {data in}, {end in}) \
             ON DUPLICATE KEY UPDATE \
             {json} = IF({live}, IF(LAST_INSERT_ID(1), {json}, {json}), VALUES({json})), \
             {end} = IF({live}, {end}, VALUES({end}))",
    replace: "UPDATE {table} SET \
              {end} = IF({same}, IF(LAST_INSERT_ID(2), {end in}, {end}), {end}), \
              {json} = IF({same}, {data in}, {json}) \
              WHERE {sid} = {id} AND {live}",
    end: END,
    sweep: "DELETE FROM {table} WHERE NOT ({live}) LIMIT {limit}",
    lock: None,
    indexed: None,
    // The greatest of no ids has the column's collation, too. The default ones ignore case.
    exact: Some(
        "SELECT IF(COLLATION(MAX({sid})) = 'binary' OR RIGHT(COLLATION(MAX({sid})), 4) = '_bin', \
         1, 0) FROM {table}",
    ),
    // ON DUPLICATE KEY does nothing where no key forbids the second row.
    unique: Some(
        "SELECT COUNT(*) FROM (SELECT index_name FROM information_schema.statistics \
         WHERE table_schema = IF('{schema hex}' = '', DATABASE(), _utf8mb4 X'{schema hex}') \
         AND table_name = _utf8mb4 X'{table hex}' GROUP BY index_name \
         HAVING COUNT(*) = 1 AND MAX(non_unique) = 0 AND MAX(sub_part) IS NULL \
         AND MAX(column_name) = _utf8mb4 X'{sid hex}') AS keys_of_ids",
    ),
    texts: 3,
    created: |done| done.mark != 1,
    replaced: |done| match (done.rows, done.mark) {
        (0, _) => Outcome::Missing,
        (_, REPLACED) => Outcome::Replaced,
        _ => Outcome::Conflict,
    },
    // No number comes back with the answer to a DELETE.
    ended: written,
};

/// The question of [`Layout::fits`], with what the columns may be.
macro_rules! fits {
    ($id:literal, $data:literal, $end:literal) => {
        concat!(
            "SELECT CASE WHEN MAX(column_name = _utf8mb4 X'{sid hex}' AND ",
            $id,
            ") = 0 THEN 1 WHEN MAX(column_name = _utf8mb4 X'{json hex}' AND (",
            $data,
            " OR data_type IN ('blob', 'mediumblob', 'longblob') \
             OR data_type = 'varbinary' AND character_octet_length >= 4096)) = 0 THEN 2 \
             WHEN MAX(column_name = _utf8mb4 X'{end hex}' AND ",
            $end,
            ") = 0 THEN 3 ELSE 0 END FROM information_schema.columns \
             WHERE table_schema = IF('{schema hex}' = '', DATABASE(), _utf8mb4 X'{schema hex}') \
             AND table_name = _utf8mb4 X'{table hex}'"
        )
    };
}

pub(crate) const NATIVE: Layout = Layout {
    create: "CREATE TABLE IF NOT EXISTS {table} ({sid} VARBINARY(255) NOT NULL PRIMARY KEY, \
         {json} LONGBLOB NOT NULL, {end} BIGINT NOT NULL, KEY {index} ({end})) ENGINE=InnoDB",
    fits: fits!(
        "data_type = 'varbinary' AND character_octet_length >= 32",
        "data_type IN ('text', 'mediumtext', 'longtext') AND character_set_name = 'utf8mb4'",
        "data_type = 'bigint'"
    ),
    ..PLAIN
};

/// The collation pads: `'a'` and `'a '` are one key.
pub(crate) const EXPRESS_MYSQL_SESSION: Layout = Layout {
    table: "sessions",
    id: "session_id",
    data: "data",
    end: "expires",
    create: "CREATE TABLE IF NOT EXISTS {table} \
         ({sid} VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, \
         {end} INT(11) UNSIGNED NOT NULL, \
         {json} MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, \
         PRIMARY KEY ({sid})) ENGINE=InnoDB",
    binary: false,
    same: "CAST({json} AS BINARY) = CAST({old} AS BINARY)",
    end_in: "{expires} DIV 1000",
    end_out: "CAST({end} AS SIGNED) * 1000",
    live: "{end} > {now} DIV 1000",
    step: 1_000,
    last: 4_294_967_295_000,
    fits: fits!(
        "data_type IN ('varchar', 'char', 'varbinary') AND character_maximum_length >= 32",
        "(data_type IN ('text', 'mediumtext', 'longtext') \
         OR data_type = 'varchar' AND character_maximum_length >= 4096) \
         AND character_set_name = 'utf8mb4'",
        "(data_type = 'bigint' OR data_type = 'int' AND column_type LIKE '%unsigned%')"
    ),
    pads: true,
    ..NATIVE
};

impl Driver for MySql {
    const BOUND_TO_RUNTIME: bool = true;

    fn done(result: &MySqlQueryResult) -> Done {
        Done {
            rows: result.rows_affected(),
            mark: i64::try_from(result.last_insert_id()).unwrap_or_default(),
        }
    }

    /// A value that does not fit is an error and not cut; a statement that has answered is
    /// committed, whatever the server's default; a table that somebody is altering is
    /// waited for in seconds, where the default is a day or a year; and a sweep does not lock what
    /// it only looks at.
    async fn prepare(connection: &mut MySqlConnection, _: bool) -> sqlx::Result<Option<usize>> {
        connection
            .execute(
                "SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'), \
                 SESSION lock_wait_timeout = 10, SESSION autocommit = 1",
            )
            .await?;
        connection
            .execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
            .await?;
        let packet = sqlx::raw_sql("SELECT CAST(@@max_allowed_packet AS SIGNED)");
        let packet = connection.fetch_one(packet).await?.try_get::<i64, _>(0)?;
        Ok(usize::try_from(packet).ok())
    }

    /// <https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html>
    fn reason(error: &dyn DatabaseError) -> Reason {
        let error = error.try_downcast_ref::<MySqlDatabaseError>();
        match error.map_or(0, MySqlDatabaseError::number) {
            1045 | 1251 | 1698 => Reason::Login,
            1049 => Reason::NoDatabase,
            1146 => Reason::NoTable,
            1054 | 1136 | 1364 | 1048 => Reason::OtherShape,
            1044 | 1142 | 1143 | 1227 => Reason::Denied,
            1153 | 1406 => Reason::TooLarge,
            1264 | 1292 | 1366 => Reason::Rejected,
            1021 | 1114 => Reason::Full,
            1665 => Reason::LogFormat,
            1205 => Reason::Locked,
            1020 | 1213 => Reason::Undone,
            1290 | 1792 | 1836 => Reason::ReadOnly,
            1317 | 1969 | 3024 => Reason::Cancelled,
            // It stops; somebody has killed the connection (MariaDB); it was idle for too long
            // (MySQL). A statement that gets an error for an answer is undone.
            1053 | 1927 | 4031 => Reason::Ended,
            1040 | 1203 | 1226 => Reason::NoRoom,
            // The last one is Galera's answer before a node is ready.
            1030 | 1129 | 1047 => Reason::Unavailable,
            126 | 145 | 1034 | 1194 => Reason::Damaged,
            _ => Reason::Other,
        }
    }
}
