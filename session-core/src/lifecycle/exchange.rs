use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::HeaderValue;

use super::outcome::{Cookies, Outcome};
use super::policy::{Action, Plan, Reply, Rules, Situation, plan, reply};
use crate::context::limit::within;
use crate::context::notices::Notice;
use crate::context::options::{OnEnded, OnStoreError, Unset};
use crate::session::{How, Phase, Shared, State};
use crate::{Error, ErrorKind, Record, Result, Session, SessionCookie, SessionId, Touched};

/// One request and its response, as the session sees them.
///
/// Clones are handles on the same exchange: an adapter keeps one and passes another along with
/// the request.
#[derive(Clone)]
pub struct Exchange(Arc<Shared>);

/// An exchange whose session could not be saved or removed.
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
        !self.0.config.options.lazy && !self.0.signed().is_empty()
    }

    /// Loads the session without handing it out.
    ///
    /// Of several cookies of the name, the first one counts whose signature holds and whose session
    /// is stored.
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
        let found = self.find().await;
        let cookie = match &found {
            Ok(None) => shared.late_cookie(),
            _ => None,
        };
        let mut state = shared.state();
        match found {
            Ok(Some((id, record))) => state.find(id, record),
            Ok(None) => state.start_live(cookie),
            Err(error) if self.is_lenient() => {
                shared.config.notice_error(Notice::ServedWithout, &error);
                state.phase = Phase::Unavailable;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The stored session that the request's cookies lead to.
    async fn find(&self) -> Result<Option<(SessionId, Record)>> {
        let config = &*self.0.config;
        let mut unknown = false;
        for signed in self.0.signed() {
            let id = &signed.id;
            let mut found = config.store().get(id).await;
            let moved = matches!(&found, Ok(Some(record)) if record.is_forward());
            if moved && config.unsettled.has_successor_of(id) {
                config.settle_successor_of(id).await?;
                found = config.store().get(id).await;
            }
            match found {
                // Its session has gone on under another id, which nobody learns from the old one.
                Ok(Some(record)) if record.is_forward() => {
                    fault! { ForwardOpensTheNew, return crate::schedules::faults::follow(config, &record).await }
                }
                Ok(Some(record)) => {
                    self.settle_any().await;
                    return Ok(Some((id.clone(), record)));
                }
                Ok(None) => unknown = true,
                Err(error) if matches!(error.kind(), ErrorKind::Decode | ErrorKind::InvalidId) => {
                    config.notice_error(Notice::Unreadable, &error);
                }
                Err(error) => return Err(error),
            }
        }
        if unknown {
            config.notice(Notice::UnknownId);
        }
        self.settle_any().await;
        Ok(None)
    }

    /// Finishes what some request before this one has left half done. The store has just answered;
    /// this is upkeep all the same, which no request waits for long or fails with.
    async fn settle_any(&self) {
        let config = &*self.0.config;
        if config.unsettled.is_empty() {
            return;
        }
        match within(config.options.touch_limit, config.settle_any()).await {
            Some(Ok(())) => {}
            Some(Err(error)) => config.notice_error(Notice::Unsettled, &error),
            None => config.notice(Notice::Unsettled),
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
        Ok((phase != Phase::Unavailable).then(|| Session::of(shared)))
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
        let cookies = match state.phase {
            Phase::NotLoaded if self.saves_new() && shared.signed().is_empty() => return None,
            Phase::NotLoaded | Phase::Unavailable => Cookies::new(),
            Phase::Gone if self.fails_if_lost(&state) => return None,
            Phase::Gone => Cookies::new(),
            Phase::Live => {
                // Another task may be saving the session, and then this waits for it.
                let _io = shared.io.try_lock()?;
                // What was edited is compared once, by `finish`.
                if !state.edits().is_empty() && !state.is_new() {
                    return None;
                }
                let plan = self.plan(&state);
                if plan.action == Action::Withhold && !state.has_remains() {
                    self.0.config.notice(Notice::SessionNotSaved);
                } else if plan.action != Action::Nothing {
                    return None;
                }
                // A cookie that cannot be sent is an error for `finish` to tell.
                self.cookies(&mut state, plan).ok()?
            }
            Phase::Moved | Phase::Destroyed | Phase::Unset => return None,
        };
        state.finished = true;
        let outcome = self.outcome(&state, cookies);
        drop(state);
        Some(outcome)
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
        let (done, plan) = match phase {
            Phase::Live | Phase::Moved => self.finish_live().await,
            Phase::Unset if shared.config.options.unset == Unset::Destroy => {
                (shared.remove().await, REMOVE)
            }
            Phase::Destroyed => (Ok(()), REMOVE),
            _ => (Ok(()), NOTHING),
        };
        let mut state = shared.state();
        let done = match done {
            // Logged out, regenerated or expired meanwhile: there is nothing to keep alive, and
            // the browser may already have the cookie of the session that came after.
            Err(error) if error.kind() == ErrorKind::Missing && !self.fails_if_lost(&state) => {
                Ok(())
            }
            Ok(()) if self.fails_if_lost(&state) => Err(Error::new(ErrorKind::Missing, "save")
                .with_message("the session has ended; what was to be changed in it is lost")),
            done => done,
        };
        state.finished = true;
        let remains = state.retired().is_some();
        fault! { CookieInDoubt, let remains = false }
        let reply = match &done {
            Ok(()) => plan,
            // Only a new session that was stored before the failure gets its cookie, and not while
            // the one that it is to follow may still be there.
            Err(_) if state.has_written() && state.is_new() && !remains => Plan {
                reply: reply(self.rules(), &self.situation(&state), Action::Nothing),
                ..plan
            },
            Err(_) => NOTHING,
        };
        let cookies = self.cookies(&mut state, reply);
        let outcome = |cookies| self.outcome(&state, cookies);
        let (error, outcome) = match (done, cookies) {
            (Ok(()), Ok(cookies)) => return Ok(outcome(cookies)),
            (Err(error), cookies) => (error, outcome(cookies.unwrap_or_default())),
            (Ok(()), Err(error)) => (error, outcome(Cookies::new())),
        };
        Err(Unfinished { error, outcome })
    }

    async fn finish_live(&self) -> (Result<()>, Plan) {
        let shared = &*self.0;
        let mut plan = {
            let state = shared.state();
            match state.phase {
                // Of the new id, this request's browser is told nothing.
                Phase::Moved if state.edits().is_empty() => NOTHING,
                Phase::Moved => Plan {
                    action: Action::Write,
                    reply: Reply::Nothing,
                },
                _ => self.plan(&state),
            }
        };
        let done = match plan.action {
            Action::Nothing => Ok(()),
            Action::Withhold => {
                self.0.config.notice(Notice::SessionNotSaved);
                shared.discard().await
            }
            Action::Touch => match self.touch().await {
                Ok(true) => Ok(()),
                Ok(false) => {
                    let state = shared.state();
                    plan.action = Action::Nothing;
                    plan.reply = reply(self.rules(), &self.situation(&state), plan.action);
                    Ok(())
                }
                Err(error) => Err(error),
            },
            Action::Write => self.write().await,
            Action::Retire => {
                self.end_untold();
                shared.retire().await
            }
        };
        // It may have turned out to be over, or to have gone on elsewhere.
        if shared.state().phase != Phase::Live {
            plan = NOTHING;
        }
        (done, plan)
    }

    /// Where nobody can be told of the session, nothing of the one before it goes on.
    fn end_untold(&self) {
        let mut state = self.0.state();
        let sendable = self.is_sendable(&state);
        if let Some(retired) = state.retired_mut().filter(|_| !sendable) {
            retired.kept = None;
        }
    }

    async fn write(&self) -> Result<()> {
        let shared = &*self.0;
        fault! { OldGoesFirst, shared.retire().await? }
        let on_conflict = shared.config.options.on_conflict;
        shared.write(How::on_conflict(on_conflict)).await?;
        shared.retire().await
    }

    /// Moves the session's end; `false` where that has to be left to the next request: it is upkeep,
    /// for which no response fails or waits.
    async fn touch(&self) -> Result<bool> {
        let shared = &*self.0;
        let config = &*shared.config;
        let (id, cookie) = {
            let mut state = shared.state();
            let Some(id) = state.id.clone() else {
                return Ok(false);
            };
            let mut cookie = state.cookie.clone();
            cookie.touch(config.clock().now());
            state.cookie = cookie.clone();
            (id, cookie)
        };
        fault! { TouchesBySet, return crate::schedules::faults::touch_by_set(shared, &id, &cookie).await }
        let touched = config.store().touch(&id, &cookie);
        match within(config.options.touch_limit, touched).await {
            Some(Ok(Touched::Touched)) => Ok(true),
            Some(Ok(Touched::Missing)) => Err(shared.gone("touch")),
            Some(Err(error)) => {
                config.notice_error(Notice::NotExtended, &error);
                Ok(false)
            }
            None => {
                config.notice(Notice::NotExtended);
                Ok(false)
            }
        }
    }

    fn rules(&self) -> Rules {
        let config = &self.0.config;
        Rules {
            resave: config.options.resave,
            rolling: config.options.rolling,
            save_uninitialized: config.options.save_uninitialized,
            can_touch: config.capabilities.touch,
        }
    }

    fn situation(&self, state: &State) -> Situation {
        let now = self.0.config.clock().now();
        let touch_due = !state.left_alone
            && !state.written_lately(now)
            && state
                .stored()
                .is_some_and(|record| self.0.config.is_touch_due(record, now));
        let data_changed = state.data_changed();
        Situation {
            is_new: state.is_new(),
            has_new_id: state.has_new_id(),
            written: state.has_written(),
            stored: state.stored().is_some(),
            data_changed,
            data_ever_changed: state.data_ever_changed(data_changed),
            settings_changed: state.settings_changed(),
            settings_ever_changed: state.settings_ever_changed(),
            has_expires: state.cookie.has_expires(),
            sendable: self.is_sendable(state),
            touch_due,
            has_discarded: !state.discarded.is_empty(),
            has_retired: state.retired().is_some(),
            ends_retired: state.ends_the_old(),
            has_destroyed: state.has_destroyed,
        }
    }

    fn plan(&self, state: &State) -> Plan {
        plan(self.rules(), &self.situation(state))
    }

    /// The cookie to set according to `plan`, and those to drop.
    fn cookies(&self, state: &mut State, plan: Plan) -> Result<Cookies> {
        let mut cookies = Cookies::new();
        match plan.reply {
            Reply::Nothing => {}
            Reply::WithheldCookie => self.0.config.notice(Notice::CookieWithheld),
            Reply::Removal => cookies.extend(self.removal(&self.browsers_cookie(state))?),
            Reply::Cookie => self.set_cookie(state, plan.action, &mut cookies)?,
        }
        Ok(cookies)
    }

    fn set_cookie(&self, state: &mut State, action: Action, cookies: &mut Cookies) -> Result<()> {
        let shared = &*self.0;
        let options = &shared.config.options;
        let now = options.clock.now();
        if action != Action::Touch && !state.written_lately(now) {
            state.cookie.touch(now);
        }
        let Some(id) = &state.id else {
            return Ok(());
        };
        let signature = shared.signature_of(id);
        let max_age_at = options.send_max_age.then_some(now);
        let cookie = state
            .cookie
            .to_header_with(&options.name, max_age_at, |out| {
                options.secrets.write_cookie_value(id, signature, out);
            });
        let cookie = match cookie {
            Ok(cookie) => cookie,
            // Settings that this application made were checked before they were stored; these
            // were stored by another one.
            Err(error) => {
                shared.config.notice_error(Notice::CookieWithheld, &error);
                return Ok(());
            }
        };
        cookies.push(cookie);
        if shared.origin.had_cookie() {
            let old = self.browsers_cookie(state);
            if !old.same_place(&state.cookie, &options.name) {
                cookies.extend(self.removal(&old)?);
            }
        }
        Ok(())
    }

    /// The cookie that the browser has, as far as its place is known: without a session that knows
    /// it, it is where new ones are put, wherever this request has moved its own.
    fn browsers_cookie(&self, state: &State) -> SessionCookie {
        let found = state.found.as_ref();
        found.map_or_else(
            || self.0.config.new_cookie(&self.0.origin),
            |found| found.record.cookie().clone(),
        )
    }

    /// The header that makes the browser drop a cookie that it came with.
    fn removal(&self, cookie: &SessionCookie) -> Result<Option<HeaderValue>> {
        if !self.0.origin.had_cookie() {
            return Ok(None);
        }
        let config = &self.0.config;
        if !cookie.is_kept(self.name()) {
            config.notice(Notice::SettingsMended);
        }
        let with_max_age = config.options.send_max_age;
        cookie
            .to_removal_header_with(self.name(), with_max_age)
            .map(Some)
    }

    fn is_sendable(&self, state: &State) -> bool {
        self.0.origin.secure || !state.cookie.secure()
    }

    /// Whether edits have nowhere to go, and that is to be an error.
    fn fails_if_lost(&self, state: &State) -> bool {
        self.0.config.options.on_ended == OnEnded::Fail && has_lost_edits(state)
    }

    fn saves_new(&self) -> bool {
        self.0.config.options.save_uninitialized
    }

    fn is_lenient(&self) -> bool {
        self.0.config.options.on_store_error == OnStoreError::ServeWithoutSession
    }

    fn outcome(&self, state: &State, mut cookies: Cookies) -> Outcome {
        let config = &self.0.config;
        if !config.options.former_cookies.is_empty() {
            let is_loaded = !matches!(state.phase, Phase::NotLoaded | Phase::Unavailable);
            let found = state.found.as_ref().map(|found| found.record.cookie());
            let kept = [found, Some(&state.cookie)];
            cookies.extend(config.removals_of_former(&self.0.origin, is_loaded, kept));
        }
        Outcome {
            cookies,
            no_store: self.0.config.options.no_store,
            vary: self.0.accessed.load(Ordering::Relaxed),
            edits_dropped: has_lost_edits(state),
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
        let Some(plan) = self.drop_edits() else {
            drop(io);
            return self.finish().await;
        };
        let discarded = shared.discard().await;
        let mut state = shared.state();
        state.finished = true;
        let error = match discarded.and_then(|()| self.cookies(&mut state, plan)) {
            Ok(cookies) => return Ok(self.outcome(&state, cookies)),
            Err(error) => error,
        };
        let outcome = self.outcome(&state, Cookies::new());
        Err(Unfinished { error, outcome })
    }

    /// Goes back to what is stored. Where this request has stored nothing under the id that it
    /// would end with, that is the end of it: what to tell the browser then.
    fn drop_edits(&self) -> Option<Plan> {
        let state = &mut *self.0.state();
        if state.finished {
            return None;
        }
        match state.phase {
            Phase::NotLoaded => return Some(NOTHING),
            Phase::Live if state.is_new() && !state.has_written() => {
                // A session whose id was to change stays the browser's.
                let ended = state.has_destroyed && state.retired().is_none();
                return Some(if ended { REMOVE } else { NOTHING });
            }
            Phase::Live | Phase::Moved | Phase::Gone => {
                state.forget_edits();
                state.lost = false;
            }
            _ => {}
        }
        None
    }
}

const NOTHING: Plan = Plan {
    action: Action::Nothing,
    reply: Reply::Nothing,
};

const REMOVE: Plan = Plan {
    action: Action::Nothing,
    reply: Reply::Removal,
};

fn has_lost_edits(state: &State) -> bool {
    match state.phase {
        Phase::Gone => state.lost || !state.edits().is_empty(),
        Phase::Moved => state.lost,
        _ => false,
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("name", &self.name())
            .field("phase", &self.0.state().phase)
            .finish_non_exhaustive()
    }
}
