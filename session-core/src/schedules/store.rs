//! A store whose every call is a step: it takes place when the search says so, and its answer may be
//! lost before or after.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;

use async_trait::async_trait;

use crate::format::facts::Moved;
use crate::{
    Capabilities, Clock, Created, Error, ErrorKind, Record, Replaced, Result, SessionCookie,
    SessionId, Store, StoredExpiry, Touched,
};

/// How a call is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Given,
    /// It never reached the store.
    LostBefore,
    /// It took place.
    LostAfter,
}

#[derive(Clone, Debug)]
pub(super) struct StepStore {
    inner: Arc<Mutex<Inner>>,
    capabilities: Capabilities,
    clock: Clock,
}

#[derive(Debug, Default)]
struct Inner {
    rows: HashMap<SessionId, Record>,
    /// The call that the request which was polled last is waiting with.
    waiting: Option<(&'static str, SessionId)>,
    /// Calls take place at once and are answered.
    free: bool,
    granted: Option<Answer>,
    /// From which id to which a session has gone.
    moves: Vec<(SessionId, SessionId)>,
}

impl StepStore {
    pub(super) fn new(capabilities: Capabilities, clock: Clock) -> Self {
        Self {
            inner: Arc::default(),
            capabilities,
            clock,
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    pub(super) fn put(&self, id: &SessionId, record: Record) {
        self.inner().rows.insert(id.clone(), record);
    }

    /// Takes the call that a request has just come to.
    pub(super) fn take_waiting(&self) -> Option<(&'static str, SessionId)> {
        self.inner().waiting.take()
    }

    /// Lets the call of the request that is polled next take place.
    pub(super) fn grant(&self, answer: Answer) {
        self.inner().granted = Some(answer);
    }

    /// From now on nothing waits and nothing is lost.
    pub(super) fn set_free(&self) {
        self.inner().free = true;
    }

    pub(super) fn moves(&self) -> Vec<(SessionId, SessionId)> {
        self.inner().moves.clone()
    }

    /// The live sessions, without records that only say where one went.
    pub(super) fn sessions(&self) -> Vec<(SessionId, Record)> {
        let inner = self.inner();
        let ids: Vec<_> = inner.rows.keys().cloned().collect();
        let live = |id: SessionId| Some((id.clone(), self.live(&inner, &id)?));
        let all = ids.into_iter().filter_map(live);
        all.filter(|(_, record)| Moved::read(record).is_none())
            .collect()
    }

    fn live(&self, inner: &Inner, id: &SessionId) -> Option<Record> {
        let record = inner.rows.get(id)?;
        let ends = StoredExpiry::from(record.expires());
        let live = !record.is_expired(self.clock.now());
        // Read from its text, as a backend's are.
        live.then(|| Record::decode(Arc::clone(record.shared_json()), ends).unwrap())
    }

    /// Waits for this call's turn, makes it, and answers or does not.
    async fn step<T>(
        &self,
        call: &'static str,
        id: &SessionId,
        make: impl FnOnce(&Self, &mut Inner) -> T,
    ) -> Result<T> {
        let mut waits = false;
        let answer = poll_fn(|_| {
            let mut inner = self.inner();
            if inner.free {
                return Poll::Ready(Answer::Given);
            }
            if !waits {
                waits = true;
                inner.waiting = Some((call, id.clone()));
                return Poll::Pending;
            }
            match inner.granted.take() {
                Some(answer) => Poll::Ready(answer),
                None => Poll::Pending,
            }
        })
        .await;
        let lost = || Error::new(ErrorKind::Timeout, call);
        if answer == Answer::LostBefore {
            return Err(lost());
        }
        let made = make(self, &mut self.inner());
        match answer {
            Answer::LostAfter => Err(lost()),
            _ => Ok(made),
        }
    }

    fn write(&self, inner: &mut Inner, id: &SessionId, record: &Record) {
        if record.is_expired(self.clock.now()) {
            inner.rows.remove(id);
            return;
        }
        inner.rows.insert(id.clone(), record.clone());
        let now = self.clock.now();
        let moved = Moved::read(record).map_or_else(Vec::new, |moved| moved.successors(now));
        for (new, _) in moved {
            inner.moves.push((id.clone(), new));
        }
    }
}

#[async_trait]
impl Store for StepStore {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        self.step("get", id, |store, inner| store.live(inner, id))
            .await
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        self.step("set", id, |store, inner| store.write(inner, id, record))
            .await
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        self.step("destroy", id, |_, inner| drop(inner.rows.remove(id)))
            .await
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        self.step("touch", id, |store, inner| {
            let Some(mut record) = store.live(inner, id) else {
                return Touched::Missing;
            };
            record.touch(cookie, cookie.expires());
            inner.rows.insert(id.clone(), record);
            Touched::Touched
        })
        .await
    }

    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        self.step("create", id, |store, inner| {
            if store.live(inner, id).is_some() {
                return Created::Exists;
            }
            store.write(inner, id, record);
            Created::Created
        })
        .await
    }

    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        self.step("replace", id, |store, inner| {
            match store.live(inner, id) {
                None => return Replaced::Missing,
                Some(record) if !record.same_json(old) => return Replaced::Conflict,
                Some(_) => store.write(inner, id, new),
            }
            Replaced::Replaced
        })
        .await
    }
}
