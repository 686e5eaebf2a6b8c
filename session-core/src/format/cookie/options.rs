use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use super::attributes::{Attribute, Attributes, SameSiteForm, SecureForm};
use super::row::{number_to_millis, read_expires};
use super::scalar::Scalar;
use super::set_cookie::too_short;
use super::{Millis, Priority, SameSite, SessionCookie, rules, shared};
use crate::Result;
use crate::format::clock::{duration_to_millis, to_millis};

/// Whether new sessions' cookies are for secure connections only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecureOption {
    /// Sent over every connection.
    No,
    /// Sent over secure connections only; over another one no new session is made.
    Yes,
    /// As the connection is on which a session is made. A cookie made over plain HTTP can later
    /// be read on the wire: prefer [`Yes`](Self::Yes) where everything is HTTPS.
    Auto,
}

impl From<bool> for SecureOption {
    fn from(secure: bool) -> Self {
        if secure { Self::Yes } else { Self::No }
    }
}

/// The `SameSite` of new sessions' cookies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SameSiteOption {
    /// Always this one.
    Is(SameSite),
    /// `None` on a secure connection, `Lax` on another one. Browsers want `Secure` with `None`:
    /// set [`secure`](CookieOptions::secure) to `true` or [`Auto`](SecureOption::Auto) with it.
    Auto,
}

impl From<SameSite> for SameSiteOption {
    fn from(same_site: SameSite) -> Self {
        Self::Is(same_site)
    }
}

