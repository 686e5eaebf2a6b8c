//! What a handler can do with its session, and what the options make of it.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

mod common;

use std::time::Duration;

use common::{ALL, Recorder, Visitor};
use http::HeaderValue;
use session_core::{
    Connection, CookieOptions, ErrorKind, Lifecycle, OnConflict, OnStoreError, Record, SameSite,
    SameSiteOption, Secrets, SecureOption, Session, SessionId, SessionOptions, StoredExpiry, Unset,
};

const MINUTE: Duration = Duration::from_secs(60);

fn lifecycle(store: &Recorder, change: impl FnOnce(SessionOptions) -> SessionOptions) -> Lifecycle {
    Lifecycle::new(change(store.options())).unwrap()
}

fn same(options: SessionOptions) -> SessionOptions {
    options
}

#[test]
fn data_is_read_and_edited_by_key() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store, same);
    let mut visitor = Visitor::default();
    visitor.visit(&lifecycle, |session| {
        session.insert("list", &[1, 2]).unwrap();
        session.insert("text", "a\"b").unwrap();
        session.insert("none", &()).unwrap();
        assert!(session.remove("none") && !session.remove("none"));
        assert_eq!(
            session
                .update("list", |l: Option<Vec<u8>>| l.unwrap())
                .unwrap(),
            [1, 2]
        );
    });
    visitor.visit(&lifecycle, |session| {
        assert_eq!(session.keys(), ["list", "text"]);
        assert!(session.contains_key("list") && !session.contains_key("none"));
        assert_eq!(session.get::<Vec<u8>>("list").unwrap().unwrap(), [1, 2]);
        assert_eq!(session.get::<String>("text").unwrap().unwrap(), "a\"b");
        assert_eq!(
            session.get::<String>("list").unwrap_err().kind(),
            ErrorKind::Decode
        );
        let data = session.data();
        assert_eq!(
            data.iter().map(|(_, json)| json).collect::<Vec<_>>(),
            ["[1,2]", r#""a\"b""#]
        );
        session.clear();
        assert!(session.keys().is_empty());
    });
    assert!(store.only().ends_with(r#""path":"/"}}"#));
}

#[test]
fn a_value_can_be_taken_out_once() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store, same);
    let mut visitor = Visitor::default();
    visitor.visit(&lifecycle, |session| {
        session.insert("flash", "saved").unwrap()
    });
    visitor.visit(&lifecycle, |session| {
        assert_eq!(
            session.take::<u32>("flash").unwrap_err().kind(),
            ErrorKind::Decode
        );
        assert_eq!(
            session.take::<String>("flash").unwrap().as_deref(),
            Some("saved")
        );
        assert_eq!(session.take::<String>("flash").unwrap(), None);
    });
    visitor.visit(&lifecycle, |session| assert!(session.keys().is_empty()));
}

#[test]
fn regenerate_starts_over_even_when_the_session_has_gone() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store, same);
    let mut visitor = Visitor::with_session(&lifecycle);
    let mut other = visitor.clone();
    visitor.visit_async(&lifecycle, async |session| {
        other.visit_async(&lifecycle, async |session| session.destroy().await.unwrap());
        session.insert("late", &1).unwrap();
        assert_eq!(session.save().await.unwrap_err().kind(), ErrorKind::Missing);
        session.cycle_id();
        assert_eq!(session.save().await.unwrap_err().kind(), ErrorKind::Missing);
        session.regenerate();
        session.insert("user", "alice").unwrap();
    });
    visitor.visit(&lifecycle, |session| assert_eq!(session.keys(), ["user"]));
    assert_eq!(store.len(), 1);
}

#[test]
fn edits_that_change_nothing_are_no_modification() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store, same);
    let mut visitor = Visitor::with_session(&lifecycle);
    let edits: [fn(&Session); 5] = [
        |session| session.insert("seed", &1).unwrap(),
        |session| {
            session.update("seed", |n: Option<u8>| n.unwrap()).unwrap();
        },
        |session| assert!(!session.remove("nothing")),
        |session| {
            session.insert("a", &1).unwrap();
            session.remove("a");
        },
        |session| session.touch(),
    ];
    for edit in edits {
        store.calls();
        visitor.visit(&lifecycle, |session| edit(&session));
        assert_eq!(store.calls(), "get touch");
    }
    // As in Node, the order of keys counts.
    visitor.visit(&lifecycle, |session| session.insert("b", &2).unwrap());
    store.calls();
    visitor.visit(&lifecycle, |session| {
        session.remove("seed");
        session.insert("seed", &1).unwrap();
    });
    assert_eq!(store.calls(), "get replace");
}

