use std::io;
use std::path::Path;

use session_core::{Error, ErrorKind};

/// An error of sled's. Its texts have file names and offsets in them, no keys and no values.
pub(crate) fn failed(operation: &'static str, error: sled::Error) -> Error {
    let (kind, message) = match &error {
        sled::Error::Io(error) if is_full(error) => (
            ErrorKind::Unavailable,
            "the disk is full. Make room and open the database again: sled takes no more writes",
        ),
        sled::Error::Io(_) => (
            ErrorKind::Unavailable,
            "the database cannot be read or written; after such an error sled takes no more writes \
             until it is opened again",
        ),
        sled::Error::Corruption { .. } => (
            ErrorKind::Other,
            "the database is damaged: restore its directory, or remove it and lose its sessions",
        ),
        _ => (ErrorKind::Other, "sled failed"),
    };
    Error::new(kind, operation)
        .with_message(message)
        .with_source(error)
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// Whether the error of opening a database says that it is open already. sled wraps the system's
/// error into a text.
pub(crate) fn is_locked(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(error) if error.to_string().contains("could not acquire lock"))
}

/// An error of opening the database at `path`.
pub(crate) fn not_opened(path: &Path, error: sled::Error) -> Error {
    let path = path.display();
    if is_locked(&error) {
        let message = format!(
            "the database in {path} is open already, in another process or in this one. It can be \
             open once: stop the other process; within one, clone the store, or build several on \
             one `sled::Db`"
        );
        return Error::new(ErrorKind::Unavailable, "open")
            .with_message(message)
            .with_source(error);
    }
    failed("open", error).with_message(format!(
        "the database in {path} cannot be opened: it takes a directory that this user may write \
         to, empty or with a database of sled 0.34"
    ))
}
