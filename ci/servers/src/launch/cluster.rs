//! Redis Cluster: three masters, and a replica of each.

use super::redis::{Group, IN_MEMORY, lines};
use super::resp::Link;
use super::{Failure, Launched, free_port_pairs, until};
use crate::Kind;

const NODES: usize = 6;
const MASTERS: usize = 3;
const SLOTS: usize = 16_384;

pub(crate) fn launch(settings: &[(&str, &str)]) -> Result<Launched, Failure> {
    let group = Group::new("redis-server")?;
    let ports: [u16; NODES] = free_port_pairs()?;
    let mut nodes = Vec::new();
    for (index, port) in ports.iter().enumerate() {
        let mut lines = lines(&IN_MEMORY, settings);
        lines.extend([
            format!("port {port}"),
            "cluster-enabled yes".into(),
            "cluster-config-file nodes.conf".into(),
            // Short, because tests wait for a failover; not so short that a busy machine makes one.
            "cluster-node-timeout 2000".into(),
            "cluster-replica-validity-factor 0".into(),
            format!("masterauth {}", group.password),
            "repl-diskless-sync yes".into(),
            "repl-diskless-sync-delay 0".into(),
        ]);
        nodes.push(group.start(&format!("node{index}"), *port, &lines)?);
    }

    let mut links = Vec::new();
    for node in &nodes {
        links.push(Link::connect(&group.socket(&node.name), &group.password)?);
    }
    let mut ids = Vec::new();
    for (index, link) in links.iter_mut().enumerate() {
        ids.push(link.ask(&["CLUSTER", "MYID"])?);
        link.ask(&["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()])?;
        if index < MASTERS {
            // ADDSLOTSRANGE is younger than 6.2.
            let slots = index * SLOTS / MASTERS..(index + 1) * SLOTS / MASTERS;
            let slots: Vec<_> = slots.map(|slot| slot.to_string()).collect();
            let mut words = vec!["CLUSTER", "ADDSLOTS"];
            words.extend(slots.iter().map(String::as_str));
            link.ask(&words)?;
        }
    }
    for port in &ports[1..] {
        links[0].ask(&["CLUSTER", "MEET", "127.0.0.1", &port.to_string()])?;
    }
    until("the cluster's meeting", || {
        let knows_all = format!("cluster_known_nodes:{NODES}");
        all(&mut links, &["CLUSTER", "INFO"], |info| {
            info.contains(&knows_all)
        })
    })?;
    for (link, id) in links[MASTERS..].iter_mut().zip(&ids) {
        link.ask(&["CLUSTER", "REPLICATE", id])?;
    }
    until("the cluster's start", || {
        let serves = all(&mut links, &["CLUSTER", "INFO"], |info| {
            info.contains("cluster_state:ok")
        })?;
        // Every node has to know every replica, or a failover would have nobody to turn to.
        let sees_replicas = all(&mut links, &["CLUSTER", "NODES"], |nodes| {
            nodes.matches(" slave ").count() + nodes.matches("myself,slave ").count()
                == NODES - MASTERS
        })?;
        let replicated = all(&mut links[MASTERS..], &["INFO", "replication"], |info| {
            info.contains("master_link_status:up")
        })?;
        Ok(serves && sees_replicas && replicated)
    })?;
    Ok(group.launched(Kind::RedisCluster, nodes, NODES))
}

fn all(links: &mut [Link], ask: &[&str], holds: impl Fn(&str) -> bool) -> std::io::Result<bool> {
    for link in links {
        if !holds(&link.ask(ask)?) {
            return Ok(false);
        }
    }
    Ok(true)
}
