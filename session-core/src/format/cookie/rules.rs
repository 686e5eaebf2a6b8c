//! What no browser keeps: every rule that a session cookie is held to, in one table.
//!
//! "RFC 6265bis" is draft-ietf-httpbis-rfc6265bis-20, in which browsers' behaviour is written down.
//! Only what is certain is refused: whether a domain is that of the host, or one that nobody may
//! set cookies for (`co.uk`), depends on the host and on the browser's list.

use std::borrow::Cow;

use super::SameSite;
use super::attributes::{Attribute, Attributes, SecureForm, invalid, is_domain, is_path};
use crate::Result;
use crate::format::percent::encode_component;
use crate::format::secrets::SIGNATURE_LENGTH;

/// RFC 6265bis, section 5.6: a cookie with more bytes in its name and value is ignored.
const MAX_BYTES: usize = 4096;
/// RFC 6265bis, section 5.6: an attribute with more bytes is ignored.
const MAX_ATTRIBUTE_BYTES: usize = 1024;
/// RFC 1034, section 3.1.
const MAX_HOST_BYTES: usize = 253;

struct Rule {
    broken: fn(Prefix, &Attributes) -> bool,
    sentence: &'static str,
}

const RULES: [Rule; 13] = [
    // What a header cannot hold; the cookie package for Node refuses the same.
    Rule {
        broken: |_, cookie| cookie.domain.text().is_some_and(|text| !is_domain(text)),
        sentence: "domain must be a host name, as in `example.com`",
    },
    Rule {
        broken: |_, cookie| cookie.path.text().is_some_and(|text| !is_path(text)),
        sentence: "path must be printable ASCII without `;` and `<`",
    },
    Rule {
        broken: |_, cookie| cookie.priority().is_err(),
        sentence: "priority must be low, medium or high",
    },
    Rule {
        broken: |_, cookie| cookie.same_site().is_err(),
        sentence: "sameSite must be lax, strict or none",
    },
    // What a browser reads as something else.
    Rule {
        broken: |_, cookie| {
            cookie
                .path
                .value()
                .is_some_and(|path| !path.starts_with('/'))
        },
        sentence: "path must begin with `/` (RFC 6265bis, section 5.6.4)",
    },
    Rule {
        broken: |_, cookie| cookie.path.text().unwrap_or_default().len() > MAX_ATTRIBUTE_BYTES,
        sentence: "path must not be longer than 1,024 bytes (RFC 6265bis, section 5.6)",
    },
    Rule {
        broken: |_, cookie| {
            let host = cookie.domain.text().unwrap_or_default();
            host.strip_prefix('.').unwrap_or(host).len() > MAX_HOST_BYTES
        },
        sentence: "domain must not be longer than 253 bytes (RFC 1034, section 3.1)",
    },
    // What a browser drops.
    Rule {
        broken: |_, cookie| is_cross_site(cookie) && !cookie.is_secure(),
        sentence: "SameSite=None needs Secure (RFC 6265bis, section 5.7): set `secure`, or choose \
                   lax or strict",
    },
    Rule {
        broken: |_, cookie| cookie.partitioned.is_true() && !cookie.is_secure(),
        sentence: "Partitioned needs Secure (CHIPS, draft-cutler-httpbis-partitioned-cookies): set \
                   `secure`",
    },
    Rule {
        broken: |prefix, cookie| prefix.secure && !cookie.is_secure(),
        sentence: "a name with the prefix __Secure-, __Host- or __Http- needs Secure (RFC 6265bis, \
                   section 4.1.3): set `secure`, or choose another name",
    },
    Rule {
        broken: |prefix, cookie| prefix.host && cookie.domain.text().is_some(),
        sentence: "a name with the prefix __Host- allows no domain (RFC 6265bis, section 4.1.3.2): \
                   leave `domain` out, or choose another name",
    },
    Rule {
        broken: |prefix, cookie| prefix.host && cookie.path.text() != Some("/"),
        sentence: "a name with the prefix __Host- needs the path `/` (RFC 6265bis, section \
                   4.1.3.2): leave `path` out, or choose another name",
    },
    Rule {
        broken: |prefix, cookie| prefix.http && !cookie.http_only.is_true(),
        sentence: "a name with the prefix __Http- or __Host-Http- needs HttpOnly \
                   (draft-ietf-httpbis-layered-cookies): set `http_only`, or choose another name",
    },
];

/// What a name's prefix asks for. Browsers match it in any case (RFC 6265bis, section 5.4).
#[derive(Clone, Copy)]
struct Prefix {
    secure: bool,
    host: bool,
    http: bool,
}

