//! The settings of a cookie that do not move with time, in the forms that Node keeps apart.

use std::borrow::Cow;
use std::fmt::Write;

use super::scalar::Scalar;
use super::{Priority, SameSite};
use crate::{Error, ErrorKind, Result};

type Text = Cow<'static, str>;

/// A key of the cookie's JSON: absent (`undefined` in JavaScript), `null`, or a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Attribute<T> {
    Absent,
    Null,
    Value(T),
}

impl<T> Attribute<T> {
    pub(super) fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }
}

impl Attribute<bool> {
    pub(super) fn is_true(&self) -> bool {
        matches!(self, Self::Value(true))
    }

    fn flag(value: &Scalar<'_>) -> Self {
        match value {
            Scalar::Null => Self::Null,
            other => Self::Value(other.is_truthy()),
        }
    }
}

impl Attribute<Text> {
    /// The text that an attribute of `Set-Cookie` gets: like Node, nothing for the empty text.
    pub(super) fn text(&self) -> Option<&str> {
        self.value()
            .map(AsRef::as_ref)
            .filter(|text| !text.is_empty())
    }

    fn from_scalar(value: Scalar<'_>) -> Self {
        match value {
            Scalar::Text(text) if text == "/" => Self::Value(Cow::Borrowed("/")),
            Scalar::Text(text) => Self::Value(Cow::Owned(text.into_owned())),
            _ => Self::Null,
        }
    }
}

/// `true`, `false`, or the text `"auto"`, which express-session leaves in rows whose cookie
/// settings came from a function, and treats as `true` there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SecureForm {
    Bool(bool),
    Auto,
}

/// `true` means `Strict`, `false` means no attribute; a text keeps its letters' case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SameSiteForm {
    Bool(bool),
    Text(Text),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attributes {
    pub(super) partitioned: Attribute<bool>,
    pub(super) priority: Attribute<Text>,
    pub(super) secure: Attribute<SecureForm>,
    pub(super) http_only: Attribute<bool>,
    pub(super) domain: Attribute<Text>,
    pub(super) path: Attribute<Text>,
    pub(super) same_site: Attribute<SameSiteForm>,
}

impl Default for Attributes {
    fn default() -> Self {
        Self {
            partitioned: Attribute::Absent,
            priority: Attribute::Absent,
            secure: Attribute::Absent,
            http_only: Attribute::Value(true),
            domain: Attribute::Absent,
            path: Attribute::Value(Cow::Borrowed("/")),
            same_site: Attribute::Absent,
        }
    }
}

impl Attributes {
    /// Takes one key of a cookie's JSON. Values of a type that JavaScript would not refuse count
    /// by their truthiness, or as `null` where a text is needed; unknown keys are dropped.
    pub(super) fn read(&mut self, key: &str, value: Scalar<'_>) {
        match key {
            "partitioned" => self.partitioned = Attribute::flag(&value),
            "priority" => self.priority = Attribute::<Text>::from_scalar(value),
            "httpOnly" => self.http_only = Attribute::flag(&value),
            "domain" => self.domain = Attribute::<Text>::from_scalar(value),
            "path" => self.path = Attribute::<Text>::from_scalar(value),
            "secure" => {
                self.secure = match value {
                    Scalar::Null => Attribute::Null,
                    Scalar::Text(text) if text == "auto" => Attribute::Value(SecureForm::Auto),
                    other => Attribute::Value(SecureForm::Bool(other.is_truthy())),
                }
            }
            "sameSite" => {
                self.same_site = match value {
                    Scalar::Bool(on) => Attribute::Value(SameSiteForm::Bool(on)),
                    Scalar::Text(text) => {
                        Attribute::Value(SameSiteForm::Text(Cow::Owned(text.into_owned())))
                    }
                    _ => Attribute::Null,
                }
            }
            _ => {}
        }
    }

    pub(super) fn is_secure(&self) -> bool {
        matches!(
            self.secure,
            Attribute::Value(SecureForm::Bool(true) | SecureForm::Auto)
        )
    }

    /// The `SameSite` to send.
    ///
    /// # Errors
    ///
    /// For a text that names none.
    pub(super) fn same_site(&self) -> Result<Option<SameSite>> {
        match &self.same_site {
            Attribute::Absent | Attribute::Null | Attribute::Value(SameSiteForm::Bool(false)) => {
                Ok(None)
            }
            Attribute::Value(SameSiteForm::Bool(true)) => Ok(Some(SameSite::Strict)),
            Attribute::Value(SameSiteForm::Text(text)) if text.is_empty() => Ok(None),
            Attribute::Value(SameSiteForm::Text(text)) => {
                [SameSite::Lax, SameSite::Strict, SameSite::None]
                    .into_iter()
                    .find(|known| known.as_str().eq_ignore_ascii_case(text))
                    .map(Some)
                    .ok_or_else(|| invalid("sameSite must be lax, strict or none"))
            }
        }
    }

    pub(super) fn priority(&self) -> Result<Option<Priority>> {
        match self.priority.text() {
            None => Ok(None),
            Some(text) => [Priority::Low, Priority::Medium, Priority::High]
                .into_iter()
                .find(|known| known.as_str().eq_ignore_ascii_case(text))
                .map(Some)
                .ok_or_else(|| invalid("priority must be low, medium or high")),
        }
    }

