use std::fmt;
use std::ops::Range;

use http::{HeaderMap, HeaderValue, Method, Uri, header};
use smallvec::SmallVec;

use crate::format::cookie::{named_values, with_decoded};
use crate::format::secrets::{Secrets, Signed};

/// How much is known of the connection that a request came over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Connection {
    /// Not encrypted, as far as this process can see.
    #[default]
    Plain,
    /// The connection to this process is encrypted: always secure.
    Encrypted,
    /// Something that the application trusts says that the client's connection is encrypted: what
    /// `req.secure` is in Express with its `trust proxy`. Counts unless `proxy` is `false`.
    VouchedFor,
}

/// What the lifecycle reads of a request.
#[derive(Clone, Copy)]
pub struct RequestHead<'a> {
    /// The method, for `genid` and cookie functions.
    pub method: &'a Method,
    /// The URI as the client sent it, before a router cut anything off.
    pub uri: &'a Uri,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The connection.
    pub connection: Connection,
}

impl RequestHead<'_> {
    /// Whether the request came over a secure connection, as express-session's `issecure` sees it.
    ///
    /// | `proxy` | secure if |
    /// |---|---|
    /// | any | the connection is [`Encrypted`](Connection::Encrypted) |
    /// | `None` | it is [`VouchedFor`](Connection::VouchedFor) |
    /// | `Some(true)` | `X-Forwarded-Proto`, up to its first comma, is `https` or `wss` in any case |
    /// | `Some(false)` | never else |
    #[must_use]
    pub fn is_secure(&self, proxy: Option<bool>) -> bool {
        match (self.connection, proxy) {
            (Connection::Encrypted, _) => true,
            (connection, None) => connection == Connection::VouchedFor,
            (_, Some(trusted)) => trusted && self.forwarded_proto_is_secure(),
        }
    }

    fn forwarded_proto_is_secure(&self) -> bool {
        let Some(value) = self.headers.get("x-forwarded-proto") else {
            return false;
        };
        let first = value
            .as_bytes()
            .split(|byte| *byte == b',')
            .next()
            .unwrap_or_default();
        let first = first.trim_ascii();
        // Some proxies name the protocol of a WebSocket.
        first.eq_ignore_ascii_case(b"https") || first.eq_ignore_ascii_case(b"wss")
    }

    /// The cookies called `name`.
    pub(crate) fn cookies_called(&self, name: &str) -> NamedCookies {
        let headers = self.headers.get_all(header::COOKIE).iter();
        let cookies = headers.flat_map(|header| {
            let bytes = header.as_bytes();
            named_values(bytes, name).map(move |value| {
                let start = value.as_ptr().addr() - bytes.as_ptr().addr();
                (header.clone(), start..start + value.len())
            })
        });
        NamedCookies(cookies.take(MOST_COOKIES).collect())
    }

    pub(crate) fn keep(self) -> OwnedHead {
        OwnedHead {
            method: self.method.clone(),
            uri: self.uri.clone(),
            headers: self.headers.clone(),
            connection: self.connection,
        }
    }
}

/// How many cookies of one name are looked at: a browser has one for each path and domain that it
/// was given them for, and a header full of them must not cost a signature each.
const MOST_COOKIES: usize = 16;

/// How many sessions a request may show, each of which may be asked for in the store.
const MOST_SESSIONS: usize = 4;

/// Cookies of one name: each as the header that it is in, and its value's place there.
#[derive(Default)]
pub(crate) struct NamedCookies(SmallVec<[(HeaderValue, Range<usize>); 1]>);

impl NamedCookies {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The ids in those whose signature holds, in their order, each once.
    pub(crate) fn signed(&self, secrets: &Secrets) -> SmallVec<[Signed; 1]> {
        let mut all = SmallVec::<[Signed; 1]>::new();
        for (header, place) in &self.0 {
            let value = str::from_utf8(&header.as_bytes()[place.clone()]);
            let signed = value
                .ok()
                .and_then(|value| with_decoded(value, |value| secrets.verify(value)));
            if let Some(signed) = signed
                && !all
                    .iter()
                    .any(|known| known.id.as_str() == signed.id.as_str())
            {
                all.push(signed);
                if all.len() == MOST_SESSIONS {
                    break;
                }
            }
        }
        all
    }
}

/// Headers hold cookies, which are secrets.
impl fmt::Debug for RequestHead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestHead")
            .field("method", self.method)
            .field("path", &self.uri.path())
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}

/// A head that outlives its request's handling, for functions that are called later.
pub(crate) struct OwnedHead {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    connection: Connection,
}

impl OwnedHead {
    pub(crate) fn borrow(&self) -> RequestHead<'_> {
        RequestHead {
            method: &self.method,
            uri: &self.uri,
            headers: &self.headers,
            connection: self.connection,
        }
    }
}

/// Whether a cookie with `cookie_path` is sent to `path` (RFC 6265, section 5.1.4).
pub(crate) fn path_matches(path: &str, cookie_path: &str) -> bool {
    match path.strip_prefix(cookie_path) {
        Some(rest) => rest.is_empty() || cookie_path.ends_with('/') || rest.starts_with('/'),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_match_by_segments() {
        for (path, cookie_path, matches) in [
            ("/", "/", true),
            ("/foo", "/", true),
            ("*", "/", false),
            ("/foo", "/foo", true),
            ("/foo/", "/foo", true),
            ("/foo/bar", "/foo", true),
            ("/foobar", "/foo", false),
            ("/foo", "/foo/", false),
            ("/foo/bar", "/foo/", true),
            ("/Foo", "/foo", false),
            ("/a%20b", "/a b", false),
        ] {
            assert_eq!(
                path_matches(path, cookie_path),
                matches,
                "{path} {cookie_path}"
            );
        }
    }

    #[test]
    fn security_of_a_connection_follows_the_table() {
        use Connection::{Encrypted, Plain, VouchedFor};
        let secure = |connection, forwarded: Option<&'static str>, proxy| {
            let mut headers = HeaderMap::new();
            if let Some(value) = forwarded {
                headers.insert("x-forwarded-proto", value.parse().unwrap());
            }
            let (method, uri) = (Method::GET, Uri::from_static("/"));
            RequestHead {
                method: &method,
                uri: &uri,
                headers: &headers,
                connection,
            }
            .is_secure(proxy)
        };
        let https = Some("https");
        for proxy in [None, Some(true), Some(false)] {
            assert!(secure(Encrypted, None, proxy));
            assert!(!secure(Plain, None, proxy));
        }
        assert!(secure(VouchedFor, None, None));
        assert!(!secure(VouchedFor, https, Some(false)));
        assert!(!secure(VouchedFor, None, Some(true)));
        assert!(!secure(Plain, https, None));
        assert!(!secure(Plain, https, Some(false)));
        for (value, expected) in [
            ("https", true),
            (" HTTPS , http", true),
            ("http,https", false),
            ("", false),
            ("https://", false),
            ("WSS", true),
            ("ws", false),
        ] {
            assert_eq!(secure(Plain, Some(value), Some(true)), expected, "{value}");
        }
    }
}
