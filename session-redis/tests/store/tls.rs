//! TLS: which certificates are trusted, and what is said of others.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use redis::RedisFuture;
use redis::io::AsyncDNSResolver;
use session_core::{ErrorKind, Store};
use session_redis::RedisStoreBuilder;
use test_servers::{Kind, Server};

use crate::{HOUR, id, prefix, private, record, shared, site, texts};

fn trusting(server: &Server) -> RedisStoreBuilder {
    site::builder(site::ca_file(server)).prefix(prefix())
}

/// Every name leads to the one server.
struct To(SocketAddr);

impl AsyncDNSResolver for To {
    fn resolve<'a, 'b: 'a>(
        &'a self,
        _: &'b str,
        _: u16,
    ) -> RedisFuture<'a, Box<dyn Iterator<Item = SocketAddr> + Send + 'a>> {
        Box::pin(async { Ok(Box::new([self.0].into_iter()) as Box<dyn Iterator<Item = _> + Send>) })
    }
}

/// The server's URL with another host.
fn url_of(server: &Server, host: &str) -> String {
    server.url().replace(&server.address().to_string(), host)
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_or_for_another_host_is_a_config_error() {
    let server = shared(Kind::RedisTls);
    let other_authority = authority().0;
    for (store, host, word) in [
        (site::builder(None), "127.0.0.1", "tls_root"),
        (
            site::builder(None).tls_root(other_authority.as_str()),
            "127.0.0.1",
            "tls_root",
        ),
        (trusting(server), "redis.example", "host"),
    ] {
        let store = store.resolver(To(server.address()));
        let error = store.connect(&url_of(server, host)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
        let texts = texts(&error);
        assert!(texts.contains(word), "{texts}");
        assert!(!texts.contains("redis.example"), "{texts}");
        assert!(!texts.contains(server.password()), "{texts}");
    }
    let store = trusting(server).resolver(To(server.address()));
    let store = store.connect(&url_of(server, "localhost")).await.unwrap();
    store.set(&id("a"), &record("a", HOUR)).await.unwrap();
}

#[tokio::test]
async fn what_is_no_certificate_is_a_config_error() {
    let server = shared(Kind::RedisTls);
    for store in [
        site::builder(None).tls_root("-----BEGIN CERTIFICATE-----\nhunter2"),
        trusting(server).tls_client("hunter2", "hunter2"),
    ] {
        let error = store.connect(&server.url()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
        assert!(error.to_string().contains("PEM"), "{error}");
        assert!(!texts(&error).contains("hunter2"));
    }
}

#[tokio::test]
async fn tls_is_not_spoken_to_a_server_that_does_not_and_the_other_way_round() {
    let plain = shared(Kind::Redis);
    let url = plain.url().replace("redis://", "rediss://");
    // A server without TLS takes the handshake for the beginning of a command, and waits.
    let hasty = trusting(plain).connect_timeout(Duration::from_millis(300));
    let error = hasty.connect(&url).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");

    // Another answers something that is no TLS.
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("rediss://{}", other.local_addr().unwrap());
    let answer = std::thread::spawn(move || {
        let (mut client, _) = other.accept().unwrap();
        client.write_all(b"-ERR hunter2\r\n").unwrap();
        // Until the client hangs up.
        let _ = client.read_to_end(&mut Vec::new());
    });
    let error = trusting(plain).connect(&url).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    assert!(error.to_string().contains("TLS"), "{error}");
    answer.join().unwrap();

    let server = shared(Kind::RedisTls);
    let url = server.url().replace("rediss://", "redis://");
    let error = trusting(server).connect(&url).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn authority() -> (String, Issuer<'static, KeyPair>) {
    let mut params = named("the authority of the test's clients");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let root = params.self_signed(&key).unwrap().pem();
    (root, Issuer::new(params, key))
}

#[tokio::test]
async fn a_server_that_asks_for_a_certificate_gets_one() {
    let server = private(Kind::RedisTls);
    let (root, issuer) = authority();
    let file = server.directory().unwrap().join("clients.pem");
    std::fs::write(&file, root).unwrap();
    let mut admin = site::admin(&server).await.unwrap();
    for (name, value) in [
        ("tls-ca-cert-file", file.to_str().unwrap()),
        ("tls-auth-clients", "yes"),
    ] {
        let mut set = redis::cmd("CONFIG");
        let _: String = admin
            .ask(set.arg("SET").arg(name).arg(value))
            .await
            .unwrap();
    }
    let error = trusting(&server).connect(&server.url()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    assert!(error.to_string().contains("tls_client"), "{error}");

    let key = KeyPair::generate().unwrap();
    let client = named("a client of the test")
        .signed_by(&key, &issuer)
        .unwrap();
    let store = trusting(&server).tls_client(client.pem(), key.serialize_pem());
    let store = store.connect(&server.url()).await.unwrap();
    store.set(&id("a"), &record("a", HOUR)).await.unwrap();
    assert!(store.get(&id("a")).await.unwrap().is_some());
}
