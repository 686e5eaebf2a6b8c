#![doc = include_str!("../README.md")]

mod bound;
mod builder;
mod deadlines;
mod index;
mod sessions;
mod shard;
mod slab;
mod store;
mod walk;

pub use builder::MemoryStoreBuilder;
pub use session_core::Sweeper;
pub use store::MemoryStore;