#[test]
fn an_update_may_use_the_session_and_sees_other_tasks_edits() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store, same);
    Visitor::default().visit(&lifecycle, |session| {
        let other = session.clone();
        let once = std::sync::Once::new();
        let n = session.update("n", move |n: Option<u32>| {
            once.call_once(|| other.insert("n", &41).unwrap());
            n.unwrap_or(0) + 1
        });
        assert_eq!(n.unwrap(), 42);
        assert_eq!(session.get::<u32>("n").unwrap(), Some(42));
    });
}

#[test]
fn a_panicking_update_leaves_the_session_usable() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store, same);
    Visitor::default().visit(&lifecycle, |session| {
        let panics = std::panic::AssertUnwindSafe(|| {
            session.update("n", |_: Option<u32>| -> u32 { panic!("handler") })
        });
        std::panic::catch_unwind(panics).unwrap_err();
        session.insert("n", &1).unwrap();
    });
    assert_eq!(store.len(), 1);
}

#[test]
fn explicit_saves_write_at_once_and_the_end_writes_what_came_after() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store, same);
    let mut visitor = Visitor::with_session(&lifecycle);
    store.calls();
    visitor.visit_async(&lifecycle, async |session| {
        session.insert("a", &1).unwrap();
        session.save().await.unwrap();
    });
    assert_eq!(store.calls(), "get replace");
    visitor.visit_async(&lifecycle, async |session| {
        session.insert("a", &2).unwrap();
        session.save().await.unwrap();
        session.insert("b", &3).unwrap();
    });
    assert_eq!(store.calls(), "get replace replace");
    assert!(store.only().ends_with(r#","a":2,"b":3}"#));
}

#[test]
fn what_a_second_write_takes_back_is_no_change_for_the_browser() {
    let store = Recorder::new(ALL);
    let cookie = CookieOptions::new().max_age(MINUTE);
    let lifecycle = lifecycle(&store, |options| options.cookie(cookie));
    let mut visitor = Visitor::with_session(&lifecycle);
    let response = visitor.visit_async(&lifecycle, async |session| {
        session.insert("a", &1).unwrap();
        session.save().await.unwrap();
        session.remove("a");
    });
    assert!(!response.sets_cookie());
    assert!(store.only().ends_with(r#","seed":1}"#));
    let response = visitor.visit_async(&lifecycle, async |session| {
        session.insert("a", &1).unwrap();
        session.save().await.unwrap();
        session.insert("a", &2).unwrap();
    });
    assert!(response.sets_cookie());
}

#[test]
fn reload_of_a_session_that_is_not_stored_fails_and_keeps_it() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store, same);
    let mut visitor = Visitor::default();
    visitor.visit_async(&lifecycle, async |session| {
        session.insert("a", &1).unwrap();
        let error = session.reload().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Missing);
        assert!(error.to_string().contains("failed to load session"));
    });
    assert!(store.only().contains(r#""a":1"#));
    visitor.visit_async(&lifecycle, async |session| {
        session.regenerate();
        assert_eq!(
            session.reload().await.unwrap_err().kind(),
            ErrorKind::Missing
        );
    });
}

#[test]
fn the_browser_hears_of_what_was_saved_and_then_reloaded() {
    for loses in [false, true] {
        let store = Recorder::new(ALL);
        let lifecycle = lifecycle(&store, |options| {
            options.cookie(CookieOptions::new().max_age(MINUTE))
        });
        let mut visitor = Visitor::default();
        for call in ["create", "replace"] {
            let response = visitor.visit_async(&lifecycle, async |session| {
                session.insert("a", call).unwrap();
                if loses {
                    store.lose_answer(call);
                }
                assert_eq!(session.save().await.is_err(), loses);
                session.reload().await.unwrap();
            });
            // Of a change whose answer was lost, only the end is new to the browser.
            assert!(response.sets_cookie() || (loses && call == "replace"));
            assert_eq!(store.len(), 1);
        }
        visitor.visit(&lifecycle, |session| {
            assert_eq!(session.get("a").unwrap(), Some("replace".to_owned()));
        });
    }
}

/// A touch takes that end away, in Node as here, before it is asked whether there is one to tell.
#[test]
fn an_end_without_a_max_age_is_not_sent_again() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store, same);
    let mut visitor = Visitor::with_session(&lifecycle);
    for (max_age, sent) in [("", false), (r#""originalMaxAge":60000,"#, true)] {
        let row =
            format!(r#"{{"cookie":{{{max_age}"expires":"2026-01-02T04:00:00.000Z","path":"/"}}}}"#);
        let record = Record::decode(row, StoredExpiry::InJson).unwrap();
        store.inner().records.insert(visitor.id(), record);
        let response = visitor.visit(&lifecycle, |session| session.insert("a", &1).unwrap());
        assert_eq!(response.sets_cookie(), sent);
        assert!(store.only().ends_with(r#","a":1}"#));
    }
}

#[test]
fn regenerate_keeps_what_it_is_told_to() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store, same);
    let mut visitor = Visitor::default();
    visitor.visit(&lifecycle, |session| {
        for key in ["cart", "language", "draft"] {
            session.insert(key, "x").unwrap();
        }
        session.set_max_age(Some(10 * MINUTE));
    });
    let first = visitor.id();
    visitor.visit(&lifecycle, |session| {
        session.regenerate_keeping(["language", "cart"])
    });
    assert_ne!(visitor.id(), first);
    visitor.visit(&lifecycle, |session| {
        assert_eq!(session.keys(), ["cart", "language"]);
        assert_eq!(
            session.original_max_age(),
            Some(10 * MINUTE),
            "settings stay with the data"
        );
        session.cycle_id();
        session.insert("user", "alice").unwrap();
    });
    assert_eq!(store.len(), 1);
    let third = visitor.id();
    visitor.visit(&lifecycle, |session| {
        assert_eq!(session.keys(), ["cart", "language", "user"]);
        session.cycle_id();
        session.cycle_id();
        session.regenerate();
    });
    assert_ne!(visitor.id(), third);
    visitor.visit(&lifecycle, |session| {
        assert!(session.keys().is_empty() && !session.is_new());
        assert_eq!(
            session.original_max_age(),
            None,
            "a new session has the configured settings"
        );
    });
    assert_eq!(store.len(), 1);
}

#[test]
fn cycle_id_brings_along_what_another_request_wrote_meanwhile() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store, same);
    let mut visitor = Visitor::with_session(&lifecycle);
    let mut other = visitor.clone();
    visitor.visit(&lifecycle, |session| {
        session.insert("user", "alice").unwrap();
        session.cycle_id();
        session
            .update("seed", |n: Option<u32>| n.unwrap() * 10)
            .unwrap();
        other.visit(&lifecycle, |session| {
            session.insert("cart", &[7]).unwrap();
            session
                .update("seed", |n: Option<u32>| n.unwrap() + 1)
                .unwrap();
        });
    });
    let json = store.only();
    assert!(
        json.ends_with(r#","seed":20,"cart":[7],"user":"alice"}"#),
        "{json}"
    );
}

#[test]
fn a_logout_meanwhile_also_ends_the_session_that_keeps_the_data() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store, same);
    let mut visitor = Visitor::with_session(&lifecycle);
    let mut other = visitor.clone();
    let response = visitor.visit_async(&lifecycle, async |session| {
        session.cycle_id();
        other.visit_async(&lifecycle, async |session| session.destroy().await.unwrap());
    });
    assert!(response.0.is_empty());
    assert_eq!(store.len(), 0);
}

