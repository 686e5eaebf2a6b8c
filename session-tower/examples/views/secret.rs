//! The secret for sessions that outlast this process: without it their cookies would be worthless.

use std::fs::{File, read_to_string};
use std::io::{ErrorKind, Write as _};

use session_tower::SessionId;

/// In the working directory, beside `views.sled`.
pub(crate) const FILE: &str = "views.secret";

/// The secret that is kept in [`FILE`]; the first start writes it.
pub(crate) fn kept() -> Result<String, String> {
    let failed = |error| format!("{FILE} cannot be kept in this directory: {error}. Set SECRET.");
    match read_to_string(FILE) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        kept => return kept.map_err(failed),
    }
    let secret = SessionId::random().as_str().to_owned();
    let mut file = File::options();
    file.write(true).create_new(true);
    // Whoever reads it can sign cookies.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    let written = file
        .open(FILE)
        .and_then(|mut file| file.write_all(secret.as_bytes()));
    written.map(|()| secret).map_err(failed)
}
