use std::fmt;
use std::io;

use session_core::{Error, ErrorKind};
use sqlx::error::DatabaseError;

use crate::dialect::Reason;

/// What a database's error means.
pub(crate) type Meaning = fn(&dyn DatabaseError) -> Reason;

/// Why a statement got no good answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// No connection was free or could be made in time.
    NoConnection,
    /// The answer did not come in time.
    Late,
    Database {
        reason: Reason,
        code: Option<String>,
    },
    Io {
        connecting: bool,
        cause: io::ErrorKind,
    },
    Tls,
    Config,
    /// The other side speaks another protocol, or has gone in the middle of a message.
    Protocol {
        connecting: bool,
    },
    /// A value of another type than the column is to have.
    Shape,
}

impl Failure {
    pub(crate) fn connecting(error: &sqlx::Error, reason: Meaning) -> Self {
        Self::new(error, reason, true)
    }

    pub(crate) fn talking(error: &sqlx::Error, reason: Meaning) -> Self {
        Self::new(error, reason, false)
    }

    fn new(error: &sqlx::Error, reason: Meaning, connecting: bool) -> Self {
        match error {
            sqlx::Error::Database(error) => Self::Database {
                reason: reason(&**error),
                code: error.code().map(|code| code.into_owned()),
            },
            // What rustls has against a certificate.
            sqlx::Error::Io(error) if connecting && error.kind() == io::ErrorKind::InvalidData => {
                Self::Tls
            }
            sqlx::Error::Io(error) => Self::Io {
                connecting,
                cause: error.kind(),
            },
            sqlx::Error::Tls(_) => Self::Tls,
            sqlx::Error::Configuration(_) | sqlx::Error::InvalidArgument(_) => Self::Config,
            sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::Decode(_)
            | sqlx::Error::ColumnIndexOutOfBounds { .. } => Self::Shape,
            _ => Self::Protocol { connecting },
        }
    }

    /// What is wrong with a table, as its answers show.
    pub(crate) fn of_table(reason: Reason) -> Self {
        Self::Database { reason, code: None }
    }

    /// What the database answered, if it did.
    pub(crate) fn reason(&self) -> Option<Reason> {
        match self {
            Self::Database { reason, .. } => Some(*reason),
            Self::Shape => Some(Reason::OtherShape),
            _ => None,
        }
    }

    /// The error of `operation`. What the database says may quote ids and data, so that none of
    /// its words goes on: only the kind of an I/O error and the database's error code do.
    pub(crate) fn of(&self, operation: &'static str) -> Error {
        let (kind, message) = self.meaning();
        let error = Error::new(kind, operation);
        let error = match message {
            "" => error,
            message => error.with_message(message),
        };
        match self {
            Self::Io { cause, .. } => error.with_source(io::Error::from(*cause)),
            Self::NoConnection | Self::Late => {
                error.with_source(io::Error::from(io::ErrorKind::TimedOut))
            }
            Self::Database {
                code: Some(code), ..
            } => error.with_source(Code(code.clone())),
            _ => error,
        }
    }

    fn meaning(&self) -> (ErrorKind, &'static str) {
        match self {
            Self::NoConnection => (
                ErrorKind::Unavailable,
                "no connection was free, or could be made, in time",
            ),
            Self::Late => (ErrorKind::Timeout, ""),
            Self::Io {
                connecting: true, ..
            } => (
                ErrorKind::Unavailable,
                "the server could not be connected to",
            ),
            Self::Io { .. } => (ErrorKind::Unavailable, "the connection was lost"),
            Self::Tls => (
                ErrorKind::Config,
                "TLS failed: is the feature `tls` on, does the server offer it, and is its \
                 certificate known? Another machine has to show a good one, unless the URL says \
                 something else (`sslmode=disable` does without)",
            ),
            Self::Config => (
                ErrorKind::Config,
                "the address or another setting of the connection cannot be used",
            ),
            Self::Protocol { connecting: true } => (
                ErrorKind::Unavailable,
                "the other side did not answer as a server of this database does",
            ),
            Self::Protocol { .. } => (
                ErrorKind::Unavailable,
                "the connection broke in the middle of an answer",
            ),
            Self::Shape => reason(Reason::OtherShape),
            Self::Database { reason: what, .. } => reason(*what),
        }
    }
}