#[test]
fn destroy_after_regenerate_leaves_nothing() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store, same);
    let mut visitor = Visitor::with_session(&lifecycle);
    let response = visitor.visit_async(&lifecycle, async |session| {
        session.regenerate();
        session.destroy().await.unwrap();
    });
    assert!(response.drops_cookie());
    assert_eq!(store.len(), 0);
}

#[test]
fn a_creation_that_took_place_unnoticed_leaves_no_second_session() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store, same);
    let mut visitor = Visitor::default();
    for cycle in [false, true] {
        visitor.visit_async(&lifecycle, async |session| {
            session
                .update("n", |n: Option<u32>| n.unwrap_or(0) + 1)
                .unwrap();
            if cycle {
                session.cycle_id();
            }
            store.lose_answer("create");
            assert_eq!(session.save().await.unwrap_err().kind(), ErrorKind::Timeout);
        });
        assert!(
            store
                .only()
                .ends_with(&format!(r#","n":{}}}"#, 1 + u8::from(cycle)))
        );
    }
    visitor.visit(&lifecycle, |session| {
        assert_eq!(session.get("n").unwrap(), Some(2))
    });
    // What may be stored is destroyed, too.
    visitor.visit_async(&lifecycle, async |session| {
        session.cycle_id();
        store.lose_answer("create");
        session.save().await.unwrap_err();
        session.destroy().await.unwrap();
    });
    assert_eq!(store.len(), 0);
}

#[test]
fn unset_after_destroy_changes_nothing() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store, same);
    let mut visitor = Visitor::with_session(&lifecycle);
    let response = visitor.visit_async(&lifecycle, async |session| {
        session.destroy().await.unwrap();
        session.unset();
    });
    assert!(response.drops_cookie());
}

