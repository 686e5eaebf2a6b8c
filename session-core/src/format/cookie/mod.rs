mod attributes;
mod header;
mod millis;
mod options;
mod row;
mod rules;
mod scalar;
mod set_cookie;

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use crate::format::clock::{duration_to_millis, from_millis, to_millis};
use crate::format::date;
use attributes::{Attribute, Attributes, JsonObject, SameSiteForm, SecureForm};
use millis::Millis;

pub(crate) use header::{is_token, named_values, with_decoded};
pub(crate) use options::Template;
pub use options::{CookieOptions, SameSiteOption, SecureOption};
pub(crate) use rules::check_length;

/// The `SameSite` attribute (RFC 6265bis, section 5.6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SameSite {
    /// Sent with requests from the site itself and with top-level navigation to it.
    Lax,
    /// Sent with requests from the site itself only.
    Strict,
    /// Sent with every request; browsers want `Secure` with it.
    None,
}

impl SameSite {
    fn as_str(self) -> &'static str {
        match self {
            Self::Lax => "Lax",
            Self::Strict => "Strict",
            Self::None => "None",
        }
    }
}

/// The `Priority` attribute that Chromium reads: which cookies it drops first when a site has too
/// many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Priority {
    /// Dropped first.
    Low,
    /// The browser's default.
    Medium,
    /// Dropped last.
    High,
}

impl Priority {
    fn as_str(self) -> &'static str {
        match self {
            Self::Low => "Low",
            Self::Medium => "Medium",
            Self::High => "High",
        }
    }
}

/// The cookie settings that travel with each session and are stored with it
/// (`req.session.cookie`).
///
/// Without a max age the browser drops the cookie when it closes. Setting
/// [`max_age`](Self::set_max_age) or [`expires`](Self::set_expires) sets the other one, and the
/// original max age to which [`touch`](Self::touch) goes back.
///
/// Methods that depend on the time take it as `now`; `Session` has the same ones without it.
/// Times are whole milliseconds and end at the last date that JavaScript has, in the year 275760.
///
/// ```
/// use std::time::Duration;
/// use session_core::{Clock, SessionCookie};
///
/// let clock = Clock::manual(std::time::SystemTime::UNIX_EPOCH);
/// let mut cookie = SessionCookie::new();
/// assert_eq!(cookie.max_age(clock.now()), None);
///
/// cookie.set_max_age(Some(Duration::from_secs(60)), clock.now());
/// clock.advance(Duration::from_secs(30));
/// assert_eq!(cookie.max_age(clock.now()), Some(Duration::from_secs(30)));
///
/// cookie.touch(clock.now());
/// assert_eq!(cookie.max_age(clock.now()), Some(Duration::from_secs(60)));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct SessionCookie {
    attributes: Arc<Attributes>,
    original_max_age: Millis,
    expires: Millis,
}

impl SessionCookie {
    /// express-session's defaults: path `/`, `HttpOnly`, no max age.
    #[must_use]
    pub fn new() -> Self {
        Self {
            attributes: Arc::clone(&DEFAULT_ATTRIBUTES),
            original_max_age: Millis::NULL,
            expires: Millis::NULL,
        }
    }

    /// The path that the cookie is sent for.
    #[must_use]
    pub fn path(&self) -> &str {
        self.attributes.path.text().unwrap_or("/")
    }

    /// Sets the path.
    pub fn set_path(&mut self, path: impl Into<String>) {
        self.edit().path = Attribute::Value(Cow::Owned(path.into()));
    }

    /// The domain, as it was given; `None` keeps the cookie to the host that set it.
    #[must_use]
    pub fn domain(&self) -> Option<&str> {
        self.attributes.domain.text()
    }

    /// Sets or removes the domain.
    pub fn set_domain(&mut self, domain: Option<String>) {
        self.edit().domain = match domain {
            Some(domain) => Attribute::Value(Cow::Owned(domain)),
            None => Attribute::Absent,
        };
    }

    /// Whether scripts in the page cannot read the cookie.
    #[must_use]
    pub fn http_only(&self) -> bool {
        self.attributes.http_only.is_true()
    }

    /// Sets `HttpOnly`.
    pub fn set_http_only(&mut self, http_only: bool) {
        self.edit().http_only = Attribute::Value(http_only);
    }

    /// Whether the cookie is for secure connections only; it is not sent over others.
    #[must_use]
    pub fn secure(&self) -> bool {
        self.attributes.is_secure()
    }

