#![doc = include_str!("../README.md")]

mod builder;
mod dialect;
mod driver;
mod failure;
mod layout;
mod names;
mod pool;
mod schema;
mod statements;
mod store;
mod sweeper;
mod target;
mod template;
mod time;
mod walk;

pub use builder::SqlxStoreBuilder;
pub use schema::{Database, Schema};
pub use store::SqlxStore;
pub use sweeper::Sweeper;
pub use target::Target;

/// A store on the database of a URL, with the default options; see [`SqlxStoreBuilder::connect`].
///
/// # Errors
///
/// See [`SqlxStoreBuilder::connect`].
pub async fn connect(url: &str) -> session_core::Result<SqlxStore> {
    SqlxStore::connect(url).await
}
