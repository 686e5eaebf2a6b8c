//! What survives `kill -9`: a real process writes and is killed.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use std::path::Path;
use std::time::Duration;

use session_conformance::{
    Backend, Harness, Namespace, Need, NotRun, Opening, Options, Time, Verdict, Write, crash, run,
};
use session_core::{Capabilities, Clock, Data, Record, SessionCookie, SessionId, Store};
use session_sled::{Flush, SledStore};

use support::database::{Database, Handle};
use support::hooks::{BACKEND, Behind};

struct Reopening;

impl Harness for Reopening {
    const NAME: &'static str = "session-sled, closed while another process writes";
    const CAPABILITIES: Capabilities = SledStore::CAPABILITIES.with_durable();
    const BACKEND: Backend = BACKEND.offers(Need::Crash);
    const TIME: Time = Time::Manual;

    async fn open(&self, opening: Opening) -> Result<Namespace, NotRun> {
        let database = Database::of(&opening.namespace)?;
        let handle = || Handle {
            database: database.clone(),
            builder: SledStore::builder()
                .namespace(&opening.namespace)
                .flush(Flush::EveryWrite)
                .clock(opening.clock.clone()),
        };
        Ok(Namespace::new(handle(), handle()).with_hooks(Behind {
            database: database.clone(),
            namespace: opening.namespace.clone(),
            clock: opening.clock.clone(),
            alone: true,
        }))
    }
}

#[test]
fn every_rule_on_durability_holds() {
    let report = run(Reopening, Options::new().filter("DUR-"));
    assert_eq!(report.exit_code(), 0, "{}", report.to_text());
    for rule in ["DUR-01", "DUR-02", "DUR-03", "DUR-04", "DUR-05"] {
        let result = report.result(rule).unwrap();
        assert_eq!(result.verdict, Verdict::Pass, "{rule}");
    }
}

const RECORDS: u64 = 200;

fn id(n: u64) -> SessionId {
    SessionId::new(format!("session {n}")).unwrap()
}

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// One that ends when the store lets it, in a day.
fn record(n: u64) -> Record {
    let mut data = Data::new();
    data.insert("n", &n).unwrap();
    Record::new(SessionCookie::new(), &data)
}

/// The same, extended to two days: its record is written without its entry in the index.
fn extended(n: u64) -> Record {
    let mut cookie = SessionCookie::new();
    cookie.set_max_age(Some(2 * DAY), Clock::system().now());
    Record::new(cookie, &record(n).data())
}

/// Where the children begin: a path, and the policy to write by.
#[test]
fn writes_with_a_policy_and_is_killed() {
    crash::child(async |arguments| {
        let [path, policy] = &arguments[..] else {
            panic!("a path and a policy");
        };
        let flush = match policy.as_str() {
            "every write" => Flush::EveryWrite,
            _ => Flush::ByCaller,
        };
        SledStore::builder().flush(flush).open(path).await
    });
}

/// A process that wrote `RECORDS` records, extended them, destroyed every third one, and was killed.
fn killed(path: &Path, policy: &str) {
    let sets = (0..RECORDS).map(|n| Write::Set(id(n), record(n)));
    let extends = (0..RECORDS).map(|n| Write::Set(id(n), extended(n)));
    let destroys = (0..RECORDS).step_by(3).map(|n| Write::Destroy(id(n)));
    crash::Child::test("writes_with_a_policy_and_is_killed")
        .argument(path.to_string_lossy())
        .argument(policy)
        .write(&sets.chain(extends).chain(destroys).collect::<Vec<_>>())
        .unwrap();
}

#[tokio::test]
async fn records_index_and_count_agree_after_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    killed(directory.path(), "every write");
    let clock = Clock::manual(Clock::system().now());
    let builder = SledStore::builder().clock(clock.clone());
    let store = builder.open(directory.path()).await.unwrap();
    let left = RECORDS - RECORDS.div_ceil(3);
    assert_eq!(store.length().await.unwrap(), left);
    for n in 0..RECORDS {
        let found = store.get(&id(n)).await.unwrap();
        let found = found.map(|record| record.data().get("n").unwrap());
        assert_eq!(found, (n % 3 != 0).then_some(Some(n)), "{n}");
    }
    // The index has their first ends, which are over now, and then their last.
    clock.advance(DAY + MINUTE);
    let swept = store.sweep(usize::MAX).await.unwrap();
    assert_eq!((swept.removed, swept.more), (0, false));
    assert_eq!(store.length().await.unwrap(), left);
    // It names them all: nothing is left to sweep once they have ended.
    clock.advance(DAY);
    assert_eq!(store.length().await.unwrap(), 0);
    let swept = store.sweep(usize::MAX).await.unwrap();
    assert_eq!((swept.removed as u64, swept.more), (left, false));
}

/// What was written last may be gone, a destroy too; what is there is whole.
#[tokio::test]
async fn without_a_flush_a_kill_may_lose_writes_but_never_half_of_one() {
    let directory = tempfile::tempdir().unwrap();
    killed(directory.path(), "by the caller");
    let clock = Clock::manual(Clock::system().now());
    let builder = SledStore::builder().clock(clock.clone());
    let store = builder.open(directory.path()).await.unwrap();
    let mut live = 0;
    for n in 0..RECORDS {
        live += u64::from(store.get(&id(n)).await.unwrap().is_some());
    }
    // How many there are is chance: sled may have flushed by itself.
    assert_eq!(store.length().await.unwrap(), live);
    clock.advance(2 * DAY + MINUTE);
    let swept = store.sweep(usize::MAX).await.unwrap();
    assert_eq!((swept.removed as u64, swept.more), (live, false));
}
