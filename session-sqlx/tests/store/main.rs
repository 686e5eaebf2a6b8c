//! What the suite does not ask: rows, errors, round trips, time zones, locks, on real databases.
#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "../support/mod.rs"]
mod support;

mod cancelled;
mod columns;
mod crowd;
mod errors;
mod full;
mod idle;
mod link;
mod locks;
mod migrate;
mod room;
mod rows;
mod sqlite;
mod sweeper;
mod tls;
mod trips;
mod upkeep;
mod zone;

use std::time::{Duration, SystemTime};

use session_core::{Clock, Data, Error, Record, SessionCookie, SessionId};
use session_sqlx::{Database, Schema, SqlxStore, SqlxStoreBuilder};
use support::harness::server;
use support::rows::Rows;

/// Every schema on its database.
const EVERY: [(Database, Schema); 7] = [
    (Database::Sqlite, Schema::Native),
    (Database::Sqlite, Schema::ConnectSqlite3),
    (Database::Sqlite, Schema::BetterSqlite3),
    (Database::Postgres, Schema::Native),
    (Database::Postgres, Schema::ConnectPgSimple),
    (Database::MySql, Schema::Native),
    (Database::MySql, Schema::ExpressMysqlSession),
];

/// A table that is not there yet, and that no other test has.
fn rows(database: Database, schema: Schema) -> Rows {
    let name = SessionId::random().as_str().to_owned();
    let url = match server(database) {
        Some(server) => server.unwrap_or_else(|why| panic!("{why}")).url(),
        None => {
            let file = std::env::temp_dir().join(format!("session-sqlx-{name}"));
            format!("sqlite:{}?mode=rwc", file.display())
        }
    };
    Rows {
        database,
        schema,
        table: format!("test {name}"),
        url,
    }
}

/// A busy machine may pause: no connection is asked for that whether it is still there.
fn builder(rows: &Rows) -> SqlxStoreBuilder {
    by_default(rows).trust_idle(Duration::from_secs(3_600))
}

fn by_default(rows: &Rows) -> SqlxStoreBuilder {
    SqlxStore::builder().schema(rows.schema).table(&rows.table)
}

async fn open(rows: &Rows) -> SqlxStore {
    let store = builder(rows).connect(&rows.url).await.unwrap();
    store.migrate().await.unwrap();
    store
}

fn id(text: &str) -> SessionId {
    SessionId::new(text).unwrap()
}

/// A record with one value that ends at a time, or with the browser.
fn record(value: &str, expires: impl Into<Option<SystemTime>>) -> Record {
    let mut data = Data::new();
    data.insert("value", &value).unwrap();
    Record::new(cookie(expires), &data)
}

fn cookie(expires: impl Into<Option<SystemTime>>) -> SessionCookie {
    let mut cookie = SessionCookie::new();
    let now = SystemTime::UNIX_EPOCH;
    let age = expires.into().map(|end| end.duration_since(now).unwrap());
    cookie.set_max_age(age, now);
    cookie
}

fn in_an_hour() -> SystemTime {
    Clock::system().now() + Duration::from_secs(3_600)
}

/// Every text that an error shows, its sources included.
fn texts(error: &Error) -> String {
    let mut texts = format!("{error}\n{error:?}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        texts.push_str(&format!("\n{cause}\n{cause:?}"));
        source = cause.source();
    }
    texts
}
