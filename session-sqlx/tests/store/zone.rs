//! connect-pg-simple's column has no time zone: what it says depends on the connection's.

use std::process::Command;
use std::time::Duration;

use session_core::{Clock, ErrorKind, Store};
use session_sqlx::{Database, Schema, SqlxStore};
use test_servers::{Kind, Server};

use crate::{id, record, rows};

/// What Node's driver does: it says nothing of a time zone, so that the server's holds.
fn as_node(server: &Server, sql: &str) -> String {
    let output = Command::new("psql")
        .args(["--no-psqlrc", "-tAc", sql, &server.url()])
        .env_remove("PGTZ")
        .output()
        .expect("NOT RUN: there is no psql; install postgresql-client");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn a_server_that_is_not_on_utc_shares_its_rows_with_node() {
    let server = Server::start_with(Kind::Postgres, &[("timezone", "America/New_York")]);
    let server = server.unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(as_node(&server, "SHOW timezone"), "America/New_York");
    let open = async |zone: &str| {
        let builder = SqlxStore::builder().time_zone(zone);
        builder.connect(&server.url()).await.unwrap()
    };
    let store = open("America/New_York").await;
    store.migrate().await.unwrap();
    let now = Clock::system().now_millis() / 1_000;

    // Node's session of half an hour.
    let json = r#"{"cookie":{"originalMaxAge":null,"expires":null},"n":1}"#;
    let insert = format!(
        "INSERT INTO session VALUES ('NODE', '{json}', to_timestamp({}))",
        now + 1_800
    );
    as_node(&server, &insert);
    let found = store.get(&id("NODE")).await.unwrap().unwrap();
    let end = Duration::from_secs((now + 1_800).unsigned_abs());
    assert_eq!(
        found.stored_expires(),
        Some(std::time::SystemTime::UNIX_EPOCH + end)
    );

    // Ours, and one of ours that has ended.
    let at = |seconds: i64| {
        std::time::SystemTime::UNIX_EPOCH + Duration::from_secs((now + seconds).unsigned_abs())
    };
    store
        .set(&id("LIVE"), &record("a", at(1_800)))
        .await
        .unwrap();
    store.set(&id("OVER"), &record("a", at(-60))).await.unwrap();
    let live = format!("SELECT sid FROM session WHERE expire >= to_timestamp({now}) ORDER BY sid");
    assert_eq!(as_node(&server, &live), "LIVE\nNODE");

    // This is the trap: on UTC, Node's session seems to have ended hours ago.
    let trapped = open("UTC").await;
    assert!(trapped.get(&id("NODE")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_time_zone_that_the_server_does_not_know_is_a_config_error() {
    let rows = rows(Database::Postgres, Schema::ConnectPgSimple);
    let store = crate::builder(&rows).time_zone("Atlantis/Poseidonis");
    let store = store.connect(&rows.url).await.unwrap();
    let error = store.migrate().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    assert!(error.to_string().contains("time zone"), "{error}");
    rows.drop_table().await;
}
