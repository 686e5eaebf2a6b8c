//! H. The `proxy` option: whether a `Secure` cookie may be set.

use axum::Extension;
use session_tower::{Connection, CookieOptions};

use crate::site::{app, classic, idle};
use crate::support::{Probe, Server};

/// Whether a site whose cookie is `Secure` sets it.
async fn is_secure(
    proxy: Option<bool>,
    connection: Connection,
    forwarded_proto: Option<&str>,
) -> bool {
    let store = Probe::new();
    let mut options = classic(&store).cookie(CookieOptions::new().secure(true));
    if let Some(trusted) = proxy {
        options = options.proxy(trusted);
    }
    let app = app(options, idle).layer(Extension(connection));
    let server = Server::http(app, store.clock()).await;
    let mut browser = server.browser();
    let reply = match forwarded_proto {
        Some(proto) => browser.get_with("/", [("x-forwarded-proto", proto)]).await,
        None => browser.get("/").await,
    };
    let set = reply.cookie().is_some();
    assert!(!set || reply.has_attribute("Secure"), "{reply:?}");
    set
}

#[tokio::test]
async fn h48_a_trusted_proxys_header_counts() {
    assert!(is_secure(Some(true), Connection::Plain, Some("https")).await);
}

#[tokio::test]
async fn h49_the_first_of_a_list_counts() {
    assert!(is_secure(Some(true), Connection::Plain, Some("https,http")).await);
    assert!(is_secure(Some(true), Connection::Plain, Some(" HTTPS , http")).await);
    assert!(!is_secure(Some(true), Connection::Plain, Some("http,https")).await);
}

#[tokio::test]
async fn h50_without_the_header_the_connection_is_not_secure() {
    assert!(!is_secure(Some(true), Connection::Plain, None).await);
}

#[tokio::test]
async fn h51_an_untrusted_proxys_header_is_ignored() {
    assert!(!is_secure(Some(false), Connection::Plain, Some("https")).await);
}

#[tokio::test]
async fn h52_without_trust_the_applications_word_is_ignored() {
    assert!(!is_secure(Some(false), Connection::VouchedFor, Some("https")).await);
}

#[tokio::test]
async fn h53_by_default_the_header_is_ignored() {
    assert!(!is_secure(None, Connection::Plain, Some("https")).await);
}

#[tokio::test]
async fn h54_by_default_the_applications_word_counts() {
    assert!(is_secure(None, Connection::VouchedFor, None).await);
}
