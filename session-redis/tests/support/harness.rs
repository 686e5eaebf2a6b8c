//! How the suite opens the store.

use std::time::Duration;

use session_conformance::{Backend, Harness, Namespace, Need, NotRun, Opening, Proxy, Time};
use session_core::Capabilities;
use session_redis::RedisStore;

use super::hooks::Behind;
use super::server::Server;

pub(crate) struct SingleNode;

impl Harness for SingleNode {
    const NAME: &'static str = "session-redis";
    const CAPABILITIES: Capabilities = RedisStore::CAPABILITIES;
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

    async fn open(&self, opening: Opening) -> Result<Namespace, NotRun> {
        let server = Server::shared().map_err(NotRun::because)?;
        let proxy = Proxy::start(server.address())?;
        let url = server.url_at(proxy.address());
        // A prefix that matches more than itself wherever it is taken for a pattern.
        let prefix = format!("{}[a-c]*?:", opening.namespace);
        let builder = RedisStore::builder()
            .prefix(&prefix)
            .clock(opening.clock)
            .scan_count(100);
        let first = builder.clone().connect(&url).await?;
        let second = builder.connect(&url).await?;
        Ok(Namespace::new(first, second)
            .with_secret(server.password())
            .with_secret(&url)
            .with_hooks(Behind {
                server,
                proxy,
                namespace: opening.namespace,
                prefix,
            }))
    }
}
