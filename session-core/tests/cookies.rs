//! Session cookies beside what browsers keep: what is refused, when, and what happens to rows from
//! elsewhere whose settings are refused here.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

mod common;

use std::time::Duration;

use common::{ALL, Recorder, Visitor, start};
use session_core::{
    Connection, CookieOptions, Error, ErrorKind, Lifecycle, NameBinding, Record, SameSite,
    SameSiteOption, SecureOption, Session, SessionId, SessionOptions, StoredExpiry,
};

fn build(change: impl FnOnce(SessionOptions) -> SessionOptions) -> Result<Lifecycle, Error> {
    Lifecycle::new(change(Recorder::new(ALL).options()))
}

#[test]
fn options_with_which_no_browser_keeps_the_cookie_are_refused() {
    let cookie = CookieOptions::new;
    let secure = || cookie().secure(true);
    let second = Duration::from_secs(1);
    let a = |length: usize| "a".repeat(length);
    for (name, cookie, fault) in [
        ("__Host-a".to_owned(), cookie(), "needs Secure"),
        ("__host-a".to_owned(), secure().domain("a.b"), "no domain"),
        ("__Host-a".to_owned(), secure().path("/a"), "the path `/`"),
        ("__Secure-a".to_owned(), cookie(), "needs Secure"),
        (
            "__Http-a".to_owned(),
            secure().http_only(false),
            "needs HttpOnly",
        ),
        (
            "__Host-Http-a".to_owned(),
            secure().path("/a"),
            "the path `/`",
        ),
        (
            "a".to_owned(),
            cookie().same_site(SameSite::None),
            "SameSite=None needs",
        ),
        (
            "a".to_owned(),
            cookie().same_site(SameSiteOption::Auto),
            "SameSite=None needs",
        ),
        (
            "a".to_owned(),
            cookie().partitioned(true),
            "Partitioned needs",
        ),
        ("a".to_owned(), cookie().path("app"), "begin with `/`"),
        ("a".to_owned(), cookie().path(""), "begin with `/`"),
        (
            "a".to_owned(),
            cookie().path(format!("/{}", a(1024))),
            "1,024 bytes",
        ),
        (
            "a".to_owned(),
            cookie().domain(format!("a.{}", [a(63).as_str(); 4].join("."))),
            "253",
        ),
        (
            "a".to_owned(),
            cookie().max_age(Duration::ZERO),
            "below a second",
        ),
        (
            "a".to_owned(),
            cookie().max_age(second - Duration::from_millis(1)),
            "below a second",
        ),
        ("a".to_owned(), cookie().expires(start()), "below a second"),
        (a(4096), cookie(), "4,096 bytes"),
    ] {
        let shown = format!("{name:.20} {cookie:?}");
        let error = build(|options| options.name(name).cookie(cookie)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{shown}");
        assert!(error.to_string().contains(fault), "{shown}: {error}");
    }
}

#[test]
fn options_with_which_some_browser_keeps_the_cookie_are_not() {
    let cookie = CookieOptions::new;
    let secure = || cookie().secure(true);
    for (name, cookie) in [
        ("__Host-a", secure()),
        // Over a secure connection, it is.
        ("__Host-a", cookie().secure(SecureOption::Auto)),
        (
            "__Secure-a",
            secure().domain("a.b").path("/a").http_only(false),
        ),
        ("__Host-Http-a", secure()),
        ("__host", cookie()),
        ("a", secure().same_site(SameSite::None).partitioned(true)),
        (
            "a",
            cookie()
                .secure(SecureOption::Auto)
                .same_site(SameSite::None),
        ),
        ("a", secure().same_site(SameSiteOption::Auto)),
        ("a", cookie().domain("localhost")),
        ("a", cookie().domain("127.0.0.1")),
        ("a", cookie().domain(".example.com")),
        ("a", cookie().domain("")),
        ("a", cookie().max_age(Duration::from_secs(1))),
        ("a", cookie().expires(start() + Duration::from_secs(1))),
    ] {
        let shown = format!("{name} {cookie:?}");
        let built = build(|options| options.name(name).cookie(cookie));
        assert!(built.is_ok(), "{shown}: {:?}", built.err());
    }
}

/// What comes of a new session in a request, and the calls of the store.
fn new_session(
    change: impl FnOnce(SessionOptions) -> SessionOptions,
    connection: Connection,
    handler: impl AsyncFnOnce(Session),
) -> (Result<bool, ErrorKind>, String) {
    let store = Recorder::new(ALL);
    let lifecycle = Lifecycle::new(change(store.options())).unwrap();
    let mut visitor = Visitor {
        connection,
        ..Visitor::default()
    };
    let response = visitor.try_visit(&lifecycle, async |session| {
        session.insert("a", &1).unwrap();
        handler(session).await;
    });
    let told = response.map(|response| response.sets_cookie());
    (told.map_err(|error| error.kind()), store.calls())
}

#[test]
fn what_depends_on_the_request_is_refused_before_anything_is_stored() {
    let refused = (Err(ErrorKind::Config), String::new());
    let nothing = async |_: Session| ();
    for cookie in [
        CookieOptions::new().same_site(SameSite::None),
        CookieOptions::new().partitioned(true),
        CookieOptions::new().path("app"),
        CookieOptions::new().max_age(Duration::ZERO),
        CookieOptions::new()
            .secure(SecureOption::Auto)
            .same_site(SameSite::None),
    ] {
        let with = |options: SessionOptions| options.cookie_with(move |_| cookie.clone());
        assert_eq!(new_session(with, Connection::Plain, nothing), refused);
    }
    let auto = CookieOptions::new()
        .secure(SecureOption::Auto)
        .same_site(SameSite::None);
    for (connection, expected) in [
        (Connection::Plain, refused.clone()),
        (Connection::Encrypted, (Ok(true), "create".to_owned())),
    ] {
        let with = |options: SessionOptions| options.cookie(auto.clone());
        assert_eq!(new_session(with, connection, nothing), expected);
    }
    let host = |options: SessionOptions| {
        let cookie = CookieOptions::new().secure(SecureOption::Auto);
        options.name("__Host-a").cookie(cookie)
    };
    assert_eq!(new_session(host, Connection::Plain, nothing), refused);
    let long =
        |options: SessionOptions| options.genid(|_| SessionId::new("ä".repeat(700)).unwrap());
    assert_eq!(new_session(long, Connection::Plain, nothing), refused);
}

#[test]
fn what_a_handler_sets_is_refused_before_anything_is_stored() {
    let changes: [fn(&Session); 5] = [
        |s| s.update_cookie(|cookie| cookie.set_same_site(Some(SameSite::None))),
        |s| s.update_cookie(|cookie| cookie.set_partitioned(true)),
        |s| s.update_cookie(|cookie| cookie.set_path("app")),
        |s| s.update_cookie(|cookie| cookie.set_domain(Some("a b".to_owned()))),
        |s| s.set_max_age(Some(Duration::ZERO)),
    ];
    for change in changes {
        for saves in [false, true] {
            let handler = async |session: Session| {
                change(&session);
                if saves {
                    let error = session.save().await.unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::Config);
                }
            };
            let told = new_session(|options| options, Connection::Plain, handler);
            assert_eq!(told, (Err(ErrorKind::Config), String::new()));
        }
    }
}

