#![doc = include_str!("../README.md")]

/// `fault! { Fault, wrong }` does something wrong while a test of `schedules` has switched that fault on,
/// and `fault! { Fault, let name = wrong }` gives a variable a wrong value. Outside of tests, it is nothing.
#[cfg(test)]
macro_rules! fault {
    ($fault:ident, let $name:ident = $wrong:expr) => {
        let $name = if crate::schedules::faults::on(crate::schedules::faults::Fault::$fault) {
            $wrong
        } else {
            $name
        };
    };
    ($fault:ident, $($wrong:expr),+) => {
        if crate::schedules::faults::on(crate::schedules::faults::Fault::$fault) {
            $($wrong;)+
        }
    };
}
#[cfg(not(test))]
macro_rules! fault {
    ($($nothing:tt)*) => {};
}

// The floors: format <- store <- context <- session <- lifecycle. Each knows those before it alone.
mod context;
mod format;
mod lifecycle;
#[cfg(test)]
mod schedules;
mod session;
mod store;
#[cfg(test)]
mod vectors;

pub use context::notices::Counts;
pub use context::options::{
    FormerCookie, NameBinding, OnConflict, OnEnded, OnStoreError, SessionOptions, Unset,
};
pub use context::request::{Connection, RequestHead};
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
pub use lifecycle::outcome::Outcome;
pub use session::Session;
pub use store::capabilities::Capabilities;
pub use store::sweeper::Sweeper;
pub use store::{Created, Replaced, Store, StoreStream, Swept, Touched};
