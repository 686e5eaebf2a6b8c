//! The reference store under `suite!`, as a store author uses it.

use std::sync::LazyLock;

use session_conformance::reference::{Reference, ReferenceHarness};
use session_conformance::{Backend, Harness, Namespace, NotRun, Opening, Time};
use session_core::Capabilities;

/// It outlives the handles.
static BACKEND: LazyLock<ReferenceHarness> = LazyLock::new(ReferenceHarness::default);

struct Suite;

impl Harness for Suite {
    const NAME: &'static str = ReferenceHarness::NAME;
    const CAPABILITIES: Capabilities = Reference::CAPABILITIES;
    const BACKEND: Backend = Reference::BACKEND;
    const TIME: Time = Time::Manual;

    async fn open(&self, opening: Opening) -> Result<Namespace, NotRun> {
        BACKEND.open(opening).await
    }
}

session_conformance::suite!(Suite, without: [server_ttl, skew]);
