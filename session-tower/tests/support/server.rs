use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::{Extension, Router};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use session_tower::{Clock, Connection};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::Browser;

/// An application on a port of its own, until it is dropped.
pub struct Server {
    address: SocketAddr,
    clock: Clock,
    tls: Option<TlsConnector>,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves over HTTP/1.1.
    pub async fn http(app: Router, clock: &Clock) -> Self {
        let (listener, address) = bind().await;
        let task = tokio::spawn(async move {
            axum::serve(listener, app)
                .await
                .expect("axum's server never ends by itself");
        });
        Self {
            address,
            clock: clock.clone(),
            tls: None,
            task,
        }
    }

    /// Serves over TLS with a certificate of its own, and tells the layer so.
    pub async fn https(app: Router, clock: &Clock) -> Self {
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()])
            .expect("a certificate for localhost");
        let certificate = certified.cert.der().clone();
        let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der())
            .expect("the certificate's key");
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).expect("a certificate");
        let client = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let server = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .expect("the key fits the certificate");

        let app = app.layer(Extension(Connection::Encrypted));
        let acceptor = TlsAcceptor::from(Arc::new(server));
        let (listener, address) = bind().await;
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                let (acceptor, app) = (acceptor.clone(), app.clone());
                tokio::spawn(async move {
                    let stream = acceptor.accept(stream).await.expect("TLS is set up");
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app))
                        .await
                        .expect("the client behaves");
                });
            }
        });
        Self {
            address,
            clock: clock.clone(),
            tls: Some(TlsConnector::from(Arc::new(client))),
            task,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A browser that has never been here.
    pub fn browser(&self) -> Browser {
        Browser {
            address: self.address,
            tls: self.tls.clone(),
            clock: self.clock.clone(),
            jar: BTreeMap::new(),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn bind() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(("127.0.0.1", 0))
        .await
        .expect("a free port");
    let address = listener.local_addr().expect("a bound address");
    (listener, address)
}
