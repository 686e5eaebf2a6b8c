use std::io;
use std::time::Duration;

use crate::connection::Failure;

/// How long to wait before asking the same servers again who is in charge.
pub(crate) const PAUSE: Duration = Duration::from_millis(50);

/// Why there is no connection to the master that is wanted.
#[derive(Clone, Debug)]
pub(crate) enum Miss {
    /// Waiting does not help.
    Final(Failure),
    /// It may be there in a moment: a failover takes its time.
    Soon(Failure),
}

impl Miss {
    pub(crate) fn of(failure: Failure) -> Self {
        if failure.is_config() {
            Self::Final(failure)
        } else {
            Self::Soon(failure)
        }
    }
}

/// The failure to report of several servers that were tried: what somebody has to mend before what
/// may pass by itself.
pub(crate) fn worse(before: Option<Failure>, failure: Failure) -> Failure {
    match before {
        Some(before) if before.is_config() || !failure.is_config() => before,
        _ => failure,
    }
}

/// The time is over, and nobody has said why it took so long.
pub(crate) fn too_late() -> Failure {
    Failure::Connecting(io::Error::from(io::ErrorKind::TimedOut).into())
}
