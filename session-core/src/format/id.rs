use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrayvec::ArrayString;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;

use crate::{Error, ErrorKind, Result};

/// Bytes of randomness in an id of our own: 192 bits, as in express-session.
const RANDOM_BYTES: usize = 24;
/// Their length as base64url characters.
const OWN_LENGTH: usize = 32;

/// The id of a session: a secret, since whoever knows it and the signing secret is that visitor.
///
/// `Debug` shows no part of it, comparison takes the same time wherever two ids differ, and there
/// is no `Display` or `Serialize`: [`as_str`](Self::as_str) is the one way to its text, for stores.
#[derive(Clone)]
pub struct SessionId(Text);

#[derive(Clone)]
enum Text {
    /// Ids of the common length live where they are used, without an allocation.
    Short(ArrayString<OWN_LENGTH>),
    Long(Arc<str>),
}

impl SessionId {
    /// A new id: 24 bytes of the operating system's randomness as 32 base64url characters, the
    /// form of express-session's ids.
    ///
    /// # Panics
    ///
    /// If the operating system has no randomness to give; a guessable id would be worse.
    #[must_use]
    pub fn random() -> Self {
        let mut bytes = [0; RANDOM_BYTES];
        getrandom::fill(&mut bytes).expect("the operating system's random source failed");
        let mut text = [0; OWN_LENGTH];
        let written = URL_SAFE_NO_PAD.encode_slice(bytes, &mut text);
        debug_assert_eq!(written.ok(), Some(OWN_LENGTH));
        Self(Text::Short(
            ArrayString::from_byte_string(&text).expect("base64url is ASCII"),
        ))
    }

    /// An id made elsewhere: by Node's `genid`, by an older library, by a test. Any text but the
    /// empty one, which counts as no id (as in express-session).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidId`] for the empty text.
    pub fn new(text: impl AsRef<str>) -> Result<Self> {
        let text = text.as_ref();
        if text.is_empty() {
            return Err(Error::new(ErrorKind::InvalidId, "session id")
                .with_message("the empty text is no id; leave the session without one instead"));
        }
        Ok(Self(match ArrayString::from(text) {
            Ok(short) => Text::Short(short),
            Err(_) => Text::Long(text.into()),
        }))
    }

    /// The id's text, for the backend's key. It belongs in no log and in no message.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Text::Short(text) => text,
            Text::Long(text) => text,
        }
    }
}

impl PartialEq for SessionId {
    fn eq(&self, other: &Self) -> bool {
        self.as_str()
            .as_bytes()
            .ct_eq(other.as_str().as_bytes())
            .into()
    }
}

impl Eq for SessionId {}

impl Hash for SessionId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn random_ids_have_express_sessions_form_and_do_not_repeat() {
        let ids: HashSet<_> = (0..10_000).map(|_| SessionId::random()).collect();
        assert_eq!(ids.len(), 10_000);
        let used: HashSet<u8> = ids.iter().flat_map(|id| id.as_str().bytes()).collect();
        assert_eq!(used.len(), 64, "all 64 characters of base64url occur");
        for id in &ids {
            assert_eq!(id.as_str().len(), 32);
            assert!(
                id.as_str()
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
            );
        }
    }

    #[test]
    fn foreign_ids_of_any_length_keep_their_text() {
        for text in [
            "x",
            "日本",
            &"a".repeat(32),
            &"b".repeat(33),
            &"ü".repeat(5_000),
        ] {
            let id = SessionId::new(text).unwrap();
            assert_eq!(id.as_str(), text);
            assert_eq!(id, SessionId::new(text).unwrap());
        }
        assert_ne!(SessionId::new("a").unwrap(), SessionId::new("A").unwrap());
        assert_ne!(SessionId::new("a").unwrap(), SessionId::new("a ").unwrap());
    }

    #[test]
    fn the_empty_text_is_no_id() {
        assert_eq!(SessionId::new("").unwrap_err().kind(), ErrorKind::InvalidId);
    }

    #[test]
    fn debug_shows_nothing_and_the_size_is_known() {
        assert_eq!(
            format!("{:?}", SessionId::new("secret").unwrap()),
            "SessionId(..)"
        );
        assert_eq!(size_of::<SessionId>(), 40);
    }
}
