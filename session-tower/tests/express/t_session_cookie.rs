//! T. `req.session.cookie`.

use std::time::{Duration, SystemTime};

use axum::Extension;
use axum::extract::OriginalUri;
use axum::response::AppendHeaders;
use session_tower::{Connection, CookieOptions, Priority, Session, SessionOptions};

use crate::site::{app, classic, count, idle, serve};
use crate::support::{MINUTE, Probe, Reply, Server, seconds};

/// The response to a new visitor, with a handler that changes the cookie's settings.
async fn changed(
    options: impl FnOnce(SessionOptions) -> SessionOptions,
    change: impl Fn(&Session) + Clone + Send + Sync + 'static,
) -> (Probe, Reply) {
    let store = Probe::new();
    let server = serve(
        &store,
        options(classic(&store)),
        async move |session: Session| {
            change(&session);
        },
    )
    .await;
    let reply = server.browser().get("/").await;
    (store, reply)
}

fn cookie(cookie: CookieOptions) -> impl FnOnce(SessionOptions) -> SessionOptions {
    move |options| options.cookie(cookie)
}

#[tokio::test]
async fn t133_settings_of_one_visitor_are_sent() {
    let (_, reply) = changed(cookie(CookieOptions::new()), |session| {
        session.update_cookie(|cookie| {
            cookie.set_path("/admin");
            cookie.set_http_only(false);
            cookie.set_domain(Some("shop.example".to_owned()));
        });
    })
    .await;
    let (_, attributes) = reply.line().split_once("; ").expect("there are attributes");
    assert_eq!(attributes, "Domain=shop.example; Path=/admin");
}

#[tokio::test]
async fn t134_by_default_the_cookie_ends_with_the_browser() {
    let (_, reply) = changed(cookie(CookieOptions::new()), |_| ()).await;
    assert_eq!(reply.set().expires(), None);
    assert!(!reply.line().contains("Expires") && !reply.line().contains("Max-Age"));
}

#[tokio::test]
async fn t135_a_cookie_that_ends_with_the_browser_is_sent_once() {
    let store = Probe::new();
    let server = serve(&store, classic(&store), count).await;
    let mut browser = server.browser();
    browser.get("/").await.set();
    let reply = browser.get("/").await;
    assert_eq!((reply.text(), reply.cookie()), ("2", None));
}

#[tokio::test]
async fn t136_the_options_are_sent_and_one_visitor_may_differ() {
    let options = CookieOptions::new()
        .http_only(false)
        .max_age(5 * MINUTE)
        .path("/")
        .priority(Priority::High)
        .secure(true);
    let (_, reply) = changed(cookie(options), |session| {
        session.update_cookie(|cookie| cookie.set_secure(false));
    })
    .await;
    let (_, attributes) = reply.line().split_once("; ").expect("there are attributes");
    assert_eq!(
        attributes,
        "Path=/; Expires=Fri, 02 Jan 2026 03:09:05 GMT; Priority=High"
    );
}

/// A `SystemTime` is always valid; a path is a text, and not every text can stand in a header.
#[tokio::test]
async fn t137_a_setting_that_no_header_can_hold_fails_the_response() {
    let (_, reply) = changed(cookie(CookieOptions::new()), |session| {
        session.update_cookie(|cookie| cookie.set_path("/\n"));
    })
    .await;
    assert_eq!((reply.status.as_u16(), reply.cookie()), (500, None));
}

#[tokio::test]
async fn t138_t139_other_cookies_of_the_response_are_kept() {
    let store = Probe::new();
    let server = serve(&store, classic(&store), async |_: Session| {
        AppendHeaders([("set-cookie", "theme=dark"), ("set-cookie", "lang=en")])
    })
    .await;
    let reply = server.browser().get("/").await;
    let names: Vec<String> = reply
        .cookies()
        .iter()
        .map(|c| c.name().to_owned())
        .collect();
    assert_eq!(names, ["theme", "lang", "connect.sid"]);
}

async fn original_max_age(session: Session) -> String {
    count(session.clone()).await;
    format!("{:?}", session.original_max_age())
}

#[tokio::test]
async fn t140_t142_the_original_max_age_stays_what_was_configured() {
    let store = Probe::new();
    let options = classic(&store).cookie(CookieOptions::new().max_age(2 * MINUTE));
    let server = serve(&store, options, original_max_age).await;
    let mut browser = server.browser();
    for _ in 0..3 {
        assert_eq!(browser.get("/").await.text(), "Some(120s)");
        store.clock().advance(MINUTE / 3);
    }
    // A row that Node wrote a while ago, whose expiry comes as a time from the store.
    let row = r#"{"cookie":{"originalMaxAge":120000,"expires":"2026-01-02T03:05:55.678Z","httpOnly":true,"path":"/"}}"#;
    let value = store.put_row("from-node", row).await;
    browser.jar.insert("connect.sid".to_owned(), value);
    assert_eq!(browser.get("/").await.text(), "Some(120s)");
    assert_eq!(browser.id().as_str(), "from-node");
}

