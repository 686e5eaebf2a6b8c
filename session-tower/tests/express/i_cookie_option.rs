//! I. The `cookie` option.

use axum::{Extension, Router, routing::any};
use cookie::SameSite as Parsed;
use session_tower::{
    Connection, CookieOptions, ErrorKind, SameSite, SameSiteOption, SecureOption, Session,
    SessionLayer,
};

use crate::site::{app, classic, idle, layer, serve};
use crate::support::{Probe, Server};

async fn maybe(session: Option<Session>) -> &'static str {
    if session.is_some() { "session" } else { "none" }
}

#[tokio::test]
async fn i55_i58_the_cookies_path_says_where_there_are_sessions() {
    let store = Probe::new();
    let options = classic(&store).cookie(CookieOptions::new().path("/foo/bar"));
    let server = serve(&store, options, maybe).await;
    let reply = server.browser().get("/").await;
    assert_eq!((reply.text(), reply.cookie()), ("none", None));
    let reply = server
        .browser()
        .get_with("/", [("host", "/foo/bar/")])
        .await;
    assert_eq!((reply.text(), reply.cookie()), ("none", None));
    for path in ["/foo/bar/baz", "/foo/bar", "/foo/bar?x=/"] {
        let reply = server.browser().get(path).await;
        assert_eq!(
            (reply.text(), reply.set().path()),
            ("session", Some("/foo/bar"))
        );
    }
    assert_eq!(store.len().await, 3);
}

#[tokio::test]
async fn i59_i60_under_a_mount_point_the_original_path_counts() {
    let store = Probe::new();
    let options = classic(&store).cookie(CookieOptions::new().path("/foo/bar"));
    let inner = Router::new()
        .route("/{*rest}", any(maybe))
        .layer(layer(options));
    let server = Server::http(Router::new().nest("/foo", inner), store.clock()).await;
    let mounted = server.browser().get("/foo/bar").await;
    assert_eq!(
        (mounted.text(), mounted.cookie().is_some()),
        ("session", true)
    );
    let elsewhere = server.browser().get("/foo/foo/bar").await;
    assert_eq!((elsewhere.text(), elsewhere.cookie()), ("none", None));
}

/// `Secure` and `SameSite` of a new session's cookie, if it is set.
async fn attributes(
    cookie: CookieOptions,
    proxy: Option<bool>,
    connection: Connection,
    forwarded_proto: &str,
) -> Option<(bool, Option<Parsed>)> {
    let store = Probe::new();
    let mut options = classic(&store).cookie(cookie);
    if let Some(trusted) = proxy {
        options = options.proxy(trusted);
    }
    let app = app(options, idle).layer(Extension(connection));
    let server = Server::http(app, store.clock()).await;
    let mut browser = server.browser();
    let reply = browser
        .get_with("/", [("x-forwarded-proto", forwarded_proto)])
        .await;
    let set = reply.cookie()?;
    Some((set.secure().unwrap_or(false), set.same_site()))
}

fn secure(secure: impl Into<SecureOption>) -> CookieOptions {
    CookieOptions::new().secure(secure)
}

#[tokio::test]
async fn i61_secure_auto_follows_a_trusted_proxy() {
    let auto = secure(SecureOption::Auto);
    let set = attributes(auto, Some(true), Connection::Plain, "https").await;
    assert_eq!(set, Some((true, None)));
}

#[tokio::test]
async fn i62_secure_auto_does_not_follow_another_one() {
    let auto = secure(SecureOption::Auto);
    let set = attributes(auto, Some(false), Connection::Plain, "https").await;
    assert_eq!(set, Some((false, None)));
}

#[tokio::test]
async fn i63_i64_secure_auto_follows_the_applications_word() {
    for (connection, expected) in [(Connection::VouchedFor, true), (Connection::Plain, false)] {
        let auto = secure(SecureOption::Auto);
        let set = attributes(auto, None, connection, "https").await;
        assert_eq!(set, Some((expected, None)));
    }
}

#[tokio::test]
async fn i65_i66_the_settings_may_depend_on_the_request() {
    let store = Probe::new();
    let options = classic(&store).cookie_with(|request| {
        let cookie = CookieOptions::new().path(request.uri.path());
        match request.headers.get("x-secure") {
            Some(_) => cookie.http_only(false),
            None => cookie,
        }
    });
    let server = serve(&store, options, idle).await;
    let reply = server.browser().get("/foo").await;
    assert!(reply.has_attribute("Path=/foo") && reply.has_attribute("HttpOnly"));
    let reply = server
        .browser()
        .get_with("/bar", [("x-secure", "no")])
        .await;
    assert!(reply.has_attribute("Path=/bar") && !reply.has_attribute("HttpOnly"));
}

/// Beside `secure: auto`: without `Secure`, no browser keeps the `None` of a secure connection.
fn both_auto() -> CookieOptions {
    secure(SecureOption::Auto).same_site(SameSiteOption::Auto)
}

#[tokio::test]
async fn i67_i68_same_site_auto_follows_the_connection() {
    for (connection, secure, expected) in [
        (Connection::VouchedFor, true, Parsed::None),
        (Connection::Plain, false, Parsed::Lax),
    ] {
        let set = attributes(both_auto(), None, connection, "http").await;
        assert_eq!(set, Some((secure, Some(expected))));
    }
}

#[tokio::test]
async fn i69_i70_same_site_auto_follows_a_trusted_proxy() {
    for (proto, secure, expected) in [
        ("https", true, Parsed::None),
        ("wss", true, Parsed::None),
        ("http", false, Parsed::Lax),
    ] {
        let set = attributes(both_auto(), Some(true), Connection::Plain, proto).await;
        assert_eq!(set, Some((secure, Some(expected))));
    }
}

#[tokio::test]
async fn i71_same_site_auto_does_not_follow_another_one() {
    let set = attributes(both_auto(), Some(false), Connection::Plain, "https").await;
    assert_eq!(set, Some((false, Some(Parsed::Lax))));
}

#[tokio::test]
async fn i72_i73_i76_i77_same_site_auto_stands_beside_secure() {
    let on_https = Connection::VouchedFor;
    let on_http = Connection::Plain;
    for (option, connection, expected) in [
        (SecureOption::Auto, on_https, Some((true, Parsed::None))),
        (SecureOption::Auto, on_http, Some((false, Parsed::Lax))),
        (SecureOption::Yes, on_https, Some((true, Parsed::None))),
        (SecureOption::Yes, on_http, None),
    ] {
        let cookie = secure(option).same_site(SameSiteOption::Auto);
        let set = attributes(cookie, None, connection, "").await;
        let expected = expected.map(|(secure, same_site)| (secure, Some(same_site)));
        assert_eq!(set, expected, "{option:?} {connection:?}");
    }
}

#[test]
fn i74_i75_same_site_auto_is_refused_where_the_cookie_is_never_secure() {
    let cookie = secure(SecureOption::No).same_site(SameSiteOption::Auto);
    let error = SessionLayer::new(Probe::new().options().cookie(cookie)).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Config);
}

#[tokio::test]
async fn fixed_same_site_values_are_sent_as_they_are() {
    for (value, parsed) in [
        (SameSite::Strict, Parsed::Strict),
        (SameSite::Lax, Parsed::Lax),
        (SameSite::None, Parsed::None),
    ] {
        let cookie = secure(true).same_site(value);
        let set = attributes(cookie, None, Connection::Encrypted, "").await;
        assert_eq!(set, Some((true, Some(parsed))));
    }
}
