//! The lines that `suite!` leaves in the directory of `SESSION_CONFORMANCE_RESULTS`, from this
//! program started again as `cargo test` and as nextest start it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use session_conformance::__doc::Maps;
use session_conformance::CATALOGUE;

mod whole {
    //! A store that keeps what it declares.
    session_conformance::suite!(
        super::Maps,
        without: [hooks, touch, length, clear, all, create, replace, sweep, server_ttl, durable,
            max_record_bytes],
    );
}

mod lying {
    //! A store that answers `Ok` to what the harness declares absent, only when it is started for
    //! this; one whose server is away; one whose harness lacks hooks.
    use async_trait::async_trait;
    use session_conformance::__doc::{MapStore, Maps};
    use session_conformance::{Backend, Harness, Namespace, NotRun, Opening, Time};
    use session_core::{Capabilities, Record, Result, SessionId, Store};

    #[derive(Debug)]
    struct Cleared(MapStore);

    #[async_trait]
    impl Store for Cleared {
        async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
            self.0.get(id).await
        }

        async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
            self.0.set(id, record).await
        }

        async fn destroy(&self, id: &SessionId) -> Result<()> {
            self.0.destroy(id).await
        }

        async fn clear(&self) -> Result<()> {
            match std::env::var_os("AWAY") {
                Some(_) => Ok(()),
                None => self.0.clear().await,
            }
        }

        fn capabilities(&self) -> Capabilities {
            self.0.capabilities()
        }
    }

    struct Lying;

    impl Harness for Lying {
        const NAME: &'static str = "lying";
        const CAPABILITIES: Capabilities = Maps::CAPABILITIES;
        const BACKEND: Backend = Backend::SERVER;
        const TIME: Time = Time::Manual;

        async fn open(&self, opening: Opening) -> std::result::Result<Namespace, NotRun> {
            if opening.namespace.contains("get_01") && std::env::var_os("AWAY").is_some() {
                return Err(NotRun::because("no server"));
            }
            let store = || Cleared(MapStore::with_clock(opening.clock.clone()));
            let first = store();
            let second = Cleared(first.0.clone());
            Ok(Namespace::new(first, second))
        }
    }

    session_conformance::suite!(
        Lying,
        without: [touch, length, clear, all, create, replace, sweep, server_ttl, durable,
            max_record_bytes],
        not_run: [hooks],
    );
}

/// This test program once more, with these arguments.
fn start(directory: &Path, arguments: &[&str]) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .args(arguments)
        .env("SESSION_CONFORMANCE_RESULTS", directory)
        .env("AWAY", "1")
        // Nextest tells its tests by variables that they are its tests; these are not.
        .env_remove("NEXTEST")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("this program starts")
}

fn fresh_directory(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&directory);
    directory
}

/// The verdicts by rule; each line must be whole, and each rule have one.
fn read(directory: &Path, store: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for file in std::fs::read_dir(directory).expect("the directory") {
        let path = file.expect("a file of the directory").path();
        let text = std::fs::read_to_string(path).expect("a text");
        for line in text.lines() {
            let line: serde_json::Value = serde_json::from_str(line).expect("a whole line");
            let text = |key: &str| line[key].as_str().expect("a text").to_owned();
            assert_eq!(text("store"), store);
            let rule = text("rule");
            let before = found.insert(rule.clone(), text("verdict"));
            assert_eq!(before, None, "{rule} twice");
        }
    }
    found
}

#[test]
fn every_rule_leaves_one_line() {
    let directory = fresh_directory("every_rule_leaves_one_line");
    let status = start(&directory, &["whole::"]).wait().unwrap();
    assert!(status.success());
    let found = read(&directory, "a map behind a mutex");
    assert_eq!(found.len(), CATALOGUE.len());
    for rule in CATALOGUE {
        let needs_nothing = rule.needs.iter().all(|need| need.name() == "second_handle");
        let wanted = if needs_nothing {
            "pass"
        } else {
            "not supported"
        };
        assert_eq!(found[rule.id], wanted, "{}", rule.id);
    }
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1);
}

#[test]
fn processes_of_their_own_write_files_of_their_own() {
    let directory = fresh_directory("processes_of_their_own");
    let rules: Vec<_> = CATALOGUE
        .iter()
        .filter(|rule| rule.group() == "GET" || rule.group() == "UNI")
        .filter(|rule| rule.needs.is_empty())
        .collect();
    let processes: Vec<_> = rules
        .iter()
        .map(|rule| {
            let test = format!("whole::{}", rule.test_name());
            start(&directory, &["--exact", &test, "--nocapture"])
        })
        .collect();
    for mut process in processes {
        assert!(process.wait().unwrap().success());
    }
    // An ignored one, run all the same: PRE-04 alone speaks for it.
    let ignored = [
        "--ignored",
        "--exact",
        "whole::tch_01_touch_moves_the_expiry",
    ];
    assert!(!start(&directory, &ignored).wait().unwrap().success());
    let found = read(&directory, "a map behind a mutex");
    let wanted: BTreeMap<_, _> = rules
        .iter()
        .map(|rule| (rule.id.to_owned(), "pass".to_owned()))
        .collect();
    assert_eq!(found, wanted);
    let files = std::fs::read_dir(&directory).unwrap().count();
    assert_eq!(files, rules.len());
}

#[test]
fn what_was_not_seen_is_not_run() {
    let directory = fresh_directory("what_was_not_seen");
    let status = start(&directory, &["lying::"]).wait().unwrap();
    assert!(!status.success());
    let found = read(&directory, "lying");
    assert_eq!(found.len(), CATALOGUE.len());
    for (rule, verdict) in [
        ("PRE-04", "fail"),
        // No server there.
        ("GET-01", "not run"),
        // A hook that the harness has not written.
        ("GET-06", "not run"),
        // Declared absent, but nobody has seen it refuse.
        ("CLR-01", "not run"),
        ("TCH-01", "not run"),
        ("GET-04", "pass"),
    ] {
        assert_eq!(found[rule], verdict, "{rule}");
    }
}

#[test]
fn a_directory_that_cannot_be_written_fails_the_test() {
    let file = std::env::current_exe().unwrap();
    let status = start(&file, &["--exact", "whole::get_01_unknown_id_is_none"]).wait();
    assert!(!status.unwrap().success());
}
