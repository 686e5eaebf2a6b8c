use session_core::{Error, ErrorKind, Result, SessionId};

/// The names of the keys: a prefix and the id as it is, in the manner of connect-redis.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    prefix: String,
    pattern: String,
}

impl Keys {
    pub(crate) fn new(prefix: String) -> Self {
        let pattern = pattern(&prefix);
        Self { prefix, pattern }
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The glob that matches the keys of this prefix and no other.
    pub(crate) fn pattern(&self) -> &str {
        &self.pattern
    }

    pub(crate) fn key(&self, id: &SessionId) -> Vec<u8> {
        [self.prefix.as_bytes(), id.as_str().as_bytes()].concat()
    }

    /// The id in a key that [`pattern`](Self::pattern) matched.
    pub(crate) fn id(&self, operation: &'static str, key: &[u8]) -> Result<SessionId> {
        key.strip_prefix(self.prefix.as_bytes())
            .and_then(|id| std::str::from_utf8(id).ok())
            .and_then(|id| SessionId::new(id).ok())
            .ok_or_else(|| {
                Error::new(ErrorKind::Decode, operation)
                    .with_message("a key with the store's prefix holds no session id (not UTF-8)")
            })
    }
}

/// The prefix taken literally, then at least one more byte: there is no empty id.
fn pattern(prefix: &str) -> String {
    let mut pattern = String::with_capacity(prefix.len() + 2);
    for character in prefix.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '\\' | '^' | '-') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push_str("?*");
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_takes_the_prefix_literally() {
        for (prefix, expected) in [
            ("sess:", "sess:?*"),
            ("", "?*"),
            ("a*b:", r"a\*b:?*"),
            (r"[x]?\", r"\[x\]\?\\?*"),
            ("日本:", "日本:?*"),
        ] {
            assert_eq!(pattern(prefix), expected);
        }
    }

    #[test]
    fn a_key_is_the_prefix_and_the_id() {
        let keys = Keys::new("sess:".into());
        let id = SessionId::new("a b").unwrap();
        assert_eq!(keys.key(&id), b"sess:a b");
        assert_eq!(keys.id("ids", b"sess:a b").unwrap(), id);
        for key in [&b"sess:"[..], b"sess:\xff", b"other:a"] {
            let error = keys.id("ids", key).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Decode);
        }
    }
}
