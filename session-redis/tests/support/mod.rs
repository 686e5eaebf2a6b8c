//! Real servers for the tests, and the suite's harnesses on them.
#![allow(dead_code, reason = "each test target uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "only tests come here"
)]

pub(crate) mod harness;
pub(crate) mod hooks;
pub(crate) mod site;
pub(crate) mod visitor;

use std::time::Duration;

use session_core::{Clock, Data, Record, SessionCookie, SessionId};
use test_servers::{Kind, Server};

pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

pub(crate) fn shared(kind: Kind) -> &'static Server {
    Server::shared(kind).unwrap_or_else(|why| panic!("{why}"))
}

pub(crate) fn private(kind: Kind) -> Server {
    Server::start(kind).unwrap_or_else(|why| panic!("{why}"))
}

/// A prefix that no other test has.
pub(crate) fn prefix() -> String {
    format!("test:{}:", SessionId::random().as_str())
}

pub(crate) fn id(text: &str) -> SessionId {
    SessionId::new(text).unwrap()
}

/// A record with one value that ends `left` from now, or with the browser.
pub(crate) fn record(value: &str, left: impl Into<Option<Duration>>) -> Record {
    let mut data = Data::new();
    data.insert("value", &value).unwrap();
    Record::new(cookie(left), &data)
}

pub(crate) fn cookie(left: impl Into<Option<Duration>>) -> SessionCookie {
    let mut cookie = SessionCookie::new();
    cookie.set_max_age(left.into(), Clock::system().now());
    cookie
}

/// Every text that an error shows, its sources included.
pub(crate) fn texts(error: &session_core::Error) -> String {
    let mut texts = format!("{error}\n{error:?}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        texts.push_str(&format!("\n{cause}\n{cause:?}"));
        source = cause.source();
    }
    texts
}