#[test]
fn a_failed_destroy_leaves_the_session() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store, same);
    let mut visitor = Visitor::with_session(&lifecycle);
    store.fail("replace", ErrorKind::Unavailable);
    let response = visitor.visit_async(&lifecycle, async |session| {
        assert_eq!(
            session.destroy().await.unwrap_err().kind(),
            ErrorKind::Unavailable
        );
        assert_eq!(session.get("seed").unwrap(), Some(1));
    });
    assert!(response.0.is_empty());
    assert_eq!(store.len(), 1);
}

#[test]
fn unset_drops_this_requests_changes_and_destroys_if_told_to() {
    for (unset, expected) in [(Unset::Keep, 1), (Unset::Destroy, 0)] {
        let store = Recorder::new(ALL);
        let lifecycle = lifecycle(&store, |options| options.unset(unset));
        let mut visitor = Visitor::with_session(&lifecycle);
        let response = visitor.visit_async(&lifecycle, async |session| {
            session.insert("a", &1).unwrap();
            session.unset();
            session.insert("b", &1).unwrap();
            assert_eq!(session.save().await.unwrap_err().kind(), ErrorKind::Missing);
        });
        assert_eq!(store.len(), expected);
        assert_eq!(response.drops_cookie(), unset == Unset::Destroy);
        store.calls();
        let response = Visitor::default().visit(&lifecycle, |session| {
            session.insert("a", &1).unwrap();
            session.unset();
        });
        assert!(response.0.is_empty());
        assert_eq!(store.calls(), "");
    }
}

#[test]
fn a_session_outlives_its_request() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store, same);
    let mut visitor = Visitor::with_session(&lifecycle);
    let mut kept = None;
    visitor.visit(&lifecycle, |session| kept = Some(session));
    let socket = kept.unwrap();
    visitor.visit(&lifecycle, |session| session.insert("chat", "hi").unwrap());
    pollster::block_on(async {
        socket.reload().await.unwrap();
        assert_eq!(socket.get::<String>("chat").unwrap().unwrap(), "hi");
        socket.insert("seen", &true).unwrap();
        socket.save().await.unwrap();
    });
    visitor.visit_async(&lifecycle, async |session| {
        assert_eq!(session.get("seen").unwrap(), Some(true));
        session.destroy().await.unwrap();
    });
    pollster::block_on(async {
        socket.insert("late", &1).unwrap();
        assert_eq!(socket.save().await.unwrap_err().kind(), ErrorKind::Missing);
        assert_eq!(
            socket.reload().await.unwrap_err().kind(),
            ErrorKind::Missing
        );
    });
    assert_eq!(store.len(), 0);
}

#[test]
fn after_the_response_a_session_nobody_knows_of_is_not_saved() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store, same);
    let mut kept = Vec::new();
    Visitor::default().visit(&lifecycle, |session| kept.push(session));
    let mut visitor = Visitor::with_session(&lifecycle);
    visitor.visit(&lifecycle, |session| kept.push(session));
    kept[1].regenerate();
    for session in kept {
        session.insert("a", &1).unwrap();
        let error = pollster::block_on(session.save()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Other);
        assert!(error.to_string().contains("there is no response any more"));
    }
    assert!(store.only().contains("seed"));
}

#[test]
fn stored_sessions_open_outside_of_requests() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store, same);
    let mut visitor = Visitor::with_session(&lifecycle);
    let id = visitor.id();
    pollster::block_on(async {
        let session = lifecycle.open(&id).await.unwrap().unwrap();
        session
            .update("seed", |n: Option<u32>| n.unwrap() + 1)
            .unwrap();
        session.save().await.unwrap();
        assert!(
            lifecycle
                .open(&SessionId::random())
                .await
                .unwrap()
                .is_none()
        );
    });
    visitor.visit(&lifecycle, |session| {
        assert_eq!(session.get("seed").unwrap(), Some(2))
    });
}

