//! Bad input and bad servers: an error of the right kind, without a secret in it.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use session_core::{ErrorKind, Store};
use session_redis::RedisStore;

use test_servers::Kind;

use crate::{HOUR, ask, builder, cookie, id, prefix, private, record, server, site, texts};

#[tokio::test]
async fn a_wrong_password_is_a_config_error() {
    if server().password().is_empty() {
        panic!("SESSION_TEST_REDIS_URL must name a server with a password");
    }
    let address = server().address();
    for (url, what) in [
        (server().url_with(address, "hunter2"), "wrong"),
        (format!("redis://{address}"), "none"),
        (format!("redis://hunter2:hunter2@{address}"), "unknown user"),
        (
            format!("redis://:hunter2@{address}/?protocol=2"),
            "wrong, old protocol",
        ),
    ] {
        let error = builder().connect(&url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{what}: {error:?}");
        let texts = texts(&error);
        assert!(texts.contains("password"), "{texts}");
        for secret in ["hunter2", &address.to_string()] {
            assert!(!texts.contains(secret), "{texts}");
        }

        // A store that connects later says so with the first operation.
        let store = builder().connect_lazily(&url).unwrap();
        let error = store.get(&id("a")).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.operation()),
            (ErrorKind::Config, "get")
        );
    }
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_unavailable() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    for url in [
        format!("redis://:hunter2@{}", nobody.unwrap()),
        "redis://:hunter2@no-such-host.invalid".into(),
        "unix:///no/such/socket?pass=hunter2".into(),
    ] {
        let error = RedisStore::connect(&url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        assert_eq!(error.operation(), "connect");
        let texts = texts(&error);
        for secret in ["hunter2", "no-such", "127.0.0.1"] {
            assert!(!texts.contains(secret), "{texts}");
        }
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_waited_for_as_long_as_was_said() {
    // Connections are accepted by the system, and nobody ever reads them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", silent.local_addr().unwrap());
    let started = Instant::now();
    let limited = builder().connect_timeout(Duration::from_millis(50));
    let error = limited.connect(&url).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn a_url_of_another_scheme_is_a_config_error() {
    for url in ["postgres://u:hunter2@localhost/db", "localhost:6379", ""] {
        let error = RedisStore::connect(url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("redis://"), "{error}");
        assert!(!texts(&error).contains("hunter2"));
    }
}

#[tokio::test]
async fn a_database_that_is_not_there_is_a_config_error() {
    let url = server().url();
    let (before, _) = url.rsplit_once('/').unwrap();
    let error = builder()
        .connect(&format!("{before}/99999"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    assert!(error.to_string().contains("database"), "{error}");
    assert!(!texts(&error).contains("99999"));
}

#[tokio::test]
async fn a_server_that_is_full_or_no_redis_server_says_so() {
    use std::io::{Read, Write};
    for (answer, kind, word) in [
        // A full server says one thing and hangs up; another answers each word of the greeting.
        (
            "-ERR max number of clients reached\r\n".into(),
            ErrorKind::Unavailable,
            "connected",
        ),
        (
            "-LOADING Redis is loading hunter2\r\n".repeat(3),
            ErrorKind::Unavailable,
            "connected",
        ),
        (
            "HTTP/1.1 400 hunter2\r\n\r\n".into(),
            ErrorKind::Config,
            "Redis server?",
        ),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            let _ = client.read(&mut [0; 1_024]).unwrap();
            client.write_all(answer.as_bytes()).unwrap();
        });
        let error = RedisStore::connect(&url).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
        let texts = texts(&error);
        assert!(texts.contains(word), "{texts}");
        assert!(!texts.contains("hunter2"), "{texts}");
        server.join().unwrap();
    }
}

#[tokio::test]
async fn a_key_of_another_type_cannot_be_decoded_and_stays() {
    let prefix = prefix();
    let store = RedisStore::builder().prefix(&prefix);
    let store = store.connect(&server().url()).await.unwrap();
    let key = format!("{prefix}list");
    let _: () = ask(&[b"RPUSH", key.as_bytes(), b"hunter2"]).await;
    let old = record("hunter2", HOUR);
    for error in [
        store.get(&id("list")).await.unwrap_err(),
        store.replace(&id("list"), &old, &old).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Decode, "{error:?}");
        let texts = texts(&error);
        assert!(texts.contains("WRONGTYPE"), "{texts}");
        assert!(
            !texts.contains("hunter2") && !texts.contains(&prefix),
            "{texts}"
        );
    }
    let kind: String = ask(&[b"TYPE", key.as_bytes()]).await;
    assert_eq!(kind, "list");
    store.destroy(&id("list")).await.unwrap();
    assert!(store.get(&id("list")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_value_that_is_no_record_cannot_be_decoded() {
    let prefix = prefix();
    let store = RedisStore::builder().prefix(&prefix);
    let store = store.connect(&server().url()).await.unwrap();
    let key = format!("{prefix}broken");
    for value in [
        &b"\xff\xfe"[..],
        b"",
        b"null",
        b"{\"cookie\":",
        b"TOMBSTONE",
    ] {
        let _: () = ask(&[b"SET", key.as_bytes(), value]).await;
        let error = store.get(&id("broken")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode, "{value:?}");
        let left: Vec<u8> = ask(&[b"GET", key.as_bytes()]).await;
        assert_eq!(left, value);
    }
}

#[tokio::test]
async fn debug_shows_no_address_and_no_password() {
    let store = builder().connect(&server().url()).await.unwrap();
    for text in [format!("{store:?}"), format!("{:?}", builder())] {
        assert!(!text.contains(server().password()), "{text}");
        assert!(!text.contains(&server().address().to_string()), "{text}");
    }
}

#[tokio::test]
async fn a_server_that_refuses_says_why() {
    let private = private(Kind::Redis);
    let store = builder().connect(&private.url()).await.unwrap();
    let (old, new) = (record("hunter2", HOUR), record("new", HOUR));
    store.set(&id("a"), &old).await.unwrap();
    let mut admin = site::admin(&private).await.unwrap();
    for (set, back, code) in [
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "OOM"),
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "READONLY"),
        (
            "CONFIG SET min-replicas-to-write 1",
            "CONFIG SET min-replicas-to-write 0",
            "NOREPLICAS",
        ),
    ] {
        let _: String = admin.ask(&site::words(set)).await.unwrap();
        let mut errors = vec![
            store.set(&id("a"), &new).await.unwrap_err(),
            store.create(&id("b"), &new).await.unwrap_err(),
            store.replace(&id("a"), &old, &new).await.unwrap_err(),
        ];
        // A touch needs no memory.
        if code != "OOM" {
            for end in [None, Some(HOUR)] {
                errors.push(store.touch(&id("a"), &cookie(end)).await.unwrap_err());
            }
        }
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{code}: {error:?}");
            let texts = texts(&error);
            assert!(texts.contains(code), "{texts}");
            assert!(!texts.contains("hunter2"), "{texts}");
        }
        assert!(store.get(&id("a")).await.unwrap().is_some());
        let _: String = admin.ask(&site::words(back)).await.unwrap();
    }
    // A replica that has lost its master, and is told to say nothing stale.
    for text in [
        "CONFIG SET replica-serve-stale-data no",
        "REPLICAOF 127.0.0.1 1",
    ] {
        let _: String = admin.ask(&site::words(text)).await.unwrap();
    }
    let error = store.get(&id("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(texts(&error).contains("MASTERDOWN"));
}
