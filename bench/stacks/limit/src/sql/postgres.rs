//! PostgreSQL.

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, Executor};

use super::pool::Pool;
use super::text;
use crate::cookie::Id;
use crate::site::Sessions;

pub(super) const TABLE: &str = "CREATE TABLE IF NOT EXISTS by_hand (
    sid text PRIMARY KEY, sess text NOT NULL, expire timestamptz NOT NULL)";
pub(super) const GET: &str = "SELECT sess FROM by_hand WHERE sid = $1 AND expire > now()";
pub(super) const GET_AND_EXTEND: &str = "UPDATE by_hand SET expire = now() + interval '1 day'
    WHERE sid = $1 AND expire > now() RETURNING sess";
pub(super) const CREATE: &str = "INSERT INTO by_hand VALUES ($1, $2, now() + interval '1 day')";
pub(super) const REPLACE: &str = "UPDATE by_hand SET sess = $3, expire = now() + interval '1 day'
    WHERE sid = $1 AND sess = $2 AND expire > now()";

pub(crate) struct PostgresRows(Pool<PgConnection>);

impl PostgresRows {
    pub(crate) async fn open(url: &str) -> Self {
        let options: PgConnectOptions = url.parse().expect("a URL");
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

impl Sessions for PostgresRows {
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