#[test]
fn the_policies_for_conflicts_do_what_they_say() {
    for (policy, expected) in [
        (OnConflict::Merge, Ok(r#","seed":1,"theirs":1,"ours":1}"#)),
        (OnConflict::Overwrite, Ok(r#","seed":1,"ours":1}"#)),
        (OnConflict::Fail, Err(ErrorKind::Conflict)),
    ] {
        let store = Recorder::new(ALL);
        let lifecycle = lifecycle(&store, |options| options.on_conflict(policy));
        let mut ours = Visitor::with_session(&lifecycle);
        let mut theirs = ours.clone();
        let result = ours.try_visit(&lifecycle, async |session| {
            session.insert("ours", &1).unwrap();
            theirs.visit(&lifecycle, |session| session.insert("theirs", &1).unwrap());
        });
        match expected {
            Ok(end) => assert!(store.only().ends_with(end), "{policy:?} {}", store.only()),
            Err(kind) => assert_eq!(result.unwrap_err().kind(), kind),
        }
    }
}

#[test]
fn overwriting_does_not_bring_back_a_destroyed_session() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store, |options| options.on_conflict(OnConflict::Overwrite));
    let mut ours = Visitor::with_session(&lifecycle);
    let mut theirs = ours.clone();
    ours.visit_async(&lifecycle, async |session| {
        session.insert("ours", &1).unwrap();
        theirs.visit_async(&lifecycle, async |session| session.destroy().await.unwrap());
    });
    assert_eq!(store.len(), 0);
}

#[test]
fn a_merge_that_cannot_be_made_is_an_error_and_writes_nothing() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store, same);
    let mut ours = Visitor::with_session(&lifecycle);
    let mut theirs = ours.clone();
    let result = ours.try_visit(&lifecycle, async |session| {
        session
            .update("seed", |n: Option<u32>| n.unwrap() + 1)
            .unwrap();
        theirs.visit(&lifecycle, |session| {
            session.insert("seed", "a text").unwrap()
        });
    });
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Decode);
    assert!(store.only().ends_with(r#","seed":"a text"}"#));
}

#[test]
fn touch_after_leaves_out_touches_and_rolling_cookies() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store, |options| {
        let cookie = CookieOptions::new().max_age(10 * MINUTE);
        options.cookie(cookie).rolling(true).touch_after(MINUTE)
    });
    let mut visitor = Visitor::with_session(&lifecycle);
    let mut visit_after = |pause: Duration| {
        store.clock().advance(pause);
        store.calls();
        let response = visitor.visit(&lifecycle, |_| ());
        (store.calls(), response.sets_cookie())
    };
    let second = Duration::from_secs(1);
    assert_eq!(visit_after(MINUTE - second), ("get".into(), false));
    assert_eq!(visit_after(second), ("get touch".into(), true));
    assert_eq!(visit_after(second), ("get".into(), false));
    assert_eq!(
        visit_after(10 * MINUTE - second),
        ("get".into(), false),
        "it has expired"
    );
}

#[test]
fn a_store_that_rounds_expiries_up_is_not_touched_too_early() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store, |options| {
        let cookie = CookieOptions::new().max_age(10 * MINUTE);
        options.cookie(cookie).touch_after(MINUTE)
    });
    let mut visitor = Visitor::with_session(&lifecycle);
    let mut inner = store.inner();
    for record in inner.records.values_mut() {
        let up = record.expires().unwrap() + Duration::from_millis(999);
        *record = record.clone().with_stored_expires(StoredExpiry::At(up));
    }
    drop(inner);
    store.calls();
    visitor.visit(&lifecycle, |_| ());
    assert_eq!(store.calls(), "get");
}

#[test]
fn a_slow_request_s_session_lasts_from_its_end_on() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store, |options| {
        let cookie = CookieOptions::new().max_age(MINUTE);
        options.cookie(cookie).rolling(true)
    });
    let mut visitor = Visitor::with_session(&lifecycle);
    let slow = |session: Session| {
        session.touch();
        store.clock().advance(Duration::from_secs(2));
    };
    let expires = "Expires=Fri, 02 Jan 2026 03:05:07 GMT";
    store.calls();
    let response = visitor.visit(&lifecycle, slow);
    assert_eq!(store.calls(), "get touch");
    assert_eq!(store.end(), store.clock().now() + MINUTE);
    assert!(response.0[0].contains(expires), "{response:?}");

    // Saved before the slow part, as well.
    let response = visitor.visit_async(&lifecycle, async |session| {
        session.insert("a", &1).unwrap();
        session.save().await.unwrap();
        store.clock().advance(Duration::from_secs(2));
    });
    assert_eq!(store.calls(), "get replace touch");
    assert_eq!(store.end(), store.clock().now() + MINUTE);
    let expires = expires.replace(":07 ", ":09 ");
    assert!(response.0[0].contains(&expires), "{response:?}");

    // A new session's row is as old as the save, its cookie is not: so in express-session.
    let mut visitor = Visitor::default();
    let response = visitor.visit_async(&lifecycle, async |session| {
        session.insert("a", &1).unwrap();
        session.save().await.unwrap();
        store.clock().advance(Duration::from_secs(2));
    });
    assert_eq!(store.calls(), "create");
    let expires = expires.replace(":09 ", ":11 ");
    assert!(response.0[0].contains(&expires), "{response:?}");
}

