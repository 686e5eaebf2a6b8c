//! The suite that any store is held to: every namespace is a database of its own, and every write
//! is flushed.

mod support;

use session_conformance::{Backend, Harness, Namespace, Need, NotRun, Opening, Time, suite};
use session_core::Capabilities;
use session_sled::{Flush, SledStore};

use support::database::Database;
use support::hooks::{BACKEND, Behind};

struct Directories;

impl Harness for Directories {
    const NAME: &'static str = "session-sled";
    const CAPABILITIES: Capabilities = SledStore::CAPABILITIES.with_durable();
    const BACKEND: Backend = BACKEND.lacks(
        Need::Crash,
        "one process at a time: tests/crash.rs closes the database for these rules",
    );
    const TIME: Time = Time::Manual;

    async fn open(&self, opening: Opening) -> Result<Namespace, NotRun> {
        let database = Database::of(&opening.namespace)?;
        let builder = SledStore::builder()
            .namespace(&opening.namespace)
            .flush(Flush::EveryWrite)
            .clock(opening.clock.clone());
        let first = builder.clone().build_on(&database.db())?;
        let second = builder.build_on(&database.db())?;
        Ok(Namespace::new(first, second).with_hooks(Behind {
            database,
            namespace: opening.namespace,
            clock: opening.clock,
            alone: true,
        }))
    }
}

suite!(
    Directories,
    without: [fault, round_trips, schema, crash, skew, server_ttl, max_record_bytes],
);