    /// Appends the attributes of `Set-Cookie` in Node's order; `expires` is written between them.
    ///
    /// # Errors
    ///
    /// For a domain, path, priority or sameSite that a header cannot carry: the cookie package
    /// that express-session uses refuses the same ones.
    pub(super) fn write_header(
        &self,
        out: &mut String,
        expires: impl FnOnce(&mut String),
    ) -> Result<()> {
        if let Some(domain) = self.domain.text() {
            if !is_domain(domain) {
                return Err(invalid("domain must be a host name, as in `example.com`"));
            }
            out.push_str("; Domain=");
            out.push_str(domain);
        }
        if let Some(path) = self.path.text() {
            if !is_path(path) {
                return Err(invalid("path must be printable ASCII without `;` and `<`"));
            }
            out.push_str("; Path=");
            out.push_str(path);
        }
        expires(out);
        if self.http_only.is_true() {
            out.push_str("; HttpOnly");
        }
        if self.is_secure() {
            out.push_str("; Secure");
        }
        if self.partitioned.is_true() {
            out.push_str("; Partitioned");
        }
        if let Some(priority) = self.priority()? {
            out.push_str("; Priority=");
            out.push_str(priority.as_str());
        }
        if let Some(same_site) = self.same_site()? {
            out.push_str("; SameSite=");
            out.push_str(same_site.as_str());
        }
        Ok(())
    }

    /// Appends the keys of the cookie's JSON between `originalMaxAge` and `expires`.
    pub(super) fn write_json_before_expires(&self, json: &mut JsonObject<'_>) {
        json.flag("partitioned", &self.partitioned);
        json.text("priority", &self.priority);
    }

    /// Appends the keys of the cookie's JSON after `expires`.
    pub(super) fn write_json_after_expires(&self, json: &mut JsonObject<'_>) {
        match &self.secure {
            Attribute::Absent => {}
            Attribute::Null => json.raw("secure", "null"),
            Attribute::Value(SecureForm::Bool(on)) => json.raw("secure", bool_text(*on)),
            Attribute::Value(SecureForm::Auto) => json.raw("secure", "\"auto\""),
        }
        json.flag("httpOnly", &self.http_only);
        json.text("domain", &self.domain);
        json.text("path", &self.path);
        match &self.same_site {
            Attribute::Absent => {}
            Attribute::Null => json.raw("sameSite", "null"),
            Attribute::Value(SameSiteForm::Bool(on)) => json.raw("sameSite", bool_text(*on)),
            Attribute::Value(SameSiteForm::Text(text)) => json.string("sameSite", text),
        }
    }
}

pub(super) fn invalid(message: &'static str) -> Error {
    Error::new(ErrorKind::Config, "set-cookie").with_message(message)
}

fn bool_text(on: bool) -> &'static str {
    if on { "true" } else { "false" }
}

/// Labels of letters, digits and inner hyphens, up to 63 characters each; a leading dot is allowed
/// (RFC 6265, section 4.1.2.3, and RFC 1034, section 3.5).
pub(super) fn is_domain(domain: &str) -> bool {
    domain
        .strip_prefix('.')
        .unwrap_or(domain)
        .split('.')
        .all(|label| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}

/// What the cookie package for Node lets through: printable ASCII without `;` and `<`.
pub(super) fn is_path(path: &str) -> bool {
    path.bytes()
        .all(|byte| matches!(byte, 0x20..=0x3a | 0x3d..=0x7e))
}

/// Writes a flat JSON object member by member.
pub(super) struct JsonObject<'a> {
    out: &'a mut String,
    first: bool,
}

impl<'a> JsonObject<'a> {
    pub(super) fn open(out: &'a mut String) -> Self {
        out.push('{');
        Self { out, first: true }
    }

    pub(super) fn close(self) {
        self.out.push('}');
    }

    /// Starts a member; its value is to be appended to what is returned.
    pub(super) fn member(&mut self, key: &str) -> &mut String {
        self.out.push_str(if self.first { "\"" } else { ",\"" });
        self.out.push_str(key);
        self.out.push_str("\":");
        self.first = false;
        self.out
    }

    pub(super) fn raw(&mut self, key: &str, value: &str) {
        self.member(key).push_str(value);
    }

    pub(super) fn number(&mut self, key: &str, value: i64) {
        // Writing to a String cannot fail.
        let _ = write!(self.member(key), "{value}");
    }

    fn string(&mut self, key: &str, value: &str) {
        // A str always has a JSON form.
        let text = serde_json::to_string(value).unwrap_or_default();
        self.raw(key, &text);
    }

    fn flag(&mut self, key: &str, value: &Attribute<bool>) {
        match value {
            Attribute::Absent => {}
            Attribute::Null => self.raw(key, "null"),
            Attribute::Value(on) => self.raw(key, bool_text(*on)),
        }
    }

    fn text(&mut self, key: &str, value: &Attribute<Text>) {
        match value {
            Attribute::Absent => {}
            Attribute::Null => self.raw(key, "null"),
            Attribute::Value(text) if text == "/" => self.raw(key, "\"/\""),
            Attribute::Value(text) => self.string(key, text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_and_paths_that_a_header_cannot_carry_are_refused() {
        for good in [
            "example.com",
            ".Example.com",
            "a",
            "xn--bcher-kva.example",
            "127.0.0.1",
        ] {
            assert!(is_domain(good), "{good}");
        }
        let long = "a".repeat(64);
        for bad in [
            "", ".", "a..b", "-a.com", "a-.com", "a b", "a;b", "a_b", &long, "ü.de",
        ] {
            assert!(!is_domain(bad), "{bad}");
        }
        assert!(is_path("/a b/%C3%A4=?&"));
        for bad in ["/a;b", "/a\nb", "/ä", "/<"] {
            assert!(!is_path(bad), "{bad}");
        }
    }
}
