mod edits;
mod state;
mod write;

use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::format::data::{Data, decode_value, encode_value};
use crate::lifecycle::{Config, Origin};
use crate::{Error, ErrorKind, Result, SessionCookie, SessionId};
use edits::Edit;
pub(crate) use state::{Phase, State};

/// A visitor's session: `req.session`.
///
/// The data is there before the handler runs, so reading and editing need no `await`; the edits
/// are saved when the response ends, in one write. Clones are handles on the same session.
///
/// Concurrent requests of one visitor do not lose each other's edits: they are made again on what
/// the other request saved (see [`OnConflict`](crate::OnConflict)). Use [`update`](Self::update)
/// for a value that depends on the old one.
///
/// A web framework's handler gets it from its adapter, whose own type of this name dereferences to
/// this one (`session_tower::Session`, for example, which comes with an error that axum can answer
/// with). What takes a reference works with either:
///
/// ```
/// use session_core::{Result, Session};
///
/// fn visit(session: &Session) -> Result<String> {
///     let views = session.update("views", |views: Option<u32>| views.unwrap_or(0) + 1)?;
///     let user: Option<String> = session.get("user")?;
///     Ok(format!("{views} views by {}", user.as_deref().unwrap_or("nobody")))
/// }
/// ```
///
/// Outside of a request, or after its response has been sent, nothing is saved by itself:
/// [`reload`](Self::reload) and [`save`](Self::save) do it, and `save` never brings back a session
/// that was destroyed meanwhile.
#[derive(Clone)]
pub struct Session(pub(crate) Arc<Shared>);

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
    pub(crate) fn with_state(config: Arc<Config>, origin: Origin, state: State) -> Self {
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
}

