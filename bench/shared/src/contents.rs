//! What every session holds: 190 bytes of JSON.

use std::sync::LazyLock;

use serde_json::{Map, Value};

/// The contents of a new session without the number of views, as JSON.
#[must_use]
pub fn contents_json() -> &'static str {
    r#"{"user":{"id":4711,"name":"Ada Lovelace","roles":["editor","author"]},"csrf":"6b1f0c9e4d7a4be2a1d5c3f7089e2b64","cart":[{"sku":"A-1017","n":2},{"sku":"B-2204","n":1}],"lang":"eng"}"#
}

/// The same, parsed once for all requests: making them is no part of a session.
///
/// # Panics
///
/// Never: the text is JSON.
#[must_use]
pub fn contents() -> &'static Map<String, Value> {
    static CONTENTS: LazyLock<Map<String, Value>> =
        LazyLock::new(|| serde_json::from_str(contents_json()).expect("the contents are JSON"));
    &CONTENTS
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_contents_have_the_size_that_is_documented() {
        let views = r#""views":1,"#.len();
        assert_eq!(super::contents_json().len() + views, 190);
        assert_eq!(super::contents().len(), 4);
    }
}
