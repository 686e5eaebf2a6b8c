//! Going through the keys: every page, each key once, nobody else's.

use std::collections::HashSet;

use futures_util::StreamExt;
use redis::pipe;
use session_core::{ErrorKind, Store};
use session_redis::RedisStore;

use crate::{HOUR, admin, ask, id, prefix, record, server};

async fn store(prefix: &str) -> RedisStore {
    let builder = RedisStore::builder().prefix(prefix).scan_count(10);
    builder.connect(&server().url()).await.unwrap()
}

#[tokio::test]
async fn all_pages_are_seen_and_each_key_once() {
    let prefix = prefix();
    let store = store(&prefix).await;
    let text = record("a", HOUR);
    let mut fill = pipe();
    for number in 0..1_200 {
        fill.cmd("SET").arg(format!("{prefix}{number}"));
        fill.arg(text.json()).arg("PX").arg(3_600_000);
    }
    let _: Vec<String> = admin().await.ask_all(&fill).await.unwrap();

    assert_eq!(store.length().await.unwrap(), 1_200);
    let ids: Vec<_> = store.ids().map(Result::unwrap).collect().await;
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 1_200);
    assert_eq!(ids.len(), 1_200);
    let all: Vec<_> = store.all().map(Result::unwrap).collect().await;
    assert_eq!(all.len(), 1_200);
    assert_eq!(
        all.iter().map(|(id, _)| id).collect::<HashSet<_>>(),
        ids.iter().collect()
    );
    for (_, record) in &all {
        assert_eq!(record.json(), text.json());
        assert!(record.expires().is_some());
    }
    store.clear().await.unwrap();
    assert_eq!(store.length().await.unwrap(), 0);
    let left: Vec<String> = ask(&[b"KEYS", format!("{prefix}*").as_bytes()]).await;
    assert_eq!(left, Vec::<String>::new());
}

#[tokio::test]
async fn a_prefix_is_taken_literally() {
    let unique = prefix();
    for (glob, others) in [
        ("a*b:", &["aXb:", "ab:"][..]),
        ("a?b:", &["aXb:"]),
        ("[ab]:", &["a:", "b:"]),
        ("[^x]:", &["a:"]),
        (r"\a:", &["a:"]),
    ] {
        let of = |prefix: &str| format!("{unique}{prefix}");
        let store = store(&of(glob)).await;
        store.set(&id("mine"), &record("a", HOUR)).await.unwrap();
        for other in others {
            let key = of(other) + "foreign";
            let _: () = ask(&[b"SET", key.as_bytes(), b"foreign"]).await;
        }
        assert_eq!(store.length().await.unwrap(), 1, "{glob}");
        let ids: Vec<_> = store.ids().map(Result::unwrap).collect().await;
        assert_eq!(ids, [id("mine")], "{glob}");
        store.clear().await.unwrap();
        assert!(store.get(&id("mine")).await.unwrap().is_none(), "{glob}");
        for other in others {
            let key = of(other) + "foreign";
            let there: bool = ask(&[b"EXISTS", key.as_bytes()]).await;
            assert!(there, "{glob} took {other}");
        }
    }
}

#[tokio::test]
async fn what_is_no_session_is_left_alone_and_what_is_broken_stops_nothing() {
    let prefix = prefix();
    let store = store(&prefix).await;
    store.set(&id("good"), &record("a", HOUR)).await.unwrap();
    let (list, bare) = (format!("{prefix}list"), prefix.clone());
    let broken = format!("{prefix}broken");
    let odd = [prefix.as_bytes(), b"\xff"].concat();
    let _: () = ask(&[b"RPUSH", list.as_bytes(), b"x"]).await;
    let _: () = ask(&[b"SET", bare.as_bytes(), b"x"]).await;
    let _: () = ask(&[b"SET", broken.as_bytes(), b"{"]).await;
    let _: () = ask(&[b"SET", &odd, record("a", HOUR).json().as_bytes()]).await;

    let (good, bad): (Vec<_>, Vec<_>) = store
        .all()
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .partition(Result::is_ok);
    assert_eq!((good.len(), bad.len()), (1, 2));
    for error in bad {
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Decode);
    }
    let ids: Vec<_> = store.ids().collect().await;
    assert_eq!(ids.iter().filter(|id| id.is_ok()).count(), 2);
    assert_eq!(ids.len(), 3);

    store.clear().await.unwrap();
    for (key, there) in [
        (list.as_bytes(), true),
        (bare.as_bytes(), true),
        (broken.as_bytes(), false),
        (&odd, false),
    ] {
        let found: bool = ask(&[b"EXISTS", key]).await;
        assert_eq!(found, there);
    }
}

#[tokio::test]
async fn an_error_ends_the_stream() {
    let proxy = session_conformance::Proxy::start(server().address()).unwrap();
    let store = RedisStore::builder().prefix(prefix());
    let store = store.connect(&server().url_at(proxy.address())).await;
    let store = store.unwrap();
    proxy.cut();
    let items: Vec<_> = store.all().collect().await;
    assert_eq!(items.len(), 1);
    let error = items.into_iter().next().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(error.operation(), "all");
}
