//! Where the lifecycle departs from express-session 1.x on purpose: each departure by its number
//! in the table of the crate's docs.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

mod common;

use std::time::Duration;

use common::{ALL, Recorder, Visitor, start};
use session_core::{
    Capabilities, Clock, Connection, CookieOptions, ErrorKind, Lifecycle, OnStoreError, Record,
    SameSite, Session, SessionOptions, Store, Unset,
};

const MINUTE: Duration = Duration::from_secs(60);

fn lifecycle(store: &Recorder) -> Lifecycle {
    lifecycle_with(store, |options| options)
}

fn lifecycle_with(
    store: &Recorder,
    change: impl FnOnce(SessionOptions) -> SessionOptions,
) -> Lifecycle {
    let cookie = CookieOptions::new().max_age(MINUTE);
    Lifecycle::new(change(store.options().cookie(cookie))).unwrap()
}

#[test]
fn d01_a_failed_save_is_an_error_and_not_a_cookie() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store);
    store.fail("create", ErrorKind::Unavailable);
    let mut visitor = Visitor::default();
    let error = visitor
        .try_visit(&lifecycle, async |session| session.insert("a", &1).unwrap())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(error.status(), 503);
    assert_eq!((visitor.cookie, store.len()), (None, 0));
}

#[test]
fn d02_destroy_wins_over_a_late_write() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store);
    let mut slow = Visitor::with_session(&lifecycle);
    let mut other = slow.clone();
    let response = slow.visit_async(&lifecycle, async |session| {
        session.insert("late", &1).unwrap();
        let out = other.visit_async(&lifecycle, async |s| s.destroy().await.unwrap());
        assert!(out.drops_cookie());
    });
    // No cookie at all: the browser may have got a new one meanwhile.
    assert!(response.0.is_empty());
    assert_eq!(store.len(), 0);
}

#[test]
fn d02_regenerate_wins_over_a_late_write() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store);
    let mut slow = Visitor::with_session(&lifecycle);
    let mut other = slow.clone();
    slow.visit(&lifecycle, |session| {
        session.insert("late", &1).unwrap();
        other.visit(&lifecycle, |session| {
            session.regenerate();
            session.insert("user", "alice").unwrap();
        });
    });
    assert!(store.only().ends_with(r#","user":"alice"}"#));
    other.visit(&lifecycle, |session| assert_eq!(session.keys(), ["user"]));
}

#[test]
fn d02_an_explicit_save_says_that_the_session_is_gone() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store);
    let mut slow = Visitor::with_session(&lifecycle);
    let mut other = slow.clone();
    slow.visit_async(&lifecycle, async |session| {
        other.visit_async(&lifecycle, async |session| session.destroy().await.unwrap());
        session.insert("late", &1).unwrap();
        assert_eq!(session.save().await.unwrap_err().kind(), ErrorKind::Missing);
        assert_eq!(session.save().await.unwrap_err().kind(), ErrorKind::Missing);
        assert_eq!(
            session.reload().await.unwrap_err().kind(),
            ErrorKind::Missing
        );
    });
    assert_eq!(store.len(), 0);
}

#[test]
fn d02_concurrent_edits_are_merged() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store);
    let mut one = Visitor::with_session(&lifecycle);
    let mut two = one.clone();
    one.visit(&lifecycle, |session| {
        session.insert("one", &1).unwrap();
        session
            .update("n", |n: Option<u32>| n.unwrap_or(0) + 1)
            .unwrap();
        two.visit(&lifecycle, |session| {
            session.insert("two", &2).unwrap();
            session
                .update("n", |n: Option<u32>| n.unwrap_or(0) + 10)
                .unwrap();
            session.remove("seed");
        });
    });
    assert!(
        store.only().ends_with(r#","two":2,"n":11,"one":1}"#),
        "{}",
        store.only()
    );
}