#[test]
fn lazy_sessions_are_loaded_when_they_are_asked_for() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store, |options| options.lazy(true));
    let mut visitor = Visitor::with_session(&lifecycle);
    store.calls();
    visitor.visit(&lifecycle, |session| {
        assert_eq!(session.get("seed").unwrap(), Some(1))
    });
    assert_eq!(store.calls(), "get touch");
}

/// Whether nobody asks for it, or the handler does.
#[test]
fn a_lazy_session_behind_a_forged_cookie_is_a_new_one_with_the_applications_settings() {
    for asked_for in [false, true] {
        let store = Recorder::new(ALL);
        let cookie = CookieOptions::new().max_age(MINUTE);
        let lifecycle = lifecycle(&store, |options| {
            options.lazy(true).save_uninitialized(true).cookie(cookie)
        });
        let mut forged = Visitor {
            cookie: Some("connect.sid=s%3Aapple.forged".into()),
            ..Visitor::default()
        };
        let exchange = forged.begin(&lifecycle).unwrap();
        let outcome = pollster::block_on(async {
            if asked_for {
                assert!(exchange.session().await.unwrap().unwrap().is_new());
            }
            exchange.finish().await.unwrap()
        });
        let response = forged.receive(&outcome);
        assert!(response.0[0].contains("Expires="), "{response:?}");
        assert!(store.only().contains(r#""originalMaxAge":60000"#));
        assert_eq!(store.calls(), "create");
    }
}

#[test]
fn store_failures_fail_the_request_or_are_served_without_a_session() {
    for (policy, call, survives) in [
        (OnStoreError::Fail, "get", false),
        (OnStoreError::Fail, "touch", true),
        (OnStoreError::Fail, "replace", false),
        (OnStoreError::ServeWithoutSession, "get", true),
        (OnStoreError::ServeWithoutSession, "touch", true),
        (OnStoreError::ServeWithoutSession, "replace", false),
    ] {
        let store = Recorder::new(ALL);
        let lifecycle = lifecycle(&store, |options| options.on_store_error(policy));
        let mut visitor = Visitor::with_session(&lifecycle);
        store.fail(call, ErrorKind::Timeout);
        let result = visitor.try_visit(&lifecycle, async |session| {
            assert_ne!(call, "get");
            if call == "replace" {
                session.insert("a", &1).unwrap();
            }
        });
        match result {
            Ok(response) => assert!(survives && response.0.is_empty(), "{policy:?} {call}"),
            Err(error) => assert!(!survives && error.status() == 503, "{policy:?} {call}"),
        }
        store.heal();
        visitor.visit(&lifecycle, |session| {
            assert_eq!(session.get("seed").unwrap(), Some(1))
        });
    }
}

#[test]
fn auto_settings_follow_the_connection_on_which_a_session_is_made() {
    let cookie = CookieOptions::new()
        .secure(SecureOption::Auto)
        .same_site(SameSiteOption::Auto);
    for (connection, secure, same_site) in [
        (Connection::Plain, false, SameSite::Lax),
        (Connection::Encrypted, true, SameSite::None),
    ] {
        let store = Recorder::new(ALL);
        let lifecycle = lifecycle(&store, |options| options.cookie(cookie.clone()));
        let mut visitor = Visitor {
            connection,
            ..Visitor::default()
        };
        visitor.visit(&lifecycle, |session| session.insert("a", &1).unwrap());
        visitor.connection = Connection::Encrypted;
        visitor.visit(&lifecycle, |session| {
            assert_eq!(session.cookie().secure(), secure);
            assert_eq!(session.cookie().same_site(), Some(same_site));
        });
    }
}

#[test]
fn the_proxy_option_believes_the_forwarded_protocol() {
    let store = Recorder::new(ALL);
    let cookie = CookieOptions::new().secure(true);
    let forwarded = |proxy: Option<bool>| {
        let lifecycle = lifecycle(&store, |options| {
            let options = options.cookie(cookie.clone());
            match proxy {
                Some(proxy) => options.proxy(proxy),
                None => options,
            }
        });
        let mut visitor = Visitor::default();
        visitor
            .headers
            .insert("x-forwarded-proto", HeaderValue::from_static("HTTPS, http"));
        visitor
            .visit(&lifecycle, |session| session.insert("a", &1).unwrap())
            .sets_cookie()
    };
    assert!(forwarded(Some(true)));
    assert!(!forwarded(Some(false)) && !forwarded(None));
}

#[test]
fn functions_of_the_application_see_the_request() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store, |options| {
        options
            .genid(|head| SessionId::new(head.uri.path()).unwrap())
            .cookie_with(|head| {
                let secure = head.headers.contains_key("x-secure");
                CookieOptions::new().path("/foo").http_only(!secure)
            })
    });
    assert!(Visitor::default().begin(&lifecycle).is_none());
    let mut visitor = Visitor {
        path: Some("/foo"),
        ..Visitor::default()
    };
    let response = visitor.visit(&lifecycle, |session| session.insert("a", &1).unwrap());
    let value = "connect.sid=s%3A%2Ffoo.paEKBtAHbV5s1IB8B2zPnzAgYmmnRPIqObW4VRYj%2FMQ";
    assert_eq!(response.0, [format!("{value}; Path=/foo; HttpOnly")]);

    visitor.path = Some("/foo/2");
    visitor
        .headers
        .insert("x-secure", HeaderValue::from_static("1"));
    let response = visitor.visit(&lifecycle, |session| session.regenerate());
    assert!(
        response.0[0].starts_with("connect.sid=s%3A%2Ffoo%2F2."),
        "{response:?}"
    );
    assert!(response.0[0].ends_with("; Path=/foo"), "{response:?}");
}

