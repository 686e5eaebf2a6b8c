//! The `Set-Cookie` response header, and whether a browser would keep what it says.

use std::fmt::Write;
use std::sync::Arc;
use std::time::SystemTime;

use http::HeaderValue;

use super::attributes::{Attributes, invalid};
use super::{SessionCookie, rules};
use crate::format::clock::to_millis;
use crate::format::date;
use crate::{Error, ErrorKind, Result};

impl SessionCookie {
    /// Whether making the browser drop this cookie would drop `other` of the same name (RFC 6265,
    /// section 5.3, step 11).
    pub(crate) fn same_place(&self, other: &Self, name: &str) -> bool {
        let [one, other] = [self, other].map(|cookie| rules::removable(name, &cookie.attributes));
        let host = |domain: Option<&str>| {
            let domain = domain?;
            Some(
                domain
                    .strip_prefix('.')
                    .unwrap_or(domain)
                    .to_ascii_lowercase(),
            )
        };
        one.path.text().unwrap_or("/") == other.path.text().unwrap_or("/")
            && host(one.domain.text()) == host(other.domain.text())
            && one.partitioned.is_true() == other.partitioned.is_true()
    }

    /// The `Set-Cookie` header that gives the browser `value`.
    ///
    /// Attributes stand in Node's order, and there is never a `Max-Age`. `name` and `value` are
    /// taken as they are.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if an attribute cannot be put into a header.
    pub fn to_header(&self, name: &str, value: &str) -> Result<HeaderValue> {
        self.to_header_with(name, None, |out| out.push_str(value))
    }

    /// Refuses the cookie of a new session if no browser would keep it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for settings that contradict each other, `name` or browsers, and for
    /// a max age below a second.
    pub(crate) fn check_new(&self, name: &str) -> Result<()> {
        if self.is_too_short() {
            return Err(too_short());
        }
        rules::check(name, &self.attributes, None)
    }

    /// Refuses what a change of the stored cookie `before` has made worse.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for settings that contradict each other, `name` or browsers.
    pub(crate) fn check_change(&self, name: &str, before: &Self) -> Result<()> {
        if self.same_attributes(before) {
            return Ok(());
        }
        rules::check(name, &self.attributes, Some(&before.attributes))
    }

    /// Whether a browser would keep the cookie under this name.
    pub(crate) fn is_kept(&self, name: &str) -> bool {
        rules::is_kept(name, &self.attributes)
    }

    /// Whether the max age is one that a cookie, which counts in whole seconds, may be sent as an
    /// end that has passed. A negative one comes from an end that lies in the past: a handler's way
    /// to end a session as it begins.
    pub(crate) fn is_too_short(&self) -> bool {
        let max_age = self.original_max_age.get();
        max_age.is_some_and(|millis| (0..1000).contains(&millis))
    }

    /// The cookie with the attributes of `other`, and its own end.
    pub(crate) fn with_attributes_of(self, other: &Self) -> Self {
        Self {
            attributes: Arc::clone(&other.attributes),
            ..self
        }
    }

    /// The `Set-Cookie` header that gives the browser the value that `write_value` appends; with
    /// a `Max-Age` beside its `Expires`, if it has one, where `max_age_at` says what time it is.
    pub(crate) fn to_header_with(
        &self,
        name: &str,
        max_age_at: Option<SystemTime>,
        write_value: impl FnOnce(&mut String),
    ) -> Result<HeaderValue> {
        let expires = self.expires.get();
        let left = max_age_at
            .zip(expires)
            .map(|(now, expires)| expires.saturating_sub(to_millis(now)));
        header(&self.attributes, name, expires, left, write_value)
    }

    /// The `Set-Cookie` header that makes the browser drop this cookie. Settings with which no
    /// browser would have kept it, as a row from elsewhere may have them, give way to those that
    /// come nearest.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if `name` cannot be put into a header.
    pub fn to_removal_header(&self, name: &str) -> Result<HeaderValue> {
        self.to_removal_header_with(name, false)
    }

    /// The same, with `Max-Age=0` beside its `Expires` if asked for.
    pub(crate) fn to_removal_header_with(&self, name: &str, max_age: bool) -> Result<HeaderValue> {
        let attributes = rules::removable(name, &self.attributes);
        header(&attributes, name, Some(0), max_age.then_some(0), |_| {})
    }
}

/// `expires` is in milliseconds since 1970, `left` in milliseconds from now.
fn header(
    attributes: &Attributes,
    name: &str,
    expires: Option<i64>,
    left: Option<i64>,
    write_value: impl FnOnce(&mut String),
) -> Result<HeaderValue> {
    // Room for what most cookies have, so that the text is allocated once.
    let mut out = String::with_capacity(256);
    out.push_str(name);
    out.push('=');
    write_value(&mut out);
    attributes.write_header(&mut out, |out| {
        if let Some(left) = left {
            // A part of a second counts as one: zero makes the browser drop the cookie.
            let seconds = u64::try_from(left).unwrap_or(0).div_ceil(1000);
            // Writing to a String cannot fail.
            let _ = write!(out, "; Max-Age={seconds}");
        }
        if let Some(expires) = expires {
            out.push_str("; Expires=");
            date::write_http(out, expires);
        }
    })?;
    // Without spare room the header takes the text over as it is.
    let mut header = HeaderValue::try_from(out.into_boxed_str().into_string()).map_err(|_| {
        Error::new(ErrorKind::Config, "set-cookie")
            .with_message("the cookie's name or value holds a character that no header can")
    })?;
    // Keeps it out of the logs and of HPACK's table of what may be repeated.
    header.set_sensitive(true);
    Ok(header)
}

pub(super) fn too_short() -> Error {
    invalid(
        "a max age below a second ends the session as it begins: cookies count in whole seconds",
    )
}
