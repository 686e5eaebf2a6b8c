//! Stores that are right in another way than the reference store: whole seconds, a default time to
//! live, a backend that drops expired records by a clock of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use session_conformance::reference::{Reference, Server};
use session_conformance::{
    Backend, Harness, Hooks, Namespace, Need, NotRun, Opening, Options, Time, Verdict, run,
};
use session_core::{
    Capabilities, Clock, Created, Record, Replaced, Result, SessionCookie, SessionId, Store,
    StoreStream, Swept, Touched,
};

/// The reference with another way to keep expiries.
#[derive(Clone, Debug)]
struct Other {
    reference: Reference,
    /// The client's clock; the reference's own is the backend's.
    client: Clock,
    /// When a record really ends that is to end then, and was sent at that time.
    end: fn(&Self, Option<SystemTime>, SystemTime) -> Option<SystemTime>,
    /// How long a call takes to arrive, and how many still do.
    delay: Duration,
    slow_calls: Arc<AtomicU32>,
    capabilities: Capabilities,
}

impl Other {
    /// The client's time at which a call was sent, which has now arrived.
    async fn sent(&self) -> SystemTime {
        let sent = self.client.now();
        let one_less = |left: u32| left.checked_sub(1);
        let (set, get) = (Ordering::Relaxed, Ordering::Relaxed);
        if !self.delay.is_zero() && self.slow_calls.fetch_update(set, get, one_less).is_ok() {
            tokio::time::sleep(self.delay).await;
        }
        sent
    }

    fn wrote(&self, id: &SessionId, sent: SystemTime) {
        if let Some(row) = self.reference.rows().get_mut(id.as_str()) {
            row.expires = (self.end)(self, row.expires, sent);
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for Other {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        self.sent().await;
        self.reference.get(id).await
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let sent = self.sent().await;
        self.reference.set(id, record).await?;
        self.wrote(id, sent);
        Ok(())
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        self.sent().await;
        self.reference.destroy(id).await
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    async fn length(&self) -> Result<u64> {
        self.sent().await;
        self.reference.length().await
    }

    async fn clear(&self) -> Result<()> {
        self.reference.clear().await
    }

    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        let sent = self.sent().await;
        let touched = self.reference.touch(id, cookie).await?;
        if touched == Touched::Touched {
            self.wrote(id, sent);
        }
        Ok(touched)
    }

    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        let sent = self.sent().await;
        let created = self.reference.create(id, record).await?;
        if created == Created::Created {
            self.wrote(id, sent);
        }
        Ok(created)
    }

    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        let sent = self.sent().await;
        let replaced = self.reference.replace(id, old, new).await?;
        if replaced == Replaced::Replaced {
            self.wrote(id, sent);
        }
        Ok(replaced)
    }

    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        self.reference.all()
    }

    fn ids(&self) -> StoreStream<'_, SessionId> {
        self.reference.ids()
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        self.reference.sweep(limit).await
    }
}

/// Counts after the backend has dropped what has expired, if it does.
struct Count {
    reference: Reference,
    drops: bool,
}

#[async_trait]
impl Hooks for Count {
    async fn count(&self) -> Result<u64, NotRun> {
        let now = self.reference.backend_now();
        let mut rows = self.reference.rows();
        rows.retain(|_, row| !self.drops || row.is_live(now));
        Ok(u64::try_from(rows.len())?)
    }
}

const IN_PROCESS: Backend = Backend::IN_PROCESS.offers(Need::Count);

#[derive(Default)]
struct WholeSeconds(Server);

impl WholeSeconds {
    /// Rounded up, as a store may that declares a granularity.
    fn end(store: &Other, expires: Option<SystemTime>, _: SystemTime) -> Option<SystemTime> {
        let day = Duration::from_secs(86_400);
        let end = expires.unwrap_or_else(|| store.client.now() + day);
        // What is before 1970 stays there.
        let Ok(since_1970) = end.duration_since(SystemTime::UNIX_EPOCH) else {
            return Some(end);
        };
        let part = u64::from(since_1970.subsec_nanos() > 0);
        let whole = Duration::from_secs(since_1970.as_secs() + part);
        Some(SystemTime::UNIX_EPOCH + whole)
    }
}

impl Harness for WholeSeconds {
    const NAME: &'static str = "whole seconds, and a day by default";
    const CAPABILITIES: Capabilities = Reference::CAPABILITIES
        .with_granularity(Duration::from_secs(1))
        .with_default_ttl(Some(Duration::from_secs(86_400)));
    const BACKEND: Backend = IN_PROCESS;
    const TIME: Time = Time::Manual;

    async fn open(&self, opening: Opening) -> Result<Namespace, NotRun> {
        let reference = self.0.open(&opening.namespace, opening.clock.clone());
        let store = Other {
            reference: reference.clone(),
            client: opening.clock,
            end: Self::end,
            delay: Duration::ZERO,
            slow_calls: Arc::default(),
            capabilities: Self::CAPABILITIES,
        };
        Ok(Namespace::new(store.clone(), store).with_hooks(Count {
            reference,
            drops: false,
        }))
    }
}

