#![doc = include_str!("../README.md")]

mod capabilities;
mod clock;
mod cookie;
mod data;
mod date;
mod error;
mod id;
mod record;
mod secrets;
mod store;

pub use capabilities::Capabilities;
pub use clock::Clock;
pub use cookie::{CookieOptions, Priority, SameSite, SameSiteOption, SecureOption, SessionCookie};
pub use data::Data;
pub use error::{Error, ErrorKind, Result};
pub use id::SessionId;
pub use record::Record;
pub use secrets::Secrets;
pub use store::{Created, Replaced, Store, StoreStream, Swept, Touched};
