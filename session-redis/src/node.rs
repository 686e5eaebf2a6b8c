#[cfg(feature = "cluster")]
use crate::address::Address;

/// A server with keys of its own.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Only,
    /// One of a cluster.
    #[cfg(feature = "cluster")]
    At(Address),
}