#[test]
fn whole_seconds_and_a_default_time_to_live_conform() {
    let report = run(WholeSeconds::default(), Options::new().strict(true));
    assert_eq!(report.exit_code(), 0, "{}", report.to_text());
    assert_eq!(report.result("EXP-15").unwrap().verdict, Verdict::Pass);
}

/// A backend that drops what has expired by its own clock, which may not be the client's.
#[derive(Default)]
struct OwnClock<const RELATIVE: bool, const DELAY: u64 = 0, const SLOW_CALLS: u32 = { u32::MAX }>(
    Server,
);

impl<const RELATIVE: bool, const DELAY: u64, const SLOW_CALLS: u32> Harness
    for OwnClock<RELATIVE, DELAY, SLOW_CALLS>
{
    const NAME: &'static str = "a backend with a clock of its own";
    const CAPABILITIES: Capabilities = Reference::CAPABILITIES.with_server_ttl();
    const BACKEND: Backend = IN_PROCESS.offers(Need::Skew);
    const TIME: Time = Time::Real {
        resolution: Duration::from_millis(1),
        lag: Duration::from_millis(20),
    };

    async fn open(&self, opening: Opening) -> Result<Namespace, NotRun> {
        let reference = self.0.open(&opening.namespace, Clock::system());
        let store = Other {
            reference: reference.clone(),
            client: opening.clock,
            end: Self::end,
            delay: Duration::from_millis(DELAY),
            slow_calls: Arc::new(AtomicU32::new(SLOW_CALLS)),
            capabilities: Self::CAPABILITIES,
        };
        Ok(Namespace::new(store.clone(), store).with_hooks(Count {
            reference,
            drops: true,
        }))
    }
}

impl<const RELATIVE: bool, const DELAY: u64, const SLOW_CALLS: u32>
    OwnClock<RELATIVE, DELAY, SLOW_CALLS>
{
    fn end(store: &Other, expires: Option<SystemTime>, sent: SystemTime) -> Option<SystemTime> {
        if !RELATIVE {
            return expires;
        }
        let server = store.reference.now();
        expires.map(|expires| match expires.duration_since(sent) {
            Ok(left) => server + left,
            Err(over) => server - over.duration(),
        })
    }
}

/// Neither an absolute time nor a time to live is the wrong thing to send.
#[test]
fn a_backend_with_a_clock_of_its_own_conforms() {
    let started = Instant::now();
    let reports = [
        run(OwnClock::<false>::default(), Options::new().strict(true)),
        run(OwnClock::<true>::default(), Options::new().strict(true)),
    ];
    for report in reports {
        assert_eq!(report.exit_code(), 0, "{}", report.to_text());
        for rule in ["EXP-12", "EXP-13"] {
            assert_eq!(report.result(rule).unwrap().verdict, Verdict::Pass);
        }
    }
    let took = started.elapsed();
    assert!(took < Duration::from_secs(90), "{took:?}");
}

/// The rules that make many calls before a record ends.
#[test]
fn a_slow_backend_conforms() {
    let mut options = Options::new();
    for rule in ["GET-02", "SET-03", "CAS-06", "EXP-17", "EXP-15"] {
        options = options.filter(rule);
    }
    let report = run(OwnClock::<true, 15>::default(), options);
    // A machine that is slower than the backend may keep some from being told.
    let inconclusive = report.results.iter().filter(|result| result.inconclusive);
    let judged = 5 - inconclusive.count();
    assert!(judged > 0, "{}", report.to_text());
    assert_eq!(report.count(Verdict::Pass), judged, "{}", report.to_text());
}

/// Its times to live count from when they arrive, and they are on their way for longer than the
/// harness declares: nothing can be told of its expiries, and nothing is held against it.
#[test]
fn calls_that_take_longer_than_declared_are_no_failure() {
    let mut options = Options::new();
    for group in ["EXP-", "SET-01", "TCH-01", "CAS-06", "CAS-09"] {
        options = options.filter(group);
    }
    let report = run(OwnClock::<true, 60>::default(), options);
    assert_eq!(report.count(Verdict::Fail), 0, "{}", report.to_text());
    let result = report.result("SET-01").unwrap();
    assert!(result.inconclusive, "{}", report.to_text());
}

/// The first call has a connection to make, say.
#[test]
fn a_record_that_was_long_on_its_way_may_end_as_much_later() {
    let only = Options::new().filter("TCH-04");
    let report = run(OwnClock::<true, 150, 1>::default(), only);
    let result = report.result("TCH-04").unwrap();
    assert_eq!(result.verdict, Verdict::Pass, "{}", report.to_text());
}
