//! A master that Sentinels watch: failover, and bad input.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use session_core::{ErrorKind, Replaced, Store};
use test_servers::{Kind, Server};

use crate::{HOUR, builder, id, private, record, shared, site, texts};

#[tokio::test]
async fn a_master_that_dies_is_waited_for_within_bounds_and_replaced() {
    let server = private(Kind::RedisSentinel);
    let url = site::url(&server);
    let patient = builder().connect_timeout(Duration::from_secs(60));
    let patient = patient.connect(&url).await.unwrap();
    let hasty = builder().connect_timeout(Duration::from_secs(2));
    let hasty = hasty.connect(&url).await.unwrap();
    let (old, new) = (record("old", HOUR), record("new", HOUR));
    for name in ["kept", "changed", "destroyed"] {
        patient.set(&id(name), &old).await.unwrap();
    }
    let mut admin = site::admin(&server).await.unwrap();
    let mut wait = redis::cmd("WAIT");
    let copies: u64 = admin.ask(wait.arg(1).arg(5_000)).await.unwrap();
    assert_eq!(copies, 1);
    let nodes = server.nodes();
    let master = nodes.iter().find(|node| node.name() == "master").unwrap();
    master.kill().unwrap();

    let started = Instant::now();
    if let Err(error) = hasty.get(&id("kept")).await {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    }
    assert!(started.elapsed() < Duration::from_secs(10));
    // The connection was lost with the master: this one is made anew, and waits for the failover.
    let found = patient.get(&id("kept")).await.unwrap().unwrap();
    assert_eq!(found.json(), old.json());
    let replaced = patient.replace(&id("changed"), &old, &new).await.unwrap();
    assert_eq!(replaced, Replaced::Replaced);
    patient.destroy(&id("destroyed")).await.unwrap();

    // The old master comes back as a replica of the new one, and brings nothing back.
    master.restart().unwrap();
    let late = builder().connect(&url).await.unwrap();
    for store in [&patient, &hasty, &late] {
        store.set(&id("after"), &old).await.unwrap();
        assert!(store.get(&id("after")).await.unwrap().is_some());
        assert!(store.get(&id("destroyed")).await.unwrap().is_none());
    }
}

/// Its host vanishes without a word: whoever connects to it waits for an answer in vain.
#[tokio::test]
async fn a_master_that_falls_silent_is_replaced_long_before_the_time_is_over() {
    let server = private(Kind::RedisSentinel);
    let url = site::url(&server);
    let patient = || {
        builder()
            .connect_timeout(Duration::from_secs(60))
            .response_timeout(Duration::from_millis(500))
    };
    let store = patient().connect(&url).await.unwrap();
    store.set(&id("a"), &record("a", HOUR)).await.unwrap();
    let nodes = server.nodes();
    let master = nodes.iter().find(|node| node.name() == "master").unwrap();
    master.pause().unwrap();

    let started = Instant::now();
    // The connection that there was is given up with the answer that does not come.
    let error = store.get(&id("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
    store.set(&id("b"), &record("b", HOUR)).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(30));

    let late = patient().connect(&url).await.unwrap();
    late.set(&id("b"), &record("b", HOUR)).await.unwrap();
    master.resume().unwrap();
    assert!(store.get(&id("b")).await.unwrap().is_some());
}

/// A Sentinel that has slept through a failover names a master that answers nobody. The others know
/// better, and are heard in time.
#[tokio::test]
async fn a_sentinel_that_is_behind_keeps_nobody_from_the_master() {
    let server = private(Kind::RedisSentinel);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = redis::Client::open(server.urls()[0].as_str()).unwrap();
    let mut sentinel = client.get_multiplexed_async_connection().await.unwrap();
    let port = silent.local_addr().unwrap().port();
    for words in [
        format!("SENTINEL REMOVE {}", Server::MASTER),
        format!("SENTINEL MONITOR {} 127.0.0.1 {port} 2", Server::MASTER),
    ] {
        let command = site::words(&words);
        let () = command.query_async(&mut sentinel).await.unwrap();
    }
    // Whoever answers first differs from time to time.
    for _ in 0..10 {
        let limited = builder().connect_timeout(Duration::from_secs(20));
        let started = Instant::now();
        limited.connect(&site::url(&server)).await.unwrap();
        assert!(started.elapsed() < Duration::from_secs(10));
    }
}

#[tokio::test]
async fn a_sentinel_of_the_url_that_is_dead_does_no_harm() {
    let server = shared(Kind::RedisSentinel);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let mut urls = vec![server.url_at(nobody.unwrap())];
    urls.extend(server.urls());
    let url = site::url_of(Kind::RedisSentinel, &urls);
    let store = builder().connect(&url).await.unwrap();
    store.set(&id("a"), &record("a", HOUR)).await.unwrap();
    assert!(store.get(&id("a")).await.unwrap().is_some());
}

#[tokio::test]
async fn sentinels_may_have_a_login_of_their_own() {
    let server = shared(Kind::RedisSentinel);
    let login = |query: &str| format!("{}{query}", site::url(server));
    let own = login(&format!("?sentinel_pass={}", server.password()));
    builder().connect(&own).await.unwrap();
    for query in ["?sentinel_pass=hunter2", "?sentinel_pass="] {
        let error = builder().connect(&login(query)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{query}: {error:?}");
        assert!(error.to_string().contains("password"), "{error}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_url_is_said_without_it() {
    let server = shared(Kind::RedisSentinel);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let nobody = server.url_with(nobody.unwrap(), "hunter2");
    let wrong = server.url_with(server.address(), "hunter2");
    let of = |url: String| site::url_of(Kind::RedisSentinel, &[url]);
    let unknown = site::url(server).replace(Server::MASTER, "no-such-service");
    for (url, kind, word) in [
        (of(nobody), ErrorKind::Unavailable, "connected"),
        (of(wrong), ErrorKind::Config, "password"),
        (of(shared(Kind::Redis).url()), ErrorKind::Config, "Sentinel"),
        (unknown, ErrorKind::Config, "master of this name"),
    ] {
        let started = Instant::now();
        let error = builder().connect(&url).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(started.elapsed() < Duration::from_secs(3));
        let texts = texts(&error);
        assert!(texts.contains(word), "{texts}");
        for secret in ["hunter2", "127.0.0.1", "no-such", server.password()] {
            assert!(!texts.contains(secret), "{texts}");
        }
    }
}
