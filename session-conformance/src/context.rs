//! What a rule works with.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use session_core::{Capabilities, Clock, Data, Record, SessionCookie, SessionId};

use crate::failure::Failure;
use crate::handle::{Handle, Id};
use crate::harness::Opening;
use crate::need::{Need, Standing};
use crate::pace::Pace;
use crate::random::Random;
use crate::space::Space;
use crate::steps::{Log, Step};
use crate::subject::Subject;
use crate::timing::Timing;
use crate::{Backend, NotRun, Rule};

/// A fresh namespace with two handles, and all that a rule needs to make up sessions, to let time
/// pass and to look behind the store's back. Everything that it does is written down.
pub(crate) struct Context {
    /// The two handles of the rule's own namespace.
    pub(crate) h1: Handle,
    pub(crate) h2: Handle,
    /// The rule's own namespace.
    pub(crate) space: Space,
    pub(crate) timing: Timing,
    /// When the rule began. Made-up records count from here, so that making one twice gives the
    /// same text.
    started: SystemTime,
    rule: &'static Rule,
    subject: Arc<Subject>,
    seed: u64,
    /// How many programs were asked for.
    pub(crate) programs: Option<u32>,
    /// Whether all records of the rules of scale were asked for.
    pub(crate) scale: bool,
    name: String,
    log: Log,
    pace: Arc<Pace>,
    spaces: Mutex<Vec<Space>>,
    /// What was written through handles that are closed, by namespace.
    closed: Mutex<HashMap<String, Vec<Id>>>,
    opened: AtomicU32,
    limit: Duration,
}

/// How long a rule may wait, and how often it has come too late before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trial {
    pub(crate) limit: Duration,
    pub(crate) attempt: u32,
}

impl Context {
    pub(crate) async fn open(
        rule: &'static Rule,
        subject: Arc<Subject>,
        seed: u64,
        name: String,
        log: Log,
        pace: Arc<Pace>,
        trial: Trial,
    ) -> Result<Self, NotRun> {
        let timing = Timing::new(subject.time, &subject.capabilities, trial.attempt);
        let opening = opening(name.clone(), &timing);
        let space = Space::open(&subject, opening, "", &timing, &log).await?;
        Ok(Self {
            h1: space.h1.clone(),
            h2: space.h2.clone(),
            spaces: Mutex::new(vec![space.clone()]),
            space,
            started: timing.now(),
            timing,
            rule,
            subject,
            seed,
            programs: None,
            scale: false,
            name,
            log,
            pace,
            closed: Mutex::default(),
            opened: AtomicU32::new(0),
            limit: trial.limit,
        })
    }

    // What the store declares.

    pub(crate) fn capabilities(&self) -> &Capabilities {
        &self.subject.capabilities
    }

    pub(crate) fn backend(&self) -> &Backend {
        &self.subject.backend
    }

    /// As many bytes of JSON as asked, or as many as the store declares to hold.
    pub(crate) fn fitting(&self, bytes: usize) -> usize {
        let limit = self.capabilities().max_record_bytes;
        limit.map_or(bytes, |limit| limit.min(bytes))
    }

    /// Whether a rule that can do more with `need` may use it.
    pub(crate) fn has(&self, need: Need) -> bool {
        need.standing(&self.subject.capabilities, &self.subject.backend) == Standing::Met
    }

    /// How long a call may take that should not take long: less than what counts as a hang.
    pub(crate) fn patience(&self) -> Duration {
        self.limit / 2
    }

    // Made-up sessions.

    /// An id of the form that express-session makes; the same name gives the same id.
    pub(crate) fn id(&self, name: &str) -> Id {
        let text = Random::new(self.seed, &format!("{} id {name}", self.rule.id)).id();
        self.odd_id(format!("id {name}"), &text)
    }

    /// An id of any text but the empty one.
    pub(crate) fn odd_id(&self, label: impl Into<String>, text: &str) -> Id {
        Id {
            label: label.into(),
            id: SessionId::new(text).unwrap_or_else(|_| SessionId::random()),
        }
    }

