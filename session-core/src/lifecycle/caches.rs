//! What a response tells caches, where it also sets a cookie that is one visitor's alone.

use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::format::cookie::is_token;

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// Takes away what allows a shared cache to store the response (RFC 9111, section 3): what the
/// handler has said stays as far as it is for the browser's own cache, and without a word of its
/// own the response is not to be stored at all.
pub(super) fn keep_out_of_shared_caches(headers: &mut HeaderMap) {
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, NO_STORE);
    } else if let Some(value) = narrowed(headers, &CACHE_CONTROL, Audience::Everybody) {
        headers.insert(CACHE_CONTROL, value);
    }
    // Most responses have none, which costs nothing.
    let targeted: Vec<_> = headers
        .keys()
        .filter(|name| is_targeted(name))
        .cloned()
        .collect();
    for name in targeted {
        if let Some(value) = narrowed(headers, &name, Audience::SharedCaches) {
            headers.insert(name, value);
        }
    }
    if let Some(lifetime) = headers.get_mut("x-accel-expires") {
        *lifetime = HeaderValue::from_static("0");
    }
}

/// Who listens to a header.
#[derive(Clone, Copy, PartialEq)]
enum Audience {
    Everybody,
    SharedCaches,
}

/// Whether a header overrides `Cache-Control` for some shared caches: RFC 9213, and what there was
/// before it.
fn is_targeted(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.ends_with("-cache-control") || matches!(name, "surrogate-control" | "edge-control")
}

/// The value of a header that allows no shared cache to store the response; `None` if it does not
/// as it is.
fn narrowed(headers: &HeaderMap, name: &HeaderName, audience: Audience) -> Option<HeaderValue> {
    let Some(directives) = directives(headers, name) else {
        // Who knows what others read in it.
        return Some(NO_STORE);
    };
    let has = |name: &str| directives.iter().any(|directive| directive.is(name));
    let bare = |name: &str| directives.iter().any(|d| d.is(name) && d.text == d.name);
    // With a list of fields, `private` is about these alone; and a cache that understands a status
    // code passes over a `no-store` beside `must-understand` (RFC 9111, section 5.2.2.3).
    let forbidden = bare("private") || (bare("no-store") && !has("must-understand"));
    if forbidden && !has("public") && !has("s-maxage") {
        return None;
    }
    // What is for shared caches alone keeps what says how to read the body (Surrogate-Control).
    let stays = |directive: &Directive<'_>| match audience {
        Audience::Everybody => !["private", "public", "s-maxage"]
            .iter()
            .any(|n| directive.is(n)),
        Audience::SharedCaches => directive.is("content"),
    };
    let mut value = match audience {
        Audience::Everybody => "private".to_owned(),
        Audience::SharedCaches => "no-store".to_owned(),
    };
    for directive in directives.iter().filter(|directive| stays(directive)) {
        value.push_str(", ");
        value.push_str(directive.text);
    }
    Some(HeaderValue::try_from(value).unwrap_or(NO_STORE))
}

struct Directive<'a> {
    name: &'a str,
    /// The name, and what follows it.
    text: &'a str,
}

impl Directive<'_> {
    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// The directives in all lines of a header; `None` if it is not the list of RFC 9111, section 5.2.
fn directives<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Vec<Directive<'a>>> {
    let mut found = Vec::new();
    for line in headers.get_all(name) {
        let mut rest = line.to_str().ok()?;
        while !rest.is_empty() {
            let (text, after) = split_list(rest)?;
            rest = after;
            let text = text.trim_matches([' ', '\t']);
            if text.is_empty() {
                continue;
            }
            let name = text.split('=').next()?;
            if !is_token(name) {
                return None;
            }
            found.push(Directive { name, text });
        }
    }
    Some(found)
}

/// Splits at the first comma that is in no quotes; `None` if quotes are left open.
fn split_list(text: &str) -> Option<(&str, &str)> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => return Some((&text[..at], &text[at + 1..])),
            _ => {}
        }
    }
    (!quoted).then_some((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of the lines of one header.
    fn after(name: &'static str, lines: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name, HeaderValue::from_str(line).unwrap());
        }
        keep_out_of_shared_caches(&mut headers);
        let lines: Vec<_> = headers
            .get_all(name)
            .iter()
            .map(|l| l.to_str().unwrap())
            .collect();
        lines.join(" + ")
    }

    #[test]
    fn what_allows_shared_caches_to_store_becomes_private() {
        for (given, expected) in [
            ("public, max-age=43200", "private, max-age=43200"),
            ("PUBLIC,Max-Age=60", "private, Max-Age=60"),
            ("max-age=60", "private, max-age=60"),
            (
                "s-maxage=60, max-age=5, immutable",
                "private, max-age=5, immutable",
            ),
            ("no-cache", "private, no-cache"),
            (
                "no-cache=\"set-cookie\"",
                "private, no-cache=\"set-cookie\"",
            ),
            ("private=\"x, public\", max-age=60", "private, max-age=60"),
            ("private=set-cookie", "private"),
            ("private, public", "private"),
            ("private, s-maxage=60", "private"),
            ("no-store, public", "private, no-store"),
            (
                "must-understand, no-store",
                "private, must-understand, no-store",
            ),
            ("no-store=1", "private, no-store=1"),
            ("", "private"),
            (" , ,", "private"),
            ("a=\"\\\", private\", b", "private, a=\"\\\", private\", b"),
        ] {
            assert_eq!(after("cache-control", &[given]), expected, "{given}");
        }
        let lines = ["max-age=60", "public", "no-transform"];
        let expected = "private, max-age=60, no-transform";
        assert_eq!(after("cache-control", &lines), expected);
    }

    #[test]
    fn what_forbids_it_stays_as_it_is() {
        for given in [
            "private",
            "Private, max-age=60",
            "no-store",
            "NO-STORE",
            "no-cache, private",
        ] {
            assert_eq!(after("cache-control", &[given]), given);
            assert_eq!(after("cdn-cache-control", &[given]), given);
        }
        assert_eq!(
            after("cache-control", &["max-age=60", "private"]),
            "max-age=60 + private"
        );
        assert_eq!(after("cache-control", &[]), "no-store");
    }

    #[test]
    fn what_cannot_be_read_is_replaced() {
        for given in [
            "public max-age=60",
            "private=\"x",
            "max-age=60, private=\"",
            "=1",
            "private;",
        ] {
            assert_eq!(after("cache-control", &[given]), "no-store", "{given}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(
            CACHE_CONTROL,
            HeaderValue::from_bytes(b"private\xff").unwrap(),
        );
        keep_out_of_shared_caches(&mut headers);
        assert_eq!(headers[CACHE_CONTROL], "no-store");
    }

    #[test]
    fn headers_for_shared_caches_alone_forbid_it_too() {
        for name in [
            "cdn-cache-control",
            "surrogate-control",
            "edge-control",
            "x-cache-control",
        ] {
            for (given, expected) in [
                ("max-age=60", "no-store"),
                ("public, s-maxage=60, stale-while-revalidate=5", "no-store"),
                (
                    "max-age=60, content=\"ESI/1.0\"",
                    "no-store, content=\"ESI/1.0\"",
                ),
                ("private=\"x\"", "no-store"),
                ("!no-store, cache-maxage=1d", "no-store"),
                ("\"", "no-store"),
            ] {
                assert_eq!(after(name, &[given]), expected, "{name}: {given}");
            }
            assert_eq!(after(name, &[]), "");
        }
        assert_eq!(after("x-accel-expires", &["3600"]), "0");
        assert_eq!(after("expires", &["0"]), "0");
    }
}
