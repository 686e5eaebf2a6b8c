//! A store of three methods under `suite!`: what it does not declare is ignored, with the reason.

use session_conformance::__doc::Maps;

session_conformance::suite!(
    Maps,
    without: [hooks, touch, length, clear, all, create, replace, sweep, server_ttl, durable,
        max_record_bytes],
);

mod unreached {
    //! The same on a backend whose hooks the harness has not written.

    use session_conformance::__doc::Maps;
    use session_conformance::{Backend, Harness, Namespace, NotRun, Opening, Time};
    use session_core::Capabilities;

    struct Unhooked;

    impl Harness for Unhooked {
        const NAME: &'static str = Maps::NAME;
        const CAPABILITIES: Capabilities = Maps::CAPABILITIES;
        const BACKEND: Backend = Backend::SERVER;
        const TIME: Time = Time::Manual;

        async fn open(&self, opening: Opening) -> Result<Namespace, NotRun> {
            Maps.open(opening).await
        }
    }

    session_conformance::suite!(
        Unhooked,
        without: [touch, length, clear, all, create, replace, sweep, server_ttl, durable,
            max_record_bytes],
        not_run: [hooks],
    );
}
