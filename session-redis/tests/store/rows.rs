//! The rows are those of connect-redis 9 with its default options: key, value and time to live.

use std::time::{Duration, SystemTime};

use session_core::{Clock, Data, Record, SessionCookie, Store, Touched};
use session_redis::RedisStore;

use crate::support::hooks::NODE_ROWS;
use crate::{ask, id, private, record, server, site};
use test_servers::Kind;

/// A session that connect-redis stored at this moment, read by a clock that shows it.
fn moment() -> SystemTime {
    // 2026-11-22T17:45:41.287Z, a minute before the second row's end.
    SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_369_541_287)
}

fn session(max_age: Option<Duration>) -> Record {
    let mut cookie = SessionCookie::new();
    cookie.set_max_age(max_age, moment());
    let mut data = Data::new();
    data.insert("n", &1).unwrap();
    Record::new(cookie, &data)
}

#[tokio::test]
async fn a_row_is_the_one_that_node_writes() {
    // The default prefix, and so a server that nobody else writes to.
    let private = private(Kind::Redis);
    let clock = Clock::manual(moment());
    let store = RedisStore::builder().clock(clock);
    let store = store.connect(&private.url()).await.unwrap();
    for ((name, row, seconds), max_age) in NODE_ROWS
        .into_iter()
        .zip([None, Some(Duration::from_secs(60))])
    {
        store.set(&id(name), &session(max_age)).await.unwrap();
        let mut admin = site::admin(&private).await.unwrap();
        let (text, kind, ttl): (String, String, u64) = admin
            .ask_all(
                redis::pipe()
                    .cmd("GET")
                    .arg(format!("sess:{name}"))
                    .cmd("TYPE")
                    .arg(format!("sess:{name}"))
                    .cmd("TTL")
                    .arg(format!("sess:{name}")),
            )
            .await
            .unwrap();
        assert_eq!((text.as_str(), kind.as_str()), (row, "string"));
        assert_eq!(ttl, seconds, "TTL rounds to whole seconds");
    }
}

#[tokio::test]
async fn a_row_of_node_is_read_with_the_servers_expiry() {
    let store = crate::builder().connect(&server().url()).await.unwrap();
    let debug = format!("{store:?}");
    let prefix = debug.split('"').nth(1).unwrap();
    for (name, row, seconds) in NODE_ROWS {
        let key = format!("{prefix}{name}");
        let seconds = seconds.to_string();
        let _: () = ask(&[
            b"SET",
            key.as_bytes(),
            row.as_bytes(),
            b"EX",
            seconds.as_bytes(),
        ])
        .await;
        let found = store.get(&id(name)).await.unwrap().unwrap();
        assert_eq!(found.json(), row);
        assert_eq!(found.data().get::<u32>("n").unwrap(), Some(1));
        let left = found.stored_expires().unwrap();
        let left = left.duration_since(Clock::system().now()).unwrap();
        let whole = Duration::from_secs(seconds.parse().unwrap());
        assert!(left <= whole && left > whole - Duration::from_secs(10));
        // A cookie that ends with the browser stays one, whatever the server keeps.
        let has_end = row.contains("60000");
        assert_eq!(found.expires().is_some(), has_end);
    }
}

#[tokio::test]
async fn a_touch_moves_the_servers_expiry_and_leaves_the_text() {
    let store = crate::builder().connect(&server().url()).await.unwrap();
    let written = record("kept", Duration::from_secs(60));
    store.set(&id("a"), &written).await.unwrap();
    let cookie = crate::cookie(Duration::from_secs(600));
    assert_eq!(
        store.touch(&id("a"), &cookie).await.unwrap(),
        Touched::Touched
    );
    let found = store.get(&id("a")).await.unwrap().unwrap();
    assert_eq!(found.json(), written.json());
    let moved = found
        .expires()
        .unwrap()
        .duration_since(cookie.expires().unwrap());
    let off = moved.unwrap_or_else(|early| early.duration());
    assert!(off < Duration::from_secs(5), "{off:?}");
}