/// The cookie settings of new sessions: express-session's `cookie` option.
///
/// | setting | default | meaning |
/// |---|---|---|
/// | `path` | `/` | where the cookie is sent, and where the middleware acts |
/// | `domain` | none | none: only the host that set it |
/// | `max_age` | none | none: the cookie ends with the browser |
/// | `expires` | none | a fixed end; the later of this and `max_age` counts |
/// | `http_only` | `true` | hidden from scripts |
/// | `secure` | no attribute | `true`, `false` or [`Auto`](SecureOption::Auto) |
/// | `same_site` | no attribute | a [`SameSite`] or [`Auto`](SameSiteOption::Auto) |
/// | `partitioned` | no attribute | kept apart per top-level site |
/// | `priority` | no attribute | Chromium's eviction order |
///
/// A session that exists keeps the settings that are stored with it.
///
/// What no browser keeps is refused: `SameSite=None` or `Partitioned` without `Secure`, a path that
/// does not begin with `/`, a max age below a second, and a cookie
/// [name](crate::SessionOptions::name) with a prefix (`__Host-`, `__Secure-`, `__Http-`,
/// `__Host-Http-`) beside settings that it does not allow. The
/// [`Lifecycle`](crate::Lifecycle) refuses it when it is built; where it depends on the request,
/// the new session is refused before it is stored.
///
/// It can also be read from JSON with express-session's own names and forms, for a configuration
/// that both sides share:
///
/// ```
/// use session_core::CookieOptions;
///
/// let options: CookieOptions =
///     serde_json::from_str(r#"{"maxAge": 60000, "sameSite": "lax", "secure": "auto"}"#)?;
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct CookieOptions {
    attributes: Attributes,
    secure_auto: bool,
    same_site_auto: bool,
    lifetime: Lifetime,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Lifetime {
    None,
    /// Node's `maxAge: undefined`.
    #[cfg(test)]
    Undefined,
    /// Node's `expires: false`.
    WithBrowser,
    MaxAge(i64),
    Until(i64),
}

impl CookieOptions {
    /// The defaults: path `/`, `HttpOnly`, no max age.
    pub fn new() -> Self {
        Self {
            attributes: Attributes::default(),
            secure_auto: false,
            same_site_auto: false,
            lifetime: Lifetime::None,
        }
    }

    /// Where the cookie is sent, and where the middleware acts. Segments count (RFC 6265, section
    /// 5.1.4): `/foo` covers `/foo` and `/foo/bar`, not `/foobar`.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.attributes.path = Attribute::Value(Cow::Owned(path.into()));
        self
    }

    /// The domain whose hosts all get the cookie.
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.attributes.domain = Attribute::Value(Cow::Owned(domain.into()));
        self
    }

    /// How long a session lives after the last request, in the store; whole milliseconds,
    /// a second at least.
    ///
    /// In the browser, the cookie lasts as long from when it was last sent: when the session was
    /// made, when its data or its settings were changed, and, with
    /// [`rolling`](crate::SessionOptions::rolling), with every response. Without that, a visitor who
    /// only reads loses the cookie when the max age has passed and is signed out, although the
    /// session lives on. So in express-session.
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.lifetime = Lifetime::MaxAge(duration_to_millis(max_age));
        self
    }

    /// When sessions end. The time from their making until then becomes their max age, to which
    /// each touch goes back.
    pub fn expires(mut self, expires: SystemTime) -> Self {
        self.lifetime = Lifetime::Until(to_millis(expires));
        self
    }

    /// Whether scripts in the page cannot read the cookie.
    pub fn http_only(mut self, http_only: bool) -> Self {
        self.attributes.http_only = Attribute::Value(http_only);
        self
    }

    /// Whether the cookie is for secure connections only.
    pub fn secure(mut self, secure: impl Into<SecureOption>) -> Self {
        let secure = secure.into();
        self.secure_auto = secure == SecureOption::Auto;
        self.attributes.secure = Attribute::Value(SecureForm::Bool(secure == SecureOption::Yes));
        self
    }

    /// The `SameSite` attribute.
    pub fn same_site(mut self, same_site: impl Into<SameSiteOption>) -> Self {
        match same_site.into() {
            SameSiteOption::Auto => self.same_site_auto = true,
            SameSiteOption::Is(value) => {
                self.same_site_auto = false;
                self.attributes.same_site = same_site_form(value);
            }
        }
        self
    }

    /// Keeps the cookie apart per top-level site; browsers want `Secure` with it.
    pub fn partitioned(mut self, partitioned: bool) -> Self {
        self.attributes.partitioned = Attribute::Value(partitioned);
        self
    }

    /// Chromium's eviction order.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.attributes.priority = Attribute::Value(priority.as_str().to_ascii_lowercase().into());
        self
    }

    /// The cookie of a session that is made at `now` on a connection that is `secure` or not.
    #[must_use]
    pub fn to_cookie(&self, secure: bool, now: SystemTime) -> SessionCookie {
        Template::attributes(self, secure).cookie(self.lifetime, now)
    }
}

impl CookieOptions {
    pub(crate) fn cookie_path(&self) -> &str {
        self.attributes.path.text().unwrap_or("/")
    }
}

impl Default for CookieOptions {
    fn default() -> Self {
        Self::new()
    }
}

fn same_site_form(value: SameSite) -> Attribute<SameSiteForm> {
    Attribute::Value(SameSiteForm::Text(
        value.as_str().to_ascii_lowercase().into(),
    ))
}

/// Options made ready to stamp out cookies that share their attributes.
#[derive(Debug)]
pub(crate) struct Template {
    on_plain: Stamp,
    on_secure: Stamp,
    lifetime: Lifetime,
}

#[derive(Debug)]
struct Stamp(Arc<Attributes>);

impl Stamp {
    fn cookie(&self, lifetime: Lifetime, now: SystemTime) -> SessionCookie {
        let now = to_millis(now);
        let (original_max_age, expires) = match lifetime {
            Lifetime::None => (Millis::NULL, Millis::NULL),
            #[cfg(test)]
            Lifetime::Undefined => (Millis::UNDEFINED, Millis::UNDEFINED),
            Lifetime::WithBrowser => (Millis::FALSE, Millis::FALSE),
            Lifetime::MaxAge(age) => (Millis::new(age), Millis::new(now.saturating_add(age))),
            Lifetime::Until(end) => (Millis::new(end.saturating_sub(now)), Millis::new(end)),
        };
        SessionCookie {
            attributes: Arc::clone(&self.0),
            original_max_age,
            expires,
        }
    }
}

