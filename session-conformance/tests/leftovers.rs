//! A suite that passed leaves nothing behind, also where the harness cannot remove a namespace.

use async_trait::async_trait;
use session_conformance::reference::{Reference, Row, Server};
use session_conformance::{
    Backend, Harness, Hooks, Namespace, Need, NotRun, Opening, Options, Time, Verdict, Write, run,
};
use session_core::{Capabilities, Clock, SessionId};

#[derive(Clone, Default)]
struct Kept(Server);

/// Everything that writes, and no `remove`.
struct Writers(Reference);

#[async_trait]
impl Hooks for Writers {
    async fn write_undecodable(&self, id: &SessionId) -> Result<(), NotRun> {
        let text = "{".into();
        let row = Row {
            text,
            expires: None,
        };
        self.0.rows().insert(id.as_str().to_owned(), row);
        Ok(())
    }

    async fn write_and_crash(&self, writes: Vec<Write>) -> Result<(), NotRun> {
        for write in writes {
            write.apply(&self.0).await?;
        }
        Ok(())
    }
}

impl Harness for Kept {
    const NAME: &'static str = "kept";
    const CAPABILITIES: Capabilities = Reference::CAPABILITIES;
    const BACKEND: Backend = Backend::IN_PROCESS
        .offers(Need::Undecodable)
        .offers(Need::Crash);
    const TIME: Time = Time::Manual;

    async fn open(&self, opening: Opening) -> Result<Namespace, NotRun> {
        let reference = self.0.open(&opening.namespace, opening.clock);
        let (first, second) = (reference.clone(), reference.clone());
        Ok(Namespace::new(first, second).with_hooks(Writers(reference)))
    }
}

#[test]
fn nothing_is_left() {
    let kept = Kept::default();
    let report = run(kept.clone(), Options::new());
    assert_eq!(report.exit_code(), 0, "{}", report.to_text());
    for rule in ["ALL-07", "DUR-01", "DUR-02", "DUR-04", "GET-06"] {
        assert_eq!(report.result(rule).unwrap().verdict, Verdict::Pass);
    }
    let mut left = Vec::new();
    for namespace in kept.0.open("any", Clock::system()).everywhere() {
        let rows = namespace.rows().len();
        if rows > 0 {
            left.push(format!("{rows} in {}", namespace.namespace()));
        }
    }
    assert!(left.is_empty(), "{left:?}");
}
