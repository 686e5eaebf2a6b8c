#![doc = include_str!("../README.md")]

#[cfg(any(feature = "cluster", feature = "sentinel"))]
mod address;
mod builder;
#[cfg(feature = "cluster")]
mod cluster;
mod connection;
mod connector;
#[cfg(any(feature = "cluster", feature = "sentinel"))]
mod deadline;
mod error;
mod expiry;
mod external;
mod keys;
mod manager;
mod node;
mod options;
mod permissions;
mod refusal;
mod row;
mod scan;
mod script;
#[cfg(feature = "sentinel")]
mod sentinel;
mod servers;
mod store;
mod tls;
mod url;
mod walk;

pub use builder::RedisStoreBuilder;
pub use store::RedisStore;

/// The client library, in the version whose connections [`RedisStoreBuilder::build_on`] takes.
pub use redis;