#[test]
fn d03_the_new_session_exists_before_the_old_one_goes_and_is_saved_once() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store);
    let mut visitor = Visitor::with_session(&lifecycle);
    let old = visitor.id();
    store.calls();
    let response = visitor.visit_async(&lifecycle, async |session| {
        session.regenerate();
        session.insert("user", "alice").unwrap();
        session.save().await.unwrap();
    });
    assert_eq!(store.calls(), "get create replace");
    assert!(response.sets_cookie() && !response.drops_cookie());
    assert_ne!(visitor.id(), old);
    assert!(store.only().ends_with(r#"},"user":"alice"}"#));
}

#[test]
fn d03_a_failure_leaves_the_browser_with_the_session_that_it_had() {
    // Also if it is the old one that cannot be removed: nobody hears of the new one, which goes.
    for failing in ["create", "replace"] {
        let store = Recorder::new(ALL);
        let lifecycle = lifecycle(&store);
        let mut visitor = Visitor::with_session(&lifecycle);
        store.fail(failing, ErrorKind::Unavailable);
        let regenerate = async |session: Session| {
            session.regenerate();
            session.insert("user", "alice").unwrap();
        };
        let error = visitor.try_visit(&lifecycle, regenerate).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        store.heal();
        visitor.visit(&lifecycle, |session| {
            assert_eq!(session.keys(), ["seed"], "{failing}")
        });
        assert_eq!(store.len(), 1, "{failing}");
    }
}

#[test]
fn d03_a_save_leaves_the_old_session_until_the_response() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store);
    let mut visitor = Visitor::with_session(&lifecycle);
    visitor.visit_async(&lifecycle, async |session| {
        for expected in [2, 3] {
            session.regenerate();
            session.save().await.unwrap();
            assert_eq!(store.len(), expected);
        }
    });
    assert_eq!(store.len(), 1);
    visitor.visit(&lifecycle, |session| assert!(!session.is_new()));
}

#[test]
fn a_failed_write_sends_no_cookie() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle_with(&store, |options| options.rolling(true));
    let mut visitor = Visitor::with_session(&lifecycle);
    let before = visitor.cookie.take();
    visitor.cookie.clone_from(&before);
    store.fail("replace", ErrorKind::Unavailable);
    pollster::block_on(async {
        let exchange = visitor.begin(&lifecycle).unwrap();
        let session = exchange.session().await.unwrap().unwrap();
        session.insert("a", &1).unwrap();
        let unfinished = exchange.finish().await.unwrap_err();
        assert_eq!(unfinished.outcome.cookies().count(), 0);
    });
}

#[test]
fn a_cookie_that_no_header_can_hold_is_refused_before_anything_is_written() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store);
    let error = Visitor::default()
        .try_visit(&lifecycle, async |session| {
            session.insert("a", &1).unwrap();
            session.update_cookie(|c| c.set_path("/;"));
        })
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(store.calls(), "");
}

#[test]
fn d04_a_destroyed_sessions_cookie_is_dropped_where_it_lies() {
    let store = Recorder::new(ALL);
    let cookie = CookieOptions::new()
        .path("/app")
        .domain("example.com")
        .partitioned(true)
        .secure(true);
    let lifecycle = Lifecycle::new(store.options().cookie(cookie)).unwrap();
    let mut visitor = Visitor {
        path: Some("/app"),
        connection: Connection::Encrypted,
        ..Visitor::default()
    };
    visitor.visit(&lifecycle, |session| session.insert("a", &1).unwrap());
    let response =
        visitor.visit_async(&lifecycle, async |session| session.destroy().await.unwrap());
    assert_eq!(
        response.0,
        [
            "connect.sid=; Domain=example.com; Path=/app; Expires=Thu, 01 Jan 1970 00:00:00 GMT; \
          HttpOnly; Secure; Partitioned"
        ]
    );
    assert_eq!(store.len(), 0);
}

#[test]
fn d04_an_old_cookie_is_dropped_where_other_settings_lead_elsewhere() {
    let moves = |session: Session| session.update_cookie(|cookie| cookie.set_path("/app"));
    let dropped = "connect.sid=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly";
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store);
    for regenerates in [false, true] {
        let mut visitor = Visitor::with_session(&lifecycle);
        let mut stale = visitor.clone();
        let response = visitor.visit(&lifecycle, |session| {
            if regenerates {
                session.regenerate();
            }
            moves(session);
        });
        assert!(response.sets_cookie());
        assert_eq!(response.0[1..], [dropped]);
        // Whoever comes with a cookie of no session has it where new ones are put.
        store.inner().records.clear();
        let response = stale.visit_async(&lifecycle, async |session| {
            if regenerates {
                session.regenerate();
            }
            moves(session.clone());
            session.destroy().await.unwrap();
        });
        assert_eq!(response.0, [dropped]);
    }
}

#[test]
fn d04_writes_after_destroy_start_a_new_session() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store);
    let mut visitor = Visitor::with_session(&lifecycle);
    let old = visitor.id();
    let response = visitor.visit_async(&lifecycle, async |session| {
        session.destroy().await.unwrap();
        assert_eq!(session.id(), old);
        assert!(session.keys().is_empty());
        session.insert("flash", "bye").unwrap();
        assert_ne!(session.id(), old);
    });
    assert!(response.sets_cookie() && !response.drops_cookie());
    assert_ne!(visitor.id(), old);
    assert!(store.only().ends_with(r#"},"flash":"bye"}"#));
}

#[test]
fn d04_a_visitor_without_a_cookie_has_none_to_drop() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store);
    let response = Visitor::default().visit_async(&lifecycle, async |session| {
        session.insert("a", &1).unwrap();
        session.destroy().await.unwrap();
    });
    assert!(response.0.is_empty());
    assert_eq!(store.calls(), "");
}

