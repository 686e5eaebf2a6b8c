#![doc = include_str!("../README.md")]

mod builder;
mod error;
mod layout;
mod policy;
mod pool;
mod sessions;
mod store;
mod swap;
mod view;
mod walk;

pub use builder::SledStoreBuilder;
pub use policy::{Flush, Reads};
pub use session_core::Sweeper;
pub use sled;
pub use store::SledStore;