#[test]
fn the_rows_cookie_settings_win_over_the_configured_ones() {
    let store = Recorder::new(ALL);
    let before = lifecycle(&store, |options| {
        options.cookie(CookieOptions::new().max_age(MINUTE))
    });
    let mut visitor = Visitor::with_session(&before);
    let after = lifecycle(&store, |options| {
        let cookie = CookieOptions::new()
            .max_age(5 * MINUTE)
            .domain("example.com");
        options.cookie(cookie).rolling(true)
    });
    let response = visitor.visit(&after, |session| {
        assert_eq!(session.original_max_age(), Some(MINUTE));
    });
    assert!(
        response.sets_cookie() && !response.0[0].contains("Domain"),
        "{response:?}"
    );
    // A new id is a new cookie: the old one is dropped if it lies elsewhere.
    let response = visitor.visit(&after, |session| session.regenerate());
    assert!(
        response.sets_cookie() && response.drops_cookie(),
        "{response:?}"
    );
}

#[test]
fn secrets_rotate_without_logging_anybody_out() {
    let store = Recorder::new(ALL);
    let with = |secrets: &[&str]| {
        let options = SessionOptions::new(store.clone(), Secrets::rotating(secrets).unwrap());
        Lifecycle::new(options.clock(store.clock().clone())).unwrap()
    };
    let mut visitor = Visitor::with_session(&with(&["old"]));
    let old_cookie = visitor.cookie.clone();
    let response = visitor.visit(&with(&["new", "old"]), |session| assert!(!session.is_new()));
    assert!(response.0.is_empty(), "rotation alone sends no cookie");
    assert_eq!(visitor.cookie, old_cookie);
    visitor.visit(&with(&["new", "old"]), |session| {
        session.set_max_age(Some(MINUTE))
    });
    assert_ne!(visitor.cookie, old_cookie);
    visitor.visit(&with(&["new"]), |session| assert!(!session.is_new()));
}

#[test]
fn options_that_cannot_work_are_refused_with_what_to_do() {
    let refused = |change: fn(SessionOptions) -> SessionOptions| {
        let error = Lifecycle::new(change(Recorder::new(ALL).options())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        error.to_string()
    };
    assert!(refused(|o| o.name("a b")).contains("`a b` is no cookie name"));
    assert!(refused(|o| o.name("")).contains("use letters, digits"));
    assert!(refused(|o| o.cookie(CookieOptions::new().domain("a b"))).contains("host name"));
    assert!(refused(|o| o.cookie(CookieOptions::new().path("/;"))).contains("path must be"));
}

#[test]
fn nothing_secret_is_shown() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store, same);
    let mut visitor = Visitor::with_session(&lifecycle);
    let id = visitor.id();
    let exchange = visitor.begin(&lifecycle).unwrap();
    visitor.visit(&lifecycle, |session| {
        session.insert("name", "hunter2").unwrap();
        for text in [
            format!("{session:?}"),
            format!("{lifecycle:?}"),
            format!("{exchange:?}"),
        ] {
            for secret in ["hunter2", "keyboard cat", id.as_str()] {
                assert!(!text.contains(secret), "{text}");
            }
        }
    });
}