#[test]
fn d05_changed_cookie_settings_alone_are_saved_and_sent() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store);
    let mut visitor = Visitor::with_session(&lifecycle);
    store.calls();
    let response = visitor.visit(&lifecycle, |session| session.set_max_age(Some(60 * MINUTE)));
    assert_eq!(store.calls(), "get replace");
    assert!(
        response.0[0].contains("Expires=Fri, 02 Jan 2026 04:04:05 GMT"),
        "{response:?}"
    );
    assert!(store.only().contains(r#""originalMaxAge":3600000,"#));

    let response = visitor.visit(&lifecycle, |session| session.expire_with_browser());
    assert!(
        response.sets_cookie() && !response.0[0].contains("Expires"),
        "{response:?}"
    );
    let response = visitor.visit(&lifecycle, |session| session.expire_with_browser());
    assert!(response.0.is_empty(), "nothing changed");
}

#[test]
fn d06_the_first_cookie_with_a_good_signature_counts() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store);
    let mut visitor = Visitor::with_session(&lifecycle);
    let good = visitor.cookie.clone().unwrap();
    visitor.cookie = Some(format!("connect.sid=s%3Astale.sig; connect.sid=x; {good}"));
    visitor.visit(&lifecycle, |session| {
        assert_eq!(session.get("seed").unwrap(), Some(1))
    });
}

#[test]
fn d06_a_percent_encoded_name_is_another_name() {
    let store = Recorder::new(ALL);
    let options = store.options().name("__Host-id");
    let options = options.cookie(CookieOptions::new().secure(true));
    let lifecycle = Lifecycle::new(options).unwrap();
    let mut visitor = Visitor {
        connection: Connection::Encrypted,
        ..Visitor::default()
    };
    visitor.visit(&lifecycle, |session| session.insert("a", &1).unwrap());
    visitor.cookie = visitor
        .cookie
        .map(|cookie| cookie.replace("__Host-id", "__%48ost-id"));
    visitor.visit(&lifecycle, |session| assert!(session.is_new()));
}

#[test]
fn d07_the_cookies_path_matches_by_segments() {
    let store = Recorder::new(ALL);
    let options = store.options().cookie(CookieOptions::new().path("/foo"));
    let lifecycle = Lifecycle::new(options).unwrap();
    let covered = |path| {
        Visitor {
            path: Some(path),
            ..Visitor::default()
        }
        .begin(&lifecycle)
        .is_some()
    };
    assert!(covered("/foo") && covered("/foo/bar") && covered("/foo?a=/x"));
    assert!(!covered("/foobar") && !covered("/") && !covered("*"));
}

#[test]
fn d08_an_explicit_save_writes_a_fresh_expires() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store);
    let mut visitor = Visitor::with_session(&lifecycle);
    store.clock().advance(MINUTE / 2);
    visitor.visit_async(&lifecycle, async |session| {
        assert_eq!(session.max_age(), Some(MINUTE / 2));
        session.save().await.unwrap();
        assert_eq!(session.max_age(), Some(MINUTE));
    });
    assert!(
        store
            .only()
            .contains(r#""expires":"2026-01-02T03:05:35.678Z""#),
        "{}",
        store.only()
    );
    assert_eq!(store.calls(), "create get replace");
}

#[test]
fn d09_reload_adopts_what_it_reads_as_unmodified() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store);
    let mut visitor = Visitor::with_session(&lifecycle);
    let mut other = visitor.clone();
    store.calls();
    let response = visitor.visit_async(&lifecycle, async |session| {
        session.insert("dropped", &1).unwrap();
        other.visit(&lifecycle, |session| session.insert("theirs", &2).unwrap());
        session.reload().await.unwrap();
        assert_eq!(session.keys(), ["seed", "theirs"]);
    });
    assert_eq!(store.calls(), "get get replace get touch");
    assert!(response.0.is_empty());
}

#[test]
fn d10_unset_destroy_after_a_failed_load_deletes_nothing() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle_with(&store, |options| {
        options
            .unset(Unset::Destroy)
            .on_store_error(OnStoreError::ServeWithoutSession)
    });
    let mut visitor = Visitor::with_session(&lifecycle);
    store.fail("get", ErrorKind::Unavailable);
    store.calls();
    visitor.visit(&lifecycle, |_| panic!("there is no session to hand out"));
    assert_eq!(store.calls(), "get");
    store.heal();
    visitor.visit(&lifecycle, |session| {
        assert_eq!(session.get("seed").unwrap(), Some(1))
    });
}

