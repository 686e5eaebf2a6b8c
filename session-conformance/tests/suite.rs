//! The reference store under `suite!`, as a store author uses it.

use session_conformance::reference::{Reference, ReferenceHarness};
use session_conformance::{Backend, Harness, Namespace, NotRun, Opening, Time};
use session_core::Capabilities;

struct Suite;

impl Harness for Suite {
    const NAME: &'static str = ReferenceHarness::NAME;
    const CAPABILITIES: Capabilities = Reference::CAPABILITIES;
    const BACKEND: Backend = Reference::BACKEND;
    const TIME: Time = Time::Manual;

    async fn open(&self, opening: Opening) -> Result<Namespace, NotRun> {
        ReferenceHarness::default().open(opening).await
    }
}

session_conformance::suite!(Suite, without: [server_ttl, skew]);