#[tokio::test]
async fn t143_a_secure_cookie_is_set_over_tls() {
    let store = Probe::new();
    let options = classic(&store).cookie(CookieOptions::new().secure(true));
    let server = Server::https(app(options, count), store.clock()).await;
    let mut browser = server.browser();
    let reply = browser.get("/").await;
    assert_eq!(reply.set().secure(), Some(true));
    assert_eq!(browser.get("/").await.text(), "2");
}

#[tokio::test]
async fn t144_a_secure_cookie_is_not_set_over_plain_http() {
    let (store, reply) = changed(cookie(CookieOptions::new().secure(true)), |_| ()).await;
    assert_eq!((reply.status.as_u16(), reply.cookie()), (200, None));
    assert_eq!(
        store.calls(),
        "",
        "a session nobody could find is not stored"
    );
}

#[tokio::test]
async fn t145_expires_is_the_max_age_from_now() {
    let two_seconds = Duration::from_millis(2000);
    let (store, reply) = changed(cookie(CookieOptions::new().max_age(two_seconds)), |_| ()).await;
    assert_eq!(reply.expires(), seconds(store.clock().now()) + 2);
}

#[tokio::test]
async fn t146_a_changed_max_age_moves_expires() {
    let store = Probe::new();
    let options = classic(&store).cookie(CookieOptions::new().max_age(2 * MINUTE));
    let server = serve(
        &store,
        options,
        async |uri: OriginalUri, session: Session| {
            if uri.path() == "/short" {
                session.set_max_age(Some(Duration::from_millis(5000)));
            }
            count(session).await
        },
    )
    .await;
    let mut browser = server.browser();
    let now = seconds(store.clock().now());
    assert_eq!(browser.get("/").await.expires() - now, 120);
    assert_eq!(browser.get("/short").await.expires() - now, 5);
    assert_eq!(
        browser.get("/").await.expires() - now,
        5,
        "it is stored with the session"
    );
}

#[tokio::test]
async fn t147_a_max_age_may_be_longer_than_32_bits_of_milliseconds() {
    let long = Duration::from_millis(3_000_000_000);
    let (store, reply) = changed(cookie(CookieOptions::new()), move |session| {
        session.set_max_age(Some(long));
    })
    .await;
    assert_eq!(reply.expires(), seconds(store.clock().now() + long));
}

#[tokio::test]
async fn t148_a_past_expires_is_sent_as_it_is() {
    let (store, reply) = changed(cookie(CookieOptions::new()), |session| {
        session.set_expires(Some(SystemTime::UNIX_EPOCH));
    })
    .await;
    assert!(
        reply.has_attribute("Expires=Thu, 01 Jan 1970 00:00:00 GMT"),
        "{reply:?}"
    );
    assert_eq!(store.len().await, 0);
}

#[tokio::test]
async fn t149_without_expires_the_cookie_has_none() {
    let (_, reply) = changed(cookie(CookieOptions::new().max_age(MINUTE)), |session| {
        session.set_expires(None);
    })
    .await;
    assert!(!reply.line().contains("Expires"), "{reply:?}");
}

#[tokio::test]
async fn t150_t151_a_cookie_without_expires_is_not_sent_again() {
    let store = Probe::new();
    let server = serve(
        &store,
        classic(&store),
        async |uri: OriginalUri, session: Session| {
            session.set_expires(None);
            if uri.path() == "/count" {
                count(session).await;
            }
        },
    )
    .await;
    let mut browser = server.browser();
    browser.get("/").await.set();
    assert_eq!(browser.get("/").await.cookie(), None);
    assert_eq!(browser.get("/count").await.cookie(), None);
    assert!(store.json(&browser.id()).await.contains(r#""views":1"#));
}

#[tokio::test]
async fn t152_t154_partitioned_is_sent_when_it_is_set() {
    for (options, expected) in [
        (CookieOptions::new(), false),
        (CookieOptions::new().partitioned(false), false),
        (CookieOptions::new().partitioned(true).secure(true), true),
    ] {
        let store = Probe::new();
        let app = app(classic(&store).cookie(options), idle);
        let app = app.layer(Extension(Connection::Encrypted));
        let server = Server::http(app, store.clock()).await;
        let reply = server.browser().get("/").await;
        assert_eq!(reply.has_attribute("Partitioned"), expected, "{reply:?}");
        assert_eq!(reply.set().partitioned().unwrap_or(false), expected);
    }
}

/// What `idle` is for elsewhere holds for changed settings, too: they are remembered.
#[tokio::test]
async fn settings_of_one_visitor_are_still_there_with_the_next_request() {
    let store = Probe::new();
    let options = store.options().cookie(CookieOptions::new().max_age(MINUTE));
    let server = serve(&store, options.clone(), async |session: Session| {
        session.set_max_age(Some(60 * MINUTE));
        session.insert("remembered", &true).expect("a bool");
    })
    .await;
    let mut browser = server.browser();
    browser.get("/").await.set();
    store.clock().advance(2 * MINUTE);
    let elsewhere = serve(&store, options, idle).await;
    browser.address = elsewhere.address();
    browser.get("/").await;
    let record = store
        .record(&browser.id())
        .await
        .expect("it lives for an hour");
    assert_eq!(record.expires(), Some(store.clock().now() + 60 * MINUTE));
}