#[test]
fn d10_a_row_that_cannot_be_decoded_is_left_alone() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle_with(&store, |options| options.unset(Unset::Destroy));
    let mut visitor = Visitor::with_session(&lifecycle);
    let old = visitor.id();
    store.fail("get", ErrorKind::Decode);
    visitor.clone().visit(&lifecycle, |session| session.unset());
    visitor.visit(&lifecycle, |session| {
        assert!(session.is_new());
        session.insert("a", &1).unwrap();
    });
    assert_ne!(visitor.id(), old);
    assert!(store.inner().records.contains_key(&old));
    assert_eq!(store.len(), 2);
}

#[test]
fn d11_a_new_session_whose_cookie_cannot_be_sent_is_not_saved() {
    let store = Recorder::new(ALL);
    let options = store
        .options()
        .cookie(CookieOptions::new().secure(true))
        .save_uninitialized(true);
    let lifecycle = Lifecycle::new(options).unwrap();
    let mut visitor = Visitor::default();
    let response = visitor.visit(&lifecycle, |session| session.insert("a", &1).unwrap());
    assert!(response.0.is_empty());
    assert_eq!((store.calls().as_str(), store.len()), ("", 0));

    visitor.connection = Connection::Encrypted;
    assert!(visitor.visit(&lifecycle, |_| ()).sets_cookie());
    // A session that is stored is kept up, its cookie withheld. One that gets another id keeps its
    // data where they can be found; one that was ended is gone, and nothing comes after it.
    visitor.connection = Connection::Plain;
    let response = visitor.visit(&lifecycle, |session| session.set_max_age(Some(MINUTE)));
    assert!(response.0.is_empty());
    let response = visitor.visit(&lifecycle, |session| session.cycle_id());
    assert!(response.0.is_empty());
    assert!(store.only().contains(r#""originalMaxAge":60000"#));
    store.calls();
    let response = visitor.visit(&lifecycle, |session| session.regenerate());
    assert!(response.0.is_empty());
    assert_eq!((store.calls().as_str(), store.len()), ("get replace", 0));
    // What a handler saves itself is saved, and what it ends after that is ended.
    let twice = async |session: Session| {
        session.save().await.unwrap();
        session.regenerate();
        session.save().await.unwrap();
    };
    let mut other = Visitor {
        connection: Connection::Plain,
        ..Visitor::default()
    };
    assert!(other.visit_async(&lifecycle, twice).0.is_empty());
    assert_eq!(
        (store.calls().as_str(), store.len()),
        ("create create replace", 1)
    );
}

#[test]
fn d12_a_new_session_that_was_saved_gets_its_cookie() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store);
    let mut visitor = Visitor::default();
    let save = async |session: Session| session.save().await.unwrap();
    assert!(visitor.visit_async(&lifecycle, save).sets_cookie());
    assert_eq!(store.calls(), "create");
    visitor.visit(&lifecycle, |session| assert!(!session.is_new()));
}

#[test]
fn d13_keys_that_node_would_erase_are_refused() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store);
    Visitor::default().visit(&lifecycle, |session| {
        for key in ["id", "req", "cookie", "save", "toString", "__proto__"] {
            let refused = [
                session.insert(key, &1).unwrap_err(),
                session.update(key, |_: Option<u32>| 1).unwrap_err(),
            ];
            assert!(
                refused
                    .iter()
                    .all(|error| error.kind() == ErrorKind::ReservedKey)
            );
        }
        session.insert("toJSON", &1).unwrap();
    });
}

#[test]
fn an_id_that_is_in_use_is_not_taken_over() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle_with(&store, |options| {
        options.genid(|_| session_core::SessionId::new("apple").unwrap())
    });
    Visitor::default().visit(&lifecycle, |session| {
        session.insert("owner", "first").unwrap()
    });
    let error = Visitor::default()
        .try_visit(&lifecycle, async |session| {
            session.insert("owner", "second").unwrap()
        })
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(store.only().contains("first"));
}

#[test]
fn stores_without_conditional_writes_work_as_in_express() {
    let store = Recorder::new(Capabilities::NONE);
    let lifecycle = lifecycle(&store);
    let mut visitor = Visitor::with_session(&lifecycle);
    visitor.visit(&lifecycle, |session| session.cycle_id());
    visitor.visit(&lifecycle, |session| {
        assert_eq!(session.get("seed").unwrap(), Some(1))
    });
    assert_eq!(store.calls(), "set get set destroy get");
    assert_eq!(store.len(), 1);
}

