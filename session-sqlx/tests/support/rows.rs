//! Rows as SQL writes them by hand: what stands behind a store, whoever wrote it.

use session_sqlx::{Database, Schema};
use sqlx::AnyConnection;
use sqlx::any::install_default_drivers;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _};

/// A database, a schema and a table's name: all that the SQL of the tests depends on.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    pub(crate) database: Database,
    pub(crate) schema: Schema,
    pub(crate) table: String,
    /// Past any proxy.
    pub(crate) url: String,
}

impl Rows {
    pub(crate) async fn execute(&self, sql: &str) -> sqlx::Result<()> {
        self.hold(sql).await.map(drop)
    }

    pub(crate) async fn number(&self, sql: &str) -> sqlx::Result<i64> {
        let mut connection = self.connect().await?;
        sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(&mut connection)
            .await
    }

    pub(crate) async fn text(&self, sql: &str) -> sqlx::Result<String> {
        let mut connection = self.connect().await?;
        sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(&mut connection)
            .await
    }

    /// Runs `sql` on a connection that stays open, and keeps what it locks, as long as it lives.
    pub(crate) async fn hold(&self, sql: &str) -> sqlx::Result<AnyConnection> {
        let mut connection = self.connect().await?;
        connection
            .execute(sqlx::raw_sql(AssertSqlSafe(sql)))
            .await?;
        Ok(connection)
    }

    async fn connect(&self) -> sqlx::Result<AnyConnection> {
        install_default_drivers();
        let options: sqlx::any::AnyConnectOptions = self.url.parse()?;
        options.disable_statement_logging().connect().await
    }

    pub(crate) async fn count(&self) -> sqlx::Result<i64> {
        let count = format!("SELECT count(*) FROM {}", self.table());
        self.number(&count).await
    }

    pub(crate) async fn drop_table(&self) {
        let drop = format!("DROP TABLE IF EXISTS {}", self.table());
        self.execute(&drop).await.unwrap();
    }

    /// The table's name, quoted.
    pub(crate) fn table(&self) -> String {
        self.quoted(&self.table)
    }

    pub(crate) fn quoted(&self, name: &str) -> String {
        match self.database {
            Database::MySql => format!("`{}`", name.replace('`', "``")),
            _ => format!("\"{}\"", name.replace('"', "\"\"")),
        }
    }

    /// The columns of id, data and expiry.
    pub(crate) fn columns(&self) -> [&'static str; 3] {
        match self.schema {
            Schema::ConnectPgSimple | Schema::BetterSqlite3 => ["sid", "sess", "expire"],
            Schema::ExpressMysqlSession => ["session_id", "data", "expires"],
            Schema::ConnectSqlite3 => ["sid", "sess", "expired"],
            _ => ["id", "data", "expires"],
        }
    }

    /// A text as it stands in the columns of ids and data.
    pub(crate) fn literal(&self, text: &str) -> String {
        let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        match (self.database, self.schema) {
            (Database::Postgres, Schema::Native) => format!("'\\x{hex}'::bytea"),
            (_, Schema::Native) => format!("X'{hex}'"),
            (Database::Postgres, _) => format!("convert_from('\\x{hex}'::bytea, 'UTF8')"),
            (Database::MySql, _) => format!("CONVERT(X'{hex}' USING utf8mb4)"),
            _ => format!("CAST(X'{hex}' AS TEXT)"),
        }
    }

    /// A time as Node writes it on a server that is on UTC.
    pub(crate) fn end(&self, millis: i64) -> String {
        match self.schema {
            Schema::ConnectPgSimple => {
                format!("to_timestamp({}) AT TIME ZONE 'UTC'", millis / 1_000)
            }
            Schema::ExpressMysqlSession => (millis / 1_000).to_string(),
            Schema::ConnectSqlite3 => format!("{millis}.0"),
            Schema::BetterSqlite3 => {
                format!("strftime('%Y-%m-%dT%H:%M:%fZ', {millis} / 1000.0, 'unixepoch')")
            }
            _ => millis.to_string(),
        }
    }

    /// Writes a row as Node does.
    pub(crate) async fn insert(&self, id: &str, data: &str, millis: i64) -> sqlx::Result<()> {
        let [sid, json, expires] = self.columns();
        let cast = match self.schema {
            Schema::ConnectPgSimple => "::json",
            _ => "",
        };
        let (table, id) = (self.table(), self.literal(id));
        self.execute(&format!("DELETE FROM {table} WHERE {sid} = {id}"))
            .await?;
        self.execute(&format!(
            "INSERT INTO {table} ({sid}, {json}, {expires}) VALUES ({id}, {}{cast}, {})",
            self.literal(data),
            self.end(millis)
        ))
        .await
    }
}
