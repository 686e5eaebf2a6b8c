//! What the tests of the layer share: a store that can be watched, held up and made to fail, a
//! server and a browser.

#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    missing_docs,
    reason = "each test binary uses its part"
)]

mod browser;
mod probe;
mod server;

use std::time::{Duration, SystemTime};

pub use browser::{Browser, Reply, decoded_id};
pub use probe::{Gate, Probe, sessions};
pub use server::Server;

pub const SECRET: &str = "keyboard cat";
pub const MINUTE: Duration = Duration::from_secs(60);

/// 2026-01-02T03:04:05.678Z, where every manual clock starts.
pub fn start() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(1_767_323_045_678)
}

/// Whole seconds since 1970: what a cookie's `Expires` can say of a time.
pub fn seconds(time: SystemTime) -> i64 {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("no test goes back before 1970");
    i64::try_from(since.as_secs()).expect("no test goes that far")
}
