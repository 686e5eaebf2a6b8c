//! A failover by hand, while sessions are written: what is confirmed and lost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream;
use redis::Value;
use redis::aio::MultiplexedConnection;
use session_core::{SessionId, Store};
use session_redis::RedisStore;
use test_servers::{Kind, Server};

use crate::{HOUR, builder, id, private, record, site};

/// A second, for one that is asked twice in each, and four more for a busy machine. Without being
/// told, a store writes to the old master for ten.
const NOTICE: Duration = Duration::from_secs(5);

const WRITERS: usize = 4;

/// A write that was confirmed.
struct Written {
    id: SessionId,
    began: Instant,
}

/// Writes until the end, one session after the other.
async fn write(store: &RedisStore, writer: usize, end: &AtomicBool) -> (Vec<Written>, usize) {
    let (mut written, mut failed) = (Vec::new(), 0);
    for number in 0.. {
        if end.load(Ordering::SeqCst) {
            break;
        }
        let (id, began) = (id(&format!("{writer} {number}")), Instant::now());
        match store.create(&id, &record("a", HOUR)).await {
            Ok(_) => written.push(Written { id, began }),
            Err(_) => failed += 1,
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    (written, failed)
}

/// The writes that were confirmed and are not there, after `failover` has told when they had to go
/// to the new master.
async fn lost(store: &RedisStore, failover: impl Future<Output = Instant>) -> (Vec<Written>, Instant) {
    let end = AtomicBool::new(false);
    let writers = (0..WRITERS).map(|writer| write(store, writer, &end));
    let writers = futures_util::future::join_all(writers);
    let failover = async {
        let known = failover.await;
        end.store(true, Ordering::SeqCst);
        known
    };
    let (results, known) = futures_util::future::join(writers, failover).await;
    let failed: usize = results.iter().map(|(_, failed)| failed).sum();
    let written = results.into_iter().flat_map(|(written, _)| written);
    let written: Vec<_> = written.collect();
    let confirmed = written.len();
    let lost = stream::iter(written)
        .map(async |write| {
            let found = store.get(&write.id).await.unwrap();
            found.is_none().then_some(write)
        })
        .buffer_unordered(64)
        .filter_map(async |lost| lost);
    let lost: Vec<_> = lost.collect().await;
    println!("{} of {confirmed} lost, {failed} refused", lost.len());
    (lost, known)
}

async fn connection(url: &str) -> MultiplexedConnection {
    let client = redis::Client::open(url).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

async fn ask<T: redis::FromRedisValue>(node: &mut MultiplexedConnection, words: &str) -> T {
    site::words(words).query_async(node).await.unwrap()
}

async fn is_master(node: &mut MultiplexedConnection) -> bool {
    let role: Vec<Value> = ask(node, "ROLE").await;
    role[0] == Value::BulkString(b"master".to_vec())
}

async fn until<F: Future<Output = bool>>(mut condition: impl FnMut() -> F) {
    while !condition().await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Ends when the old master has been demoted; says since when all Sentinels have named the new one.
async fn fail_over_by_sentinel(server: &Server) -> Instant {
    tokio::time::sleep(Duration::from_millis(500)).await;
    let address = |name: &str| {
        let nodes = server.nodes();
        let node = nodes.iter().find(|node| node.name() == name).unwrap();
        node.address()
    };
    let (old, new) = (address("master"), address("replica").port());
    let old = server.url_at(old);
    let mut sentinels = Vec::new();
    for url in server.urls() {
        sentinels.push(connection(&url).await);
    }
    let failover = format!("SENTINEL FAILOVER {}", Server::MASTER);
    let _: String = ask(&mut sentinels[0], &failover).await;
    let named = format!("SENTINEL GET-MASTER-ADDR-BY-NAME {}", Server::MASTER);
    for sentinel in &sentinels {
        until(async || {
            let (_, port): (String, u16) = ask(&mut sentinel.clone(), &named).await;
            port == new
        })
        .await;
    }
    let known = Instant::now();
    // Its connections are closed when it is demoted.
    until(async || !is_master(&mut connection(&old).await).await).await;
    known
}

#[cfg(feature = "sentinel")]
#[tokio::test]
async fn what_sentinels_have_announced_is_written_to_the_new_master() {
    for protocol in ["", "?protocol=2"] {
        let server = private(Kind::RedisSentinel);
        let url = site::url(&server) + protocol;
        let patient = builder().connect_timeout(Duration::from_secs(60));
        let store = patient.connect(&url).await.unwrap();
        let (lost, known) = lost(&store, fail_over_by_sentinel(&server)).await;
        let late = lost.iter().filter(|write| write.began > known + NOTICE);
        assert_eq!(late.count(), 0, "of {}", lost.len());
    }
}
