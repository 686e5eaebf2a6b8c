//! What happens to a session in the course of a request.

mod caches;
pub(crate) mod contention;
pub(crate) mod exchange;
pub(crate) mod notices;
pub(crate) mod options;
pub(crate) mod outcome;
pub(crate) mod request;

use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::format::cookie::{Template, check_length, is_token};
use crate::format::secrets::{Signature, Signed};
use crate::lifecycle::contention::Contention;
use crate::lifecycle::exchange::Exchange;
use crate::lifecycle::notices::{Notice, Notices};
use crate::lifecycle::options::CookieSource;
use crate::lifecycle::request::{NamedCookies, OwnedHead, path_matches};
use crate::session::{Phase, Shared, State};
use crate::{
    Capabilities, Clock, Error, Renewal, RequestHead, Result, Session, SessionCookie, SessionId,
    SessionOptions, Store,
};

/// The request lifecycle, free of any web framework: every decision about loading, saving,
/// touching and setting a cookie is made here.
///
/// An adapter calls [`begin`](Self::begin) with what it knows of a request, hands the
/// [`Exchange`]'s session to the handler, and puts what [`Exchange::finish`] returns into the
/// response's headers before it sends them.
///
/// ```
/// # use session_core::*;
/// # async fn adapter(store: impl Store, request: http::Request<()>) -> Result<http::Response<()>> {
/// let lifecycle = Lifecycle::new(SessionOptions::new(store, Secrets::new("keyboard cat")?))?;
///
/// let head = RequestHead {
///     method: request.method(),
///     uri: request.uri(),
///     headers: request.headers(),
///     connection: Connection::Plain,
/// };
/// let mut response = http::Response::new(());
/// if let Some(exchange) = lifecycle.begin(&head) {
///     if let Some(session) = exchange.session().await? {
///         session.update("views", |views: Option<u32>| views.unwrap_or(0) + 1)?;
///     }
///     exchange.finish().await?.apply(response.headers_mut());
/// }
/// # Ok(response)
/// # }
/// ```
#[derive(Clone)]
pub struct Lifecycle(Arc<Config>);

/// The options, checked and made ready for use.
pub(crate) struct Config {
    pub(crate) options: SessionOptions,
    pub(crate) capabilities: Capabilities,
    /// The fixed cookie settings; `None` where the application is asked per request.
    template: Option<Template>,
    pub(crate) contention: Contention,
    notices: Notices,
}

impl Config {
    /// The cookie of a session that is made now.
    pub(crate) fn new_cookie(&self, origin: &Origin) -> SessionCookie {
        let now = self.clock().now();
        match (&self.template, &origin.head) {
            (Some(template), _) => template.cookie(origin.secure, now),
            (None, Some(head)) => self
                .options
                .cookie
                .settings(&head.borrow())
                .to_cookie(origin.secure, now),
            // A session that was opened outside of a request keeps to the defaults.
            (None, None) => SessionCookie::new(),
        }
    }

    fn covers(&self, head: &RequestHead<'_>) -> bool {
        let path = head.uri.path();
        match &self.template {
            Some(template) => path_matches(path, template.path()),
            None => {
                let settings = self.options.cookie.settings(head);
                let cookie_path = settings.cookie_path();
                // One that no browser keeps is told of when a session is to be stored.
                path_matches(path, cookie_path) || !cookie_path.starts_with('/')
            }
        }
    }

    /// What a read does to the sessions that have this application's max age, where the store can
    /// read and touch in one step.
    pub(crate) fn renewal(&self) -> Option<Renewal> {
        let max_age = self.template.as_ref()?.max_age()?;
        // With `resave`, every request writes the session in any case.
        let wanted = self.capabilities.get_and_touch && !self.options.resave;
        wanted.then(|| {
            Renewal::new(max_age, self.clock().now()).touch_after(self.options.touch_after)
        })
    }

    pub(crate) fn new_id(&self, origin: &Origin) -> SessionId {
        match (&self.options.genid, &origin.head) {
            (Some(genid), Some(head)) => genid(&head.borrow()),
            _ => SessionId::random(),
        }
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.options.clock
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.options.store
    }
}

/// What the lifecycle remembers of a request.
pub(crate) struct Origin {
    /// The cookies of our name, valid or not.
    cookies: NamedCookies,
    /// The id in them, once somebody has asked for it: a request whose session is loaded lazily and
    /// not used need not verify it.
    signed: OnceLock<Option<Signed>>,
    pub(crate) secure: bool,
    /// Kept only where a function of the application's will want it.
    head: Option<Box<OwnedHead>>,
}

impl Origin {
    /// Whether the request had a cookie of our name, valid or not.
    pub(crate) fn had_cookie(&self) -> bool {
        !self.cookies.is_empty()
    }
}

