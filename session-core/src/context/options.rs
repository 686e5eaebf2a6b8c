use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::{Clock, CookieOptions, RequestHead, Secrets, SessionCookie, SessionId, Store};

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
    /// The request is served without a session. A failed save still fails the request: its data
    /// would be lost.
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

/// What happens to edits of a session that was destroyed, regenerated or has expired meanwhile. In
/// no case do they bring it back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnEnded {
    /// They are dropped, and the response goes out as the handler made it;
    /// [`Outcome::edits_dropped`](crate::Outcome::edits_dropped) says so.
    #[default]
    Drop,
    /// The request fails with [`ErrorKind::Missing`](crate::ErrorKind::Missing), 401.
    Fail,
}

/// A cookie of former times, to be dropped: see
/// [`SessionOptions::former_cookie`].
#[derive(Clone, Debug)]
pub struct FormerCookie {
    pub(crate) name: Option<String>,
    pub(crate) place: SessionCookie,
}

impl FormerCookie {
    /// The cookie of the session's own name, for the path `/` and the host alone.
    #[must_use]
    pub fn new() -> Self {
        Self {
            name: None,
            place: SessionCookie::new(),
        }
    }

    /// The name, where it is another one than the session's.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The path that it was set for.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.place.set_path(path);
        self
    }

    /// The domain that it was set for.
    #[must_use]
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.place.set_domain(Some(domain.into()));
        self
    }

    /// Whether it was `Partitioned`.
    #[must_use]
    pub fn partitioned(mut self, partitioned: bool) -> Self {
        self.place.set_partitioned(partitioned);
        self.place.set_secure(partitioned);
        self
    }
}

impl Default for FormerCookie {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether a cookie's signature covers its name, too, so that the cookie of one layer opens no
/// session of another one that has the same store and secrets.
///
/// express-session's signature covers the id alone, and its processes understand no other: with
/// them beside it, a layer stays with [`No`](Self::No). Where no other layer shares both store and
/// secrets, nothing is won by the rest.
///
/// To change without signing anybody out, deploy [`Accepted`](Self::Accepted) everywhere, then
/// [`Preferred`](Self::Preferred), and [`Required`](Self::Required) when the longest session has
/// ended, or has been given its cookie again (with [`rolling`](SessionOptions::rolling), by each
/// request).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameBinding {
    /// It covers the id alone: express-session's.
    #[default]
    No,
    /// Cookies are signed as with `No`; those of both kinds are accepted.
    Accepted,
    /// Cookies are signed with their name; those of both kinds are accepted, so that other
    /// layers' still open this layer's sessions if they are not bound to theirs.
    Preferred,
    /// Cookies are signed with their name, and no others are accepted.
    Required,
}

impl NameBinding {
    /// The secrets that sign and verify cookies of this name.
    pub(crate) fn secrets(self, secrets: Secrets, name: &str) -> Secrets {
        let bound = || secrets.bound_to_name(name);
        match self {
            Self::No => secrets,
            Self::Accepted => secrets.followed_by(&bound()),
            Self::Preferred => bound().followed_by(&secrets),
            Self::Required => bound(),
        }
    }
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
/// | [`touch_after`](Self::touch_after) | a minute, at most a tenth of the max age | (every request) |
/// | [`touch_limit`](Self::touch_limit) | 250 ms | |
/// | [`wait_limit`](Self::wait_limit) | 30 s | |
/// | [`on_store_error`](Self::on_store_error) | fail the request | |
/// | [`on_conflict`](Self::on_conflict) | merge | (overwrites) |
/// | [`on_ended`](Self::on_ended) | drop the edits | (brings the session back) |
/// | [`former_cookie`](Self::former_cookie) | none | |
/// | [`max_session_bytes`](Self::max_session_bytes) | none | |
/// | [`no_store`](Self::no_store) | `true` | |
/// | [`bind_to_name`](Self::bind_to_name) | no | |
/// | [`send_max_age`](Self::send_max_age) | `false` | |
/// | [`clock`](Self::clock) | the system's | |
///
/// What cannot work fails when the [`Lifecycle`](crate::Lifecycle) is built.
///
/// Two sets of options that share a store and secrets share their sessions, as in express-session:
/// the value of one's cookie, sent under the other's name, opens the same session there. Give each
/// a store (or a prefix or table in it) or secrets of its own, or bind the cookies to their names
/// with [`bind_to_name`](Self::bind_to_name).
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
    pub(crate) touch_after: Option<Duration>,
    pub(crate) touch_limit: Duration,
    pub(crate) wait_limit: Duration,
    pub(crate) on_ended: OnEnded,
    pub(crate) former_cookies: Vec<FormerCookie>,
    pub(crate) on_store_error: OnStoreError,
    pub(crate) on_conflict: OnConflict,
    pub(crate) max_session_bytes: Option<usize>,
    pub(crate) no_store: bool,
    pub(crate) bind_to_name: NameBinding,
    pub(crate) send_max_age: bool,
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
            touch_after: None,
            touch_limit: Duration::from_millis(250),
            wait_limit: Duration::from_secs(30),
            on_ended: OnEnded::Drop,
            former_cookies: Vec::new(),
            on_store_error: OnStoreError::Fail,
            on_conflict: OnConflict::Merge,
            max_session_bytes: None,
            no_store: true,
            bind_to_name: NameBinding::No,
            send_max_age: false,
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