#[test]
fn settings_alone_store_no_session_for_visitors_without_one() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store, same);
    let response =
        Visitor::default().visit(&lifecycle, |session| session.set_max_age(Some(MINUTE)));
    assert!(response.0.is_empty());
    assert_eq!(store.calls(), "");
}

#[test]
fn a_new_id_that_cannot_be_told_leaves_the_old_session() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store, |o| o.cookie(CookieOptions::new().secure(true)));
    let mut visitor = Visitor {
        connection: Connection::Encrypted,
        ..Visitor::default()
    };
    visitor.visit(&lifecycle, |session| session.insert("seed", &1).unwrap());
    visitor.connection = Connection::Plain;
    visitor.visit_async(&lifecycle, async |session| {
        session.cycle_id();
        session.save().await.unwrap();
    });
    visitor.visit(&lifecycle, |session| {
        assert_eq!(session.get("seed").unwrap(), Some(1))
    });
}

#[test]
fn a_session_that_ends_of_age_while_it_gets_a_new_id_is_not_revived() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store, |o| o.cookie(CookieOptions::new().max_age(MINUTE)));
    let mut visitor = Visitor::with_session(&lifecycle);
    let response = visitor.visit(&lifecycle, |session| {
        session.cycle_id();
        session.insert("user", "alice").unwrap();
        store.clock().advance(MINUTE);
    });
    assert!(response.0.is_empty());
    visitor.visit(&lifecycle, |session| assert!(session.keys().is_empty()));
}

#[test]
fn a_change_of_id_while_the_store_is_asked_is_not_lost() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store, same);
    let mut visitor = Visitor::with_session(&lifecycle);
    let old = visitor.id();
    // The closure of `update` runs while `save` is bringing two requests together.
    let mut other = visitor.clone();
    visitor.visit_async(&lifecycle, async |session| {
        let again = std::sync::atomic::AtomicU32::new(0);
        let handle = session.clone();
        session
            .update("n", move |n: Option<u32>| {
                if again.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 1 {
                    handle.regenerate();
                }
                n.unwrap_or(0) + 1
            })
            .unwrap();
        other.visit(&lifecycle, |session| session.insert("theirs", &1).unwrap());
        session.save().await.unwrap();
    });
    assert_ne!(visitor.id(), old);
    visitor.visit(&lifecycle, |session| assert!(!session.is_new()));
    assert_eq!(store.len(), 1);
}

#[test]
fn an_opened_session_keeps_its_id() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store, same);
    let mut visitor = Visitor::with_session(&lifecycle);
    let id = visitor.id();
    pollster::block_on(async {
        let session = lifecycle.open(&id).await.unwrap().unwrap();
        session.cycle_id();
        assert_eq!(session.save().await.unwrap_err().kind(), ErrorKind::Other);
    });
    visitor.visit(&lifecycle, |session| {
        assert_eq!(session.get("seed").unwrap(), Some(1))
    });
}

#[test]
fn a_removal_counts_even_if_the_key_comes_meanwhile() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store, same);
    let mut visitor = Visitor::with_session(&lifecycle);
    let mut other = visitor.clone();
    visitor.visit(&lifecycle, |session| {
        session.insert("a", &1).unwrap();
        session.remove("user");
        other.visit(&lifecycle, |session| {
            session.insert("user", "alice").unwrap()
        });
    });
    assert!(
        store.only().ends_with(r#","seed":1,"a":1}"#),
        "{}",
        store.only()
    );
}

#[test]
fn a_signed_cookie_is_not_shown_by_debug() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store, same);
    let visitor = Visitor::default();
    pollster::block_on(async {
        let exchange = visitor.begin(&lifecycle).unwrap();
        let session = exchange.session().await.unwrap().unwrap();
        session.insert("a", &1).unwrap();
        let outcome = exchange.finish().await.unwrap();
        assert!(!format!("{outcome:?}").contains(session.id().as_str()));
        assert!(outcome.cookies().all(HeaderValue::is_sensitive));
        assert_eq!(exchange.finish().await.unwrap().cookies().count(), 0);
    });
}
