//! What the suite does not ask: rows, errors, connections, scripts and pages, on a real server.
#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "../support/mod.rs"]
mod support;

mod errors;
mod expiry;
mod link;
mod pages;
mod rows;
mod scripts;
mod server;
mod suite;
mod trips;

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue, cmd};
use session_core::{Clock, Data, Record, SessionCookie, SessionId};
use session_redis::{RedisStore, RedisStoreBuilder};
use support::server::Server;

fn server() -> &'static Server {
    Server::shared().unwrap_or_else(|why| panic!("{why}"))
}

/// A prefix that no other test has.
fn prefix() -> String {
    format!("test:{}:", SessionId::random().as_str())
}

fn builder() -> RedisStoreBuilder {
    RedisStore::builder().prefix(prefix())
}

fn id(text: &str) -> SessionId {
    SessionId::new(text).unwrap()
}

/// A record with one value that ends `left` from now, or with the browser.
fn record(value: &str, left: impl Into<Option<Duration>>) -> Record {
    let mut data = Data::new();
    data.insert("value", &value).unwrap();
    Record::new(cookie(left), &data)
}

fn cookie(left: impl Into<Option<Duration>>) -> SessionCookie {
    let mut cookie = SessionCookie::new();
    cookie.set_max_age(left.into(), Clock::system().now());
    cookie
}

async fn admin() -> MultiplexedConnection {
    server().admin().await.unwrap()
}

/// Asks the server behind the store's back.
async fn ask<T: FromRedisValue>(words: &[&[u8]]) -> T {
    let (name, arguments) = words.split_first().unwrap();
    let mut command = cmd(std::str::from_utf8(name).unwrap());
    for argument in arguments {
        command.arg(argument);
    }
    command.query_async(&mut admin().await).await.unwrap()
}