fn reason(reason: Reason) -> (ErrorKind, &'static str) {
    match reason {
        Reason::Login => (
            ErrorKind::Config,
            "the server refuses the user name or the password",
        ),
        Reason::NoDatabase => (
            ErrorKind::Config,
            "the database does not exist or cannot be opened (SQLite makes a file with ?mode=rwc)",
        ),
        Reason::NoTable => (
            ErrorKind::Config,
            "the table does not exist: call migrate(), or correct its name and schema",
        ),
        Reason::NoSchema => (
            ErrorKind::Config,
            "there is no schema for the table: create it with CREATE SCHEMA, or correct the \
             namespace or the connection's search_path",
        ),
        Reason::OtherShape => (
            ErrorKind::Config,
            "the table has another shape than the schema that was chosen: check the schema and \
             the names of the columns",
        ),
        Reason::Denied => (
            ErrorKind::Config,
            "the user may not do this: grant SELECT, INSERT, UPDATE and DELETE on the table, and \
             CREATE for migrate()",
        ),
        Reason::TooLarge => (ErrorKind::TooLarge, ""),
        Reason::Rejected => (
            ErrorKind::Encode,
            "the column cannot hold this text or this time",
        ),
        Reason::Full => (
            ErrorKind::Unavailable,
            "the disk or the database is full: nothing was written",
        ),
        Reason::Locked => (
            ErrorKind::Unavailable,
            "the database is locked by somebody else: nothing was written",
        ),
        Reason::Undone => (
            ErrorKind::Unavailable,
            "the statement was undone, again and again, for others that wanted the same rows",
        ),
        Reason::ReadOnly => (
            ErrorKind::Unavailable,
            "the database can only be read: nothing was written",
        ),
        Reason::Damaged => (
            ErrorKind::Unavailable,
            "the file is damaged, or is no database",
        ),
        Reason::Cancelled => (ErrorKind::Timeout, "the database gave the statement up"),
        Reason::Zone => (
            ErrorKind::Config,
            "the server does not know the time zone that was set",
        ),
        Reason::Folding => (
            ErrorKind::Config,
            "the collation of the id column takes different ids for the same: make the column \
             VARBINARY, or its collation utf8mb4_bin (BINARY on SQLite)",
        ),
        Reason::Repeating => (
            ErrorKind::Config,
            "the table may hold an id more than once: make the id column, whole and alone, its \
             primary key",
        ),
        Reason::UnfitId => (
            ErrorKind::Config,
            "the id column cannot hold every id as it is: it takes the type that the schema gives it",
        ),
        Reason::UnfitData => (
            ErrorKind::Config,
            "the data column cannot hold the JSON as it is written: it is too short, of another \
             character set than utf8mb4, or of a type that puts it in another form (jsonb; json on \
             MySQL). It takes the type that the schema gives it",
        ),
        Reason::UnfitEnd => (
            ErrorKind::Config,
            "the expiry column cannot hold the time to the second: it takes the type that the schema \
             gives it (timestamptz only where time_zone is UTC)",
        ),
        Reason::LogFormat => (
            ErrorKind::Config,
            "the server's binlog_format is STATEMENT, which cannot log READ COMMITTED: make it \
             ROW or MIXED",
        ),
        Reason::Unavailable => (ErrorKind::Unavailable, "the server cannot work just now"),
        Reason::Ended => (
            ErrorKind::Unavailable,
            "the server has ended the connection: nothing was written",
        ),
        Reason::NoRoom => (
            ErrorKind::Unavailable,
            "the server takes no more connections just now: allow more there, or fewer here",
        ),
        Reason::Other => (ErrorKind::Other, ""),
    }
}

/// The code of the database's answer: an SQLSTATE, or SQLite's number.
struct Code(String);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the database answered {}", self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Code {}
