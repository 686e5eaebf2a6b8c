use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use http::HeaderValue;

use crate::lifecycle::options::{OnStoreError, Unset};
use crate::session::{Phase, Shared, State};
use crate::{Error, ErrorKind, Outcome, Record, Renewed, Result, Session, SessionId, Touched};

/// One request and its response, as the session sees them.
///
/// Clones are handles on the same exchange: an adapter keeps one and passes another along with
/// the request.
#[derive(Clone)]
pub struct Exchange(Arc<Shared>);

/// An exchange whose session could not be saved, removed or touched.
#[derive(Debug)]
pub struct Unfinished {
    /// Why.
    pub error: Error,
    /// What belongs into the error response all the same: the cookie of a session that was stored
    /// before something failed.
    pub outcome: Outcome,
}

impl From<Unfinished> for Error {
    fn from(unfinished: Unfinished) -> Self {
        unfinished.error
    }
}

/// What is left to do with a live session at the end of its request.
#[derive(Debug, PartialEq, Eq)]
enum Work {
    Nothing,
    /// A new session is not saved, because its cookie could not be sent.
    Withhold,
    Touch,
    Write,
    /// The old id of a session that was regenerated and saved is still in the store.
    Retire,
}

impl Exchange {
    pub(crate) fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }

    /// The name of the session cookie.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.config.options.name
    }

    /// Whether the store is to be asked before the handler runs: the request carries a session,
    /// and sessions are not loaded [lazily](crate::SessionOptions::lazy).
    #[must_use]
    pub fn loads_first(&self) -> bool {
        !self.0.config.options.lazy && self.0.cookie_id().is_some()
    }

    /// Loads the session without handing it out.
    ///
    /// # Errors
    ///
    /// Those of [`Store::get`](crate::Store::get), unless they are to be
    /// [served without a session](OnStoreError::ServeWithoutSession). A record that cannot be
    /// decoded is no error: it counts as no session and is left alone.
    pub async fn load(&self) -> Result<()> {
        let shared = &*self.0;
        let _io = shared.io.lock().await;
        if shared.state().phase != Phase::NotLoaded {
            return Ok(());
        }
        let asked = shared.config.clock().now();
        let found = match shared.cookie_id() {
            Some(id) => self.read(id).await,
            None => Ok(None),
        };
        let found = match found {
            Err(error) if matches!(error.kind(), ErrorKind::Decode | ErrorKind::InvalidId) => {
                tracing::warn!(%error, "a stored session cannot be read; starting a new one");
                Ok(None)
            }
            found => found,
        };
        let cookie = match &found {
            Ok(None) => shared.late_cookie(),
            _ => None,
        };
        let mut state = shared.state();
        match found {
            Ok(Some((record, renewed))) => {
                state.id = shared.cookie_id().cloned();
                state.adopt(record);
                state.moved = (renewed == Renewed::Touched).then_some(asked);
            }
            Ok(None) => state.start_live(cookie),
            Err(error) if self.is_lenient() => {
                tracing::warn!(%error, "the session store failed; serving without a session");
                state.phase = Phase::Unavailable;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Reads the session, and touches it on the way where that takes no step of its own.
    async fn read(&self, id: &SessionId) -> Result<Option<(Record, Renewed)>> {
        let store = self.0.config.store();
        match self.0.config.renewal() {
            Some(renewal) => store.get_and_touch(id, &renewal).await,
            None => Ok(store.get(id).await?.map(|record| (record, Renewed::Left))),
        }
    }

    /// The session for the handler, loaded now if it has not been before; a new one if the request
    /// carries none that is stored.
    ///
    /// `None` if the store failed and the request is to be served without a session.
    ///
    /// # Errors
    ///
    /// Those of [`load`](Self::load).
    pub async fn session(&self) -> Result<Option<Session>> {
        let shared = &self.0;
        shared.accessed.store(true, Ordering::Relaxed);
        let mut phase = shared.state().phase;
        if phase == Phase::NotLoaded {
            self.load().await?;
            phase = shared.state().phase;
        }
        Ok((phase != Phase::Unavailable).then(|| Session(Arc::clone(shared))))
    }

    /// Ends the exchange if that does not need the store: most requests without a session, and
    /// most that only read theirs. `None` if [`finish`](Self::finish) has work to do.
    #[must_use]
    pub fn finish_idle(&self) -> Option<Outcome> {
        let shared = &*self.0;
        let mut state = shared.state();
        if state.finished {
            return Some(Outcome::default());
        }
        let none = [None, None];
        let cookies = match state.phase {
            Phase::NotLoaded => (!self.saves_new() || shared.cookie_id().is_some()).then_some(none),
            Phase::Gone | Phase::Unavailable => Some(none),
            Phase::Live if self.is_new(&state) => self.is_idle_new(&state).then_some(none),
            Phase::Live => {
                // Another task may be saving the session, and then this waits for it.
                let _io = shared.io.try_lock()?;
                match self.work(&state) {
                    // A cookie that cannot be sent is an error for `finish` to tell.
                    Work::Nothing => self.cookies(&mut state, &Work::Nothing).ok(),
                    _ => None,
                }
            }
            Phase::Destroyed | Phase::Unset => None,
        };
        let cookies = cookies?;
        state.finished = true;
        Some(self.outcome(cookies))
    }

    /// Whether nothing is to be done for a new session, nor a cookie to be set.
    fn is_idle_new(&self, state: &State) -> bool {
        if state.written {
            return false;
        }
        let work = self.work(state);
        if work == Work::Withhold {
            tracing::warn!(
                "a new session was not saved: its cookie is Secure and the connection is not \
                 (behind a proxy, is the `proxy` option set?)"
            );
        }
        state.dropped_cookie.is_none()
            && !state.has_discarded()
            && matches!(work, Work::Nothing | Work::Withhold)
    }

    /// Ends the exchange: writes the session, touches it or leaves it alone, and says which
    /// cookie to set. Call it before the response's head is sent, so that the next request of the
    /// client finds what this one wrote.
    ///
    /// # Errors
    ///
    /// Those of the store, and of a cookie that cannot be put into a header. The response then
    /// has to be an error: what the handler wanted was not done. Its headers are in
    /// [`Unfinished::outcome`].
    pub async fn finish(&self) -> Result<Outcome, Unfinished> {
        if let Some(outcome) = self.finish_idle() {
            return Ok(outcome);
        }
        let shared = &*self.0;
        let _io = shared.io.lock().await;
        let mut phase = shared.state().phase;
        if phase == Phase::NotLoaded {
            let cookie = shared.late_cookie();
            let mut state = shared.state();
            state.start_live(cookie);
            phase = state.phase;
        }
        let (done, work) = match phase {
            Phase::Live => self.finish_live().await,
            Phase::Unset if shared.config.options.unset == Unset::Destroy => {
                (shared.remove().await, Work::Nothing)
            }
            _ => (Ok(()), Work::Nothing),
        };
        let mut state = shared.state();
        state.finished = true;
        // After a failure, only a new session that was stored before it gets its cookie: the one
        // that the browser has may be gone.
        let failed = done.is_err();
        let cookies = if failed && !(self.is_new(&state) && state.written) {
            Ok([None, None])
        } else {
            self.cookies(&mut state, &work)
        };
        drop(state);
        let (error, cookies) = match (done, cookies) {
            (Ok(()), Ok(cookies)) => return Ok(self.outcome(cookies)),
            (Err(error), cookies) => (error, cookies.unwrap_or_default()),
            (Ok(()), Err(error)) => (error, [None, None]),
        };
        Err(Unfinished {
            error,
            outcome: self.outcome(cookies),
        })
    }

    async fn finish_live(&self) -> (Result<()>, Work) {
        let shared = &*self.0;
        let work = self.work(&shared.state());
        let done = match work {
            Work::Nothing => Ok(()),
            Work::Withhold => shared.discard().await,
            Work::Touch => self.touch().await,
            Work::Write => self.write().await,
            Work::Retire => shared.retire().await,
        };
        match done {
            // Logged out, regenerated or expired meanwhile: there is nothing to keep alive, and
            // the browser may already have the cookie of the session that came after.
            Err(error) if error.kind() == ErrorKind::Missing => (Ok(()), Work::Nothing),
            done => (done, work),
        }
    }

    async fn write(&self) -> Result<()> {
        let shared = &*self.0;
        {
            let state = shared.state();
            if state.settings_changed() || self.is_new(&state) {
                // Refused before anything is written: nobody could be told of the session.
                state.cookie.check()?;
            }
        }
        shared.write().await?;
        shared.retire().await
    }

    async fn touch(&self) -> Result<()> {
        let shared = &*self.0;
        let (id, cookie) = {
            let mut state = shared.state();
            state.cookie.touch(shared.config.clock().now());
            let Some(id) = state.id.clone() else {
                return Ok(());
            };
            (id, state.cookie.clone())
        };
        match shared.config.store().touch(&id, &cookie).await {
            Ok(Touched::Touched) => Ok(()),
            Ok(Touched::Missing) => Err(shared.gone("touch")),
            Err(error) if self.is_lenient() && error.kind() != ErrorKind::Missing => {
                tracing::warn!(%error, "the session could not be touched");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// The table of EXPRESS 2.7, with its departures.
    fn work(&self, state: &State) -> Work {
        let options = &self.0.config.options;
        let data_changed = state.data_changed();
        if self.is_new(state) {
            // Settings alone make no session worth keeping.
            let settings_changed = state.stored.is_some() && state.settings_changed();
            let kept = state.regenerated || options.save_uninitialized;
            let wanted = data_changed || settings_changed || (kept && !state.written);
            return match (wanted, self.is_sendable(state)) {
                (true, true) => Work::Write,
                // Nobody can be told of the new one; the old one is to end all the same.
                (_, false) if state.ends_the_old(self.0.cookie_id()) => Work::Retire,
                (true, false) => Work::Withhold,
                (false, false) if state.has_discarded() => Work::Withhold,
                (false, true) if state.has_remains() && state.written => Work::Retire,
                (false, _) => Work::Nothing,
            };
        }
        if data_changed || state.settings_changed() || (options.resave && !state.written) {
            Work::Write
        } else if self.0.config.capabilities.touch
            && !state.moved_lately(options.clock.now())
            && self.touch_is_due(state, options.clock.now())
        {
            Work::Touch
        } else {
            Work::Nothing
        }
    }

    /// Whether `touch_after` has passed since the session was last touched. Where nobody keeps
    /// that time, it has.
    fn touch_is_due(&self, state: &State, now: SystemTime) -> bool {
        let config = &self.0.config;
        let Some(record) = &state.stored else {
            return true;
        };
        let cookie = record.cookie();
        let last = match (cookie.expires(), cookie.original_max_age()) {
            (Some(expires), Some(max_age)) => expires.checked_sub(max_age),
            (None, None) => record
                .stored_expires()
                .zip(config.capabilities.default_ttl)
                .and_then(|(expires, ttl)| expires.checked_sub(ttl)),
            _ => None,
        };
        // A store that rounds an expiry up seems to have been touched a moment from now.
        let since = last.map(|last| now.duration_since(last).unwrap_or_default());
        since.is_none_or(|since| since >= config.options.touch_after)
    }

    /// The cookie to set after `work` was done, and the one to drop.
    fn cookies(&self, state: &mut State, work: &Work) -> Result<[Option<HeaderValue>; 2]> {
        let shared = &*self.0;
        match state.phase {
            Phase::Live => {}
            Phase::Destroyed => return Ok([removal(shared, state)?, None]),
            Phase::Unset if shared.config.options.unset == Unset::Destroy => {
                return Ok([removal(shared, state)?, None]);
            }
            _ => return Ok([None, None]),
        }
        let options = &shared.config.options;
        let sent = if self.is_new(state) {
            state.written
        } else {
            // With `touch_after`, the cookie moves when the row does.
            let moved =
                state.moved.is_some() || *work == Work::Touch || !shared.config.capabilities.touch;
            (options.rolling && moved)
                || state.settings_ever_changed()
                || (state.data_ever_changed() && state.cookie.has_expires())
        };
        if !sent {
            // A session that was destroyed, and nothing came after it.
            let ended = state.dropped_cookie.is_some() && !state.regenerated;
            return Ok([if ended { removal(shared, state)? } else { None }, None]);
        }
        if !self.is_sendable(state) {
            tracing::warn!(
                "the session cookie was withheld: it is Secure and the connection is not"
            );
            return Ok([None, None]);
        }
        let now = options.clock.now();
        if *work != Work::Touch && !state.moved_lately(now) {
            state.cookie.touch(now);
        }
        let Some(id) = &state.id else {
            return Ok([None, None]);
        };
        let signature = shared.cookie_signature();
        let signature = signature.filter(|_| !self.is_new(state));
        let cookie = state.cookie.to_header_with(&options.name, |out| {
            options.secrets.write_cookie_value(id, signature, out);
        });
        let cookie = match cookie {
            Ok(cookie) => cookie,
            // Settings that this application made were checked before they were stored; these
            // were stored by another one.
            Err(error) => {
                tracing::warn!(%error, "the session cookie was withheld");
                return Ok([None, None]);
            }
        };
        let elsewhere = state
            .dropped_cookie
            .as_ref()
            .is_some_and(|old| !old.same_place(&state.cookie));
        Ok([
            Some(cookie),
            if elsewhere {
                removal(shared, state)?
            } else {
                None
            },
        ])
    }

    /// Whether the session's id is not the one that the request came with.
    fn is_new(&self, state: &State) -> bool {
        // Both are this request's own: nobody learns anything from how long it takes.
        let own = state.id.as_ref().map(SessionId::as_str);
        let known = self.0.cookie_id().map(SessionId::as_str);
        own.is_none() || own != known
    }

    fn is_sendable(&self, state: &State) -> bool {
        self.0.origin.secure || !state.cookie.secure()
    }

    fn saves_new(&self) -> bool {
        self.0.config.options.save_uninitialized
    }

    fn is_lenient(&self) -> bool {
        self.0.config.options.on_store_error == OnStoreError::ServeWithoutSession
    }

    fn outcome(&self, cookies: [Option<HeaderValue>; 2]) -> Outcome {
        Outcome {
            cookies,
            no_store: self.0.config.options.no_store,
            vary: self.0.accessed.load(Ordering::Relaxed),
        }
    }

    /// Ends the exchange as [`finish`](Self::finish) does, but without the edits that the handler
    /// has not saved itself, a change of the id among them: for an application whose failed
    /// requests are to leave no trace. A session that was destroyed or unset stays so.
    ///
    /// # Errors
    ///
    /// As [`finish`](Self::finish).
    pub async fn abandon(&self) -> Result<Outcome, Unfinished> {
        let shared = &*self.0;
        let io = shared.io.lock().await;
        let Some(cookie) = self.drop_edits() else {
            drop(io);
            return self.finish().await;
        };
        match shared.discard().await.and(cookie) {
            Ok(cookie) => Ok(self.outcome([cookie, None])),
            Err(error) => Err(Unfinished {
                error,
                outcome: self.outcome([None, None]),
            }),
        }
    }

    /// Goes back to what is stored. Where this request has stored nothing under the id that it
    /// would end with, that ends the exchange, with the header for the cookie of a session that was
    /// destroyed before.
    fn drop_edits(&self) -> Option<Result<Option<HeaderValue>>> {
        let state = &mut *self.0.state();
        let unsaved = match state.phase {
            Phase::NotLoaded => true,
            Phase::Live => self.is_new(state) && !state.written,
            _ => return None,
        };
        if state.finished {
            return None;
        }
        if unsaved {
            state.finished = true;
            // A session whose id was to change stays the browser's.
            let ended = state.dropped_cookie.is_some() && state.retired.is_none();
            let cookie = ended.then(|| removal(&self.0, state));
            return Some(cookie.unwrap_or(Ok(None)));
        }
        if let Some(stored) = state.stored.clone() {
            state.adopt(stored);
        }
        None
    }
}

/// The header that makes the browser drop the cookie it came with.
fn removal(shared: &Shared, state: &State) -> Result<Option<HeaderValue>> {
    if !shared.origin.had_cookie() {
        return Ok(None);
    }
    let cookie = state.dropped_cookie.as_ref().unwrap_or(&state.cookie);
    cookie
        .to_removal_header(&shared.config.options.name)
        .map(Some)
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("name", &self.name())
            .field("phase", &self.0.state().phase)
            .finish_non_exhaustive()
    }
}
