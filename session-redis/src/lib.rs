#![doc = include_str!("../README.md")]

mod builder;
mod connection;
mod error;
mod expiry;
mod keys;
mod link;
mod options;
mod scan;
mod script;
mod store;
mod url;
mod walk;

pub use builder::RedisStoreBuilder;
pub use store::RedisStore;

/// The client library, in the version whose connections [`RedisStoreBuilder::build_on`] takes.
pub use redis;
