//! What the suite does not ask: rows, errors, connections, scripts and pages, on a real server.
#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "../support/mod.rs"]
mod support;

#[cfg(feature = "cluster")]
mod cluster;
mod cut;
mod errors;
mod expiry;
#[cfg(any(feature = "cluster", feature = "sentinel"))]
mod failover;
mod full;
mod idle;
mod link;
mod pages;
mod permissions;
mod rows;
mod scripts;
#[cfg(feature = "sentinel")]
mod sentinel;
mod suite;
#[cfg(feature = "tls")]
mod tls;
mod trips;
mod upkeep;

use redis::{FromRedisValue, cmd};
use session_redis::{RedisStore, RedisStoreBuilder};
use support::site::{self, Admin};
use support::{HOUR, cookie, id, prefix, private, record, shared, texts};
use test_servers::{Kind, Server};

fn server() -> &'static Server {
    shared(Kind::Redis)
}

fn builder() -> RedisStoreBuilder {
    RedisStore::builder().prefix(prefix())
}

async fn admin() -> Admin {
    site::admin(server()).await.unwrap()
}

/// Asks the server behind the store's back.
async fn ask<T: FromRedisValue>(words: &[&[u8]]) -> T {
    let (name, arguments) = words.split_first().unwrap();
    let mut command = cmd(std::str::from_utf8(name).unwrap());
    for argument in arguments {
        command.arg(argument);
    }
    admin().await.ask(&command).await.unwrap()
}
