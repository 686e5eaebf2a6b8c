//! Percent-encoding as JavaScript does it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};

/// What JavaScript's `encodeURIComponent` leaves alone, besides letters and digits.
const COMPONENT: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// The pieces of JavaScript's `encodeURIComponent`.
pub(crate) fn encode_component(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, &COMPONENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_as_javascript_does() {
        assert_eq!(
            encode_component("s:a+b/c=d").to_string(),
            "s%3Aa%2Bb%2Fc%3Dd"
        );
        assert_eq!(encode_component("a~!*'()b-_.").to_string(), "a~!*'()b-_.");
        assert_eq!(encode_component("é 日").to_string(), "%C3%A9%20%E6%97%A5");
    }
}
