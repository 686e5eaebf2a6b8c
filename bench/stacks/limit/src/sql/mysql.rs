//! MySQL and MariaDB.

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{ConnectOptions, Connection, Executor};

use super::pool::Pool;
use super::text;
use crate::cookie::Id;
use crate::site::Sessions;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS by_hand (
    sid VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin PRIMARY KEY,
    sess TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    expire BIGINT NOT NULL) ENGINE=InnoDB";
const GET: &str = "SELECT sess FROM by_hand WHERE sid = ? AND expire > UNIX_TIMESTAMP()";
/// It has no `UPDATE .. RETURNING`.
const EXTEND: &str = "UPDATE by_hand SET expire = UNIX_TIMESTAMP() + 86400
    WHERE sid = ? AND expire > UNIX_TIMESTAMP()";
const CREATE: &str = "INSERT INTO by_hand VALUES (?, ?, UNIX_TIMESTAMP() + 86400)";
const REPLACE: &str = "UPDATE by_hand SET sess = ?, expire = UNIX_TIMESTAMP() + 86400
    WHERE sid = ? AND sess = ? AND expire > UNIX_TIMESTAMP()";

pub(crate) struct MySqlRows(Pool<MySqlConnection>);

impl MySqlRows {
    pub(crate) async fn open(url: &str) -> Self {
        let options: MySqlConnectOptions = url.parse().expect("a URL");
        let options = options.disable_statement_logging();
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

impl Sessions for MySqlRows {
    type Text = String;

    async fn get(&self, id: &Id) -> String {
        self.text(GET, id).await
    }

    async fn get_and_extend(&self, id: &Id) -> String {
        let text = self.text(GET, id).await;
        let (mut connection, _permit) = self.0.take().await;
        let update = sqlx::query(EXTEND).bind(self::text(id));
        let done = update.execute(&mut connection).await;
        self.0.give(connection);
        done.expect("extended");
        text
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
        let update = sqlx::query(REPLACE).bind(new).bind(text(id)).bind(old);
        let done = update.execute(&mut connection).await;
        self.0.give(connection);
        done.expect("stored").rows_affected() == 1
    }
}
