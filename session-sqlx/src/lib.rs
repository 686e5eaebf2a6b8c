#![doc = include_str!("../README.md")]
#![cfg_attr(
    not(all(feature = "sqlite", feature = "postgres", feature = "mysql")),
    allow(dead_code, reason = "what one database needs and another one does not")
)]
#![cfg_attr(
    not(any(feature = "sqlite", feature = "postgres", feature = "mysql")),
    allow(
        unused_imports,
        unused_variables,
        unreachable_code,
        reason = "without a database there is nothing to store in; every URL says so"
    )
)]

mod ask;
mod builder;
mod checked_out;
mod dialect;
mod driver;
mod failure;
mod finish;
mod idle;
mod inner;
mod layout;
mod names;
mod pool;
mod schema;
mod statements;
mod store;
mod sweeper;
mod target;
mod template;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod tls;
mod walk;

pub use builder::SqlxStoreBuilder;
pub use schema::{Database, Schema};
pub use store::SqlxStore;
pub use sweeper::SweepTask;
pub use target::Target;

/// A store on the database of a URL, with the default options; see [`SqlxStoreBuilder::connect`].
///
/// # Errors
///
/// See [`SqlxStoreBuilder::connect`].
pub async fn connect(url: &str) -> session_core::Result<SqlxStore> {
    SqlxStore::connect(url).await
}