impl Template {
    /// The template for cookies of this name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for settings with which no browser keeps
    /// the cookie, not even one that comes by a secure connection at `now`.
    pub(crate) fn new(options: &CookieOptions, name: &str, now: SystemTime) -> Result<Self> {
        let ended = match options.lifetime {
            Lifetime::MaxAge(age) => age < 1000,
            Lifetime::Until(end) => end.saturating_sub(to_millis(now)) < 1000,
            _ => false,
        };
        if ended {
            return Err(too_short());
        }
        let template = Self {
            on_plain: Self::attributes(options, false),
            on_secure: Self::attributes(options, true),
            lifetime: options.lifetime,
        };
        rules::check(name, &template.on_secure.0, None)?;
        Ok(template)
    }

    fn attributes(options: &CookieOptions, secure: bool) -> Stamp {
        let mut attributes = options.attributes.clone();
        if options.secure_auto {
            attributes.secure = Attribute::Value(SecureForm::Bool(secure));
        }
        if options.same_site_auto {
            attributes.same_site = same_site_form(if secure {
                SameSite::None
            } else {
                SameSite::Lax
            });
        }
        Stamp(shared(attributes))
    }

    pub(crate) fn cookie(&self, secure: bool, now: SystemTime) -> SessionCookie {
        let stamp = if secure {
            &self.on_secure
        } else {
            &self.on_plain
        };
        stamp.cookie(self.lifetime, now)
    }

    pub(crate) fn path(&self) -> &str {
        self.on_plain.0.path.text().unwrap_or("/")
    }
}

impl<'de> Deserialize<'de> for CookieOptions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OptionsVisitor)
    }
}

struct OptionsVisitor;

impl<'de> Visitor<'de> for OptionsVisitor {
    type Value = CookieOptions;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with express-session's cookie options")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<CookieOptions, A::Error> {
        let mut options = CookieOptions::new();
        while let Some(key) = map.next_key::<String>()? {
            let value: Scalar<'de> = map.next_value()?;
            match key.as_str() {
                "maxAge" => options.lifetime = max_age(&value)?,
                "expires" => options.lifetime = expires(&value)?,
                "secure" if is_auto(&value) => options.secure_auto = true,
                "sameSite" if is_auto(&value) => options.same_site_auto = true,
                "domain" | "path" | "priority"
                    if !matches!(value, Scalar::Text(_) | Scalar::Null) =>
                {
                    return Err(de::Error::custom(format_args!("{key} must be a text")));
                }
                _ => options.attributes.read(&key, value),
            }
        }
        Ok(options)
    }
}

fn is_auto(value: &Scalar<'_>) -> bool {
    matches!(value, Scalar::Text(text) if text == "auto")
}

fn max_age<E: de::Error>(value: &Scalar<'_>) -> Result<Lifetime, E> {
    match value {
        Scalar::Null => Ok(Lifetime::None),
        Scalar::Bool(false) => Ok(Lifetime::WithBrowser),
        Scalar::Number(number) => Ok(number_to_millis(*number)
            .get()
            .map_or(Lifetime::None, Lifetime::MaxAge)),
        _ => Err(E::custom("maxAge must be a number of milliseconds or null")),
    }
}

fn expires<E: de::Error>(value: &Scalar<'_>) -> Result<Lifetime, E> {
    match (value, read_expires(value).get()) {
        (Scalar::Null, _) => Ok(Lifetime::None),
        (Scalar::Bool(false), _) => Ok(Lifetime::WithBrowser),
        (_, Some(millis)) => Ok(Lifetime::Until(millis)),
        _ => Err(E::custom("expires must be a date, false or null")),
    }
}

#[cfg(test)]
impl CookieOptions {
    /// Node's `maxAge: undefined`, which JSON cannot say.
    pub(crate) fn without_lifetime(mut self) -> Self {
        self.lifetime = Lifetime::Undefined;
        self
    }
}