impl Session {
    /// The id. A new session's is made when it is first needed. After
    /// [`destroy`](Self::destroy) it is still the old one, as in Node.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.0.id()
    }

    /// Whether the session is not stored yet.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.0.state().stored.is_none()
    }

    /// The value of `key`, or `None` if there is none. Only this value is deserialised, while the
    /// session is locked: a `Deserialize` of your own must not use the same session.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] if the value is not a `T`; it stays as it is.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        self.0.state().data().get(key)
    }

    /// Sets `key`. Setting the value that is there already is no modification.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ReservedKey`] for a key that express-session would erase,
    /// [`ErrorKind::Encode`] if the value has no JSON form.
    pub fn insert<T: Serialize + ?Sized>(&self, key: &str, value: &T) -> Result<()> {
        let value = encode_value(key, value)?;
        self.edit(Edit::Insert(key.into(), value));
        Ok(())
    }

    /// Replaces the value of `key` by what `f` makes of it (`None` if there is none), and returns
    /// the new value.
    ///
    /// If another request has changed the session by the time this one is saved, `f` runs again on
    /// the value that is then there, so that no increment is lost: it should depend on nothing
    /// else. It may call the session's methods.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get) and [`insert`](Self::insert).
    pub fn update<T, F>(&self, key: &str, f: F) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
        F: Fn(Option<T>) -> T + Send + Sync + 'static,
    {
        loop {
            let (old, version) = {
                let mut state = self.editable();
                (state.data().get(key)?, state.version())
            };
            let new = f(old);
            let json = encode_value(key, &new)?;
            let mut state = self.editable();
            // Another task has edited the session while `f` ran without the lock.
            if state.version() != version {
                continue;
            }
            let again = Arc::new(move |key: &str, old: Option<&str>| {
                let old = old.map(|json| decode_value(key, json)).transpose()?;
                encode_value(key, &f(old))
            });
            state.update(key, json, Edit::Update(key.into(), again));
            return Ok(new);
        }
    }

    /// Removes `key`; says whether it was there.
    #[expect(clippy::must_use_candidate, reason = "seldom of interest")]
    pub fn remove(&self, key: &str) -> bool {
        let mut state = self.editable();
        let found = state.data().contains_key(key);
        // Noted even if there is nothing: another request may be putting something there.
        state.edit(Edit::Remove(key.into()));
        found
    }

    /// Removes `key` and returns its value: for messages that are shown once.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] if the value is not a `T`; it stays as it is.
    pub fn take<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        let mut state = self.editable();
        let value = state.data().get(key)?;
        state.edit(Edit::Remove(key.into()));
        Ok(value)
    }

    /// Removes all data; the session itself stays.
    pub fn clear(&self) {
        self.edit(Edit::Clear);
    }

    /// Whether `key` has a value.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.0.state().data().contains_key(key)
    }

    /// The keys, in order.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.0
            .state()
            .data()
            .keys()
            .map(|key| key.into_owned())
            .collect()
    }

    /// A copy of the data as it is now, to iterate over.
    #[must_use]
    pub fn data(&self) -> Data {
        self.0.state().data().clone()
    }

    /// A copy of the cookie settings as they are now.
    #[must_use]
    pub fn cookie(&self) -> SessionCookie {
        self.0.state().cookie.clone()
    }

    /// Changes this visitor's cookie settings. The change is saved and the cookie sent again.
    ///
    /// ```
    /// # fn handler(session: session_core::Session) {
    /// session.update_cookie(|cookie| cookie.set_path("/shop"));
    /// # }
    /// ```
    pub fn update_cookie<T>(&self, change: impl FnOnce(&mut SessionCookie) -> T) -> T {
        // The application's closure runs on a copy, without the lock.
        let mut cookie = self.editable().cookie.clone();
        let result = change(&mut cookie);
        self.editable().cookie = cookie;
        result
    }

    /// The time that is left (`cookie.maxAge`); `None` when the cookie ends with the browser.
    #[must_use]
    pub fn max_age(&self) -> Option<Duration> {
        self.0.state().cookie.max_age(self.now())
    }

    /// Lets this visitor's session end after `max_age`, counted from the last request (in the
    /// browser, from the last one that sent the cookie: see
    /// [`CookieOptions::max_age`](crate::CookieOptions::max_age)); `None` makes its cookie end with
    /// the browser.
    pub fn set_max_age(&self, max_age: Option<Duration>) {
        let now = self.now();
        self.update_cookie(|cookie| cookie.set_max_age(max_age, now));
    }

    /// When the session ends; `None` when its cookie ends with the browser.
    #[must_use]
    pub fn expires(&self) -> Option<SystemTime> {
        self.0.state().cookie.expires()
    }

    /// Sets when this visitor's session ends. The time from now until then becomes its max age, to
    /// which each further request puts it back, as in express-session.
    pub fn set_expires(&self, expires: Option<SystemTime>) {
        let now = self.now();
        self.update_cookie(|cookie| cookie.set_expires(expires, now));
    }

    /// Makes this visitor's cookie end with the browser (`cookie.expires = false`).
    pub fn expire_with_browser(&self) {
        self.update_cookie(SessionCookie::expire_with_browser);
    }

    /// The max age that [`touch`](Self::touch) goes back to.
    #[must_use]
    pub fn original_max_age(&self) -> Option<Duration> {
        self.0.state().cookie.original_max_age()
    }

    /// Puts the max age back to its original value. There is seldom a reason to call it: the
    /// middleware does so for every request that carries the session.
    pub fn touch(&self) {
        let now = self.now();
        self.0.state().cookie.touch(now);
    }

    /// Saves the session now rather than when the response ends.
    ///
    /// If the future is dropped, the session in the store is the old or the new one, and the edits
    /// are still here to be saved.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Missing`] if the session was destroyed, regenerated elsewhere or has expired:
    /// it is not brought back. [`ErrorKind::Conflict`] if it was changed elsewhere and the changes
    /// could not be brought together. [`ErrorKind::Other`] for a new session after its response
    /// was sent: nobody could ever use it. And those of the store.
    pub async fn save(&self) -> Result<()> {
        let _io = self.0.io.lock().await;
        {
            let state = self.0.state();
            if state.phase != Phase::Live {
                return Err(Error::new(ErrorKind::Missing, "save"));
            }
            if state.finished && (state.stored.is_none() || state.has_remains()) {
                return Err(Error::new(ErrorKind::Other, "save").with_message(
                    "there is no response any more to send this session's cookie with; make or \
                     regenerate a session before the handler returns",
                ));
            }
        }
        self.0.write().await
    }

    /// Reads the session from the store again; changes since the last save are dropped.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Missing`] (`failed to load session`) if it is not stored (any more); the
    /// session stays as it is. And those of the store.
    pub async fn reload(&self) -> Result<()> {
        let _io = self.0.io.lock().await;
        let (id, epoch) = {
            let state = self.0.state();
            let usable = matches!(state.phase, Phase::Live | Phase::Gone);
            let id = state
                .id
                .clone()
                .filter(|_| usable && state.stored.is_some());
            (id, state.epoch())
        };
        let missing =
            || Error::new(ErrorKind::Missing, "reload").with_message("failed to load session");
        let record = self.0.config.store().get(&id.ok_or_else(missing)?).await?;
        let mut state = self.0.state();
        // What was read is not this session any more if its id was changed meanwhile.
        let record = record
            .filter(|_| state.epoch() == epoch)
            .ok_or_else(missing)?;
        state.adopt(record);
        Ok(())
    }

    /// Gives the visitor a new, empty session under a new id: against session fixation, call this
    /// or [`cycle_id`](Self::cycle_id) whenever somebody signs in.
    ///
    /// The new session is stored when the response ends, or by [`save`](Self::save) before that.
    /// The old one is removed when the response ends, after the new one was stored: a request that
    /// is cancelled or fails before leaves the old one usable.
    pub fn regenerate(&self) {
        let cookie = self.0.config.new_cookie(&self.0.origin);
        let mut state = self.editable();
        if state.phase == Phase::Gone {
            state.start_anew(cookie.clone());
        }
        state.change_id(cookie, false);
    }

    /// Gives the session a new id and keeps its data and cookie settings: signing in without
    /// losing the cart.
    ///
    /// As [`regenerate`](Self::regenerate); edits that another request makes meanwhile are brought
    /// over, and if another request destroys the old session first, or changes its id, there is no
    /// new one either: of two such requests at the same time the first one counts.
    ///
    /// Where the new session's cookie cannot be sent (it is `Secure`, and the connection is not),
    /// the old session stays as it was and what was put into it here is dropped; if this request
    /// has taken something out of it, which may be the sign of a logout, the old session ends.
    pub fn cycle_id(&self) {
        let mut state = self.editable();
        let cookie = state.cookie.clone();
        state.change_id(cookie, true);
    }

    /// As [`cycle_id`](Self::cycle_id), but of the data only `keys` are kept.
    ///
    /// ```
    /// # fn sign_in(session: session_core::Session) -> session_core::Result<()> {
    /// session.regenerate_keeping(["cart", "language"]);
    /// session.insert("user", "alice")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn regenerate_keeping<K: Into<String>>(&self, keys: impl IntoIterator<Item = K>) {
        let keys = keys.into_iter().map(Into::into).collect();
        let mut state = self.editable();
        state.edit(Edit::Retain(keys));
        let cookie = state.cookie.clone();
        state.change_id(cookie, true);
    }

    /// Destroys the session, in the store at once, and in the browser with the response. What is
    /// put into it afterwards starts a new session under a new id.
    ///
    /// Servers drop a handler whose client hangs up, and then nothing behind the `await` it stands
    /// at happens: call this before what takes time, or let the adapter finish such requests
    /// (`SessionLayer::finish_on` in `session-tower`).
    ///
    /// # Errors
    ///
    /// Those of the store; the session is then still there.
    pub async fn destroy(&self) -> Result<()> {
        let _io = self.0.io.lock().await;
        self.0.remove().await?;
        self.0.state().end(Phase::Destroyed);
        Ok(())
    }

    /// Lets go of the session (`req.session = null`): nothing that this request has changed or
    /// will change is saved, and the [`unset`](crate::SessionOptions::unset) option says whether
    /// the stored session is destroyed when the response ends.
    pub fn unset(&self) {
        let mut state = self.0.state();
        if state.phase != Phase::Destroyed {
            state.end(Phase::Unset);
        }
    }

    fn now(&self) -> SystemTime {
        self.0.config.clock().now()
    }

    fn edit(&self, edit: Edit) {
        self.editable().edit(edit);
    }

    /// The state to be edited: of a new session, if this one was destroyed.
    fn editable(&self) -> MutexGuard<'_, State> {
        let mut state = self.0.state();
        if state.phase == Phase::Destroyed {
            drop(state);
            // Made outside the lock: the cookie's settings may come from the application.
            let cookie = self.0.config.new_cookie(&self.0.origin);
            state = self.0.state();
            if state.phase == Phase::Destroyed {
                state.start_anew(cookie);
            }
        }
        state
    }
}

/// Neither the id nor data is shown.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.state();
        f.debug_struct("Session")
            .field("phase", &state.phase)
            .field("new", &state.stored.is_none())
            .field("cookie", &state.cookie)
            .finish_non_exhaustive()
    }
}