#[test]
fn a_stored_session_is_not_changed_into_one_that_no_browser_keeps() {
    let store = Recorder::new(ALL);
    let lifecycle = Lifecycle::new(store.options()).unwrap();
    let mut visitor = Visitor::with_session(&lifecycle);
    let before = store.only();
    let error = visitor
        .try_visit(&lifecycle, async |session| {
            session.update_cookie(|cookie| cookie.set_path("app"));
        })
        .unwrap_err();
    assert_eq!((error.kind(), store.only()), (ErrorKind::Config, before));
    // A max age of zero ends it, as in express-session.
    let response = visitor.visit(&lifecycle, |session| {
        session.set_max_age(Some(Duration::ZERO))
    });
    assert!(
        response.0[0].contains("Expires=Fri, 02 Jan 2026 03:04:05 GMT"),
        "{response:?}"
    );
    assert_eq!(store.len(), 0);
}

/// A visitor with a row that an express-session has stored with these cookie settings.
fn with_row(lifecycle: &Lifecycle, store: &Recorder, settings: &str) -> Visitor {
    let visitor = Visitor::with_session(lifecycle);
    let row =
        format!(r#"{{"cookie":{{"originalMaxAge":null,"expires":null,{settings}}},"seed":1}}"#);
    let record = Record::decode(row, StoredExpiry::from(None)).unwrap();
    store.inner().records.insert(visitor.id(), record);
    store.calls();
    visitor
}

/// Settings of which the first is refused here, and whether a header can hold them.
const FROM_ELSEWHERE: [(&str, bool); 6] = [
    (r#""sameSite":"none","path":"/""#, true),
    (r#""partitioned":true,"path":"/""#, true),
    (r#""path":"app""#, true),
    (r#""path":"/;""#, false),
    (r#""domain":"a b","path":"/""#, false),
    (
        r#""sameSite":"sometimes","priority":"top","path":"/""#,
        false,
    ),
];

fn refused(settings: &str) -> &str {
    settings.split(',').next().unwrap()
}

#[test]
fn a_row_with_such_settings_can_be_read_and_changed() {
    for (settings, writable) in FROM_ELSEWHERE {
        let store = Recorder::new(ALL);
        let lifecycle = Lifecycle::new(store.options().rolling(true)).unwrap();
        let mut visitor = with_row(&lifecycle, &store, settings);
        let mut response = visitor.visit(&lifecycle, |session| {
            assert_eq!(session.get("seed").unwrap(), Some(1));
            session.insert("a", &1).unwrap();
        });
        // As express-session does: the browser keeps what it has.
        assert_eq!(response.sets_cookie(), writable, "{settings}");
        assert!(store.only().contains(refused(settings)), "{}", store.only());
        response = visitor.visit(&lifecycle, |session| {
            session.set_max_age(Some(Duration::from_secs(60)));
        });
        assert_eq!(response.sets_cookie(), writable, "{settings}");
        assert!(
            store.only().contains(r#""originalMaxAge":60000"#),
            "{}",
            store.only()
        );
    }
}

#[test]
fn such_a_row_can_be_signed_out_of() {
    let ways: [fn(&Session); 5] = [
        |session| pollster::block_on(session.destroy()).unwrap(),
        |session| session.regenerate(),
        |session| session.regenerate_keeping(["language"]),
        |session| {
            session.clear();
            session.cycle_id();
        },
        |session| {
            session.set_max_age(Some(Duration::from_secs(60)));
            session.cycle_id();
            session.remove("seed");
        },
    ];
    for (settings, _) in FROM_ELSEWHERE {
        for sign_out in ways {
            let store = Recorder::new(ALL);
            let lifecycle = Lifecycle::new(store.options()).unwrap();
            let mut visitor = with_row(&lifecycle, &store, settings);
            let old = visitor.id();
            let response = visitor.visit(&lifecycle, |session| sign_out(&session));
            assert!(!store.has(&old), "{settings}");
            // What is dropped is not what is set.
            let place = |cookie: &String| {
                let is_place =
                    |part: &&str| part.starts_with("Path=") || part.starts_with("Domain=");
                cookie.split("; ").filter(is_place).collect::<String>()
            };
            let mut places: Vec<_> = response.0.iter().map(place).collect();
            places.dedup();
            assert!(
                !places.is_empty() && places.len() == response.0.len(),
                "{response:?}"
            );
            // Whatever is sent is such that browsers keep it, and so drop what they have.
            for cookie in &response.0 {
                for wrong in ["None", "Partitioned", "Path=app", "a b"] {
                    assert!(!cookie.contains(wrong), "{cookie}");
                }
                assert!(cookie.contains("; Path=/"), "{cookie}");
            }
            let mut rows = store.sessions().into_iter();
            assert!(rows.all(|row| !row.contains(refused(settings))));
        }
    }
}

#[test]
fn a_row_with_a_max_age_below_a_second_can_be_signed_out_of() {
    let store = Recorder::new(ALL);
    let cookie = CookieOptions::new().max_age(Duration::from_secs(60));
    let lifecycle = Lifecycle::new(store.options().cookie(cookie)).unwrap();
    for settings in [r#""path":"/""#, r#""path":"app""#] {
        let mut visitor = with_row(&lifecycle, &store, settings);
        let record = store.inner().records[&visitor.id()].json().replace(
            r#""originalMaxAge":null,"expires":null"#,
            r#""originalMaxAge":0,"expires":"2026-01-02T03:04:06.000Z""#,
        );
        let end = Some(start() + Duration::from_secs(1));
        let record = Record::decode(record, StoredExpiry::from(end)).unwrap();
        store.inner().records.insert(visitor.id(), record);
        let response = visitor.visit(&lifecycle, |session| {
            session.clear();
            session.cycle_id();
        });
        assert!(response.0[0].contains("; Path=/; Expires=Fri, 02 Jan 2026 03:05:05"));
        visitor.visit(&lifecycle, |session| assert!(session.keys().is_empty()));
    }
}

#[test]
fn a_new_cookie_is_not_dropped_with_an_old_one_whose_domain_is_written_otherwise() {
    let store = Recorder::new(ALL);
    let cookie = CookieOptions::new().domain("example.com");
    let lifecycle = Lifecycle::new(store.options().cookie(cookie)).unwrap();
    for (domain, dropped) in [
        (".Example.com", false),
        ("EXAMPLE.com", false),
        ("www.example.com", true),
    ] {
        let settings = format!(r#""domain":"{domain}","path":"/""#);
        let mut visitor = with_row(&lifecycle, &store, &settings);
        let response = visitor.visit(&lifecycle, |session| session.regenerate());
        assert!(response.sets_cookie());
        assert_eq!(response.drops_cookie(), dropped, "{domain}");
    }
}

#[test]
fn a_prefixed_cookie_is_dropped_where_it_can_only_lie() {
    let store = Recorder::new(ALL);
    let cookie = CookieOptions::new().secure(true);
    let options = store.options().name("__Host-sid").cookie(cookie);
    let lifecycle = Lifecycle::new(options).unwrap();
    let mut visitor = Visitor {
        connection: Connection::Encrypted,
        ..Visitor::default()
    };
    visitor.visit(&lifecycle, |session| session.insert("a", &1).unwrap());
    let id = store.inner().records.keys().next().unwrap().clone();
    let row = r#"{"cookie":{"originalMaxAge":null,"expires":null,"domain":"a.b","path":"/a"}}"#;
    let record = Record::decode(row.to_owned(), StoredExpiry::from(None)).unwrap();
    store.inner().records.insert(id, record);
    let response =
        visitor.visit_async(&lifecycle, async |session| session.destroy().await.unwrap());
    let dropped = "__Host-sid=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure";
    // The row has no httpOnly, which counts as the default.
    assert_eq!(response.0, [dropped]);
}

/// A lifecycle for each of two layers that share a store and secrets.
fn two_layers(store: &Recorder, binding: NameBinding) -> [Lifecycle; 2] {
    ["shop.sid", "office.sid"].map(|name| {
        let options = store.options().name(name).bind_to_name(binding);
        Lifecycle::new(options).unwrap()
    })
}

/// Whether a cookie that `from` gives, sent as its own or under the name of `to`, opens the
/// session there.
fn opens(from: &Lifecycle, to: &Lifecycle) -> bool {
    let mut visitor = Visitor::default();
    visitor.visit(from, |session| session.insert("seed", &1).unwrap());
    visitor.cookie = visitor
        .cookie
        .map(|cookie| cookie.replace(from.name(), to.name()));
    let mut opened = false;
    visitor.visit(to, |session| opened = session.contains_key("seed"));
    opened
}

#[test]
fn a_cookie_that_is_bound_to_its_name_opens_no_session_of_another_layer() {
    let store = Recorder::new(ALL);
    for (binding, shared) in [
        (NameBinding::No, true),
        (NameBinding::Accepted, true),
        (NameBinding::Preferred, false),
        (NameBinding::Required, false),
    ] {
        let [shop, office] = two_layers(&store, binding);
        assert!(
            opens(&shop, &shop) && opens(&office, &office),
            "{binding:?}"
        );
        assert_eq!(opens(&shop, &office), shared, "{binding:?}");
    }
}

#[test]
fn cookies_are_bound_step_by_step_without_signing_anybody_out() {
    let store = Recorder::new(ALL);
    let with = |binding| {
        let [shop, _] = two_layers(&store, binding);
        shop
    };
    let steps = [
        NameBinding::No,
        NameBinding::Accepted,
        NameBinding::Preferred,
        NameBinding::Required,
    ];
    for two in steps.windows(2) {
        let [one, next] = [with(two[0]), with(two[1])];
        // While the one is deployed after the other, each process meets the other's cookies.
        assert!(opens(&next, &one), "{two:?}");
        let unbound_is_over = two[1] == NameBinding::Required;
        assert!(opens(&one, &next), "{two:?}");
        assert_eq!(opens(&with(NameBinding::No), &next), !unbound_is_over);
    }
    // A cookie from before gets its new signature whenever it is sent again.
    let mut visitor = Visitor::default();
    visitor.visit(&with(NameBinding::No), |session| {
        session.insert("seed", &1).unwrap()
    });
    visitor.visit(&with(NameBinding::Preferred), |session| {
        session.set_max_age(Some(Duration::from_secs(60)));
    });
    visitor.visit(&with(NameBinding::Required), |session| {
        assert!(!session.is_new())
    });
}

#[test]
fn max_age_is_sent_beside_expires_by_option() {
    let cookie_of = |sends: bool, cookie: CookieOptions| {
        let store = Recorder::new(ALL);
        let lifecycle = Lifecycle::new(
            store
                .options()
                .cookie(cookie)
                .rolling(true)
                .send_max_age(sends),
        );
        let lifecycle = lifecycle.unwrap();
        let mut visitor = Visitor::default();
        let made = visitor.visit(&lifecycle, |session| session.insert("a", &1).unwrap());
        store.clock().advance(Duration::from_secs(30));
        let rolled = visitor.visit(&lifecycle, |_| ());
        let dropped =
            visitor.visit_async(&lifecycle, async |session| session.destroy().await.unwrap());
        [made, rolled, dropped].map(|response| {
            let (_, attributes) = response.0[0].split_once("; ").unwrap();
            attributes.to_owned()
        })
    };
    // A part of a second counts as one.
    let age = Duration::from_millis(59_999);
    assert_eq!(
        cookie_of(true, CookieOptions::new().max_age(age)),
        [
            "Path=/; Max-Age=60; Expires=Fri, 02 Jan 2026 03:05:05 GMT; HttpOnly",
            "Path=/; Max-Age=60; Expires=Fri, 02 Jan 2026 03:05:35 GMT; HttpOnly",
            "Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly",
        ]
    );
    let [made, _, dropped] = cookie_of(false, CookieOptions::new().max_age(age));
    assert!(!made.contains("Max-Age") && !dropped.contains("Max-Age"));
    let [made, _, dropped] = cookie_of(true, CookieOptions::new());
    assert_eq!(made, "Path=/; HttpOnly", "it ends with the browser");
    assert!(dropped.contains("Max-Age=0"));
}
