use std::borrow::Cow;
use std::error::Error as _;
use std::fmt;
use std::io;
use std::sync::Arc;

use redis::{RedisError, ServerErrorKind, Value};
use session_core::{Error, ErrorKind};

use crate::refusal;

/// A command that got no good answer.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// There was no connection to send it over.
    Connecting(RedisError),
    /// It was sent, or may have been.
    Talking(RedisError),
    /// The server is none to send it to.
    #[cfg_attr(
        not(any(feature = "cluster", feature = "sentinel")),
        expect(dead_code, reason = "a single server is not asked what it is")
    )]
    Unfit(&'static str),
}

impl Failure {
    pub(crate) fn kind(&self) -> Option<redis::ErrorKind> {
        match self {
            Self::Connecting(error) | Self::Talking(error) => Some(error.kind()),
            Self::Unfit(_) => None,
        }
    }

    /// The error of `operation`. Texts of the client library and of the server may quote keys,
    /// values, addresses and user names, so that none of them goes on: only what is known to be
    /// harmless does, the kind of an I/O error and the code word of the server's answer.
    pub(crate) fn of(&self, operation: &'static str) -> Error {
        match self {
            Self::Connecting(error) => {
                match kind(error) {
                    // Nothing was sent: there is no doubt about a write.
                    (ErrorKind::Timeout, _) => Error::new(ErrorKind::Unavailable, operation)
                        .with_message("the server could not be connected to in time")
                        .with_source(io::Error::from(io::ErrorKind::TimedOut)),
                    (ErrorKind::Unavailable, None) => {
                        if let Some(error) = handshake_error(operation, error) {
                            return error;
                        }
                        build(operation, error).with_message("the server could not be connected to")
                    }
                    (ErrorKind::Other, message) => Error::new(ErrorKind::Config, operation)
                        .with_message(message.unwrap_or(
                            "the server refuses the connection: does the database exist?".into(),
                        )),
                    _ => build(operation, error),
                }
            }
            Self::Talking(error) => build(operation, error),
            Self::Unfit(why) => Error::new(ErrorKind::Config, operation).with_message(*why),
        }
    }

    /// Whether somebody has to mend something: waiting does not help.
    pub(crate) fn is_config(&self) -> bool {
        self.of("connect").kind() == ErrorKind::Config
    }
}

/// The error of `operation` for one answer of several.
pub(crate) fn answer_error(operation: &'static str, error: &RedisError) -> Error {
    build(operation, error)
}

/// An answer of another form than the command has.
pub(crate) fn unexpected(operation: &'static str, answer: &Value) -> Error {
    if let Value::ServerError(error) = answer {
        return build(operation, &error.clone().into());
    }
    Error::new(ErrorKind::Other, operation).with_message("the server's answer has another form")
}

fn build(operation: &'static str, error: &RedisError) -> Error {
    let (kind, message) = kind(error);
    let mut built = Error::new(kind, operation);
    if let Some(message) = message {
        built = built.with_message(message);
    }
    match (io_error(error), code(error)) {
        (Some(cause), _) => built.with_source(cause),
        (None, Some(code)) => built.with_source(Answer(code)),
        (None, None) => built,
    }
}

/// What a caller can do about it, and what more there is to say.
fn kind(error: &RedisError) -> (ErrorKind, Option<Cow<'static, str>>) {
    if error.kind() == redis::ErrorKind::Server(ServerErrorKind::NoPerm) {
        return (ErrorKind::Config, Some(refusal::message(error)));
    }
    let (kind, message) = known_kind(error);
    (kind, message.map(Cow::Borrowed))
}

fn known_kind(error: &RedisError) -> (ErrorKind, Option<&'static str>) {
    use redis::ErrorKind as Kind;
    if error.is_timeout() {
        return (ErrorKind::Timeout, None);
    }
    match error.kind() {
        Kind::Io
        | Kind::ClusterConnectionNotFound
        | Kind::MasterNameNotFoundBySentinel
        | Kind::NoValidReplicasFoundBySentinel => (ErrorKind::Unavailable, None),
        Kind::AuthenticationFailed => refused_password(),
        Kind::InvalidClientConfig | Kind::EmptySentinelList => (
            ErrorKind::Config,
            Some("the address, the database or another setting of the connection cannot be used"),
        ),
        Kind::RESP3NotSupported => (
            ErrorKind::Config,
            Some("the server does not know RESP3: take Redis 6.2 or later, or add ?protocol=2"),
        ),
        Kind::Parse if is_cut(error) => (ErrorKind::Unavailable, None),
        Kind::Parse => (
            ErrorKind::Other,
            Some("the answer is not in Redis's protocol: is this a Redis server?"),
        ),
        Kind::Server(
            ServerErrorKind::BusyLoading
            | ServerErrorKind::TryAgain
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::MasterDown
            | ServerErrorKind::ReadOnly,
        ) => (ErrorKind::Unavailable, None),
        Kind::Server(ServerErrorKind::Moved | ServerErrorKind::Ask) => (
            ErrorKind::Config,
            Some(
                "the server is one node of a cluster: connect with redis+cluster://, or with \
                 build_on_cluster",
            ),
        ),
        _ => match code(error).as_deref() {
            Some("WRONGTYPE") => (
                ErrorKind::Decode,
                Some("the key holds another type than a string"),
            ),
            Some("WRONGPASS" | "NOAUTH") => refused_password(),
            Some("OOM") => (
                ErrorKind::Unavailable,
                Some("the server's memory is full (maxmemory)"),
            ),
            Some("MISCONF") => (
                ErrorKind::Unavailable,
                Some("the server cannot save to its disk and refuses writes"),
            ),
            Some("NOREPLICAS" | "BUSY" | "UNBLOCKED") => (ErrorKind::Unavailable, None),
            _ => (ErrorKind::Other, None),
        },
    }
}

