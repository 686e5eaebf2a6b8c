use std::fmt;

use http::header::{SET_COOKIE, VARY};
use http::{HeaderMap, HeaderValue};
use smallvec::SmallVec;

use crate::lifecycle::caches::keep_out_of_shared_caches;

/// `Set-Cookie` headers: seldom more than one to set and one to drop.
pub(crate) type Cookies = SmallVec<[HeaderValue; 2]>;

/// What a finished exchange wants in the response's headers.
#[derive(Default)]
#[must_use]
pub struct Outcome {
    /// The cookie to set, and those to drop.
    pub(crate) cookies: Cookies,
    pub(crate) no_store: bool,
    pub(crate) vary: bool,
    pub(crate) edits_dropped: bool,
}

impl Outcome {
    /// The `Set-Cookie` headers, if any.
    pub fn cookies(&self) -> impl Iterator<Item = &HeaderValue> {
        self.cookies.iter()
    }

    /// Whether this request has changed a session that ended meanwhile, so that its edits are lost:
    /// the visitor was signed out, has got another session, or was away too long.
    ///
    /// [`OnEnded::Fail`](crate::OnEnded::Fail) makes an error of it.
    #[must_use]
    pub fn edits_dropped(&self) -> bool {
        self.edits_dropped
    }

    /// Puts the headers into a response: `Set-Cookie` beside those that are there, and `Vary:
    /// Cookie` if the handler asked for the session.
    ///
    /// With a cookie, which is one visitor's alone, no shared cache is to store the response
    /// (unless [`no_store`](crate::SessionOptions::no_store) is off): it gets `Cache-Control:
    /// no-store`, or, where the handler has set a `Cache-Control` that allows it, `private` in the
    /// place of `public` and `s-maxage`, so that the browser's own cache goes on as told. Headers
    /// for shared caches alone (`CDN-Cache-Control`, `Surrogate-Control`, ..) say `no-store` then.
    pub fn apply(self, headers: &mut HeaderMap) {
        if self.vary && !varies_by_cookie(headers) {
            headers.append(VARY, HeaderValue::from_static("cookie"));
        }
        if self.no_store && self.cookies().next().is_some() {
            keep_out_of_shared_caches(headers);
        }
        for cookie in self.cookies {
            headers.append(SET_COOKIE, cookie);
        }
    }
}

/// The cookies are not shown: a signed id is as good as the session.
impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcome")
            .field("cookies", &self.cookies().count())
            .field("no_store", &self.no_store)
            .field("vary", &self.vary)
            .finish()
    }
}

fn varies_by_cookie(headers: &HeaderMap) -> bool {
    headers.get_all(VARY).iter().any(|value| {
        value.as_bytes().split(|byte| *byte == b',').any(|name| {
            let name = name.trim_ascii();
            name == b"*" || name.eq_ignore_ascii_case(b"cookie")
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::CACHE_CONTROL;

    fn outcome() -> Outcome {
        Outcome {
            cookies: Cookies::from_iter([HeaderValue::from_static("a=1")]),
            no_store: true,
            vary: true,
            edits_dropped: false,
        }
    }

    #[test]
    fn headers_that_are_there_are_kept() {
        let mut headers = HeaderMap::new();
        headers.append(SET_COOKIE, HeaderValue::from_static("b=2"));
        headers.append(VARY, HeaderValue::from_static("accept, COOKIE"));
        headers.append(CACHE_CONTROL, HeaderValue::from_static("private"));
        outcome().apply(&mut headers);
        let all = |name| headers.get_all(name).iter().collect::<Vec<_>>();
        assert_eq!(all(SET_COOKIE), ["b=2", "a=1"]);
        assert_eq!(all(VARY), ["accept, COOKIE"]);
        assert_eq!(all(CACHE_CONTROL), ["private"]);
    }

    #[test]
    fn without_a_cookie_a_response_may_be_stored() {
        let mut headers = HeaderMap::new();
        Outcome {
            cookies: Cookies::new(),
            ..outcome()
        }
        .apply(&mut headers);
        assert_eq!(headers.len(), 1);
        assert_eq!(headers[VARY], "cookie");
        outcome().apply(&mut headers);
        assert_eq!(headers[CACHE_CONTROL], "no-store");
        assert_eq!(headers.get_all(VARY).iter().count(), 1);
    }
}
