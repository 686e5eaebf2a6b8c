//! Errors that say too much.

use std::fmt;

use session_core::{Error, ErrorKind};

use crate::broken::call::Call;
use crate::broken::mutant::{Fault, How, Says};
use crate::reference::hooks::SECRET;

pub(super) const FAULTS: &[Fault] = &[
    says("LeaksId", "writes the id into its errors", |call| {
        call.id().map(|id| format!("no such key: {}", id.as_str()))
    }),
    says(
        "LeaksIdInSource",
        "writes the statement with its id into its errors",
        |call| {
            call.id()
                .map(|id| format!("near SELECT * FROM sessions WHERE id = '{}'", id.as_str()))
        },
    ),
    says(
        "LeaksHead",
        "writes the first half of the id into its errors",
        |call| {
            call.id()
                .map(|id| format!("key {}..", id.as_str().chars().take(16).collect::<String>()))
        },
    ),
    says("LeaksData", "writes the data into its errors", |call| {
        call.record()
            .map(|record| record.json().chars().take(400).collect())
    }),
    says(
        "LeaksOld",
        "writes the old data into its errors",
        |call| match call {
            Call::Replace(_, old, _) => Some(old.json().to_owned()),
            _ => None,
        },
    ),
    says(
        "LeaksUrl",
        "writes the connection's URL into its errors",
        |_| Some(SECRET.to_owned()),
    ),
];

const fn says(name: &'static str, bug: &'static str, what: Says) -> Fault {
    Fault {
        name,
        bug,
        how: How::Says(what),
        shared: false,
    }
}

/// What an error comes from, with a text.
#[derive(Debug)]
struct Cause(String);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Cause {}

/// The error with a text more in its source.
pub(crate) fn with_text(error: &Error, text: String) -> Error {
    let kind: ErrorKind = error.kind();
    Error::new(kind, error.operation()).with_source(Cause(text))
}