/// Whether the connection ended in the middle of an answer: the client library then tells of an
/// answer that it cannot read.
fn is_cut(error: &RedisError) -> bool {
    error.to_string().contains("end of input")
}

fn refused_password() -> (ErrorKind, Option<&'static str>) {
    (
        ErrorKind::Config,
        Some("the server does not accept the user name and password, or wants some and got none"),
    )
}

/// The first word of a server's error, `WRONGTYPE`; anything that does not look like one is left
/// out.
fn code(error: &RedisError) -> Option<String> {
    let first = error
        .clone()
        .into_server_errors()?
        .first()?
        .1
        .code()
        .to_owned();
    let is_word = (2..=24).contains(&first.len()) && first.bytes().all(|b| b.is_ascii_uppercase());
    is_word.then_some(first)
}

/// The I/O error of the client library, with what was put around it.
fn cause(error: &RedisError) -> Option<&io::Error> {
    let source = error.source()?;
    source
        .downcast_ref::<Arc<dyn std::error::Error + Send + Sync>>()
        .and_then(|shared| shared.downcast_ref::<io::Error>())
        .or_else(|| source.downcast_ref::<io::Error>())
}

/// The operating system's error again, without anything that was put around it.
fn io_error(error: &RedisError) -> Option<io::Error> {
    let cause = cause(error)?;
    Some(match cause.raw_os_error() {
        Some(number) => io::Error::from_raw_os_error(number),
        None => cause.kind().into(),
    })
}

/// What went wrong in a TLS handshake is not mended by trying again.
#[cfg(feature = "tls")]
fn handshake_error(operation: &'static str, error: &RedisError) -> Option<Error> {
    let inner = cause(error)?.get_ref()?;
    let message = match inner.downcast_ref::<rustls::Error>()? {
        rustls::Error::InvalidCertificate(rustls::CertificateError::NotValidForName)
        | rustls::Error::InvalidCertificate(rustls::CertificateError::NotValidForNameContext {
            ..
        }) => "the server's certificate is not for the host of the URL",
        rustls::Error::InvalidCertificate(_) => {
            "the server's certificate is not trusted: an authority that the system does not know \
             has to be named with tls_root"
        }
        rustls::Error::AlertReceived(_) => {
            "the server breaks off the TLS handshake: does it want a certificate (tls_client)?"
        }
        _ => "the TLS handshake fails: does the server speak TLS on this port?",
    };
    Some(Error::new(ErrorKind::Config, operation).with_message(message))
}

#[cfg(not(feature = "tls"))]
fn handshake_error(_: &'static str, _: &RedisError) -> Option<Error> {
    None
}

/// The code word of the server's answer.
#[derive(Debug)]
struct Answer(String);

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server answered {}", self.0)
    }
}

impl std::error::Error for Answer {}

#[cfg(test)]
mod tests {
    use super::*;
    use redis::make_extension_error;

    fn server(code: &str) -> Failure {
        let detail = Some("hunter2 at key sess:secret".to_owned());
        Failure::Talking(make_extension_error(code.to_owned(), detail))
    }

    fn system(kind: io::ErrorKind) -> RedisError {
        io::Error::new(kind, "hunter2 at secret.example").into()
    }

    #[test]
    fn errors_have_the_kind_that_a_caller_can_act_on() {
        use io::ErrorKind as Io;
        for (failure, kind) in [
            (server("WRONGTYPE"), ErrorKind::Decode),
            (server("WRONGPASS"), ErrorKind::Config),
            (server("NOAUTH"), ErrorKind::Config),
            (server("OOM"), ErrorKind::Unavailable),
            (server("MISCONF"), ErrorKind::Unavailable),
            (server("hunter2"), ErrorKind::Other),
            (Failure::Talking(system(Io::TimedOut)), ErrorKind::Timeout),
            (
                Failure::Connecting(system(Io::TimedOut)),
                ErrorKind::Unavailable,
            ),
            (
                Failure::Connecting(system(Io::ConnectionRefused)),
                ErrorKind::Unavailable,
            ),
            (
                Failure::Talking(system(Io::BrokenPipe)),
                ErrorKind::Unavailable,
            ),
        ] {
            assert_eq!(failure.of("get").kind(), kind, "{failure:?}");
        }
    }

    #[test]
    fn no_text_of_the_server_or_the_library_goes_on() {
        for failure in [
            server("WRONGTYPE"),
            server("hunter2"),
            server("ERR"),
            Failure::Talking(system(io::ErrorKind::BrokenPipe)),
            Failure::Connecting(system(io::ErrorKind::ConnectionRefused)),
        ] {
            let error = failure.of("get");
            let source = error.source().map(ToString::to_string);
            for text in [
                error.to_string(),
                format!("{error:?}"),
                source.unwrap_or_default(),
            ] {
                assert!(
                    !text.contains("hunter2") && !text.contains("secret"),
                    "{text}"
                );
            }
        }
        let cause = server("WRONGTYPE").of("get");
        assert_eq!(
            cause.source().map(ToString::to_string).as_deref(),
            Some("the server answered WRONGTYPE")
        );
    }
}
