use std::io;
use std::time::{Duration, Instant};

use crate::error::Failure;

/// How long to wait before asking the same servers again who is in charge.
pub(crate) const PAUSE: Duration = Duration::from_millis(50);

/// How long a server that says nothing keeps a search from asking the others again: its host may
/// have vanished without a word, and they learn of the failover only in a while.
pub(crate) const ROUND: Duration = Duration::from_secs(1);

/// The time for a search for a master.
pub(crate) struct Deadline {
    since: Instant,
    limit: Duration,
}

impl Deadline {
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            since: Instant::now(),
            limit,
        }
    }

    /// How long to go on with what is under way before asking again. The longer it has taken so
    /// far, the longer, and at the end for as long as there is: everybody may be there, and merely
    /// slow.
    pub(crate) fn round(&self) -> Duration {
        let passed = self.since.elapsed();
        let left = self.limit.saturating_sub(passed);
        let round = ROUND.max(passed / 2);
        if left <= round + ROUND { left } else { round }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.since.elapsed() >= self.limit
    }
}

/// Why there is no connection to the master that is wanted.
#[derive(Clone, Debug)]
pub(crate) enum Unconnected {
    /// Waiting does not help.
    Final(Failure),
    /// It may be there in a moment: a failover takes its time.
    Retryable(Failure),
}

impl Unconnected {
    pub(crate) fn of(failure: Failure) -> Self {
        if failure.is_config() {
            Self::Final(failure)
        } else {
            Self::Retryable(failure)
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
