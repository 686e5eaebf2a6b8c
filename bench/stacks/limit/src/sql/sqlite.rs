//! SQLite, as durable as this project's store has it by default: a file in WAL mode.

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Executor};

use super::pool::Pool;
use super::text;
use crate::cookie::Id;
use crate::site::Sessions;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS by_hand (
    sid TEXT PRIMARY KEY, sess TEXT NOT NULL, expire INTEGER NOT NULL) WITHOUT ROWID";
const GET: &str = "SELECT sess FROM by_hand WHERE sid = $1 AND expire > unixepoch()";
const GET_AND_EXTEND: &str = "UPDATE by_hand SET expire = unixepoch() + 86400
    WHERE sid = $1 AND expire > unixepoch() RETURNING sess";
const CREATE: &str = "INSERT INTO by_hand VALUES ($1, $2, unixepoch() + 86400)";
const REPLACE: &str = "UPDATE by_hand SET sess = $3, expire = unixepoch() + 86400
    WHERE sid = $1 AND sess = $2 AND expire > unixepoch()";

pub(crate) struct SqliteRows(Pool<SqliteConnection>);

impl SqliteRows {
    pub(crate) async fn open(url: &str) -> Self {
        let options: SqliteConnectOptions = url.parse().expect("a URL");
        let options = options
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(std::time::Duration::from_secs(5))
            .disable_statement_logging();
        let mut connection = options.connect().await.expect("a database");
        connection.execute(TABLE).await.expect("a table");
        connection.close().await.expect("closed");
        Self(Pool::new(options))
    }

    async fn text(&self, statement: &'static str, id: &Id) -> String {
        let (mut connection, _permit) = self.0.take().await;
        let asked = sqlx::query_scalar(statement).bind(text(id));
        let text = asked.fetch_one(&mut connection).await;
        self.0.give(connection);
        text.expect("a live session")
    }
}

impl Sessions for SqliteRows {
    type Text = String;

    async fn get(&self, id: &Id) -> String {
        self.text(GET, id).await
    }

    async fn get_and_extend(&self, id: &Id) -> String {
        self.text(GET_AND_EXTEND, id).await
    }

    async fn create(&self, id: &Id, new: String) {
        let (mut connection, _permit) = self.0.take().await;
        let insert = sqlx::query(CREATE).bind(text(id)).bind(new);
        let done = insert.execute(&mut connection).await;
        self.0.give(connection);
        done.expect("stored");
    }

    async fn replace(&self, id: &Id, old: &String, new: String) -> bool {
        let (mut connection, _permit) = self.0.take().await;
        let update = sqlx::query(REPLACE).bind(text(id)).bind(old).bind(new);
        let done = update.execute(&mut connection).await;
        self.0.give(connection);
        done.expect("stored").rows_affected() == 1
    }
}
