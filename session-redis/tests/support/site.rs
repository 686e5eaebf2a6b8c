//! Where the store's servers are, on which ways to reach them, and behind whose back.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::io::AsyncDNSResolver;
use redis::sentinel::{Sentinel, SentinelNodeConnectionInfo};
use redis::{
    AsyncConnectionConfig, Client, Cmd, FromRedisValue, Pipeline, RedisConnectionInfo, RedisFuture,
    RedisResult, Value,
};
use session_conformance::Proxy;
use session_redis::{RedisStore, RedisStoreBuilder};
use test_servers::{Kind, Server};

/// How long to wait for a server on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// The URL of all of it for the store.
pub(crate) fn url(server: &Server) -> String {
    url_of(server.kind(), &server.urls())
}

/// One URL of those of several nodes.
pub(crate) fn url_of(kind: Kind, urls: &[String]) -> String {
    let (suffix, path) = match kind {
        Kind::RedisCluster => ("+cluster", String::new()),
        Kind::RedisSentinel => ("+sentinel", format!("/{}", Server::MASTER)),
        _ => return urls[0].clone(),
    };
    let (scheme, first) = urls[0].split_once("://").unwrap();
    let (login, _) = first.split_at(first.find('@').map_or(0, |at| at + 1));
    let hosts = urls.iter().map(|url| {
        let (_, host) =
            url.split_at(url.find('@').or(url.find("//").map(|at| at + 1)).unwrap() + 1);
        host.split('/').next().unwrap()
    });
    let hosts: Vec<_> = hosts.collect();
    format!("{scheme}{suffix}://{login}{}{path}", hosts.join(","))
}

/// A builder that trusts the server's certificate, where it has one.
pub(crate) fn builder(ca_file: Option<&str>) -> RedisStoreBuilder {
    let builder = RedisStore::builder().connect_timeout(PATIENCE);
    match ca_file {
        #[cfg(feature = "tls")]
        Some(file) => builder.tls_root(std::fs::read(file).unwrap()),
        _ => builder,
    }
}

pub(crate) fn ca_file(server: &Server) -> Option<&str> {
    server.ca_file().and_then(|path| path.to_str())
}

/// The servers of the URL.
pub(crate) fn entries(server: &Server) -> Vec<SocketAddr> {
    let entries = server.urls();
    let entries = entries.iter().map(|url| {
        let client = Client::open(url.as_str()).unwrap();
        let addr = client.get_connection_info().addr().to_string();
        addr.parse().unwrap_or(server.address())
    });
    entries.collect()
}

/// Every server that the store may speak to, whatever fails.
pub(crate) async fn doors(server: &Server) -> RedisResult<Vec<SocketAddr>> {
    let mut doors = entries(server);
    let more: Vec<(String, u16)> = match server.kind() {
        Kind::RedisCluster => {
            let mut nodes = redis::cmd("CLUSTER");
            let text: String = one(&server.url()).await?.ask(nodes.arg("NODES")).await?;
            // `id host:port@bus flags ..`
            let nodes = text.lines().map(|line| line.split(' ').nth(1).unwrap());
            let nodes = nodes.map(|node| node.split('@').next().unwrap());
            let nodes = nodes.map(|node| node.rsplit_once(':').unwrap());
            nodes
                .map(|(host, port)| (host.into(), port.parse().unwrap()))
                .collect()
        }
        Kind::RedisSentinel => {
            let mut sentinel = one(&server.url()).await?;
            let mut master = redis::cmd("SENTINEL");
            master.arg("GET-MASTER-ADDR-BY-NAME").arg(Server::MASTER);
            let mut more = vec![sentinel.ask(&master).await?];
            let mut replicas = redis::cmd("SENTINEL");
            replicas.arg("REPLICAS").arg(Server::MASTER);
            let replicas: Vec<std::collections::HashMap<String, String>> =
                sentinel.ask(&replicas).await?;
            more.extend(
                replicas
                    .iter()
                    .map(|replica| (replica["ip"].clone(), replica["port"].parse().unwrap())),
            );
            more
        }
        _ => Vec::new(),
    };
    for (host, port) in more {
        let door = SocketAddr::new(host.parse().unwrap(), port);
        if !doors.contains(&door) {
            doors.push(door);
        }
    }
    Ok(doors)
}

/// Leads to these proxies whatever leads to a server behind them.
pub(crate) struct Through(pub(crate) Vec<Arc<Proxy>>);

impl AsyncDNSResolver for Through {
    fn resolve<'a, 'b: 'a>(
        &'a self,
        host: &'b str,
        port: u16,
    ) -> RedisFuture<'a, Box<dyn Iterator<Item = SocketAddr> + Send + 'a>> {
        let server = SocketAddr::new(host.parse().unwrap(), port);
        // A server that no proxy knows is none to speak to.
        let address = self.0.iter().find_map(|proxy| proxy.address_of(server));
        Box::pin(
            async move { Ok(Box::new(address.into_iter()) as Box<dyn Iterator<Item = _> + Send>) },
        )
    }
}

/// A command of words with spaces between them.
pub(crate) fn words(text: &str) -> Cmd {
    let mut command = Cmd::new();
    for word in text.split(' ') {
        command.arg(word);
    }
    command
}

/// A connection behind the store's back.
pub(crate) enum Admin {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Admin {
    pub(crate) async fn ask<T: FromRedisValue>(&mut self, command: &Cmd) -> RedisResult<T> {
        let answer: Value = match self {
            Self::One(connection) => command.query_async(connection).await?,
            Self::Cluster(connection) => command.query_async(connection).await?,
        };
        Ok(redis::from_redis_value(answer)?)
    }

    /// Sends many commands; on a cluster one by one, because their keys are in different slots.
    pub(crate) async fn ask_all<T: FromRedisValue>(&mut self, pipe: &Pipeline) -> RedisResult<T> {
        match self {
            Self::One(connection) => pipe.query_async(connection).await,
            Self::Cluster(_) => {
                let mut answers = Vec::new();
                for command in pipe.cmd_iter() {
                    answers.push(self.ask::<Value>(command).await?);
                }
                Ok(redis::from_redis_value(Value::Array(answers))?)
            }
        }
    }
}

async fn one(url: &str) -> RedisResult<Admin> {
    connect(&Client::open(url)?).await
}

async fn connect(client: &Client) -> RedisResult<Admin> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE));
    let connection = client.get_multiplexed_async_connection_with_config(&config);
    Ok(Admin::One(connection.await?))
}

pub(crate) async fn admin(server: &Server) -> RedisResult<Admin> {
    match server.kind() {
        Kind::RedisCluster => {
            let client = ClusterClient::builder(server.urls())
                .connection_timeout(PATIENCE)
                .response_timeout(PATIENCE)
                .build()?;
            Ok(Admin::Cluster(client.get_async_connection().await?))
        }
        Kind::RedisSentinel => {
            let login = RedisConnectionInfo::default().set_password(server.password());
            let login = SentinelNodeConnectionInfo::default().set_redis_connection_info(login);
            let urls = server.urls().into_iter();
            let mut sentinel = Sentinel::build(urls.collect::<Vec<_>>())?;
            let master = sentinel
                .async_master_for(Server::MASTER, Some(&login))
                .await?;
            connect(&master).await
        }
        #[cfg(feature = "tls")]
        Kind::RedisTls => {
            let certificates = redis::TlsCertificates {
                client_tls: None,
                root_cert: server.ca_file().map(|file| std::fs::read(file).unwrap()),
            };
            connect(&Client::build_with_tls(server.url(), certificates)?).await
        }
        _ => one(&server.url()).await,
    }
}