impl Prefix {
    fn of(name: &str) -> Self {
        let begins = |prefix: &str| {
            let start = name.as_bytes().get(..prefix.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
        };
        let host = begins("__Host-");
        let http = begins("__Http-");
        Self {
            secure: host || http || begins("__Secure-"),
            host,
            http: http || begins("__Host-Http-"),
        }
    }
}

fn is_cross_site(cookie: &Attributes) -> bool {
    matches!(cookie.same_site(), Ok(Some(SameSite::None)))
}

/// What keeps browsers from keeping a cookie of this name, one sentence each.
fn faults<'a>(name: &str, cookie: &'a Attributes) -> impl Iterator<Item = &'static str> + 'a {
    let prefix = Prefix::of(name);
    let broken = RULES
        .iter()
        .filter(move |rule| (rule.broken)(prefix, cookie));
    broken.map(|rule| rule.sentence)
}

/// Whether browsers would keep a cookie of this name.
pub(super) fn is_kept(name: &str, cookie: &Attributes) -> bool {
    faults(name, cookie).next().is_none()
}

/// Refuses a cookie that no browser would keep. What is wrong with `before` already does not
/// count: it was stored by somebody else, and this change is not to fail for it.
///
/// # Errors
///
/// [`ErrorKind::Config`](crate::ErrorKind::Config).
pub(super) fn check(name: &str, cookie: &Attributes, before: Option<&Attributes>) -> Result<()> {
    let known = |fault: &&str| {
        before.is_some_and(|before| faults(name, before).any(|known| known == *fault))
    };
    match faults(name, cookie).find(|fault| !known(fault)) {
        Some(fault) => Err(invalid(fault)),
        None => Ok(()),
    }
}

/// Refuses a cookie whose name and value are too long together: the value for the session `id`,
/// with the longest form that a signature has in a header.
///
/// # Errors
///
/// [`ErrorKind::Config`](crate::ErrorKind::Config).
pub(crate) fn check_length(name: &str, id: &str) -> Result<()> {
    let id = encode_component(id).map(str::len).sum::<usize>();
    if name.len() + "s%3A".len() + id + ".".len() + 3 * SIGNATURE_LENGTH > MAX_BYTES {
        return Err(invalid(
            "the cookie's name and value, a signed session id, must not be longer than 4,096 \
             bytes together (RFC 6265bis, section 5.6): make either shorter",
        ));
    }
    Ok(())
}

/// The attributes for a cookie of this name that makes the browser drop the one with `cookie`'s.
///
/// A browser has to keep a cookie to drop it, so it must be one that it keeps. Whatever `cookie`
/// says, one of the name lies where the name's prefix lets it lie.
pub(super) fn removable<'a>(name: &str, cookie: &'a Attributes) -> Cow<'a, Attributes> {
    if is_kept(name, cookie) {
        return Cow::Borrowed(cookie);
    }
    let prefix = Prefix::of(name);
    let mut cookie = cookie.clone();
    if prefix.secure {
        cookie.secure = Attribute::Value(SecureForm::Bool(true));
    }
    if prefix.http {
        cookie.http_only = Attribute::Value(true);
    }
    if prefix.host || !cookie.domain.text().is_some_and(is_host) {
        cookie.domain = Attribute::Absent;
    }
    let path = cookie.path.text();
    let path_is_sent = path.is_some_and(|path| {
        path.starts_with('/') && is_path(path) && path.len() <= MAX_ATTRIBUTE_BYTES
    });
    if prefix.host || !path_is_sent {
        cookie.path = Attribute::Value(Cow::Borrowed("/"));
    }
    if !cookie.is_secure() {
        // Without Secure no browser has a partitioned one.
        cookie.partitioned = Attribute::Absent;
    }
    if cookie.same_site().is_err() || (is_cross_site(&cookie) && !cookie.is_secure()) {
        cookie.same_site = Attribute::Absent;
    }
    if cookie.priority().is_err() {
        cookie.priority = Attribute::Absent;
    }
    Cow::Owned(cookie)
}

