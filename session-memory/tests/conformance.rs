//! The suite that any store is held to.

use session_conformance::{Backend, Harness, Namespace, NotRun, Opening, Time, suite};
use session_core::Capabilities;
use session_memory::MemoryStore;

struct Memory;

impl Harness for Memory {
    const NAME: &'static str = "session-memory";
    const CAPABILITIES: Capabilities = MemoryStore::CAPABILITIES;
    const BACKEND: Backend = Backend::IN_PROCESS;
    const TIME: Time = Time::Manual;

    async fn open(&self, opening: Opening) -> Result<Namespace, NotRun> {
        let store = MemoryStore::builder().clock(opening.clock).build();
        Ok(Namespace::new(store.clone(), store))
    }
}

suite!(Memory, without: [hooks, server_ttl, durable, max_record_bytes]);
