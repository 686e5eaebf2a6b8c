#![doc = include_str!("../README.md")]

// Four floors; each knows those above it in this list, and none below.
mod format;
mod lifecycle;
mod session;
mod store;

pub use format::clock::Clock;
pub use format::cookie::{
    CookieOptions, Priority, SameSite, SameSiteOption, SecureOption, SessionCookie,
};
pub use format::data::Data;
pub use format::error::{Error, ErrorKind, Result};
pub use format::id::SessionId;
pub use format::record::{Record, StoredExpiry};
pub use format::secrets::Secrets;
pub use lifecycle::Lifecycle;
pub use lifecycle::exchange::{Exchange, Unfinished};
pub use lifecycle::notices::Counts;
pub use lifecycle::options::{NameBinding, OnConflict, OnStoreError, SessionOptions, Unset};
pub use lifecycle::outcome::Outcome;
pub use lifecycle::request::{Connection, RequestHead};
pub use session::Session;
pub use store::capabilities::Capabilities;
pub use store::renewal::{Renewal, Renewed};
pub use store::sweeper::Sweeper;
pub use store::{Created, Replaced, Store, StoreStream, Swept, Touched};