    /// How long after a session's end was last moved a request moves it again; with `rolling`, the
    /// cookie moves when the row does. A request that only reads costs one plain read in between.
    ///
    /// The default is a minute, and a tenth of the session's max age where that is less. A session
    /// ends up to this much earlier than its max age after the last request. With
    /// [`Duration::ZERO`] every request moves the end, as in express-session. From the max age on,
    /// it is not moved at all by reading: a session then ends its max age after its last change
    /// however often it is used.
    pub fn touch_after(mut self, touch_after: Duration) -> Self {
        self.touch_after = Some(touch_after);
        self
    }

    /// The longest that a response waits for its session's end to be moved. Moving it is upkeep: where
    /// it fails or takes longer, the response goes out as it is, and the next request does it.
    pub fn touch_limit(mut self, touch_limit: Duration) -> Self {
        self.touch_limit = touch_limit;
        self
    }

    /// The longest that a request waits for others that are changing the same session. One whose
    /// turn does not come in that time fails with [`ErrorKind::Timeout`](crate::ErrorKind::Timeout),
    /// one that always loses against other processes with
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict). If the store fails the first in line, all
    /// who wait fail with it.
    pub fn wait_limit(mut self, wait_limit: Duration) -> Self {
        self.wait_limit = wait_limit;
        self
    }

    /// What happens to a response whose edits have nowhere to go, because the session has ended
    /// while they were made.
    pub fn on_ended(mut self, on_ended: OnEnded) -> Self {
        self.on_ended = on_ended;
        self
    }

    /// A cookie that this application set formerly, under another name, for another path or another
    /// domain, and that browsers are to drop. May be called several times.
    ///
    /// A request that carries a cookie of another name gets its removal with the response; one that
    /// carries a cookie of [`name`](Self::name) gets it where there are several of that name, or where
    /// the cookie leads to no session.
    pub fn former_cookie(mut self, cookie: FormerCookie) -> Self {
        self.former_cookies.push(cookie);
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

    /// Refuses to store a session whose JSON, cookie settings included, has more bytes than this:
    /// the save fails with [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge) before the store is
    /// asked, and what is stored stays as it was. For an application that puts into the session
    /// what visitors send it, so that none of them makes each of their requests read and write
    /// megabytes.
    ///
    /// A session that is larger already, when the option is new or Node wrote it, is written as
    /// long as it does not grow.
    pub fn max_session_bytes(mut self, max_session_bytes: usize) -> Self {
        self.max_session_bytes = Some(max_session_bytes);
        self
    }

    /// Whether a response that sets the cookie, or drops it, is kept out of shared caches, which
    /// must not hand one visitor's cookie to another: by `Cache-Control: no-store`, or by
    /// `private` where the handler has set a `Cache-Control` that allows them to store it
    /// ([`Outcome::apply`](crate::Outcome::apply)). What is added outside of the middleware, it
    /// does not see. `false` leaves all headers alone.
    pub fn no_store(mut self, no_store: bool) -> Self {
        self.no_store = no_store;
        self
    }

    /// Whether a cookie's signature covers its name, too, so that it opens no session of another
    /// layer that has the same store and secrets; see [`NameBinding`] for how to change it.
    pub fn bind_to_name(mut self, bind_to_name: NameBinding) -> Self {
        self.bind_to_name = bind_to_name;
        self
    }

    /// Whether a cookie has `Max-Age` beside `Expires`, which express-session sends alone. Browsers
    /// go by `Max-Age` then: an `Expires` from a server whose clock is behind may have passed
    /// already on the browser's.
    pub fn send_max_age(mut self, send_max_age: bool) -> Self {
        self.send_max_age = send_max_age;
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
            .field("max_session_bytes", &self.max_session_bytes)
            .field("no_store", &self.no_store)
            .field("bind_to_name", &self.bind_to_name)
            .field("send_max_age", &self.send_max_age)
            .finish_non_exhaustive()
    }
}
