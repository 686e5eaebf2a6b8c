//! Users whom the server does not allow all that the store needs.

use session_core::{ErrorKind, Store};
use session_redis::RedisStore;
use test_servers::{Kind, Server};

use crate::{HOUR, id, private, record, site, texts};

/// Gives the user `shop` these permissions and no others, on every node that has keys.
async fn allow(server: &Server, rules: &str) {
    let nodes = server.nodes().iter();
    for node in nodes.filter(|node| !node.name().starts_with("sentinel")) {
        let client = redis::Client::open(server.url_at(node.address())).unwrap();
        let mut node = client.get_multiplexed_async_connection().await.unwrap();
        let command = site::words(&format!("ACL SETUSER shop reset on >hunter2 {rules}"));
        let _: String = command.query_async(&mut node).await.unwrap();
    }
}

fn url(server: &Server) -> String {
    let login = format!(":{}@", server.password());
    site::url(server).replace(&login, "shop:hunter2@")
}

/// As the README says.
const ALL: &str = "~shop:* +get +set +pttl +pexpire +persist +exists +unlink +scan +eval +evalsha";

fn builder() -> session_redis::RedisStoreBuilder {
    RedisStore::builder().prefix("shop:").ttl(None)
}

#[tokio::test]
async fn what_a_user_may_not_do_is_said_when_the_store_connects() {
    let server = private(Kind::Redis);
    allow(&server, ALL).await;
    let before = builder().connect(&url(&server)).await.unwrap();
    before.set(&id("a"), &record("a", HOUR)).await.unwrap();
    assert_eq!(before.length().await.unwrap(), 1);
    for command in [
        "get", "set", "pttl", "exists", "unlink", "persist", "pexpire", "eval", "evalsha", "scan",
    ] {
        allow(&server, &format!("{ALL} -{command}")).await;
        refused(&server, &format!("+{command}")).await;
    }
    allow(&server, &format!("{ALL} -@scripting")).await;
    refused(&server, "+eval +evalsha").await;
    for keys in ["~other:*", "%R~shop:*", "%W~shop:*", "~shop:"] {
        allow(&server, &ALL.replace("~shop:*", keys)).await;
        refused(&server, "~shop:*").await;
    }
    allow(&server, ALL).await;
    let store = builder().trust_idle(std::time::Duration::ZERO);
    let store = store.connect(&url(&server)).await.unwrap();
    // It may not PING, and is answered.
    assert!(store.get(&id("a")).await.unwrap().is_some());
    // The store has left nothing.
    assert_eq!(before.length().await.unwrap(), 1);
}

async fn refused(server: &Server, grants: &str) {
    let error = builder().connect(&url(server)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{grants}: {error:?}");
    let texts = texts(&error);
    assert!(
        error.to_string().ends_with(&format!(": {grants}")),
        "{grants}: {texts}"
    );
    for secret in ["hunter2", "127.0.0.1", server.password()] {
        assert!(!texts.contains(secret), "{texts}");
    }
}

#[tokio::test]
async fn a_store_that_connects_later_says_it_with_the_operation() {
    let server = private(Kind::Redis);
    allow(&server, &format!("{ALL} -evalsha")).await;
    let store = builder().connect_lazily(&url(&server)).unwrap();
    let (old, new) = (record("old", HOUR), record("new", HOUR));
    store.set(&id("a"), &old).await.unwrap();
    let error = store.replace(&id("a"), &old, &new).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    assert!(error.to_string().contains("+evalsha"), "{error}");
}

#[cfg(feature = "cluster")]
#[tokio::test]
async fn every_master_of_a_cluster_is_asked() {
    let server = private(Kind::RedisCluster);
    let all = format!("{ALL} +cluster|slots +asking");
    allow(&server, &all).await;
    builder().connect(&url(&server)).await.unwrap();
    for command in ["cluster|slots", "asking"] {
        allow(&server, &format!("{all} -{command}")).await;
        refused(&server, &format!("+{command}")).await;
    }
    allow(&server, &all).await;
    let client = redis::Client::open(server.url_at(server.nodes()[2].address())).unwrap();
    let mut third = client.get_multiplexed_async_connection().await.unwrap();
    let command = site::words("ACL SETUSER shop -evalsha");
    let _: String = command.query_async(&mut third).await.unwrap();
    refused(&server, "+evalsha").await;
}

#[cfg(feature = "sentinel")]
#[tokio::test]
async fn the_master_and_the_sentinels_have_rules_of_their_own() {
    let server = private(Kind::RedisSentinel);
    let all = format!("{ALL} +role");
    allow(&server, &all).await;
    let url = |query: &str| format!("{}?{query}", url(&server));
    let sentinels = format!("sentinel_pass={}", server.password());
    builder().connect(&url(&sentinels)).await.unwrap();
    for (rules, grants) in [(ALL, "+role"), (&format!("{all} -evalsha"), "+evalsha")] {
        allow(&server, rules).await;
        let error = builder().connect(&url(&sentinels)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
        assert!(error.to_string().ends_with(grants), "{error}");
    }
}
