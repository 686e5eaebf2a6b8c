use std::fmt;

use redis::{Client, ConnectionInfo, RedisResult};
#[cfg(feature = "tls")]
use redis::{ClientTlsConfig, TlsCertificates};

/// Which certificates to trust, and which to show.
#[derive(Clone, Default)]
pub(crate) struct Tls {
    #[cfg(feature = "tls")]
    pub(crate) root: Option<Vec<u8>>,
    #[cfg(feature = "tls")]
    pub(crate) client: Option<(Vec<u8>, Vec<u8>)>,
}

impl Tls {
    /// Puts the certificates into what says where to connect to, where that is by TLS.
    #[cfg(feature = "tls")]
    pub(crate) fn equip(&self, info: ConnectionInfo) -> RedisResult<ConnectionInfo> {
        if !matches!(info.addr(), redis::ConnectionAddr::TcpTls { .. }) {
            return Ok(info);
        }
        // The redis crate takes the process's provider, and panics where there are several to
        // choose from and nobody has chosen. A choice that there is already stays.
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let certificates = TlsCertificates {
            root_cert: self.root.clone(),
            client_tls: self
                .client
                .clone()
                .map(|(certificate, key)| ClientTlsConfig {
                    client_cert: certificate,
                    client_key: key,
                }),
        };
        let client = Client::build_with_tls(info, certificates)?;
        Ok(client.get_connection_info().clone())
    }

    #[cfg(not(feature = "tls"))]
    pub(crate) fn equip(&self, info: ConnectionInfo) -> RedisResult<ConnectionInfo> {
        Client::open(info).map(|client| client.get_connection_info().clone())
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}
