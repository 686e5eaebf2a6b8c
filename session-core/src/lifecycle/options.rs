use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::{Clock, CookieOptions, RequestHead, Secrets, SessionId, Store};

/// What happens to the stored session when a handler lets go of it
/// ([`Session::unset`](crate::Session::unset)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unset {
    /// It stays as it was; this request's changes are dropped.
    #[default]
    Keep,
    /// It is destroyed when the response ends.
    Destroy,
}

/// What happens to a request whose session cannot be loaded because the store fails.
///
/// Either way the stored session is left alone: a failed load never becomes an empty session that
/// is then saved over the user's data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnStoreError {
    /// The request fails, with the status of the error: 503 for a store that is unavailable.
    #[default]
    Fail,
    /// The request is served without a session, and a failed touch is only logged. A failed save
    /// still fails the request: its data would be lost.
    ServeWithoutSession,
}

/// What happens when another request has changed the session since this one loaded it.
///
/// In no case does a session that was destroyed meanwhile come back. Stores without
/// [`replace`](crate::Capabilities::replace) cannot tell; there the last write wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnConflict {
    /// This request's edits are made again on the fresh data: keys that only one of the requests
    /// changed keep its change, and the closures of
    /// [`update`](crate::Session::update) run again.
    #[default]
    Merge,
    /// This request's whole session replaces the other's, as in express-session.
    Overwrite,
    /// The save fails with [`ErrorKind::Conflict`](crate::ErrorKind::Conflict).
    Fail,
}

