//! The runner itself: what becomes of stores that panic, hang or are not there, and what counts.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use session_conformance::__doc::{MapStore, Maps};
use session_conformance::{
    Backend, CATALOGUE, CATALOGUE_VERSION, Harness, Hooks, Namespace, Need, NotRun, Opening,
    Options, Report, Stand, Time, Verdict, run,
};
use session_core::{Capabilities, Record, Result, SessionId, Store};

/// What `get` of the store does wrong.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Panic,
    Hang,
    Deadlock,
    /// Each time by a fifth of a second.
    Slow,
}

#[derive(Debug)]
struct Faulty(MapStore, Fault);

#[async_trait]
impl Store for Faulty {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        match self.1 {
            Fault::Panic => panic!("index out of bounds"),
            Fault::Hang => std::future::pending().await,
            Fault::Deadlock => {
                // A lock that is never given back: the thread, not the task, stands still.
                let (sender, receiver) = std::sync::mpsc::channel::<()>();
                let _ = receiver.recv();
                drop(sender);
            }
            Fault::Slow => tokio::time::sleep(Duration::from_millis(200)).await,
        }
        self.0.get(id).await
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        self.0.set(id, record).await
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        self.0.destroy(id).await
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }
}

struct FaultyHarness(Fault);

impl Harness for FaultyHarness {
    const NAME: &'static str = "faulty";
    const CAPABILITIES: Capabilities = Capabilities::NONE;
    const BACKEND: Backend = Backend::IN_PROCESS;
    const TIME: Time = Time::Manual;

    async fn open(&self, opening: Opening) -> std::result::Result<Namespace, NotRun> {
        let map = MapStore::with_clock(opening.clock);
        Ok(Namespace::new(
            Faulty(map.clone(), self.0),
            Faulty(map, self.0),
        ))
    }
}

