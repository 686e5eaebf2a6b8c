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

struct Write {
    id: SessionId,
    began: Instant,
    confirmed: bool,
}

/// Writes until the end, one session after the other.
async fn write(store: &RedisStore, writer: usize, end: &AtomicBool) -> Vec<Write> {
    let mut writes = Vec::new();
    for number in 0.. {
        if end.load(Ordering::SeqCst) {
            break;
        }
        let (id, began) = (id(&format!("{writer} {number}")), Instant::now());
        let confirmed = store.create(&id, &record("a", HOUR)).await.is_ok();
        writes.push(Write {
            id,
            began,
            confirmed,
        });
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    writes
}

/// The writes that were refused, and those that were confirmed and are not there, after `failover`
/// has told when they had to go to the new master.
async fn failed(
    store: &RedisStore,
    failover: impl Future<Output = Instant>,
) -> (Vec<Write>, Instant) {
    let end = AtomicBool::new(false);
    let writers = (0..WRITERS).map(|writer| write(store, writer, &end));
    let writers = futures_util::future::join_all(writers);
    let failover = async {
        let known = failover.await;
        end.store(true, Ordering::SeqCst);
        known
    };
    let (results, known) = futures_util::future::join(writers, failover).await;
    let writes: Vec<_> = results.into_iter().flatten().collect();
    let all = writes.len();
    let failed = stream::iter(writes)
        .map(async |write| {
            let lost = write.confirmed && store.get(&write.id).await.unwrap().is_none();
            (lost || !write.confirmed).then_some(write)
        })
        .buffer_unordered(64)
        .filter_map(async |failed| failed);
    let failed: Vec<_> = failed.collect().await;
    let lost = failed.iter().filter(|write| write.confirmed).count();
    #[allow(clippy::print_stdout, reason = "the numbers of the README")]
    {
        println!("of {all}, {} refused, {lost} lost", failed.len() - lost);
    }
    (failed, known)
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
async fn is_heard_of(protocol: &str, setting: &str) {
    let server = private(Kind::RedisSentinel);
    let url = site::url(&server) + protocol;
    let patient = builder().connect_timeout(Duration::from_secs(60));
    let store = patient.connect(&url).await.unwrap();
    let mut master = site::admin(&server).await.unwrap();
    let _: String = master.ask(&site::words(setting)).await.unwrap();
    let (failed, known) = failed(&store, fail_over_by_sentinel(&server)).await;
    let late = failed.iter().filter(|write| write.began > known + NOTICE);
    assert_eq!(late.count(), 0, "of {}", failed.len());
}

const ALONE: &str = "CONFIG SET min-replicas-to-write 0";

#[cfg(feature = "sentinel")]
#[tokio::test]
async fn a_master_that_the_sentinels_have_announced_is_written_to() {
    is_heard_of("", ALONE).await;
}

/// By the old protocol, nobody tells; the Sentinels are asked.
#[cfg(feature = "sentinel")]
#[tokio::test]
async fn a_master_that_the_sentinels_name_is_written_to() {
    is_heard_of("?protocol=2", ALONE).await;
}

/// The old master notices that its replica has gone, and refuses what would be lost.
#[cfg(feature = "sentinel")]
#[tokio::test]
async fn a_master_that_refuses_to_write_alone_is_doubted() {
    is_heard_of("?protocol=2", "CONFIG SET min-replicas-to-write 1").await;
}

/// Ends when the replica has taken over, and its old master follows it.
#[cfg(feature = "cluster")]
async fn fail_over_by_hand(server: &Server, words: &str) -> Instant {
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut replica = connection(&server.url_at(server.nodes()[3].address())).await;
    let role: (String, String, u16) = {
        let role: Vec<Value> = ask(&mut replica, "ROLE").await;
        redis::from_redis_value(Value::Array(role[..3].to_vec())).unwrap()
    };
    let mut nodes = server.nodes().iter().map(|node| node.address());
    let old = nodes.find(|node| node.port() == role.2).unwrap();
    // On a busy machine it may take too long, and is given up by the servers.
    while !is_master(&mut replica).await {
        let _: redis::RedisResult<String> = site::words(words).query_async(&mut replica).await;
        for _ in 0..100 {
            if is_master(&mut replica).await {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let known = Instant::now();
    until(async || !is_master(&mut connection(&server.url_at(old)).await).await).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    known
}

/// The servers see to it: the master stops writing until its replica has everything and takes over.
#[cfg(feature = "cluster")]
#[tokio::test]
async fn a_failover_of_a_cluster_by_hand_loses_nothing() {
    let server = private(Kind::RedisCluster);
    let patient = builder().connect_timeout(Duration::from_secs(60));
    let store = patient.connect(&site::url(&server)).await.unwrap();
    let (failed, _) = failed(&store, fail_over_by_hand(&server, "CLUSTER FAILOVER")).await;
    assert_eq!(failed.iter().filter(|write| write.confirmed).count(), 0);
}

/// Nobody waits for anybody here; the old master learns of it by a message.
#[cfg(feature = "cluster")]
#[tokio::test]
async fn a_takeover_in_a_cluster_is_heard_of() {
    let server = private(Kind::RedisCluster);
    let patient = builder().connect_timeout(Duration::from_secs(60));
    let store = patient.connect(&site::url(&server)).await.unwrap();
    let failover = fail_over_by_hand(&server, "CLUSTER FAILOVER TAKEOVER");
    let (failed, known) = failed(&store, failover).await;
    let late = failed.iter().filter(|write| write.began > known + NOTICE);
    assert_eq!(late.count(), 0, "of {}", failed.len());
}
