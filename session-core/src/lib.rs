#![doc = include_str!("../README.md")]

mod capabilities;
mod clock;
mod contention;
mod cookie;
mod data;
mod date;
mod error;
mod exchange;
mod id;
mod lifecycle;
mod options;
mod outcome;
mod record;
mod renewal;
mod request;
mod secrets;
mod session;
mod store;
mod sweeper;
#[cfg(test)]
mod vectors;

pub use capabilities::Capabilities;
pub use clock::Clock;
pub use cookie::{CookieOptions, Priority, SameSite, SameSiteOption, SecureOption, SessionCookie};
pub use data::Data;
pub use error::{Error, ErrorKind, Result};
pub use exchange::{Exchange, Unfinished};
pub use id::SessionId;
pub use lifecycle::Lifecycle;
pub use options::{OnConflict, OnStoreError, SessionOptions, Unset};
pub use outcome::Outcome;
pub use record::{Record, StoredExpiry};
pub use renewal::{Renewal, Renewed};
pub use request::{Connection, RequestHead};
pub use secrets::Secrets;
pub use session::Session;
pub use store::{Created, Replaced, Store, StoreStream, Swept, Touched};
pub use sweeper::Sweeper;
