//! How the suite opens the store, on each kind of server.

use std::sync::Arc;
use std::time::Duration;

use session_conformance::{Backend, Harness, Namespace, Need, NotRun, Opening, Proxy, Time};
use session_core::Capabilities;
use session_redis::RedisStore;
use test_servers::{Kind, Server};

use super::HOUR;
use super::hooks::Behind;
use super::site::{self, Through};

const BACKEND: Backend = Backend::SERVER
    .offers(Need::Undecodable)
    .offers(Need::Fault)
    .offers(Need::RoundTrips)
    .offers(Need::Foreign)
    .offers(Need::Count)
    .offers(Need::Crash)
    .offers(Need::Fixture)
    .offers(Need::Skew)
    .lacks(Need::Schema, "Redis has no schema");

const TIME: Time = Time::Real {
    resolution: Duration::from_millis(1),
    lag: Duration::from_millis(100),
};

macro_rules! harness {
    ($name:ident, $kind:expr, $text:literal) => {
        pub(crate) struct $name;

        impl Harness for $name {
            const NAME: &'static str = $text;
            const CAPABILITIES: Capabilities = RedisStore::CAPABILITIES;
            const BACKEND: Backend = BACKEND;
            const TIME: Time = TIME;

            async fn open(&self, opening: Opening) -> Result<Namespace, NotRun> {
                open($kind, opening).await
            }
        }
    };
}

harness!(SingleNode, Kind::Redis, "session-redis");
harness!(Valkey, Kind::Valkey, "session-redis on Valkey");
harness!(Tls, Kind::RedisTls, "session-redis by TLS");
harness!(Cluster, Kind::RedisCluster, "session-redis on a cluster");
harness!(Sentinel, Kind::RedisSentinel, "session-redis with Sentinel");

async fn open(kind: Kind, opening: Opening) -> Result<Namespace, NotRun> {
    let server = Server::shared(kind).map_err(NotRun::because)?;
    // A prefix that matches more than itself wherever it is taken for a pattern.
    let prefix = format!("{}[a-c]*?:", opening.namespace);
    let mut builder = site::builder(site::ca_file(server))
        .prefix(&prefix)
        .clock(opening.clock)
        // The suite counts round trips.
        .trust_idle(HOUR)
        .scan_count(100);
    let mut doors = site::doors(server).await?;
    let mut sentinels = None;
    if kind == Kind::RedisSentinel {
        let entries = site::entries(server);
        doors.retain(|door| !entries.contains(door));
        sentinels = Some(Arc::new(Proxy::start_all(entries)?));
    }
    let proxy = Arc::new(Proxy::start_all(doors)?);
    let url = match kind {
        Kind::RedisCluster | Kind::RedisSentinel => {
            let proxies = [&proxy].into_iter().chain(&sentinels);
            builder = builder.resolver(Through(proxies.cloned().collect()));
            site::url(server)
        }
        _ => server.url_at(proxy.address()),
    };
    let first = builder.clone().connect(&url).await?;
    let second = builder.connect(&url).await?;
    Ok(Namespace::new(first, second)
        .with_secret(server.password())
        .with_secret(&url)
        .with_hooks(Behind {
            server,
            proxy,
            sentinels,
            namespace: opening.namespace,
            prefix,
        }))
}
