//! A network that forgets connections while nobody uses them: nothing is closed, nothing arrives.

use std::sync::Arc;
use std::time::Duration;

use session_conformance::Proxy;
use session_core::{Created, Replaced, Store, Touched};
use session_redis::{RedisStore, RedisStoreBuilder};
use test_servers::{Kind, Server};

use crate::support::site::Through;
use crate::{HOUR, builder, cookie, id, record, server, shared, site};

/// An answer that is waited for in vain is a failure, not a delay.
fn waiting(proxy: &Arc<Proxy>) -> RedisStoreBuilder {
    builder()
        .connect_timeout(Duration::from_secs(60))
        .response_timeout(Duration::from_secs(30))
        .resolver(Through(vec![Arc::clone(proxy)]))
}

async fn proxy_of(server: &Server) -> Arc<Proxy> {
    let doors = site::doors(server).await.unwrap();
    Arc::new(Proxy::start_all(doors).unwrap())
}

/// Every operation, each as the first one on connections that are forgotten.
async fn is_never_noticed(proxy: &Proxy, store: &RedisStore) {
    let (a, old, new) = (id("a"), record("old", HOUR), record("new", HOUR));
    proxy.freeze();
    store.set(&a, &old).await.unwrap();
    proxy.freeze();
    assert!(store.get(&a).await.unwrap().is_some());
    proxy.freeze();
    assert_eq!(store.create(&a, &new).await.unwrap(), Created::Exists);
    proxy.freeze();
    let replaced = store.replace(&a, &old, &new).await.unwrap();
    assert_eq!(replaced, Replaced::Replaced);
    proxy.freeze();
    let touched = store.touch(&a, &cookie(HOUR)).await.unwrap();
    assert_eq!(touched, Touched::Touched);
    proxy.freeze();
    assert_eq!(store.length().await.unwrap(), 1);
    proxy.freeze();
    store.destroy(&a).await.unwrap();
    proxy.freeze();
    store.clear().await.unwrap();
}

#[tokio::test]
async fn a_forgotten_connection_to_a_server_costs_no_operation() {
    for protocol in ["", "?protocol=2"] {
        let proxy = proxy_of(server()).await;
        let store = waiting(&proxy).trust_idle(Duration::ZERO);
        let url = server().url() + protocol;
        is_never_noticed(&proxy, &store.connect(&url).await.unwrap()).await;
    }
}

#[cfg(feature = "cluster")]
#[tokio::test]
async fn forgotten_connections_to_a_cluster_cost_no_operation() {
    let server = shared(Kind::RedisCluster);
    let proxy = proxy_of(server).await;
    let store = waiting(&proxy).trust_idle(Duration::ZERO);
    let store = store.connect(&site::url(server)).await.unwrap();
    is_never_noticed(&proxy, &store).await;
}

#[cfg(feature = "sentinel")]
#[tokio::test]
async fn a_forgotten_connection_to_a_sentinels_master_costs_no_operation() {
    let server = shared(Kind::RedisSentinel);
    let proxy = proxy_of(server).await;
    let store = waiting(&proxy).trust_idle(Duration::ZERO);
    let store = store.connect(&site::url(server)).await.unwrap();
    is_never_noticed(&proxy, &store).await;
}

#[tokio::test]
async fn a_connection_is_asked_only_after_it_was_idle() {
    let proxy = proxy_of(server()).await;
    let mut trips = Vec::new();
    for trust in [HOUR, Duration::ZERO] {
        let store = waiting(&proxy).trust_idle(trust);
        let store = store.connect(&server().url()).await.unwrap();
        let before = proxy.round_trips();
        store.get(&id("a")).await.unwrap();
        trips.push(proxy.round_trips() - before);
    }
    assert!(trips[0] == 1 && trips[1] > 1, "{trips:?}");
}