    /// Sets `Secure`.
    pub fn set_secure(&mut self, secure: bool) {
        self.edit().secure = Attribute::Value(SecureForm::Bool(secure));
    }

    /// The `SameSite` attribute; `None` also where a row from elsewhere holds an unknown one.
    #[must_use]
    pub fn same_site(&self) -> Option<SameSite> {
        self.attributes.same_site().ok().flatten()
    }

    /// Sets or removes `SameSite`.
    pub fn set_same_site(&mut self, same_site: Option<SameSite>) {
        self.edit().same_site = match same_site {
            Some(value) => Attribute::Value(SameSiteForm::Text(
                value.as_str().to_ascii_lowercase().into(),
            )),
            None => Attribute::Absent,
        };
    }

    /// Whether the cookie is kept apart per top-level site (CHIPS).
    #[must_use]
    pub fn partitioned(&self) -> bool {
        self.attributes.partitioned.is_true()
    }

    /// Sets `Partitioned`; browsers want `Secure` with it.
    pub fn set_partitioned(&mut self, partitioned: bool) {
        self.edit().partitioned = Attribute::Value(partitioned);
    }

    /// The `Priority` attribute; `None` also where a row from elsewhere holds an unknown one.
    #[must_use]
    pub fn priority(&self) -> Option<Priority> {
        self.attributes.priority().ok().flatten()
    }

    /// Sets or removes `Priority`.
    pub fn set_priority(&mut self, priority: Option<Priority>) {
        self.edit().priority = match priority {
            Some(value) => Attribute::Value(value.as_str().to_ascii_lowercase().into()),
            None => Attribute::Absent,
        };
    }

    /// When the session and its cookie end; `None` when the cookie ends with the browser.
    #[must_use]
    pub fn expires(&self) -> Option<SystemTime> {
        self.expires.get().map(from_millis)
    }

    /// Sets when the session ends, and from it the original max age. `None` makes the cookie end
    /// with the browser, as [`set_max_age`](Self::set_max_age) with `None` does.
    pub fn set_expires(&mut self, expires: Option<SystemTime>, now: SystemTime) {
        self.expires = expires.map_or(Millis::NULL, |time| Millis::new(to_millis(time)));
        self.original_max_age = self.expires.offset(-to_millis(now));
    }

    /// Makes this visitor's cookie end with the browser: `cookie.expires = false` in Node, stored
    /// as `false` as it does, so that both sides see the visitor's choice.
    pub fn expire_with_browser(&mut self) {
        self.expires = Millis::FALSE;
        self.original_max_age = Millis::FALSE;
    }

    /// The time that is left, zero if it has passed; `None` when the cookie ends with the browser.
    #[must_use]
    pub fn max_age(&self, now: SystemTime) -> Option<Duration> {
        let left = self.expires.get()?.saturating_sub(to_millis(now));
        Some(Duration::from_millis(u64::try_from(left).unwrap_or(0)))
    }

    /// Lets the session end after `max_age` from `now`, and again that long after each touch;
    /// `None` makes the cookie end with the browser.
    pub fn set_max_age(&mut self, max_age: Option<Duration>, now: SystemTime) {
        self.original_max_age =
            max_age.map_or(Millis::NULL, |age| Millis::new(duration_to_millis(age)));
        self.touch(now);
    }

    /// The max age that [`touch`](Self::touch) goes back to; zero for a negative one.
    #[must_use]
    pub fn original_max_age(&self) -> Option<Duration> {
        let millis = self.original_max_age.get()?;
        Some(Duration::from_millis(u64::try_from(millis).unwrap_or(0)))
    }

    /// Puts the max age back to its original value. The lifecycle does this for every request
    /// that carries the session.
    pub fn touch(&mut self, now: SystemTime) {
        self.expires = self.original_max_age.offset(to_millis(now));
    }

    /// Whether the session has ended at `now`: expired means `expires <= now`.
    #[must_use]
    pub fn is_expired(&self, now: SystemTime) -> bool {
        self.expires
            .get()
            .is_some_and(|expires| expires <= to_millis(now))
    }

    /// Whether everything but the moving `expires` is the same as in `other`.
    pub(crate) fn same_settings(&self, other: &Self) -> bool {
        self.original_max_age == other.original_max_age && self.same_attributes(other)
    }

