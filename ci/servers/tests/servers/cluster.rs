//! Several servers that act as one.

use test_servers::{Kind, Server};

use crate::support::{listens, redis, start, until};

#[test]
fn a_cluster_serves_and_replaces_a_master_that_is_killed() {
    let server = start(Kind::RedisCluster);
    assert_eq!(server.urls().len(), 6);
    let [first, second, ..] = server.nodes() else {
        panic!("a cluster has nodes");
    };
    let info = || redis(second.address(), server.password(), "CLUSTER INFO");
    assert!(info().contains("cluster_state:ok"));
    assert!(info().contains("cluster_slots_ok:16384"));
    first.kill().unwrap();
    until("the cluster notices", || {
        !info().contains("cluster_state:ok")
    });
    until("the cluster recovers", || {
        info().contains("cluster_state:ok")
    });
    first.restart().unwrap();
    until("the old master follows the new one", || {
        redis(first.address(), server.password(), "INFO replication").contains("role:slave")
    });
}

#[test]
fn sentinels_replace_a_master_that_is_killed() {
    let server = start(Kind::RedisSentinel);
    let node = |name: &str| {
        let found = server.nodes().iter().find(|node| node.name() == name);
        found.unwrap()
    };
    let master = || {
        let ask = format!("SENTINEL GET-MASTER-ADDR-BY-NAME {}", Server::MASTER);
        redis(server.address(), server.password(), &ask)
    };
    let port = |name: &str| format!("\r\n{}\r\n", node(name).address().port());
    assert!(master().contains(&port("master")));
    node("master").kill().unwrap();
    assert!(!listens(node("master").address()));
    until("the replica takes over", || {
        master().contains(&port("replica"))
    });
}
