use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::HeaderValue;
use smallvec::SmallVec;

use super::contention::Contention;
use super::notices::{Notice, Notices};
use super::options::{CookieSource, SessionOptions};
use super::request::{NamedCookies, OwnedHead, RequestHead, path_matches};
use super::unsettled::Unsettled;
use crate::format::cookie::{Template, check_length, is_token};
use crate::format::error::shown;
use crate::format::secrets::Signed;
use crate::{Capabilities, Clock, Data, Error, Record, Result, SessionCookie, SessionId, Store};

/// The longest default of `touch_after`.
const LONGEST_TOUCH_AFTER: Duration = Duration::from_secs(60);

/// The options, checked and made ready for use.
pub(crate) struct Config {
    pub(crate) options: SessionOptions,
    pub(crate) capabilities: Capabilities,
    /// The fixed cookie settings; `None` where the application is asked per request.
    template: Option<Template>,
    /// Whether browsers keep the cookie that it makes on an insecure connection.
    is_good_on_plain: bool,
    pub(crate) contention: Contention,
    pub(crate) unsettled: Unsettled,
    pub(crate) notices: Notices,
}

impl Config {
    /// # Errors
    ///
    /// `Config` for options that cannot work.
    pub(crate) fn new(mut options: SessionOptions) -> Result<Self> {
        if !is_token(&options.name) {
            return Err(Error::config(format!(
                "`{}` is no cookie name; use letters, digits and any of !#$%&'*+-.^_`|~",
                shown(&options.name)
            )));
        }
        let empty = Record::new(SessionCookie::new(), &Data::new()).json().len();
        if options.max_session_bytes.is_some_and(|max| max < empty) {
            return Err(Error::config(format!(
                "no session fits into `max_session_bytes`; an empty one has {empty} bytes or more"
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
        for former in &options.former_cookies {
            let own = former
                .name
                .as_deref()
                .is_none_or(|name| name == options.name);
            let present = template.as_ref().is_some_and(|template| {
                template
                    .cookie(true, options.clock.now())
                    .same_place(&former.place, &options.name)
            });
            if own && present {
                return Err(Error::config(
                    "a former cookie has the name, path and domain of the present one, which would \
                     be dropped with it",
                ));
            }
            former
                .place
                .to_removal_header(former.name.as_deref().unwrap_or(&options.name))?;
        }
        let on_plain = template.as_ref().map(|template| {
            let cookie = template.cookie(false, options.clock.now());
            cookie.check_new(&options.name)
        });
        Ok(Self {
            capabilities: options.store.capabilities(),
            is_good_on_plain: matches!(on_plain, Some(Ok(()))),
            template,
            contention: Contention::default(),
            unsettled: Unsettled::default(),
            notices: Notices::default(),
            options,
        })
    }

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

    /// Whether the cookie settings of new sessions are known to be such that browsers keep them.
    pub(crate) fn has_good_cookie(&self, origin: &Origin) -> bool {
        self.template.is_some() && (origin.secure || self.is_good_on_plain)
    }

    pub(crate) fn covers(&self, head: &RequestHead<'_>) -> bool {
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

    /// A new id: the application's, where it makes them.
    pub(crate) fn new_id(&self, origin: &Origin) -> SessionId {
        match (&self.options.genid, &origin.head) {
            (Some(genid), Some(head)) => genid(&head.borrow()),
            _ => SessionId::random(),
        }
    }

    /// Whether nobody else can have made an id that [`new_id`](Self::new_id) has given.
    pub(crate) fn ids_are_ours(&self) -> bool {
        self.options.genid.is_none()
    }

    /// What the lifecycle remembers of a request.
    pub(crate) fn origin(&self, head: &RequestHead<'_>) -> Origin {
        let keeps_head = self.options.genid.is_some() || self.template.is_none();
        Origin {
            cookies: head.cookies_called(&self.options.name),
            signed: OnceLock::new(),
            former: self.former_cookies_in(head),
            secure: head.is_secure(self.options.proxy),
            head: keeps_head.then(|| Box::new(head.keep())),
        }
    }

    /// Whether a stored session's end is to be moved at `now`.
    ///
    /// When it was last moved is not kept: it is the end less the time that a touch gives.
    pub(crate) fn is_touch_due(&self, record: &Record, now: std::time::SystemTime) -> bool {
        let wanted = self.options.touch_after;
        if wanted == Some(Duration::ZERO) {
            return true;
        }
        let cookie = record.cookie();
        let lasts = match (cookie.original_max_age(), self.capabilities.default_ttl) {
            (Some(max_age), _) => max_age,
            (None, _) if cookie.expires().is_some() => return true,
            (None, Some(ttl)) => ttl,
            // It has no end that could be moved.
            (None, None) => return false,
        };
        let end = cookie.expires().or(record.stored_expires());
        let Some(moved) = end.and_then(|end| end.checked_sub(lasts)) else {
            return true;
        };
        // A store that rounds an end up seems to have moved it a moment from now.
        let since = now.duration_since(moved).unwrap_or_default();
        since >= wanted.unwrap_or_else(|| LONGEST_TOUCH_AFTER.min(lasts / 10))
    }

    /// Which of the former cookies of another name a request carries.
    fn former_cookies_in(&self, head: &RequestHead<'_>) -> Vec<usize> {
        let former = self.options.former_cookies.iter().enumerate();
        former
            .filter(|(_, former)| {
                let name = former
                    .name
                    .as_deref()
                    .filter(|name| *name != self.options.name);
                name.is_some_and(|name| !head.cookies_called(name).is_empty())
            })
            .map(|(index, _)| index)
            .collect()
    }

    /// The removals of former cookies that a request has shown. `kept` are the cookie that leads to
    /// its session and the one that it is to have. Whether there is a session to lead to is known
    /// only once one `is_loaded`.
    pub(crate) fn removals_of_former<'a>(
        &'a self,
        origin: &'a Origin,
        is_loaded: bool,
        kept: [Option<&'a SessionCookie>; 2],
    ) -> impl Iterator<Item = HeaderValue> + 'a {
        let [found, _] = kept;
        // Of the present name, there is one too many, or one that leads nowhere.
        let superfluous = is_loaded && origin.cookies.len() > usize::from(found.is_some());
        let former = self.options.former_cookies.iter().enumerate();
        former.filter_map(move |(index, former)| {
            let name = former.name.as_deref().unwrap_or(&self.options.name);
            let shown = if name == self.options.name {
                let mut kept = kept.into_iter().flatten();
                superfluous && !kept.any(|kept| kept.same_place(&former.place, name))
            } else {
                origin.former.contains(&index)
            };
            // Looked at when this was built.
            shown.then(|| former.place.to_removal_header(name).ok())?
        })
    }

    /// Tells the operator, unless that was done within the last second.
    pub(crate) fn notice(&self, notice: Notice) {
        if let Some(count) = self.notices.count(notice, self.clock().now_millis()) {
            tracing::warn!(count, "{}", notice.text());
        }
    }

    /// The same, with the error that is the reason.
    pub(crate) fn notice_error(&self, notice: Notice, error: &Error) {
        if let Some(count) = self.notices.count(notice, self.clock().now_millis()) {
            tracing::warn!(count, %error, "{}", notice.text());
        }
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.options.clock
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.options.store
    }

    /// How long a write may be kept from its session by others.
    pub(crate) fn wait_limit(&self) -> Duration {
        self.options.wait_limit
    }
}

/// What the lifecycle remembers of a request.
pub(crate) struct Origin {
    /// The cookies of our name, valid or not.
    cookies: NamedCookies,
    /// The ids in them, once somebody has asked for them: a request whose session is loaded lazily
    /// and not used need not verify them.
    signed: OnceLock<SmallVec<[Signed; 1]>>,
    /// Which of the former cookies of another name it carries.
    former: Vec<usize>,
    pub(crate) secure: bool,
    /// Kept only where a function of the application's will want it.
    head: Option<Box<OwnedHead>>,
}

impl Origin {
    /// Of a session that was opened outside of a request.
    pub(crate) fn none() -> Self {
        Self {
            cookies: NamedCookies::default(),
            signed: OnceLock::from(SmallVec::new()),
            former: Vec::new(),
            secure: true,
            head: None,
        }
    }

    /// Whether the request had a cookie of our name, valid or not.
    pub(crate) fn had_cookie(&self) -> bool {
        !self.cookies.is_empty()
    }

    /// The ids that the request's cookies carry with a good signature, in their order, each once.
    pub(crate) fn signed(&self, config: &Arc<Config>) -> &[Signed] {
        self.signed.get_or_init(|| {
            let signed = self.cookies.signed(&config.options.secrets);
            if signed.is_empty() && self.had_cookie() {
                config.notice(Notice::BadSignature);
            }
            signed
        })
    }
}
