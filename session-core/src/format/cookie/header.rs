//! The `Cookie` request header, read as the cookie package that express-session uses does.

use arrayvec::ArrayVec;

/// The values of all cookies called `name` in a `Cookie` header, in order, as they were sent.
///
/// Names are compared raw, byte by byte: `__%48ost-id` is not `__Host-id`. Spaces and tabs around
/// name and value and one pair of double quotes around the value fall away; values that are not
/// UTF-8 are passed over.
pub(crate) fn named_values<'h>(
    header: &'h [u8],
    name: &'h str,
) -> impl Iterator<Item = &'h str> + 'h {
    header.split(|byte| *byte == b';').filter_map(move |pair| {
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        if trim(&pair[..equals]) != name.as_bytes() {
            return None;
        }
        let value = trim(&pair[equals + 1..]);
        let value = match value {
            [b'"', inner @ .., b'"'] => inner,
            other => other,
        };
        std::str::from_utf8(value).ok()
    })
}

/// Hands `value` to `read` as JavaScript's `decodeURIComponent` makes it, or as it is where that
/// would throw.
pub(crate) fn with_decoded<T>(value: &str, read: impl FnOnce(&str) -> T) -> T {
    // Enough for a signed id of our own; a longer one is decoded on the heap.
    let mut short = ArrayVec::<u8, 128>::new();
    let mut long = Vec::new();
    let decoded: Option<&[u8]> = if value.len() <= short.capacity() {
        // The decoded text is never longer than the encoded one, so there is room.
        let mut push = |piece: &[u8]| short.try_extend_from_slice(piece).is_ok();
        decode(value, &mut push).then_some(&short)
    } else {
        let mut push = |piece: &[u8]| {
            long.extend_from_slice(piece);
            true
        };
        decode(value, &mut push).then_some(&long)
    };
    let decoded = decoded.and_then(|bytes| std::str::from_utf8(bytes).ok());
    read(decoded.unwrap_or(value))
}

/// Percent-decodes piece by piece; `false` if an escape is malformed or a piece is refused.
fn decode(value: &str, mut push: impl FnMut(&[u8]) -> bool) -> bool {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let mut rest = value.as_bytes();
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        let (plain, escape) = rest.split_at(at);
        let [_, high, low, after @ ..] = escape else {
            return false;
        };
        let (Some(high), Some(low)) = (digit(*high), digit(*low)) else {
            return false;
        };
        if !(push(plain) && push(&[high << 4 | low])) {
            return false;
        }
        rest = after;
    }
    push(rest)
}

/// Whether `name` is a cookie name (RFC 6265, section 4.1.1: a token of RFC 9110).
pub(crate) fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(header: &str) -> Vec<String> {
        named_values(header.as_bytes(), "sid")
            .map(|value| with_decoded(value, str::to_owned))
            .collect()
    }

    #[test]
    fn finds_every_cookie_of_the_name_and_no_other() {
        assert_eq!(
            all("a=1; sid=x;sid = y ; Sid=no; sid2=no; sid; =no"),
            ["x", "y"]
        );
        assert_eq!(all("%73id=no; sid=yes"), ["yes"]);
        assert!(all("").is_empty());
    }

    #[test]
    fn unquotes_once_and_decodes_what_can_be_decoded() {
        assert_eq!(all("sid=\"a b\""), ["a b"]);
        assert_eq!(all("sid=\"\"x\"\""), ["\"x\""]);
        assert_eq!(all("sid=\""), ["\""]);
        assert_eq!(all("sid=s%3Aa%2fb"), ["s:a/b"]);
        assert_eq!(
            all("sid=%41%ZZ"),
            ["%41%ZZ"],
            "one bad escape leaves the whole value raw"
        );
        assert_eq!(all("sid=%ff"), ["%ff"], "not UTF-8");
        assert_eq!(all("sid=a+b"), ["a+b"]);
        assert_eq!(all("sid=a=b"), ["a=b"]);
        assert_eq!(all("sid=%4"), ["%4"]);
        assert_eq!(all("sid=%+1"), ["%+1"]);
        let long = "x%C3%A9".repeat(100);
        assert_eq!(all(&format!("sid={long}")), ["xé".repeat(100)]);
    }

    #[test]
    fn other_cookies_may_hold_any_bytes() {
        let header = b"junk=\xff\xfe; sid=x; sid=\xff";
        let found: Vec<_> = named_values(header, "sid").collect();
        assert_eq!(found, ["x"]);
    }

    #[test]
    fn cookie_names_are_tokens() {
        for good in ["connect.sid", "__Host-id", "a!#$%&'*+-.^_`|~z"] {
            assert!(is_token(good), "{good}");
        }
        for bad in ["", "a b", "a=b", "a;b", "ä", "a\"b", "a,b", "(a)"] {
            assert!(!is_token(bad), "{bad}");
        }
    }
}