type GenId = dyn Fn(&RequestHead<'_>) -> SessionId + Send + Sync;
type CookieFn = dyn Fn(&RequestHead<'_>) -> CookieOptions + Send + Sync;

/// The cookie settings of new sessions: the same for all, or asked for per request.
#[derive(Clone)]
pub(crate) enum CookieSource {
    Fixed(Box<CookieOptions>),
    PerRequest(Arc<CookieFn>),
}

impl CookieSource {
    /// The settings for a session that this request makes.
    pub(crate) fn settings(&self, head: &RequestHead<'_>) -> CookieOptions {
        match self {
            Self::Fixed(options) => CookieOptions::clone(options),
            Self::PerRequest(make) => make(head),
        }
    }
}

/// The options of the session middleware, named as in express-session.
///
/// | option | default | express-session |
/// |---|---|---|
/// | store, secrets | required | `store`, `secret` |
/// | [`name`](Self::name) | `connect.sid` | `name`, formerly `key` |
/// | [`cookie`](Self::cookie) | path `/`, `HttpOnly`, no max age | `cookie` |
/// | [`proxy`](Self::proxy) | not set | `proxy` |
/// | [`genid`](Self::genid) | 24 random bytes | `genid` |
/// | [`rolling`](Self::rolling) | `false` | `rolling` |
/// | [`resave`](Self::resave) | `false` | `resave` (there `true`, deprecated) |
/// | [`save_uninitialized`](Self::save_uninitialized) | `false` | `saveUninitialized` (there `true`, deprecated) |
/// | [`unset`](Self::unset) | keep | `unset` |
/// | [`lazy`](Self::lazy) | `false` | |
/// | [`touch_after`](Self::touch_after) | zero: every request | |
/// | [`on_store_error`](Self::on_store_error) | fail the request | |
/// | [`on_conflict`](Self::on_conflict) | merge | (overwrites) |
/// | [`no_store`](Self::no_store) | `true` | |
/// | [`clock`](Self::clock) | the system's | |
///
/// What cannot work fails when the [`Lifecycle`](crate::Lifecycle) is built.
#[derive(Clone)]
#[must_use]
pub struct SessionOptions {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) secrets: Secrets,
    pub(crate) name: String,
    pub(crate) cookie: CookieSource,
    pub(crate) proxy: Option<bool>,
    pub(crate) genid: Option<Arc<GenId>>,
    pub(crate) rolling: bool,
    pub(crate) resave: bool,
    pub(crate) save_uninitialized: bool,
    pub(crate) unset: Unset,
    pub(crate) lazy: bool,
    pub(crate) touch_after: Duration,
    pub(crate) on_store_error: OnStoreError,
    pub(crate) on_conflict: OnConflict,
    pub(crate) no_store: bool,
    pub(crate) clock: Clock,
}

impl SessionOptions {
    /// The defaults, with this store and these secrets.
    pub fn new(store: impl Store, secrets: Secrets) -> Self {
        Self {
            store: Arc::new(store),
            secrets,
            name: "connect.sid".to_owned(),
            cookie: CookieSource::Fixed(Box::default()),
            proxy: None,
            genid: None,
            rolling: false,
            resave: false,
            save_uninitialized: false,
            unset: Unset::Keep,
            lazy: false,
            touch_after: Duration::ZERO,
            on_store_error: OnStoreError::Fail,
            on_conflict: OnConflict::Merge,
            no_store: true,
            clock: Clock::system(),
        }
    }

    /// The cookie's name, a token of RFC 6265, section 4.1.1. Compared raw with those of a
    /// request: `__%48ost-id` is not `__Host-id`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The cookie settings of new sessions. A session that exists keeps those stored with it.
    pub fn cookie(mut self, cookie: CookieOptions) -> Self {
        self.cookie = CookieSource::Fixed(Box::new(cookie));
        self
    }

    /// The cookie settings of new sessions, asked for per request: once for its path, and once
    /// more when the request makes a session.
    pub fn cookie_with<F>(mut self, cookie: F) -> Self
    where
        F: Fn(&RequestHead<'_>) -> CookieOptions + Send + Sync + 'static,
    {
        self.cookie = CookieSource::PerRequest(Arc::new(cookie));
        self
    }

    /// Whether to believe `X-Forwarded-Proto`; see [`RequestHead::is_secure`]. Set it to `true`
    /// only behind a proxy that sets or removes the header on every request.
    pub fn proxy(mut self, trusted: bool) -> Self {
        self.proxy = Some(trusted);
        self
    }

    /// Makes the ids of new sessions. They must be unguessable; one that is in use is not taken
    /// over but asked for again.
    pub fn genid<F>(mut self, genid: F) -> Self
    where
        F: Fn(&RequestHead<'_>) -> SessionId + Send + Sync + 'static,
    {
        self.genid = Some(Arc::new(genid));
        self
    }

    /// Whether every response to a request with a session sets the cookie again, so that its
    /// expiry moves in the browser, too. Set it with a [`max_age`](CookieOptions::max_age), unless
    /// visitors who only read are to be signed out when that has passed.
    pub fn rolling(mut self, rolling: bool) -> Self {
        self.rolling = rolling;
        self
    }

    /// Whether a session that was not modified is written again, for stores without touch.
    pub fn resave(mut self, resave: bool) -> Self {
        self.resave = resave;
        self
    }

    /// Whether a new session into which nothing was put is stored, and its cookie sent.
    pub fn save_uninitialized(mut self, save_uninitialized: bool) -> Self {
        self.save_uninitialized = save_uninitialized;
        self
    }

    /// What [`Session::unset`](crate::Session::unset) does to the stored session.
    pub fn unset(mut self, unset: Unset) -> Self {
        self.unset = unset;
        self
    }

    /// Whether a session is loaded when a handler first asks for it rather than for every request
    /// with its cookie. A request that never asks costs no store call, and does not extend the
    /// session.
    pub fn lazy(mut self, lazy: bool) -> Self {
        self.lazy = lazy;
        self
    }

    /// Leaves out a touch, and with `rolling` the cookie, when less than this has passed since the
    /// last one. The session then ends up to this much earlier than its max age after the last
    /// request; from the max age on, touches are left out altogether, and a session ends its max
    /// age after its last change however often it is used.
    pub fn touch_after(mut self, touch_after: Duration) -> Self {
        self.touch_after = touch_after;
        self
    }

    /// What happens to a request whose session cannot be loaded.
    pub fn on_store_error(mut self, on_store_error: OnStoreError) -> Self {
        self.on_store_error = on_store_error;
        self
    }

    /// What happens when another request has changed the session meanwhile.
    pub fn on_conflict(mut self, on_conflict: OnConflict) -> Self {
        self.on_conflict = on_conflict;
        self
    }

    /// Whether a response that sets the cookie gets `Cache-Control: no-store`, unless it has a
    /// `Cache-Control` of its own: a shared cache must not hand one visitor's cookie to another.
    pub fn no_store(mut self, no_store: bool) -> Self {
        self.no_store = no_store;
        self
    }

    /// The clock that max ages are counted on. Give the store the same one in tests.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }
}

impl fmt::Debug for SessionOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionOptions")
            .field("store", &self.store)
            .field("secrets", &self.secrets)
            .field("name", &self.name)
            .field("proxy", &self.proxy)
            .field("rolling", &self.rolling)
            .field("resave", &self.resave)
            .field("save_uninitialized", &self.save_uninitialized)
            .field("unset", &self.unset)
            .field("lazy", &self.lazy)
            .field("touch_after", &self.touch_after)
            .field("on_store_error", &self.on_store_error)
            .field("on_conflict", &self.on_conflict)
            .field("no_store", &self.no_store)
            .finish_non_exhaustive()
    }
}
