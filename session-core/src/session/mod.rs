//! The handle on a session, and how what it is told reaches the store.

mod edits;
mod end;
mod retire;
mod shared;
mod state;
mod write;

use std::fmt;
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::context::config::Config;
use crate::context::options::OnConflict;
use crate::format::data::Data;
use crate::format::data::value::{OtherShape, decode_value, encode_value};
use crate::{Error, ErrorKind, Record, Result, SessionCookie, SessionId};
use edits::Edit;
pub(crate) use shared::Shared;
use state::Kept;
pub(crate) use state::{Phase, State};
pub(crate) use write::How;
use write::{MOST_RUNS, Written, edits_itself};

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
        self.0.state().stored().is_none()
    }

    /// The value of `key`, or `None` if there is none. Only this value is deserialised, while the
    /// session is locked: a `Deserialize` of your own must not use the same session.
    ///
    /// `null`, which Node and `insert("user", &None::<User>)` may have put there, is none, too,
    /// unless `T` has a value for it: `get::<User>` gives `None`, `get::<Option<User>>` gives
    /// `Some(None)`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] if the value is not a `T`; it stays as it is.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        self.0.state().data().get(key)
    }

    /// The value of `key`, or `None` if there is none that is a `T`.
    ///
    /// For a value that can be done without, where the application's types change from one
    /// release to the next: a session that an older release has written must not fail its
    /// visitor's every request until it ends. Where it cannot be done without, use
    /// [`get`](Self::get), whose error tells a value of another shape from none at all.
    ///
    /// ```
    /// # #[derive(Default, serde::Deserialize)]
    /// # struct Filters {}
    /// # fn handler(session: session_core::Session) {
    /// let filters: Filters = session.get_or_none("filters").unwrap_or_default();
    /// # }
    /// ```
    #[must_use]
    pub fn get_or_none<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        self.0.state().data().get_or_none(key)
    }

    /// Sets `key`. Setting the value that is there already is no modification. JSON has one `null`:
    /// `Some(None)` and `Some(())` come back as `None`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ReservedKey`] for a key that express-session would erase,
    /// [`ErrorKind::Encode`] for a value that JSON cannot give back: one that its `Serialize` or
    /// `serde_json` refuses, a number that is NaN or infinite, an object with the same key twice, or
    /// more than 126 levels of nesting.
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
    /// else. It may read the session, and must not edit it: that would make it run again.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get) and [`insert`](Self::insert). Those of a run at the time of saving
    /// are the save's.
    pub fn update<T, F>(&self, key: &str, f: F) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
        F: Fn(Option<T>) -> T + Send + Sync + 'static,
    {
        self.update_from(key, f, OtherShape::Error)
    }

    /// As [`update`](Self::update), but a value that is not a `T` counts as none, as it does for
    /// [`get_or_none`](Self::get_or_none), and is replaced.
    ///
    /// # Errors
    ///
    /// As [`insert`](Self::insert).
    pub fn update_or_none<T, F>(&self, key: &str, f: F) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
        F: Fn(Option<T>) -> T + Send + Sync + 'static,
    {
        self.update_from(key, f, OtherShape::Absent)
    }

    fn update_from<T, F>(&self, key: &str, f: F, other_shape: OtherShape) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
        F: Fn(Option<T>) -> T + Send + Sync + 'static,
    {
        for _ in 0..MOST_RUNS {
            let (old, version) = {
                let mut state = self.editable();
                let old = decode_value(key, state.data().raw(key), other_shape)?;
                (old, state.version())
            };
            let new = f(old);
            let json = encode_value(key, &new)?;
            let mut state = self.editable();
            // Another task has edited the session while `f` ran without the lock.
            if state.version() != version {
                continue;
            }
            let again = Arc::new(move |key: &str, old: Option<&str>| {
                encode_value(key, &f(decode_value(key, old, other_shape)?))
            });
            state.update(key, json, Edit::Update(key.into(), again));
            return Ok(new);
        }
        Err(edits_itself("update"))
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
    /// [`ErrorKind::Decode`] if the value is not a `T`; it stays as it is. To drop it then, use
    /// [`get_or_none`](Self::get_or_none) and [`remove`](Self::remove).
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

    /// Whether `key` is there, be it with `null`.
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

    /// Changes this visitor's cookie settings. The change is saved and the cookie sent again; one
    /// with which [no browser would keep it](crate::CookieOptions) is refused by the save, before
    /// anything is stored.
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
    /// the browser. Zero ends a stored session with this request; a new one with a max age below a
    /// second is refused when it is to be stored.
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
    /// If the future is dropped or the answer is lost, the session in the store is the old or the
    /// new one, and the edits are still here to be saved. Where one of them is an
    /// [`update`](Self::update), a second `save` does not guess which it is: it fails with
    /// [`ErrorKind::Timeout`] until the session is [reloaded](Self::reload).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Missing`] if the session was destroyed, regenerated elsewhere or has expired:
    /// it is not brought back. [`ErrorKind::Conflict`] if it was changed elsewhere and the changes
    /// could not be brought together. [`ErrorKind::Config`] for [cookie
    /// settings](crate::CookieOptions) with which no browser would keep the cookie.
    /// [`ErrorKind::Other`] for a new session after its response was sent: nobody could ever use
    /// it. [`ErrorKind::TooLarge`] above
    /// [`max_session_bytes`](crate::SessionOptions::max_session_bytes). Those of an
    /// [`update`](Self::update) that runs again. And those of the store.
    pub async fn save(&self) -> Result<()> {
        let on_conflict = self.0.config.options.on_conflict;
        self.save_with(on_conflict).await
    }

    /// As [`save`](Self::save), with what is to happen if another request has changed the session
    /// meanwhile.
    ///
    /// With [`OnConflict::Fail`], what this request has read is still true when the save returns:
    /// two requests that [`take`](Self::take) the same value cannot both save.
    ///
    /// ```
    /// # use session_core::{OnConflict, Result, Session};
    /// # async fn redeem(session: Session) -> Result<bool> {
    /// let voucher: Option<String> = session.take("voucher")?;
    /// session.save_with(OnConflict::Fail).await?;
    /// # Ok(voucher.is_some())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`save`](Self::save).
    pub async fn save_with(&self, on_conflict: OnConflict) -> Result<()> {
        let _io = self.0.io.lock().await;
        self.check_usable("save")?;
        self.0.write(How::on_conflict(on_conflict)).await?;
        self.0.state().saved = true;
        Ok(())
    }

    /// Decides and saves in one step: when this returns `Ok`, the store holds what `f` made of the
    /// session, and the value is what `f` returned for just that.
    ///
    /// `f` sees the data with this request's edits. If another request has changed the session by
    /// the time it is written, `f` runs again on what is then there; what it returned before is
    /// forgotten. It may refuse with an error: nothing is written then, and this request's
    /// edits wait as they did. Where it changes nothing and nothing is waiting, nothing is written.
    ///
    /// With [`update`](Self::update), the handler goes on with a value that another request may yet
    /// change. Use `commit` where the answer must be true:
    ///
    /// ```
    /// # use session_core::{Error, Result, Session};
    /// # fn random_token() -> String { String::new() }
    /// # async fn handler(session: Session) -> Result<()> {
    /// // Make once: every request is shown the same token.
    /// let token: String = session
    ///     .commit(|data| match data.get("csrf")? {
    ///         Some(token) => Ok::<_, Error>(token),
    ///         None => {
    ///             let token = random_token();
    ///             data.insert("csrf", &token)?;
    ///             Ok(token)
    ///         }
    ///     })
    ///     .await?;
    ///
    /// // Claim once: of any number of requests at the same time, one gets the cart.
    /// let cart: Option<Vec<u32>> = session
    ///     .commit(|data| {
    ///         let cart = data.get("cart")?;
    ///         data.remove("cart");
    ///         Ok::<_, Error>(cart)
    ///     })
    ///     .await?;
    ///
    /// // Next number: no two requests are told the same.
    /// let ticket: u64 = session
    ///     .commit(|data| {
    ///         let next = data.get("tickets")?.unwrap_or(0) + 1;
    ///         data.insert("tickets", &next)?;
    ///         Ok::<_, Error>(next)
    ///     })
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A store without [`replace`](crate::Capabilities::replace) cannot tell whether somebody was
    /// faster: there the last write wins.
    ///
    /// # Errors
    ///
    /// What `f` refused with, and the errors of [`save`](Self::save).
    /// [`ErrorKind::Missing`] also where another request has changed the session's id: what the new
    /// id holds is not told to a request that came with the old one.
    /// After [`ErrorKind::Timeout`] or [`ErrorKind::Unavailable`] it may have been written: a
    /// further `commit` looks at what is there.
    pub async fn commit<T, E, F>(&self, mut f: F) -> Result<T, E>
    where
        T: Send,
        E: From<Error> + Send,
        F: FnMut(&mut Data) -> Result<T, E> + Send,
    {
        let _io = self.0.io.lock().await;
        // A session that was destroyed is followed by a new one, as with every other edit.
        drop(self.editable());
        self.check_usable("commit")?;
        let mut answer = None;
        let mut decide = |data: &mut Data| {
            let decided = f(data);
            let goes_on = decided.is_ok();
            fault! { FirstAnswerCounts, return answer.get_or_insert(decided).is_ok() }
            answer = Some(decided);
            goes_on
        };
        let how = How {
            on_conflict: match self.0.config.options.on_conflict {
                OnConflict::Fail => OnConflict::Fail,
                OnConflict::Merge | OnConflict::Overwrite => OnConflict::Merge,
            },
            decide: Some(&mut decide),
        };
        let written = self.0.write(how).await;
        self.0.state().saved |= matches!(written, Ok(Written::Stored));
        match (written, answer) {
            (Ok(Written::Stored | Written::Unchanged | Written::Refused), Some(answer)) => answer,
            (Ok(_), None) => Err(Error::new(ErrorKind::Conflict, "commit").into()),
            (Err(error), _) => Err(error.into()),
        }
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
            let usable = matches!(state.phase, Phase::Live | Phase::Gone | Phase::Moved);
            let may_be_stored = state.stored().is_some() || state.attempt.is_some();
            let id = state.id.clone().filter(|_| usable && may_be_stored);
            (id, state.epoch())
        };
        let missing =
            || Error::new(ErrorKind::Missing, "reload").with_message("failed to load session");
        let id = id.ok_or_else(missing)?;
        let record = self.0.config.store().get(&id).await?;
        let mut state = self.0.state();
        // What was read is not this session any more if its id was changed meanwhile.
        let record = record
            .filter(|record| state.epoch() == epoch && !record.is_forward())
            .ok_or_else(missing)?;
        state.adopt(id, record);
        Ok(())
    }

    /// Leaves the session's end where it is: this request does not count as a use of it. For pollers,
    /// which would keep a session alive that nobody looks at. What is edited is saved all the same,
    /// and that moves the end.
    pub fn leave_alone(&self) {
        self.0.state().left_alone = true;
    }

    /// Gives the visitor a new, empty session under a new id: against session fixation, call this
    /// or [`cycle_id`](Self::cycle_id) whenever somebody signs in.
    ///
    /// The new session is stored when the response ends, or by [`save`](Self::save) before that.
    /// The old one is removed when the response ends, after the new one was stored: a request that
    /// is cancelled or fails leaves the old one usable, and nobody is shown the new one, which the
    /// next request removes. So it is if the old one cannot be removed.
    pub fn regenerate(&self) {
        let cookie = self.0.config.new_cookie(&self.0.origin);
        let mut state = self.editable();
        if state.phase == Phase::Gone {
            state.start_anew(cookie.clone());
        }
        state.change_id(cookie, None);
    }

    /// Gives the session a new id and keeps its data and cookie settings: signing in without
    /// losing the cart.
    ///
    /// As [`regenerate`](Self::regenerate), and:
    ///
    /// - Edits that other requests make meanwhile are brought over. Those that come after it, of
    ///   requests which had read the session under its old id, follow it: for a minute a record
    ///   under the old id says where it went. Whoever comes with the old id is told nothing of it,
    ///   and has no session.
    /// - If another request destroys the session, under whichever id it knows, there is no new one
    ///   either.
    /// - Of two requests that change the id at the same time each gets a session of its own, as with
    ///   `regenerate`.
    ///
    /// (On stores with [`replace`](crate::Capabilities::replace).)
    ///
    /// Where the new session's cookie cannot be sent (it is `Secure`, and the connection is not),
    /// the old session stays as it was and what was put into it here is dropped; if this request
    /// has taken something out of it, which may be the sign of a logout, the old session ends.
    pub fn cycle_id(&self) {
        self.change_id_keeping(None);
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
        let mut keys: Vec<String> = keys.into_iter().map(Into::into).collect();
        keys.sort_unstable();
        self.change_id_keeping(Some(keys.into()));
    }

    fn change_id_keeping(&self, keys: Option<Arc<[String]>>) {
        let mended = self.0.mended_cookie();
        let mut state = self.editable();
        let cookie = mended.unwrap_or_else(|| state.cookie.clone());
        let kept = Kept {
            keys,
            ..Kept::default()
        };
        state.change_id(cookie, Some(kept));
    }

    /// Destroys the session, in the store at once, and in the browser with the response. What is
    /// put into it afterwards starts a new session under a new id.
    ///
    /// It is the session that ends, not a row: if another request has changed its id meanwhile and
    /// kept its data, it ends under the new id. So does every other session of which the request
    /// has shown a cookie. (On stores with [`replace`](crate::Capabilities::replace).)
    ///
    /// Servers drop a handler whose client hangs up, and then nothing behind the `await` it stands
    /// at happens: call this before what takes time, or let the adapter finish such requests
    /// (`SessionLayer::finish_on` in `session-tower`).
    ///
    /// # Errors
    ///
    /// Those of the store; the session may then still be there.
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

    /// Whether there is a session to save, and somebody who could use it.
    fn check_usable(&self, operation: &'static str) -> Result<()> {
        let state = self.0.state();
        if !matches!(state.phase, Phase::Live | Phase::Moved) {
            return Err(Error::new(ErrorKind::Missing, operation));
        }
        if state.finished && (state.stored().is_none() || state.has_remains()) {
            return Err(Error::new(ErrorKind::Other, operation).with_message(
                "there is no response any more to send this session's cookie with; make or \
                 regenerate a session before the handler returns",
            ));
        }
        Ok(())
    }

    fn now(&self) -> SystemTime {
        self.0.config.clock().now()
    }

    pub(crate) fn of(shared: &Arc<Shared>) -> Self {
        Self(Arc::clone(shared))
    }

    /// A stored session outside of a request.
    pub(crate) fn opened(config: Arc<Config>, id: SessionId, record: Record) -> Self {
        Self(Arc::new(Shared::opened(config, id, record)))
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
            .field("new", &state.stored().is_none())
            .field("cookie", &state.cookie)
            .finish_non_exhaustive()
    }
}
