use std::sync::Arc;

use redis::{Client, ConnectionAddr, ConnectionInfo, RedisResult};

/// Where one server of several listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Address {
    pub(crate) host: Arc<str>,
    pub(crate) port: u16,
}

impl Address {
    pub(crate) fn new(host: &str, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
        }
    }

    /// That of a URL; a Unix socket has none.
    #[cfg(any(feature = "cluster", test))]
    pub(crate) fn of(info: &ConnectionInfo) -> Option<Self> {
        match info.addr() {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                Some(Self::new(host, *port))
            }
            _ => None,
        }
    }

    /// A client for the server here, with the login, the TLS and the protocol of `like`.
    pub(crate) fn client(&self, like: &ConnectionInfo) -> RedisResult<Client> {
        let mut addr = like.addr().clone();
        match &mut addr {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                *host = self.host.as_ref().into();
                *port = self.port;
            }
            _ => {}
        }
        Client::open(like.clone().set_addr(addr))
    }
}