    /// Ids of these texts, called after their place in the list; those that are longer than the
    /// store declares are left out.
    pub(crate) fn odd_ids<'a>(
        &self,
        label: &str,
        texts: impl IntoIterator<Item = &'a String>,
    ) -> Vec<Id> {
        let limit = self.capabilities().max_id_bytes.unwrap_or(usize::MAX);
        texts
            .into_iter()
            .enumerate()
            .filter(|(_, text)| text.len() <= limit)
            .map(|(n, text)| self.odd_id(format!("{label} {n}"), text))
            .collect()
    }

    /// A session with `{"value": value}` that ends an hour after the rule began.
    pub(crate) fn record(&self, value: &str) -> Record {
        self.record_until(value, Some(self.started + Duration::from_secs(3_600)))
    }

    /// A session with `{"value": value}` that ends at `expires`, or with the browser.
    pub(crate) fn record_until(&self, value: &str, expires: Option<SystemTime>) -> Record {
        self.record_of(&data(&[("value", value)]), expires)
    }

    /// A session with this data that ends at `expires`, or with the browser.
    pub(crate) fn record_of(&self, data: &Data, expires: Option<SystemTime>) -> Record {
        Record::new(self.cookie(expires), data)
    }

    /// The settings of a cookie that ends at `expires`, or with the browser.
    pub(crate) fn cookie(&self, expires: Option<SystemTime>) -> SessionCookie {
        let mut cookie = SessionCookie::new();
        cookie.set_expires(expires, self.started);
        cookie
    }

    /// A sequence of numbers of the run's seed.
    pub(crate) fn random(&self, purpose: &str) -> Random {
        Random::new(self.seed, &format!("{} {purpose}", self.rule.id))
    }

    // Time.

    pub(crate) fn now(&self) -> SystemTime {
        self.timing.now()
    }

    /// The moment `ticks` from now. A tick is the time to live to count in: a minute on a manual
    /// clock, as little as the store's declarations allow on one that runs.
    pub(crate) fn ticks(&self, ticks: u32) -> SystemTime {
        self.now() + self.timing.tick() * ticks
    }

    /// An expiry that the rule does not live to see, on however busy a machine.
    pub(crate) fn late(&self) -> SystemTime {
        self.now() + Duration::from_secs(3_600)
    }

    /// An expiry that comes soon, but after some twenty calls of a slow store.
    pub(crate) fn after_many_calls(&self) -> SystemTime {
        self.ticks(if self.timing.is_manual() { 1 } else { 4 })
    }

    /// Whether a record without an expiry that was written now must still be there at `moment`, or
    /// as much later as slow calls make it.
    pub(crate) fn lives_without_expiry(&self, moment: SystemTime) -> bool {
        const SLOW_CALLS: Duration = Duration::from_secs(60);
        let manual = self.timing.is_manual();
        let moment = if manual { moment } else { moment + SLOW_CALLS };
        let default_ttl = self.subject.capabilities.default_ttl;
        default_ttl.is_none_or(|ttl| self.timing.last_of(self.now() + ttl) > moment)
    }

    /// Lets time pass until `moment`: moves a manual clock, sleeps on one that runs. All rules of
    /// a run sleep at the same time.
    pub(crate) async fn wait_until(&self, moment: SystemTime) {
        let now = self.now();
        if let Ok(left) = moment.duration_since(now) {
            self.remark(format!("{} pass", crate::describe::duration(left)));
            if self.timing.is_manual() {
                self.timing.clock.set(moment);
            } else {
                self.pace.sleep_until(moment).await;
            }
        }
    }

    /// Waits until a record that ends at `expires` must be gone.
    pub(crate) async fn wait_until_gone(&self, expires: SystemTime) {
        self.wait_until(self.timing.gone_at(expires)).await;
    }

    /// Waits for the last moment at which a record that ends at `expires` must still be there; put
    /// what is demanded of it into [`before`](Self::before).
    pub(crate) async fn wait_until_last(&self, expires: SystemTime) {
        self.wait_until(self.timing.last_of(expires)).await;
    }

    /// A demand that only holds before `moment`: on a clock that runs, a failure that came later
    /// proves nothing but a busy machine.
    pub(crate) fn before<T>(
        &self,
        moment: SystemTime,
        demand: Result<T, Failure>,
    ) -> Result<T, Failure> {
        let late = !self.timing.is_manual() && self.now() + self.timing.early() >= moment;
        match demand {
            Err(Failure::Broken(_)) if late => Err(Failure::inconclusive(
                "the machine was too busy to look before a record ended",
            )),
            other => other,
        }
    }

    // More namespaces.

    /// Another fresh namespace on the same backend; `name` goes before its handles' names in the
    /// steps, as in `other.h1.get(..)`.
    pub(crate) async fn open_other(&self, name: &str) -> Result<Space, NotRun> {
        self.open_space(name, self.opening()).await
    }

    /// The rule's own namespace once more, through new handles.
    pub(crate) async fn reopen(&self, name: &str) -> Result<Space, NotRun> {
        self.open_space(name, opening(self.name.clone(), &self.timing))
            .await
    }

    /// The rule's own namespace through new handles that read another clock.
    pub(crate) async fn open_with_clock(&self, name: &str, clock: Clock) -> Result<Space, NotRun> {
        let own = opening(self.name.clone(), &self.timing);
        self.open_space(name, Opening { clock, ..own }).await
    }

    /// How to open another fresh namespace, to be changed before it is opened.
    pub(crate) fn opening(&self) -> Opening {
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        opening(format!("{}_{number}", self.name), &self.timing)
    }

    /// Drops the handles of a namespace and its hooks, which is all that the suite holds of it.
    /// What comes back opens it once more.
    pub(crate) fn close(&self, space: Space) -> Opening {
        let name = space.name.clone();
        let ours = Arc::clone(&space.hooks);
        self.lock_closed()
            .entry(name.clone())
            .or_default()
            .extend(space.take_used());
        self.lock_spaces()
            .retain(|other| !Arc::ptr_eq(&other.hooks, &ours));
        drop((space, ours));
        Opening {
            reopened: true,
            ..opening(name, &self.timing)
        }
    }

    /// A namespace opened in a special way: another clock, fewer connections.
    pub(crate) async fn open_space(&self, name: &str, opening: Opening) -> Result<Space, NotRun> {
        self.remark(format!("{name} = namespace {}", opening.namespace));
        let prefix = format!("{name}.");
        let used = self.lock_closed().remove(&opening.namespace);
        let space = Space::open(&self.subject, opening, &prefix, &self.timing, &self.log).await?;
        used.iter().flatten().for_each(|id| space.h1.wrote(id));
        self.lock_spaces().push(space.clone());
        Ok(space)
    }

    /// Removes a namespace that is not needed any more, as [`clean_up`](Self::clean_up) would.
    pub(crate) async fn discard(&self, space: Space) {
        let ours = Arc::clone(&space.hooks);
        self.lock_spaces()
            .retain(|other| !Arc::ptr_eq(&other.hooks, &ours));
        space.clean_up().await;
    }

    /// Removes every namespace but the rule's own.
    pub(crate) async fn discard_others(&self) {
        let others = {
            let mut spaces = self.lock_spaces();
            let own = spaces.len().min(1);
            spaces.split_off(own)
        };
        for space in others {
            space.clean_up().await;
        }
    }

    // The report.

    /// The place in the steps from which [`rewind`](Self::rewind) forgets them.
    pub(crate) fn mark(&self) -> usize {
        self.log.steps().len()
    }

    /// Forgets the steps since `mark`, and puts a manual clock back to `moment`.
    pub(crate) fn rewind(&self, mark: usize, moment: SystemTime) {
        self.log.replace_since(mark, Vec::new());
        if self.timing.is_manual() {
            self.timing.clock.set(moment);
        }
    }

    pub(crate) fn steps_since(&self, mark: usize) -> Vec<Step> {
        self.log.steps().split_off(mark)
    }

    pub(crate) fn put_back(&self, mark: usize, steps: Vec<Step>) {
        self.log.replace_since(mark, steps);
    }

    /// What a call costs, in the middle of three. An answer to what the store asked earlier, and
    /// that nobody waited for, may come late and count once; what counts twice is the call's own.
    pub(crate) async fn round_trips<F>(&self, call: impl Fn() -> F) -> Result<u64, Failure>
    where
        F: Future<Output = Result<(), Failure>>,
    {
        let mut counted = [0; 3];
        for count in &mut counted {
            let before = self.space.hooks.round_trips().await?;
            call().await?;
            let after = self.space.hooks.round_trips().await?;
            let trips = after.saturating_sub(before);
            self.remark(format!("the harness counts {trips} round trips"));
            *count = trips;
        }
        counted.sort_unstable();
        Ok(counted[1])
    }

    /// A line in the steps that is no call.
    pub(crate) fn remark(&self, text: impl Into<String>) {
        self.log.remark(text);
    }

    pub(crate) async fn clean_up(&self) {
        for space in self.take_spaces() {
            space.clean_up().await;
        }
    }

    pub(crate) async fn leftovers(&self) -> Vec<String> {
        let mut left = Vec::new();
        for space in self.take_spaces() {
            left.extend(space.leftovers().await);
        }
        left
    }

    fn lock_closed(&self) -> MutexGuard<'_, HashMap<String, Vec<Id>>> {
        self.closed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_spaces(&self) -> MutexGuard<'_, Vec<Space>> {
        self.spaces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_spaces(&self) -> Vec<Space> {
        std::mem::take(&mut *self.lock_spaces())
    }
}

/// Data with these texts.
pub(crate) fn data(members: &[(&str, &str)]) -> Data {
    let mut data = Data::new();
    for (key, value) in members {
        // The suite's own keys are neither reserved nor without a JSON form.
        data.insert(key, value).expect("a key that Node keeps");
    }
    data
}

fn opening(namespace: String, timing: &Timing) -> Opening {
    Opening::new(namespace, timing.clock.clone())
}
