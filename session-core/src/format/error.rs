use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

/// A result whose error is this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, by what a caller can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The backend cannot be reached or refuses to work. Nothing is known to be wrong with the
    /// request: trying again later may help. HTTP 503.
    Unavailable,
    /// The backend did not answer in time; whether a write took place is not known. HTTP 503.
    Timeout,
    /// The store does not have this capability. Nothing was changed.
    Unsupported,
    /// The backend cannot hold this session id. Nothing was changed.
    InvalidId,
    /// The record is larger than the backend can hold, or than
    /// [`max_session_bytes`](crate::SessionOptions::max_session_bytes) allows. Nothing was written;
    /// the old record stays.
    TooLarge,
    /// What the backend holds, or a value in it, is not what was expected. It was left alone.
    Decode,
    /// A value could not be turned into JSON that can be read again. Nothing was changed.
    Encode,
    /// A data key that Node's session would silently erase. Nothing was changed.
    ReservedKey,
    /// Somebody else changed the session, and the two changes could not be brought together.
    /// HTTP 409.
    Conflict,
    /// The session is not there any more: destroyed, regenerated or expired. HTTP 401.
    Missing,
    /// The configuration cannot work; the message says what to change.
    Config,
    /// Anything else; see the source.
    Other,
}

impl ErrorKind {
    /// Whether it says that nothing was done.
    pub(crate) fn is_refusal(self) -> bool {
        matches!(
            self,
            Self::Unsupported
                | Self::InvalidId
                | Self::TooLarge
                | Self::Decode
                | Self::Encode
                | Self::ReservedKey
                | Self::Config
        )
    }

    /// Whether it leaves open what was done.
    pub(crate) fn is_unknown(self) -> bool {
        matches!(self, Self::Unavailable | Self::Timeout | Self::Other)
    }

    /// The HTTP status that answers a request which failed with an error of this kind.
    ///
    /// | kind | status |
    /// |---|---|
    /// | [`Unavailable`](Self::Unavailable), [`Timeout`](Self::Timeout) | 503 |
    /// | [`Conflict`](Self::Conflict) | 409 |
    /// | [`Missing`](Self::Missing) | 401: the visitor was signed out meanwhile |
    /// | all others | 500 |
    #[must_use]
    pub fn status(self) -> http::StatusCode {
        match self {
            Self::Unavailable | Self::Timeout => http::StatusCode::SERVICE_UNAVAILABLE,
            Self::Conflict => http::StatusCode::CONFLICT,
            Self::Missing => http::StatusCode::UNAUTHORIZED,
            _ => http::StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Unavailable => "the session store is unavailable",
            Self::Timeout => "the session store did not answer in time",
            Self::Unsupported => "the session store does not support this operation",
            Self::InvalidId => "the session store cannot hold this session id",
            Self::TooLarge => "the session is too large to be stored",
            Self::Decode => "the session data is not what was expected",
            Self::Encode => "the value cannot be stored as JSON",
            Self::ReservedKey => "the data key is reserved",
            Self::Conflict => "the session was changed by another request",
            Self::Missing => "the session is not there any more",
            Self::Config => "the session configuration is not valid",
            Self::Other => "the session operation failed",
        }
    }
}

