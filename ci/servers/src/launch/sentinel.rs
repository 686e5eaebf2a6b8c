//! A Redis master and its replica, watched by three sentinels.

use super::redis::{Group, IN_MEMORY, lines};
use super::resp::Link;
use super::{Failure, Launched, free_ports, until};
use crate::{Kind, Server};

const SENTINELS: usize = 3;

pub(crate) fn launch(settings: &[(&str, &str)]) -> Result<Launched, Failure> {
    let group = Group::new("redis-server")?;
    let ports = free_ports::<{ SENTINELS + 2 }>()?;
    let [master, replica, sentinels @ ..] = ports;
    let mut data = Vec::new();
    for (name, port) in [("master", master), ("replica", replica)] {
        let mut lines = lines(&IN_MEMORY, settings);
        lines.extend([
            format!("port {port}"),
            format!("masterauth {}", group.password),
            "repl-diskless-sync yes".into(),
            "repl-diskless-sync-delay 0".into(),
        ]);
        if name == "replica" {
            lines.push(format!("replicaof 127.0.0.1 {master}"));
        }
        data.push(group.start(name, port, &lines)?);
    }
    let mut link = Link::connect(&group.socket("replica"), &group.password)?;
    until("the replica's first copy", || {
        Ok(link
            .ask(&["INFO", "replication"])?
            .contains("master_link_status:up"))
    })?;

    let (watched, password) = (Server::MASTER, &group.password);
    let mut nodes = Vec::new();
    for (index, port) in sentinels.iter().enumerate() {
        let lines = [
            format!("port {port}"),
            format!("sentinel sentinel-pass {password}"),
            format!("sentinel monitor {watched} 127.0.0.1 {master} 2"),
            format!("sentinel auth-pass {watched} {password}"),
            // Short, because tests wait for a failover; not so short that a busy machine makes one.
            format!("sentinel down-after-milliseconds {watched} 2000"),
            format!("sentinel failover-timeout {watched} 6000"),
        ];
        let name = format!("sentinel{index}");
        let node = group.define(&name, *port, &lines, &["--sentinel"])?;
        node.wait(group.guard.start(&name)?)?;
        nodes.push(node);
    }
    for node in &nodes {
        let mut link = Link::connect(&group.socket(&node.name), &group.password)?;
        let all = format!("name={watched},status=ok,");
        let counts = format!(",slaves=1,sentinels={SENTINELS}");
        until("the sentinels' meeting", || {
            let info = link.ask(&["INFO", "sentinel"])?;
            Ok(info.contains(&all) && info.contains(&counts))
        })?;
    }
    nodes.extend(data);
    Ok(group.launched(Kind::RedisSentinel, nodes, SENTINELS))
}