    /// Whether everything but the end is the same as in `other`.
    pub(crate) fn same_attributes(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.attributes, &other.attributes) || self.attributes == other.attributes
    }

    /// Whether a touch does the same to both.
    pub(crate) fn same_max_age(&self, other: &Self) -> bool {
        self.original_max_age == other.original_max_age
    }

    /// Whether Node would count `expires` as set once the session is touched: anything but null and
    /// undefined.
    pub(crate) fn has_expires(&self) -> bool {
        self.original_max_age != Millis::NULL && self.original_max_age != Millis::UNDEFINED
    }

    /// Takes the expiry that the backend keeps, where the row's JSON has a date that may be stale.
    pub(crate) fn adopt_expires(&mut self, expires: SystemTime) {
        if self.expires.get().is_some() || self.original_max_age.get().is_some() {
            self.expires = Millis::new(to_millis(expires));
        }
    }

    /// Takes away an end that the backend does not know of.
    pub(crate) fn drop_expires(&mut self) {
        if self.expires.get().is_some() {
            self.expires = Millis::NULL;
        }
    }

    /// Takes the expiry of `other`, in its form: none, `false`, or a time.
    pub(crate) fn move_expires(&mut self, other: &Self) {
        self.expires = other.expires;
    }

    /// See [`Record::clone_into_pool`](crate::Record::clone_into_pool).
    pub(crate) fn clone_into_pool(&self, pool: &mut Option<Self>) -> Self {
        let pool = pool.get_or_insert_with(|| Self {
            attributes: Arc::new(Attributes::clone(&self.attributes)),
            ..self.clone()
        });
        let attributes = if pool.attributes == self.attributes {
            &pool.attributes
        } else {
            &self.attributes
        };
        Self {
            attributes: Arc::clone(attributes),
            ..*self
        }
    }

    /// Appends the JSON that Node writes for the cookie: its keys in its order, absent ones left
    /// out.
    pub(crate) fn write_json(&self, out: &mut String) {
        let mut json = self.open_json(out);
        self.attributes.write_json_before_expires(&mut json);
        match self.expires.get() {
            Some(millis) => {
                let out = json.member("expires");
                out.push('"');
                date::write_iso(out, millis);
                out.push('"');
            }
            None => write_non_number(&mut json, "expires", self.expires),
        }
        self.attributes.write_json_after_expires(&mut json);
        json.close();
    }

    fn open_json<'a>(&self, out: &'a mut String) -> JsonObject<'a> {
        let mut json = JsonObject::open(out);
        match self.original_max_age.get() {
            Some(millis) => json.number("originalMaxAge", millis),
            None => write_non_number(&mut json, "originalMaxAge", self.original_max_age),
        }
        json
    }

    fn edit(&mut self) -> &mut Attributes {
        Arc::make_mut(&mut self.attributes)
    }
}

fn write_non_number(json: &mut JsonObject<'_>, key: &str, value: Millis) {
    if value == Millis::NULL {
        json.raw(key, "null");
    } else if value == Millis::FALSE {
        json.raw(key, "false");
    }
}

impl Default for SessionCookie {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for SessionCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut json = String::new();
        self.write_json(&mut json);
        write!(f, "SessionCookie({json})")
    }
}

/// Most cookies have the default attributes: they share one allocation.
static DEFAULT_ATTRIBUTES: LazyLock<Arc<Attributes>> = LazyLock::new(Arc::default);

fn shared(attributes: Attributes) -> Arc<Attributes> {
    if attributes == **DEFAULT_ATTRIBUTES {
        Arc::clone(&DEFAULT_ATTRIBUTES)
    } else {
        Arc::new(attributes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_settings_are_shared_through_a_pool_and_others_stay_as_they_are() {
        let mut lax = SessionCookie::new();
        lax.set_same_site(Some(SameSite::Lax));
        let mut browser = lax.clone();
        browser.expire_with_browser();
        let default = SessionCookie::new();

        let mut pool = None;
        let [one, two, other] = [&lax, &browser, &default].map(|c| c.clone_into_pool(&mut pool));
        assert!(Arc::ptr_eq(&one.attributes, &two.attributes));
        assert!(!Arc::ptr_eq(&one.attributes, &lax.attributes));
        assert!(Arc::ptr_eq(&other.attributes, &default.attributes));
        assert_eq!([one, two, other], [lax, browser, default]);
    }
}