/// The error of sessions and of stores.
///
/// Carries a [kind](ErrorKind), the operation that failed and, where there is one, the source.
/// Its texts never hold a session id, session data or a password; whoever attaches a source keeps
/// that promise for the source, too.
///
/// ```
/// use session_core::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::Unavailable, "get").with_source(std::io::Error::other("refused"));
/// assert_eq!(error.kind(), ErrorKind::Unavailable);
/// assert_eq!(error.to_string(), "get: the session store is unavailable");
/// assert!(std::error::Error::source(&error).is_some());
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    operation: &'static str,
    message: Option<Cow<'static, str>>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind` in `operation`, a store's method name (`"get"`) or a step of the work.
    #[must_use]
    pub fn new(kind: ErrorKind, operation: &'static str) -> Self {
        Self(Box::new(Inner {
            kind,
            operation,
            message: None,
            source: None,
        }))
    }

    /// The answer of a store that lacks the capability for `operation`.
    #[must_use]
    pub fn unsupported(operation: &'static str) -> Self {
        Self::new(ErrorKind::Unsupported, operation)
    }

    pub(crate) fn config(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Config, "configuration").with_message(message)
    }

    /// Says more about what was wrong, what was expected and what to do. Neither ids nor data nor
    /// passwords belong here.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.0.message = Some(message.into());
        self
    }

    /// Attaches the cause. Its text must not hold ids, data or passwords.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What kind of error this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The operation that failed.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// The HTTP status that answers a request which failed with this error: see
    /// [`ErrorKind::status`].
    #[must_use]
    pub fn status(&self) -> http::StatusCode {
        self.kind().status()
    }

    /// Puts what was being done before the message.
    pub(crate) fn context(self, doing: fmt::Arguments<'_>) -> Self {
        let message = match &self.0.message {
            Some(message) => format!("{doing}: {message}"),
            None => doing.to_string(),
        };
        self.with_message(message)
    }

    /// A JSON error whose text is cut down to the place: the original quotes the value it met,
    /// and a value is session data.
    pub(crate) fn from_json(
        kind: ErrorKind,
        operation: &'static str,
        error: &serde_json::Error,
    ) -> Self {
        let what = match error.classify() {
            serde_json::error::Category::Data => "a value of another type than expected",
            serde_json::error::Category::Eof => "the JSON ends too early",
            serde_json::error::Category::Syntax => "not valid JSON",
            serde_json::error::Category::Io => "the JSON could not be read",
        };
        Self::new(kind, operation).with_message(format!(
            "{what} (line {}, column {})",
            error.line(),
            error.column()
        ))
    }
}

/// A text of the caller's, or of a visitor, as error texts show it: escaped, and cut at 64
/// characters.
pub(crate) fn shown(text: &str) -> impl fmt::Display + '_ {
    struct Shown<'a>(&'a str);

    impl fmt::Display for Shown<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self.0.char_indices().nth(64) {
                Some((end, _)) => write!(f, "{}…", self.0[..end].escape_debug()),
                None => write!(f, "{}", self.0.escape_debug()),
            }
        }
    }

    Shown(text)
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.operation, self.0.kind.text())?;
        match &self.0.message {
            Some(message) => write!(f, ": {message}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Error");
        debug
            .field("kind", &self.0.kind)
            .field("operation", &self.0.operation);
        if let Some(message) = &self.0.message {
            debug.field("message", message);
        }
        if let Some(source) = &self.0.source {
            debug.field("source", source);
        }
        debug.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_json_error_shows_the_place_and_not_the_value() {
        let cause = serde_json::from_str::<u32>(r#""hunter2""#).unwrap_err();
        assert!(cause.to_string().contains("hunter2"));
        let error = Error::from_json(ErrorKind::Decode, "get", &cause);
        for text in [error.to_string(), format!("{error:?}")] {
            assert!(!text.contains("hunter2"), "{text}");
            assert!(text.contains("line 1, column 9"), "{text}");
        }
        assert!(error.source().is_none());
    }

    #[test]
    fn a_callers_text_is_shown_escaped_and_cut() {
        assert_eq!(shown("key").to_string(), "key");
        assert_eq!(
            shown("a\n\u{1b}[2J\u{202e}\"").to_string(),
            r#"a\n\u{1b}[2J\u{202e}\""#
        );
        assert_eq!(shown(&"é".repeat(64)).to_string(), "é".repeat(64));
        let cut = shown(&"é".repeat(1_000_000)).to_string();
        assert_eq!(cut, format!("{}…", "é".repeat(64)));
    }

    #[test]
    fn errors_cross_threads() {
        fn is_portable<T: Send + Sync + 'static>() {}
        is_portable::<Error>();
    }
}
