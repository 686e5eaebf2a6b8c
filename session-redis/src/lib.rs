#![doc = include_str!("../README.md")]

#[cfg(any(feature = "cluster", feature = "sentinel"))]
mod address;
mod builder;
#[cfg(feature = "cluster")]
mod cluster;
mod connection;
mod dial;
mod error;
mod expiry;
mod given;
mod keys;
mod link;
mod options;
#[cfg(any(feature = "cluster", feature = "sentinel"))]
mod patience;
mod permissions;
mod scan;
mod script;
#[cfg(feature = "sentinel")]
mod sentinel;
mod store;
mod tls;
mod url;
mod walk;

pub use builder::RedisStoreBuilder;
pub use store::RedisStore;

/// The client library, in the version whose connections [`RedisStoreBuilder::build_on`] takes.
pub use redis;
