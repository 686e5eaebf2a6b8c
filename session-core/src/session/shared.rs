use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::state::{Base, Phase, State};
use crate::context::config::{Config, Origin};
use crate::context::notices::Notice;
use crate::context::unsettled::Untold;
use crate::format::cookie::check_length;
use crate::format::secrets::{Signature, Signed};
use crate::{Record, Result, SessionCookie, SessionId};

/// What all handles on one session share.
pub(crate) struct Shared {
    pub(crate) config: Arc<Config>,
    pub(crate) origin: Origin,
    state: Mutex<State>,
    /// Held while the store is asked: one operation of a session at a time.
    pub(crate) io: async_lock::Mutex<()>,
    /// Whether a handler has asked for the session.
    pub(crate) accessed: AtomicBool,
}

impl Shared {
    pub(crate) fn new(config: Arc<Config>, origin: Origin) -> Self {
        // Where a session may be stored, its cookie is made only if there turns out to be none.
        let cookie = if origin.had_cookie() {
            SessionCookie::new()
        } else {
            config.new_cookie(&origin)
        };
        Self::with_state(config, origin, State::new(Phase::NotLoaded, cookie))
    }

    /// A stored session outside of a request.
    pub(crate) fn opened(config: Arc<Config>, id: SessionId, record: Record) -> Self {
        let mut state = State::new(Phase::NotLoaded, SessionCookie::new());
        state.find(id, record);
        // There is no response that could tell a browser of another id.
        state.finished = true;
        Self::with_state(config, Origin::none(), state)
    }

    fn with_state(config: Arc<Config>, origin: Origin, state: State) -> Self {
        Self {
            config,
            origin,
            state: Mutex::new(state),
            io: async_lock::Mutex::new(()),
            accessed: AtomicBool::new(false),
        }
    }

    /// A panic while the lock is held cannot leave the state half changed: no code of the
    /// application's runs under it but what reads a value (its `Deserialize`), which changes nothing.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The cookie of a new session, if it was not made at the beginning.
    pub(crate) fn late_cookie(&self) -> Option<SessionCookie> {
        let late = self.origin.had_cookie();
        late.then(|| self.config.new_cookie(&self.origin))
    }

    /// Refuses a cookie that no browser would keep, before its session is stored. What the store
    /// holds already may come from elsewhere, and is left as it is.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config).
    pub(crate) fn check_cookie(&self) -> Result<()> {
        let config = &*self.config;
        let name = &config.options.name;
        let is_stored = {
            let state = self.state();
            match state.stored() {
                Some(stored) => state.cookie.check_change(name, stored.cookie())?,
                // Looked at when the options were.
                None if config.has_good_cookie(&self.origin) && !state.settings_changed() => {}
                None => state.cookie.check_new(name)?,
            }
            state.stored().is_some()
        };
        if is_stored || config.ids_are_ours() {
            return Ok(());
        }
        check_length(name, self.id().as_str())
    }

    /// The cookie for a session that goes on under another id, where the stored one's attributes
    /// or max age, which may come from elsewhere, are such that no browser would keep it: with the
    /// application's own in their place.
    pub(crate) fn mended_cookie(&self) -> Option<SessionCookie> {
        let name = &self.config.options.name;
        let (cookie, attributes, age) = {
            let state = self.state();
            let stored = state.stored()?.cookie();
            // What a handler has set is not mended but refused.
            let attributes = state.cookie.same_attributes(stored) && !stored.is_kept(name);
            let age = state.cookie.same_max_age(stored) && stored.is_too_short();
            (state.cookie.clone(), attributes, age)
        };
        if !(attributes || age) {
            return None;
        }
        self.config.notice(Notice::SettingsMended);
        // Made outside the lock: the settings may come from the application.
        let own = self.config.new_cookie(&self.origin);
        Some(match (attributes, age) {
            (true, true) => own,
            (true, false) => cookie.with_attributes_of(&own),
            (false, _) => own.with_attributes_of(&cookie),
        })
    }

    /// The ids that the request's cookies carry with a good signature.
    pub(crate) fn signed(&self) -> &[Signed] {
        self.origin.signed(&self.config)
    }

    /// The signature of this id in a response's cookie, if the request's cookie has shown it.
    pub(crate) fn signature_of(&self, id: &SessionId) -> Option<&Signature> {
        let mut signed = self.signed().iter();
        // Both are this request's own: nobody learns anything from how long it takes.
        let shown = signed.find(|signed| signed.id.as_str() == id.as_str())?;
        shown.signature.as_ref()
    }

    /// The session's id, made now if it has none yet.
    pub(crate) fn id(&self) -> SessionId {
        if let Some(id) = &self.state().id {
            return id.clone();
        }
        // Made outside the lock: genid is the application's.
        let new = self.config.new_id(&self.origin);
        self.state().id.get_or_insert(new).clone()
    }
}

/// What may be stored under ids that no browser was told is left to the next request: this one was
/// dropped, or has failed.
impl Drop for Shared {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        let (stored, unanswered) = match &state.base {
            Base::Stored(record) => (Some(record.clone()), false),
            // An id that genid has made may be somebody else's.
            Base::New(_) => (None, state.attempt.is_some() && self.config.ids_are_ours()),
        };
        let retired = state.retired().cloned();
        // What a handler has saved itself stays, unless there is another session in its place.
        let kept = state.finished || state.saved;
        let untold = match (&stored, &retired) {
            (Some(_), None) => !kept && state.is_new(),
            (Some(_), Some(_)) => true,
            (None, _) => unanswered,
        };
        if !untold && state.discarded.is_empty() {
            return;
        }
        fault! { DropsSilently, return }
        let unsettled = &self.config.unsettled;
        for id in state.discarded.drain(..) {
            unsettled.add(Untold {
                id,
                stored: None,
                predecessor: None,
            });
        }
        if let Some(id) = state.id.take().filter(|_| untold) {
            let kept = retired.filter(|retired| retired.kept.is_some());
            unsettled.add(Untold {
                id,
                stored,
                predecessor: kept.map(|retired| (retired.id, retired.source)),
            });
        }
    }
}
