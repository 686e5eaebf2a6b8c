//! Lifetimes as the server keeps them.

use std::time::Duration;

use session_core::{Clock, Created, Replaced, Store, Touched};
use session_redis::RedisStore;

use crate::{HOUR, ask, cookie, id, prefix, record, server};

const DAY_MILLIS: i64 = 86_400_000;

async fn store(prefix: &str, ttl: Option<Duration>) -> RedisStore {
    let builder = RedisStore::builder().prefix(prefix).ttl(ttl);
    builder.connect(&server().url()).await.unwrap()
}

async fn pttl(prefix: &str, id: &str) -> i64 {
    ask(&[b"PTTL", format!("{prefix}{id}").as_bytes()]).await
}

/// Whether a time to live is `millis`, less what the test has taken so far.
fn is_about(found: i64, millis: i64) -> bool {
    (millis - 10_000..=millis).contains(&found)
}

#[tokio::test]
async fn sessions_without_an_expiry_live_for_the_ttl() {
    let prefix = prefix();
    let store = store(&prefix, Some(Duration::from_secs(86_400))).await;
    assert_eq!(store.capabilities(), RedisStore::CAPABILITIES);
    store.set(&id("a"), &record("a", HOUR)).await.unwrap();
    assert!(is_about(pttl(&prefix, "a").await, 3_600_000));
    assert_eq!(
        store.touch(&id("a"), &cookie(None)).await.unwrap(),
        Touched::Touched
    );
    assert!(is_about(pttl(&prefix, "a").await, DAY_MILLIS));
    let (old, new) = (record("a", HOUR), record("b", None));
    store.set(&id("a"), &old).await.unwrap();
    let replaced = store.replace(&id("a"), &old, &new).await.unwrap();
    assert_eq!(replaced, Replaced::Replaced);
    assert!(is_about(pttl(&prefix, "a").await, DAY_MILLIS));
    let created = store.create(&id("b"), &new).await.unwrap();
    assert_eq!(created, Created::Created);
    assert!(is_about(pttl(&prefix, "b").await, DAY_MILLIS));
}

#[tokio::test]
async fn without_a_ttl_they_live_until_they_are_destroyed() {
    let prefix = prefix();
    let store = store(&prefix, None).await;
    assert_eq!(store.capabilities().default_ttl, None);
    let (mortal, endless) = (record("a", HOUR), record("b", None));
    store.set(&id("set"), &endless).await.unwrap();
    let created = store.create(&id("created"), &endless).await.unwrap();
    assert_eq!(created, Created::Created);
    for name in ["touched", "replaced"] {
        store.set(&id(name), &mortal).await.unwrap();
    }
    // The second time, there is no time to live left to take away.
    for _ in 0..2 {
        let touched = store.touch(&id("touched"), &cookie(None)).await.unwrap();
        assert_eq!(touched, Touched::Touched);
    }
    let replaced = store
        .replace(&id("replaced"), &mortal, &endless)
        .await
        .unwrap();
    assert_eq!(replaced, Replaced::Replaced);
    for name in ["set", "created", "touched", "replaced"] {
        assert_eq!(pttl(&prefix, name).await, -1, "{name}");
        let found = store.get(&id(name)).await.unwrap().unwrap();
        assert_eq!((found.expires(), found.stored_expires()), (None, None));
    }
    let missing = store.touch(&id("missing"), &cookie(None)).await.unwrap();
    assert_eq!(missing, Touched::Missing);
}

#[tokio::test]
async fn a_time_that_is_over_ends_the_record() {
    let prefix = prefix();
    let clock = Clock::manual(Clock::system().now() + 2 * HOUR);
    // By this store's clock, what ends in an hour ended an hour ago.
    let late = RedisStore::builder().prefix(&prefix).clock(clock);
    let late = late.connect(&server().url()).await.unwrap();
    let store = store(&prefix, None).await;
    let (live, over) = (record("live", HOUR), record("over", HOUR));

    assert_eq!(
        late.create(&id("new"), &over).await.unwrap(),
        Created::Created
    );
    assert!(store.get(&id("new")).await.unwrap().is_none());

    store.set(&id("a"), &live).await.unwrap();
    assert_eq!(late.create(&id("a"), &over).await.unwrap(), Created::Exists);
    assert!(store.get(&id("a")).await.unwrap().is_some());
    late.set(&id("a"), &over).await.unwrap();
    assert!(store.get(&id("a")).await.unwrap().is_none());

    store.set(&id("a"), &live).await.unwrap();
    let past = cookie(HOUR);
    let touched = late.touch(&id("a"), &past).await.unwrap();
    assert_eq!(touched, Touched::Touched);
    assert!(store.get(&id("a")).await.unwrap().is_none());
    let touched = late.touch(&id("a"), &past).await.unwrap();
    assert_eq!(touched, Touched::Missing);

    store.set(&id("a"), &live).await.unwrap();
    let (late, a) = (&late, id("a"));
    let replace = async |old, new| late.replace(&a, old, new).await.unwrap();
    assert_eq!(replace(&over, &over).await, Replaced::Conflict);
    assert!(store.get(&id("a")).await.unwrap().is_some());
    assert_eq!(replace(&live, &over).await, Replaced::Replaced);
    assert!(store.get(&id("a")).await.unwrap().is_none());
    assert_eq!(replace(&live, &over).await, Replaced::Missing);
}
