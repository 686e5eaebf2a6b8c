use std::time::{Duration, SystemTime};

use session_core::Clock;

use crate::expiry::Lifetime;
use crate::keys::Keys;

/// What a store was built with, apart from its connection.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) keys: Keys,
    /// Of sessions without an expiry of their own.
    pub(crate) ttl: Option<Duration>,
    pub(crate) scan_count: usize,
    pub(crate) clock: Clock,
}

impl Options {
    /// How long a record that ends at `expires` has from now on.
    pub(crate) fn lifetime(&self, expires: Option<SystemTime>) -> Lifetime {
        match (expires, self.ttl) {
            (Some(expires), _) => Lifetime::until(expires, self.clock.now()),
            (None, Some(ttl)) => Lifetime::of(ttl),
            (None, None) => Lifetime::Endless,
        }
    }
}
