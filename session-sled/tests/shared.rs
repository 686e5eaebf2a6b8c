//! The suite with all namespaces in one database, and with the other choice of every option: a
//! flush in the background, reads on the pool.

mod support;

use std::time::Duration;

use session_conformance::{Backend, Harness, Namespace, Need, NotRun, Opening, Time, suite};
use session_core::Capabilities;
use session_sled::{Flush, Reads, SledStore};

use support::database::Database;
use support::hooks::{BACKEND, Behind};

struct Shared;

impl Harness for Shared {
    const NAME: &'static str = "session-sled, one database for all";
    const CAPABILITIES: Capabilities =
        SledStore::CAPABILITIES.with_default_ttl(Some(Duration::from_secs(7_200)));
    const BACKEND: Backend = BACKEND.lacks(Need::Crash, "what is not flushed is lost");
    const TIME: Time = Time::Manual;

    async fn open(&self, opening: Opening) -> Result<Namespace, NotRun> {
        // Of this process: those of other test processes are locked.
        let database = Database::passing(&format!("shared-{}", std::process::id()))?;
        // A name that means something wherever it is taken for a path or a pattern.
        let namespace = format!("{}/../*", opening.namespace);
        let builder = SledStore::builder()
            .namespace(&namespace)
            .ttl(Duration::from_secs(7_200))
            .flush(Flush::ByCaller)
            .reads(Reads::OnThePool)
            .clock(opening.clock.clone());
        let first = builder.clone().build_on(&database.db())?;
        let second = builder.build_on(&database.db())?;
        Ok(Namespace::new(first, second).with_hooks(Behind {
            database,
            namespace,
            clock: opening.clock,
            alone: false,
        }))
    }
}

suite!(
    Shared,
    without: [fault, round_trips, schema, crash, skew, server_ttl, durable, max_record_bytes],
);