#[test]
fn a_session_that_has_expired_meanwhile_is_not_revived() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store);
    let mut visitor = Visitor::with_session(&lifecycle);
    let id = visitor.id();
    let clock: &Clock = store.clock();
    visitor.visit(&lifecycle, |session| {
        clock.advance(MINUTE);
        session.insert("late", &1).unwrap();
    });
    assert!(pollster::block_on(store.get(&id)).unwrap().is_none());
    clock.set(start());
    let stored: Record = pollster::block_on(store.get(&id)).unwrap().unwrap();
    assert!(!stored.json().contains("late"));
}

/// A visitor who came by TLS and comes back without it, where cookies are secure.
fn insecure_again(store: &Recorder, lifecycle: &Lifecycle) -> Visitor {
    let mut visitor = Visitor {
        connection: Connection::Encrypted,
        ..Visitor::default()
    };
    visitor.visit(lifecycle, |session| {
        session.insert("user", "alice").unwrap()
    });
    assert_eq!(store.calls(), "create");
    visitor.connection = Connection::Plain;
    visitor
}

#[test]
fn d11_a_logout_ends_the_session_however_it_is_made() {
    let logouts: [fn(&Session); 4] = [
        |session| session.regenerate(),
        |session| session.regenerate_keeping(["language"]),
        |session| {
            session.remove("user");
            session.cycle_id();
        },
        |session| {
            session.cycle_id();
            session.clear();
        },
    ];
    for logout in logouts {
        let store = Recorder::new(ALL);
        let options = store.options().cookie(CookieOptions::new().secure(true));
        let lifecycle = Lifecycle::new(options).unwrap();
        let mut visitor = insecure_again(&store, &lifecycle);
        visitor.visit(&lifecycle, |session| logout(&session));
        visitor.connection = Connection::Encrypted;
        visitor.visit(&lifecycle, |session| {
            assert_eq!(session.get::<String>("user").unwrap(), None);
        });
        assert_eq!(store.len(), 0);
    }
}

#[test]
fn d11_regenerate_ends_the_session_also_where_genid_repeats_itself() {
    let store = Recorder::new(ALL);
    let options = store
        .options()
        .cookie(CookieOptions::new().secure(true))
        .genid(|_| session_core::SessionId::new("one-and-only").unwrap());
    let lifecycle = Lifecycle::new(options).unwrap();
    let mut visitor = insecure_again(&store, &lifecycle);
    visitor.visit(&lifecycle, |session| session.regenerate());
    assert_eq!((store.calls().as_str(), store.len()), ("get replace", 0));
}

#[test]
fn d11_an_id_that_nobody_heard_of_leaves_no_row() {
    let fresh = || {
        let store = Recorder::new(ALL);
        let options = store.options().cookie(CookieOptions::new().secure(true));
        (Lifecycle::new(options).unwrap(), store)
    };
    for saves_again in [false, true] {
        let (lifecycle, store) = fresh();
        insecure_again(&store, &lifecycle).visit_async(&lifecycle, async |session| {
            session.cycle_id();
            session.save().await.unwrap();
            session.cycle_id();
            if saves_again {
                session.save().await.unwrap();
            }
        });
        // The browser's, and what was saved last.
        assert_eq!(store.len(), if saves_again { 2 } else { 1 });
    }
    let (lifecycle, store) = fresh();
    let mut visitor = Visitor {
        connection: Connection::Plain,
        ..Visitor::default()
    };
    visitor.visit_async(&lifecycle, async |session| {
        session.insert("a", &1).unwrap();
        session.save().await.unwrap();
        session.cycle_id();
        session.save().await.unwrap();
    });
    assert_eq!(store.len(), 1, "{}", store.calls());
}

#[test]
fn d15_settings_with_which_no_browser_keeps_the_cookie_are_refused() {
    let store = Recorder::new(ALL);
    let error = Lifecycle::new(
        store
            .options()
            .cookie(CookieOptions::new().same_site(SameSite::None)),
    )
    .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(
        error.to_string().contains("SameSite=None needs Secure"),
        "{error}"
    );

    let lifecycle = lifecycle(&store);
    let error = Visitor::default()
        .try_visit(&lifecycle, async |session| {
            session.insert("a", &1).unwrap();
            session.update_cookie(|cookie| cookie.set_partitioned(true));
        })
        .unwrap_err();
    assert_eq!(
        (error.kind(), store.calls().as_str()),
        (ErrorKind::Config, "")
    );
}