#[test]
fn a_panic_is_a_failure_with_its_text_and_steps() {
    let report = run(
        FaultyHarness(Fault::Panic),
        Options::new().filter("GET-01").seed(7),
    );
    let result = report.result("GET-01").unwrap();
    assert_eq!(result.verdict, Verdict::Fail);
    assert_eq!(
        result.found.as_deref(),
        Some("the store panicked: index out of bounds")
    );
    assert_eq!(report.exit_code(), 1);
    let text = report.to_text();
    for part in [
        "FAIL GET-01",
        "rule      `get` of an unknown id",
        "store     faulty",
        "1. h1.get(id unknown) -> (no answer)",
        "seed(7)",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn a_hang_is_a_failure_and_the_run_goes_on() {
    for fault in [Fault::Hang, Fault::Deadlock] {
        let limit = Duration::from_millis(200);
        // One place: a rule that hangs must not keep it.
        let options = Options::new()
            .filter("GET-01")
            .filter("PRE-05")
            .limit(limit)
            .jobs(1);
        let report = run(FaultyHarness(fault), options);
        assert_eq!(report.count(Verdict::Fail), 2, "{}", report.to_text());
        let result = report.result("GET-01").unwrap();
        assert!(
            result
                .expected
                .as_deref()
                .unwrap()
                .contains("within 200 ms")
        );
        assert_eq!(result.steps.len(), 1, "{:?}", result.steps);
    }
}

struct Nowhere;

impl Harness for Nowhere {
    const NAME: &'static str = "nowhere";
    const CAPABILITIES: Capabilities = Capabilities::NONE;
    const BACKEND: Backend = Backend::IN_PROCESS;
    const TIME: Time = Time::Manual;

    async fn open(&self, _: Opening) -> std::result::Result<Namespace, NotRun> {
        Err(std::io::Error::other("no server at 127.0.0.1"))?
    }
}

#[test]
fn a_missing_environment_is_not_run() {
    let report = run(Nowhere, Options::new());
    assert_eq!(report.count(Verdict::NotRun), CATALOGUE.len());
    assert_eq!(report.exit_code(), 2);
    assert!(report.to_text().contains("no server at 127.0.0.1"));
    // Nothing was judged, so that even an incomplete run is none.
    let allowed = run(Nowhere, Options::new().allow_incomplete(true));
    assert_eq!(allowed.exit_code(), 2);
}

/// A map that says of itself what a server would, and offers no hook.
struct Unhooked;

impl Harness for Unhooked {
    const NAME: &'static str = "unhooked";
    const CAPABILITIES: Capabilities = Capabilities::NONE;
    const BACKEND: Backend = Backend::SERVER;
    const TIME: Time = Time::Manual;

    async fn open(&self, opening: Opening) -> std::result::Result<Namespace, NotRun> {
        Maps.open(opening).await
    }
}

#[test]
fn a_hook_that_is_missing_leaves_the_run_incomplete() {
    let report = run(Unhooked, Options::new());
    assert_eq!(report.result("GET-06").unwrap().verdict, Verdict::NotRun);
    assert_eq!(report.count(Verdict::Fail), 0, "{}", report.to_text());
    assert_eq!(report.exit_code(), 2);
    assert_eq!(
        run(Unhooked, Options::new().allow_incomplete(true)).exit_code(),
        0
    );
    let junit = report.to_junit();
    assert!(junit.contains("<error type=\"NOT RUN\""), "{junit}");
}

#[test]
fn what_is_declared_absent_is_not_supported_and_no_pass() {
    let report = run(Maps, Options::new());
    for result in &report.results {
        let absent = result
            .rule
            .needs
            .iter()
            .any(|need| *need != Need::SecondHandle);
        let wanted = if absent {
            Verdict::NotSupported
        } else {
            Verdict::Pass
        };
        assert_eq!(result.verdict, wanted, "{}", report.to_text());
    }
    assert_eq!(report.exit_code(), 0);
    // On its own it is a run in which nothing was judged.
    let alone = run(Maps, Options::new().filter("TCH-01"));
    assert_eq!(alone.exit_code(), 2);
    assert!(alone.to_junit().contains("<skipped type=\"NOT SUPPORTED\""));
    let json: serde_json::Value = serde_json::from_str(&alone.to_json()).unwrap();
    assert_eq!(json["rules"][0]["verdict"], "NOT SUPPORTED");
    assert!(alone.to_markdown().contains("| TCH-01 | NOT SUPPORTED |"));
}

#[test]
fn a_filter_that_selects_nothing_is_no_success() {
    assert_eq!(
        run(Maps, Options::new().filter("no such rule")).exit_code(),
        2
    );
}

/// A map whose records end by the system's clock.
struct Running;

impl Harness for Running {
    const NAME: &'static str = "a map on the system's clock";
    const CAPABILITIES: Capabilities = Capabilities::NONE;
    const BACKEND: Backend = Backend::IN_PROCESS;
    const TIME: Time = Time::Real {
        resolution: Duration::from_millis(1),
        lag: Duration::ZERO,
    };

    async fn open(&self, opening: Opening) -> std::result::Result<Namespace, NotRun> {
        Maps.open(opening).await
    }
}

#[test]
fn on_a_clock_that_runs_all_rules_share_one_wait() {
    let started = Instant::now();
    let report = run(Running, Options::new().jobs(1));
    assert_eq!(report.exit_code(), 0, "{}", report.to_text());
    // With one place the rules work one after the other; a busy machine makes that long.
    let worked: Duration = report.results.iter().map(|result| result.took).sum();
    let waited = started.elapsed().saturating_sub(worked);
    assert!(waited < Duration::from_secs(8), "{waited:?}");
}

#[test]
fn names_of_namespaces_are_new_short_and_plain() {
    #[derive(Clone, Default)]
    struct Names(Arc<Mutex<Vec<String>>>);

    impl Harness for Names {
        const NAME: &'static str = "names";
        const CAPABILITIES: Capabilities = Capabilities::NONE;
        const BACKEND: Backend = Backend::IN_PROCESS;
        const TIME: Time = Time::Manual;

        async fn open(&self, opening: Opening) -> std::result::Result<Namespace, NotRun> {
            self.0.lock().unwrap().push(opening.namespace.clone());
            Maps.open(opening).await
        }
    }

    let names = Names::default();
    for _ in 0..2 {
        let _: Report = run(names.clone(), Options::new().seed(1).repeat(3));
    }
    let mut seen = names.0.lock().unwrap().clone();
    let opened = seen.len();
    for name in &seen {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        assert!(name.len() <= 40 && name.bytes().all(plain), "{name}");
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), opened);
}

#[test]
fn the_catalogues_version_is_that_of_the_crate() {
    let version = env!("CARGO_PKG_VERSION");
    assert!(
        version.starts_with(&format!("{CATALOGUE_VERSION}.")),
        "{version}"
    );
}

/// A map whose clean-up takes its time, or for ever.
struct SlowToRemove {
    blocks: bool,
}

#[async_trait]
impl Hooks for SlowToRemove {
    async fn remove(&self) -> std::result::Result<(), NotRun> {
        if self.blocks {
            let (sender, receiver) = std::sync::mpsc::channel::<()>();
            let _ = receiver.recv();
            drop(sender);
        }
        tokio::time::sleep(Duration::from_millis(600)).await;
        Ok(())
    }
}

impl Harness for SlowToRemove {
    const NAME: &'static str = "slow to remove";
    const CAPABILITIES: Capabilities = Capabilities::NONE;
    const BACKEND: Backend = Backend::IN_PROCESS;
    const TIME: Time = Time::Manual;

    async fn open(&self, opening: Opening) -> std::result::Result<Namespace, NotRun> {
        let blocks = self.blocks;
        Ok(Maps.open(opening).await?.with_hooks(Self { blocks }))
    }
}

#[test]
fn a_slow_rule_does_not_hang() {
    let run_only = |rule: &str, limit| {
        let options = Options::new().limit(limit).filter(rule).exact(true);
        run(FaultyHarness(Fault::Slow), options)
    };
    // The second one makes most of its calls on many threads, and writes none of them down.
    for (rule, limit) in [("SET-01", 1), ("CON-03", 4)] {
        let limit = Duration::from_secs(limit);
        let report = run_only(rule, limit);
        let result = report.result(rule).unwrap();
        assert_eq!(result.verdict, Verdict::Pass, "{}", report.to_text());
        assert!(result.took > limit, "{result:?}");
    }
    // It asks for more than all that is allowed.
    let report = run_only("SIZ-05", Duration::from_secs(1));
    let result = report.result("SIZ-05").unwrap();
    assert_eq!(result.verdict, Verdict::Fail, "{}", report.to_text());
    let expected = result.expected.as_deref().unwrap();
    assert_eq!(expected, "the rule to end within 6 s");
}

#[test]
fn cleaning_up_is_not_the_time_of_the_rule() {
    for blocks in [false, true] {
        let options = Options::new()
            .filter("GET-01")
            .limit(Duration::from_millis(200));
        let report = run(SlowToRemove { blocks }, options);
        let result = report.result("GET-01").unwrap();
        assert_eq!(result.verdict, Verdict::Pass, "{}", report.to_text());
        assert_eq!(result.leftovers.is_empty(), !blocks);
    }
}

#[test]
fn a_report_says_what_declarations_mean_and_where_to_begin() {
    let only = Options::new().filter("GET-0").filter("SET-0");
    let fine = run(Maps, only.clone());
    let text = fine.to_text();
    assert!(text.starts_with("note: last write wins: "), "{text}");
    assert!(text.contains("neither `sweep` nor `server_ttl`"), "{text}");
    assert!(fine.root().is_none());

    let broken = run(FaultyHarness(Fault::Panic), only);
    let text = broken.to_text();
    assert_eq!(broken.root().unwrap().rule.id, "GET-01", "{text}");
    assert!(text.contains("start with GET-01 "), "{text}");
    let first = text.find("FAIL ").unwrap();
    assert!(text[first..].starts_with("FAIL GET-01 "), "{text}");
}

#[test]
fn a_harness_can_be_a_value() {
    let stand = Stand::of(Maps);
    let report = stand.run(&Options::new().filter("GET-01"));
    assert_eq!(report.store, stand.name());
    assert_eq!(report.count(Verdict::Pass), 1, "{}", report.to_text());
}

#[test]
fn what_is_broken_beside_it_does_not_make_an_absent_capability_a_failure() {
    struct Refuses;

    impl Harness for Refuses {
        const NAME: &'static str = "refuses";
        const CAPABILITIES: Capabilities = Capabilities::NONE;
        const BACKEND: Backend = Backend::IN_PROCESS;
        const TIME: Time = Time::Manual;

        async fn open(&self, opening: Opening) -> std::result::Result<Namespace, NotRun> {
            assert!(!opening.reopened);
            let store = Refusing(MapStore::with_clock(opening.clock));
            Ok(Namespace::single(store))
        }
    }

    #[derive(Debug)]
    struct Refusing(MapStore);

    #[async_trait]
    impl Store for Refusing {
        async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
            self.0.get(id).await
        }

        async fn set(&self, _: &SessionId, _: &Record) -> Result<()> {
            Err(session_core::Error::new(
                session_core::ErrorKind::Unavailable,
                "set",
            ))
        }

        async fn destroy(&self, id: &SessionId) -> Result<()> {
            self.0.destroy(id).await
        }

        fn capabilities(&self) -> Capabilities {
            self.0.capabilities()
        }
    }

    let report = run(Refuses, Options::new().filter("TCH-01").filter("SET-01"));
    let verdict = |rule: &str| report.result(rule).unwrap().verdict;
    assert_eq!(verdict("SET-01"), Verdict::Fail);
    assert_eq!(verdict("TCH-01"), Verdict::NotSupported);
}
