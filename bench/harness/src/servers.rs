//! The servers of the stores, one of each kind for the whole run.

use std::net::SocketAddr;

use test_servers::{Kind, Server};

use crate::stack::Store;

/// A store's server; `None` where it needs none.
fn server(store: Store) -> Result<Option<&'static Server>, String> {
    let kind = match store {
        Store::None | Store::Memory => return Ok(None),
        Store::Redis => Kind::Redis,
        Store::Postgres => Kind::Postgres,
    };
    Server::shared(kind).map(Some)
}

/// The URL of a store's server; empty where it needs none.
pub(crate) fn url(store: Store) -> Result<String, String> {
    Ok(server(store)?.map_or(String::new(), Server::url))
}

/// Where a store's server listens.
pub(crate) fn address(store: Store) -> Result<Option<SocketAddr>, String> {
    Ok(server(store)?.map(Server::address))
}

/// The URL of a proxy before a store's server.
pub(crate) fn url_at(store: Store, proxy: SocketAddr) -> Result<String, String> {
    Ok(server(store)?.map_or(String::new(), |server| server.url_at(proxy)))
}