fn is_host(domain: &str) -> bool {
    is_domain(domain) && domain.strip_prefix('.').unwrap_or(domain).len() <= MAX_HOST_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn cookie(json: &str) -> Attributes {
        let mut attributes = Attributes::default();
        let given: serde_json::Map<String, serde_json::Value> = serde_json::from_str(json).unwrap();
        for (key, value) in &given {
            let text = value.to_string();
            attributes.read(key, serde_json::from_str(&text).unwrap());
        }
        attributes
    }

    /// For each rule: a name and settings that break it and no other, and others that do not.
    fn table() -> [(&'static str, [(&'static str, String); 2]); RULES.len()] {
        let long_path = |length| format!(r#"{{"path":"/{}"}}"#, "a".repeat(length));
        let long_host = |last| {
            let label = "a".repeat(63);
            format!(
                r#"{{"domain":".{label}.{label}.{label}.{}"}}"#,
                "a".repeat(last)
            )
        };
        let fixed = |name, json: &str| (name, json.to_owned());
        [
            (
                "domain must be a host name",
                [
                    fixed("a", r#"{"domain":"a b"}"#),
                    fixed("a", r#"{"domain":"a.b"}"#),
                ],
            ),
            (
                "path must be printable",
                [
                    fixed("a", r#"{"path":"/;"}"#),
                    fixed("a", r#"{"path":"/ "}"#),
                ],
            ),
            (
                "priority must be",
                [
                    fixed("a", r#"{"priority":"top"}"#),
                    fixed("a", r#"{"priority":"LOW"}"#),
                ],
            ),
            (
                "sameSite must be",
                [
                    fixed("a", r#"{"sameSite":"all"}"#),
                    fixed("a", r#"{"sameSite":"LAX"}"#),
                ],
            ),
            (
                "path must begin",
                [fixed("a", r#"{"path":""}"#), fixed("a", r#"{"path":null}"#)],
            ),
            (
                "path must not be longer",
                [("a", long_path(1024)), ("a", long_path(1023))],
            ),
            (
                "domain must not be longer",
                [("a", long_host(62)), ("a", long_host(61))],
            ),
            (
                "SameSite=None needs Secure",
                [
                    fixed("a", r#"{"sameSite":"NONE"}"#),
                    fixed("a", r#"{"sameSite":"none","secure":true}"#),
                ],
            ),
            (
                "Partitioned needs Secure",
                [
                    fixed("a", r#"{"partitioned":true}"#),
                    fixed("a", r#"{"partitioned":true,"secure":true}"#),
                ],
            ),
            (
                "needs Secure (RFC 6265bis, section 4.1.3)",
                [
                    fixed("__SECURE-a", "{}"),
                    fixed("__Secure-a", r#"{"secure":true}"#),
                ],
            ),
            (
                "allows no domain",
                [
                    fixed("__host-a", r#"{"secure":true,"domain":"a.b"}"#),
                    fixed("__Host-a", r#"{"secure":true,"domain":null}"#),
                ],
            ),
            (
                "needs the path `/`",
                [
                    fixed("__Host-a", r#"{"secure":true,"path":"/a"}"#),
                    fixed("__Secure-a", r#"{"secure":true,"path":"/a"}"#),
                ],
            ),
            (
                "needs HttpOnly",
                [
                    fixed("__http-a", r#"{"secure":true,"httpOnly":false}"#),
                    fixed("__Host-a", r#"{"secure":true,"httpOnly":false}"#),
                ],
            ),
        ]
    }

    #[test]
    fn each_rule_refuses_what_breaks_it_and_nothing_else() {
        for ((rule, [broken, kept]), row) in table().iter().zip(&RULES) {
            assert!(row.sentence.contains(rule), "{rule}: {}", row.sentence);
            let found: Vec<_> = faults(broken.0, &cookie(&broken.1)).collect();
            assert_eq!(found, [row.sentence], "{broken:?}");
            let error = check(broken.0, &cookie(&broken.1), None).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(is_kept(kept.0, &cookie(&kept.1)), "{kept:?}");
        }
    }

    #[test]
    fn each_prefix_asks_for_what_it_asks_for_in_any_case() {
        for (name, secure, host, http) in [
            ("__Secure-", true, false, false),
            ("__Host-", true, true, false),
            ("__Http-", true, false, true),
            ("__Host-Http-", true, true, true),
            ("__HostHttp-", false, false, false),
            ("_Host-", false, false, false),
        ] {
            for name in [name.to_owned(), name.to_lowercase(), name.to_uppercase()] {
                let prefix = Prefix::of(&format!("{name}sid"));
                assert_eq!(
                    (prefix.secure, prefix.host, prefix.http),
                    (secure, host, http),
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn a_cookie_that_makes_the_browser_drop_another_is_always_kept() {
        for (_, [broken, kept]) in table() {
            let (broken, kept) = ((broken.0, cookie(&broken.1)), (kept.0, cookie(&kept.1)));
            assert!(is_kept(broken.0, &removable(broken.0, &broken.1)));
            assert_eq!(*removable(kept.0, &kept.1), kept.1);
        }
        let everything = cookie(
            r#"{"domain":"a b","path":"","priority":"x","sameSite":"x","partitioned":true}"#,
        );
        for name in ["a", "__Secure-a", "__Host-a", "__Http-a", "__Host-Http-a"] {
            assert!(is_kept(name, &removable(name, &everything)), "{name}");
        }
    }

    #[test]
    fn what_was_wrong_before_does_not_count() {
        let before = cookie(r#"{"sameSite":"none"}"#);
        let after = cookie(r#"{"sameSite":"none","path":"/a"}"#);
        assert!(check("a", &after, None).is_err());
        assert!(check("a", &after, Some(&before)).is_ok());
        let worse = cookie(r#"{"sameSite":"none","path":"a"}"#);
        let error = check("a", &worse, Some(&before)).unwrap_err();
        assert!(error.to_string().contains("path must begin"), "{error}");
    }

    #[test]
    fn name_and_value_fit_into_4096_bytes_whatever_the_signature() {
        let room = MAX_BYTES - "s%3A.".len() - 3 * SIGNATURE_LENGTH;
        let name = "n".repeat(room - 32);
        assert!(check_length(&name, &"i".repeat(32)).is_ok());
        assert!(check_length(&name, &"i".repeat(33)).is_err());
        assert!(
            check_length(&name, &"ä".repeat(6)).is_err(),
            "six bytes each"
        );
    }
}
