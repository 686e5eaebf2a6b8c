//! The rows of the databases: filled by one statement each.

use std::ops::Range;
use std::time::Duration;

use bench_shared::Args;
use session_core::{Clock, Record};
use session_sqlx::{Schema, SqlxStore};
use sqlx::mysql::MySqlConnection;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Executor};
use tokio::sync::Mutex;

/// The table is [`Schema::Native`]; its ids are those of [`id`](super::id).
const POSTGRES: &str = "INSERT INTO sessions (id, data, expires)
    SELECT convert_to(lpad((i * 2654435761 % 4294967296)::text, 10, '0') \
           || repeat('x', 22), 'UTF8'), $3, $4
    FROM generate_series($1::bigint, $2::bigint - 1) AS i";
const SQLITE: &str = "WITH RECURSIVE numbers(i) AS \
        (SELECT $1 UNION ALL SELECT i + 1 FROM numbers WHERE i + 1 < $2)
    INSERT INTO sessions (id, data, expires)
    SELECT CAST(printf('%010dxxxxxxxxxxxxxxxxxxxxxx', i * 2654435761 % 4294967296) AS BLOB), $3, $4
    FROM numbers ORDER BY 1";
const MYSQL: &str = "INSERT INTO sessions (id, data, expires)
    WITH d AS (SELECT 0 AS i UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 \
               UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9),
    numbers AS (SELECT a.i + 10 * b.i + 100 * c.i + 1000 * e.i + 10000 * f.i + 100000 * g.i AS i
                FROM d AS a, d AS b, d AS c, d AS e, d AS f, d AS g)
    SELECT CONCAT(LPAD((i + ?) * 2654435761 MOD 4294967296, 10, '0'), REPEAT('x', 22)) AS id, ?, ?
    FROM numbers WHERE i < ? ORDER BY id";
/// How many numbers that makes.
const DIGITS: usize = 1_000_000;

/// A connection beside the store's own.
pub(super) enum Rows {
    Postgres(Mutex<PgConnection>),
    MySql(Mutex<MySqlConnection>),
    Sqlite(Mutex<SqliteConnection>),
}

impl Rows {
    /// A store on an empty table, and the way behind it.
    pub(super) async fn open(args: &Args) -> (SqlxStore, Self) {
        // Reads that wait for one another are what is measured, and no error.
        let builder = SqlxStore::builder()
            .schema(Schema::Native)
            .connect_timeout(Duration::from_secs(60));
        let store = builder.connect(&args.url).await.expect("a database");
        store.migrate().await.expect("a table");
        (store, Self::connect(args).await)
    }

    async fn connect(args: &Args) -> Self {
        let url = &args.url;
        match url.split(':').next() {
            Some("postgres") => {
                let connection = PgConnection::connect(url).await;
                Self::Postgres(Mutex::new(connection.expect("a PostgreSQL")))
            }
            Some("mysql") => {
                let connection = MySqlConnection::connect(url).await;
                Self::MySql(Mutex::new(connection.expect("a MySQL")))
            }
            _ => {
                let connection = SqliteConnection::connect(url).await;
                Self::Sqlite(Mutex::new(connection.expect("a file")))
            }
        }
    }

    pub(super) async fn fill(&self, numbers: Range<usize>, record: &Record) {
        let data = record.json().as_bytes();
        let ends = Clock::to_millis(record.expires().expect("it ends"));
        let (from, until) = (numbers.start as i64, numbers.end as i64);
        match self {
            Self::Postgres(connection) => {
                let mut connection = connection.lock().await;
                let insert = sqlx::query(POSTGRES).bind(from).bind(until);
                let insert = insert.bind(data).bind(ends);
                insert.execute(&mut *connection).await.expect("rows");
                // As the server itself does sooner or later.
                let tidied = connection.execute("VACUUM ANALYZE sessions").await;
                tidied.expect("tidied up");
            }
            Self::MySql(connection) => {
                let mut connection = connection.lock().await;
                for from in numbers.clone().step_by(DIGITS) {
                    let count = DIGITS.min(numbers.end - from) as i64;
                    let insert = sqlx::query(MYSQL).bind(from as i64);
                    let insert = insert.bind(data).bind(ends).bind(count);
                    insert.execute(&mut *connection).await.expect("rows");
                }
            }
            Self::Sqlite(connection) => {
                let mut connection = connection.lock().await;
                let insert = sqlx::query(SQLITE).bind(from).bind(until);
                let insert = insert.bind(data).bind(ends);
                insert.execute(&mut *connection).await.expect("rows");
            }
        }
    }

    pub(super) async fn bytes(&self) -> f64 {
        let bytes: i64 = match self {
            Self::Postgres(connection) => {
                let asked = sqlx::query_scalar("SELECT pg_total_relation_size('sessions')");
                asked.fetch_one(&mut *connection.lock().await).await
            }
            Self::MySql(connection) => {
                let mut connection = connection.lock().await;
                let counted = connection.execute("ANALYZE TABLE sessions").await;
                counted.expect("counted");
                let asked = sqlx::query_scalar(
                    "SELECT CAST(data_length + index_length AS SIGNED)
                     FROM information_schema.tables
                     WHERE table_schema = database() AND table_name = 'sessions'",
                );
                asked.fetch_one(&mut *connection).await
            }
            Self::Sqlite(connection) => {
                let asked = sqlx::query_scalar(
                    "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
                );
                asked.fetch_one(&mut *connection.lock().await).await
            }
        }
        .expect("told");
        bytes as f64
    }
}