impl Lifecycle {
    /// Checks the options.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for a name that is no cookie name, and for
    /// [cookie settings](crate::CookieOptions) with which no browser keeps the cookie.
    pub fn new(mut options: SessionOptions) -> Result<Self> {
        if !is_token(&options.name) {
            return Err(Error::config(format!(
                "`{}` is no cookie name; use letters, digits and any of !#$%&'*+-.^_`|~",
                options.name.escape_debug()
            )));
        }
        let template = match &options.cookie {
            CookieSource::Fixed(cookie) => {
                Some(Template::new(cookie, &options.name, options.clock.now())?)
            }
            CookieSource::PerRequest(_) => None,
        };
        if options.genid.is_none() {
            check_length(&options.name, SessionId::random().as_str())?;
        }
        options.secrets = options.bind_to_name.secrets(options.secrets, &options.name);
        Ok(Self(Arc::new(Config {
            capabilities: options.store.capabilities(),
            template,
            contention: Contention::default(),
            notices: Notices::default(),
            options,
        })))
    }

    /// The name of the session cookie.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.options.name
    }

    /// The clock that max ages are counted on.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        self.0.clock()
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.0.options.store
    }

    /// Starts a request: finds its cookie. Asks the store nothing.
    ///
    /// `None` if the cookie's path does not cover the request, which is then served without a
    /// session.
    #[must_use]
    pub fn begin(&self, head: &RequestHead<'_>) -> Option<Exchange> {
        let config = &*self.0;
        let options = &config.options;
        if !config.covers(head) {
            return None;
        }
        let keeps_head = options.genid.is_some() || config.template.is_none();
        let origin = Origin {
            cookies: head.cookies_called(&options.name),
            signed: OnceLock::new(),
            secure: head.is_secure(options.proxy),
            head: keeps_head.then(|| Box::new(head.keep())),
        };
        Some(Exchange::new(Shared::new(Arc::clone(&self.0), origin)))
    }

    /// Opens a stored session outside of a request: for a task that outlives its request, a
    /// command-line tool, a background job. Nothing is saved but by [`Session::save`].
    ///
    /// `None` if there is no such session.
    ///
    /// # Errors
    ///
    /// Those of [`Store::get`].
    pub async fn open(&self, id: &SessionId) -> Result<Option<Session>> {
        let Some(record) = self.0.store().get(id).await? else {
            return Ok(None);
        };
        let origin = Origin {
            cookies: NamedCookies::default(),
            signed: OnceLock::from(None),
            secure: true,
            head: None,
        };
        let shared = Shared::new(Arc::clone(&self.0), origin);
        {
            let mut state = shared.state();
            state.id = Some(id.clone());
            state.adopt(record);
            // There is no response that could tell a browser of another id.
            state.finished = true;
        }
        Ok(Some(Session(Arc::new(shared))))
    }
}

impl fmt::Debug for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lifecycle").field(&self.0.options).finish()
    }
}

impl Shared {
    fn new(config: Arc<Config>, origin: Origin) -> Self {
        // Where a session may be stored, its cookie is made only if there turns out to be none.
        let cookie = if origin.had_cookie() {
            SessionCookie::new()
        } else {
            config.new_cookie(&origin)
        };
        Self::with_state(config, origin, State::new(Phase::NotLoaded, cookie))
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
        let name = &self.config.options.name;
        let is_stored = self.state().stored.is_some();
        if !is_stored {
            check_length(name, self.id().as_str())?;
        }
        let state = self.state();
        match &state.stored {
            Some(record) => state.cookie.check_change(name, record.cookie()),
            None => state.cookie.check_new(name),
        }
    }

    /// The cookie for a session that goes on under another id, where the stored one's attributes
    /// or max age, which may come from elsewhere, are such that no browser would keep it: with the
    /// application's own in their place.
    pub(crate) fn mended_cookie(&self) -> Option<SessionCookie> {
        let name = &self.config.options.name;
        let (cookie, attributes, age) = {
            let state = self.state();
            let stored = state.stored.as_ref()?.cookie();
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

    /// The id that the request's cookie carries, if its signature holds.
    pub(crate) fn cookie_id(&self) -> Option<&SessionId> {
        self.signed().map(|signed| &signed.id)
    }

    /// The signature of this id in a response's cookie, if the request's cookie has shown it.
    pub(crate) fn cookie_signature(&self) -> Option<&Signature> {
        self.signed()?.signature.as_ref()
    }

    fn signed(&self) -> Option<&Signed> {
        let Origin {
            cookies, signed, ..
        } = &self.origin;
        let verify = || {
            let found = cookies.signed(&self.config.options.secrets);
            if found.is_none() && !cookies.is_empty() {
                self.config.notice(Notice::BadSignature);
            }
            found
        };
        signed.get_or_init(verify).as_ref()
    }
}
