//! What ends a session, whatever its id is by then, and what becomes of edits and writes whose
//! answers are lost.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

mod common;

use std::time::Duration;

use common::{ALL, Recorder, Visitor};
use session_core::{
    CookieOptions, Error, ErrorKind, FormerCookie, Lifecycle, OnConflict, OnEnded, Session,
    SessionOptions, Store,
};

const MINUTE: Duration = Duration::from_secs(60);

fn lifecycle(store: &Recorder) -> Lifecycle {
    Lifecycle::new(store.options()).unwrap()
}

fn sign_out(visitor: &mut Visitor, lifecycle: &Lifecycle) {
    visitor.visit_async(lifecycle, async |session| session.destroy().await.unwrap());
}

fn is_signed_in(visitor: &Visitor, lifecycle: &Lifecycle) -> bool {
    let mut user = None;
    visitor.clone().visit(lifecycle, |session| {
        user = session.get::<String>("user").unwrap();
    });
    user.is_some()
}

/// The ways to change an id, of which the first keeps nothing.
const CHANGES: [fn(&Session); 3] = [
    |session| session.regenerate(),
    |session| session.cycle_id(),
    |session| session.regenerate_keeping(["seed"]),
];

#[test]
fn a_change_of_id_whose_second_step_fails_leaves_nothing_that_a_sign_out_does_not_end() {
    for change in CHANGES {
        for takes_place in [false, true] {
            // With the new cookie, if there is one, and with the old one.
            for with_old in [false, true] {
                let store = Recorder::new(ALL);
                let lifecycle = lifecycle(&store);
                let mut visitor = Visitor::with_session(&lifecycle);
                let old = visitor.clone();
                let result = visitor.try_visit(&lifecycle, async |session| {
                    change(&session);
                    session.insert("user", "alice").unwrap();
                    session.save().await.unwrap();
                    match takes_place {
                        true => store.lose_answer("replace"),
                        false => store.fail("replace", ErrorKind::Unavailable),
                    }
                });
                assert_eq!(result.is_ok(), takes_place);
                store.heal();
                let mut who = if with_old { old } else { visitor };
                sign_out(&mut who, &lifecycle);
                let expected = usize::from(with_old && takes_place && store.len() == 1);
                // `regenerate` has begun another session, which the old id has nothing to do with.
                assert_eq!(store.len(), expected, "{:?}", store.sessions());
            }
        }
    }
}

#[test]
fn nobody_is_shown_the_new_session_while_the_old_one_may_be_there() {
    for change in CHANGES {
        let store = Recorder::new(ALL);
        let lifecycle = lifecycle(&store);
        let mut visitor = Visitor::with_session(&lifecycle);
        let old = visitor.cookie.clone();
        store.fail("replace", ErrorKind::Timeout);
        let error = visitor
            .try_visit(&lifecycle, async |session| {
                change(&session);
                session.insert("user", "alice").unwrap();
            })
            .unwrap_err();
        assert_eq!((error.status().as_u16(), &visitor.cookie), (503, &old));
        store.heal();
        // Whatever comes next finishes it: here somebody else's request.
        Visitor::with_session(&lifecycle).visit(&lifecycle, |_| ());
        assert_eq!(store.len(), 2, "{:?}", store.sessions());
        visitor.visit(&lifecycle, |session| assert_eq!(session.keys(), ["seed"]));
    }
}

#[test]
fn a_sign_out_beside_a_change_of_id_ends_the_session() {
    for chain in [1, 3] {
        let store = Recorder::new(ALL);
        // Two processes.
        let (one, other) = (lifecycle(&store), lifecycle(&store));
        let mut leaving = Visitor::with_session(&one);
        let mut changing = leaving.clone();
        leaving.visit_async(&one, async |session| {
            for _ in 0..chain {
                changing.visit(&other, |session| {
                    session.cycle_id();
                    session.insert("user", "alice").unwrap();
                });
            }
            session.destroy().await.unwrap();
        });
        assert!(!is_signed_in(&changing, &other));
        assert_eq!(store.len(), 0, "{:?}", store.sessions());
    }
}

#[test]
fn a_sign_out_with_the_old_id_after_a_change_ends_the_session_and_nothing_else_does() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store);
    let mut visitor = Visitor::with_session(&lifecycle);
    let mut old = visitor.clone();
    visitor.visit(&lifecycle, |session| {
        session.cycle_id();
        session.insert("user", "alice").unwrap();
    });
    // An id that was planted before a sign-in leads nowhere.
    old.visit(&lifecycle, |session| {
        assert!(session.is_new() && session.keys().is_empty());
    });
    assert!(is_signed_in(&visitor, &lifecycle));
    sign_out(&mut old, &lifecycle);
    assert!(!is_signed_in(&visitor, &lifecycle));
}

#[test]
fn a_forwarding_record_ends_after_a_minute_and_shows_nothing() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store);
    let mut visitor = Visitor::with_session(&lifecycle);
    let old = visitor.id();
    visitor.visit(&lifecycle, |session| {
        session.insert("user", "alice").unwrap();
        session.cycle_id();
    });
    let record = pollster::block_on(store.get(&old)).unwrap().unwrap();
    assert!(record.is_forward() && !record.json().contains("alice"));
    assert!(pollster::block_on(lifecycle.open(&old)).unwrap().is_none());
    store.clock().advance(MINUTE);
    assert!(pollster::block_on(store.get(&old)).unwrap().is_none());
}

#[test]
fn edits_follow_a_session_whose_id_changes_and_learn_nothing_of_it() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store);
    let mut shopping = Visitor::with_session(&lifecycle);
    let mut signing_in = shopping.clone();
    let old = shopping.cookie.clone();
    let response = shopping.visit_async(&lifecycle, async |session| {
        signing_in.visit(&lifecycle, |session| {
            session.cycle_id();
            session.insert("user", "alice").unwrap();
        });
        session.insert("cart", &[7]).unwrap();
        session
            .update("seed", |n: Option<u32>| n.unwrap_or(0) + 1)
            .unwrap();
        session.save().await.unwrap();
        assert_eq!(session.get::<String>("user").unwrap(), None);
        let error = session.commit(|_| Ok::<_, Error>(())).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Missing);
    });
    assert!(response.0.is_empty() && shopping.cookie == old);
    let json = store.only();
    assert!(
        json.ends_with(r#","seed":2,"user":"alice","cart":[7]}"#),
        "{json}"
    );
}

#[test]
fn of_a_session_that_keeps_some_keys_only_edits_of_these_follow() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store);
    let mut planted = Visitor::with_session(&lifecycle);
    let mut signing_in = planted.clone();
    planted.visit(&lifecycle, |session| {
        signing_in.visit(&lifecycle, |session| {
            session.regenerate_keeping(["cart"]);
            session.insert("user", "alice").unwrap();
        });
        session.insert("user", "mallory").unwrap();
        session.insert("cart", &[7]).unwrap();
    });
    let json = store.only();
    assert!(json.ends_with(r#""user":"alice","cart":[7]}"#), "{json}");
}

#[test]
fn of_two_sign_ins_at_the_same_time_each_is_one() {
    for change in CHANGES {
        let store = Recorder::new(ALL);
        let lifecycle = lifecycle(&store);
        let mut one = Visitor::with_session(&lifecycle);
        let mut other = one.clone();
        let mut out = one.clone();
        one.visit(&lifecycle, |session| {
            change(&session);
            session.insert("user", "alice").unwrap();
            other.visit(&lifecycle, |session| {
                change(&session);
                session.insert("user", "alice").unwrap();
            });
        });
        assert!(is_signed_in(&one, &lifecycle) && is_signed_in(&other, &lifecycle));
        // Whoever ends the session that both came from ends both, where they have gone on with it.
        sign_out(&mut out, &lifecycle);
        let regenerated = std::ptr::fn_addr_eq(change, CHANGES[0]);
        assert_eq!(store.len(), if regenerated { 2 } else { 0 });
    }
}

fn count(session: &Session) {
    session
        .update("seed", |n: Option<u32>| n.unwrap_or(0) + 1)
        .unwrap();
}

#[test]
fn a_save_whose_answer_was_lost_is_not_guessed_at() {
    // It took place and another request wrote, or it did not and another wrote the very same text.
    for takes_place in [true, false] {
        let store = Recorder::new(ALL);
        let lifecycle = lifecycle(&store);
        let mut visitor = Visitor::with_session(&lifecycle);
        let mut other = visitor.clone();
        let result = visitor.try_visit(&lifecycle, async |session| {
            count(&session);
            match takes_place {
                true => store.lose_answer("replace"),
                false => store.fail("replace", ErrorKind::Timeout),
            }
            session.save().await.unwrap_err();
            store.heal();
            other.visit(&lifecycle, |session| count(&session));
            assert_eq!(session.save().await.unwrap_err().kind(), ErrorKind::Timeout);
        });
        assert_eq!(result.unwrap_err().status(), 503);
        let end = if takes_place {
            r#""seed":3}"#
        } else {
            r#""seed":2}"#
        };
        assert!(store.only().ends_with(end), "{}", store.only());

        // Whoever looks may go on.
        visitor.visit_async(&lifecycle, async |session| {
            count(&session);
            store.lose_answer("replace");
            session.save().await.unwrap_err();
            session.reload().await.unwrap();
            count(&session);
            session.save().await.unwrap();
        });
        let end = if takes_place {
            r#""seed":5}"#
        } else {
            r#""seed":4}"#
        };
        assert!(store.only().ends_with(end), "{}", store.only());
    }
}

#[test]
fn what_is_the_same_made_twice_is_simply_saved_again() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store);
    let mut visitor = Visitor::with_session(&lifecycle);
    let mut other = visitor.clone();
    visitor.visit_async(&lifecycle, async |session| {
        session.insert("a", &1).unwrap();
        store.lose_answer("replace");
        session.save().await.unwrap_err();
        other.visit(&lifecycle, |session| session.insert("b", &2).unwrap());
        session.save().await.unwrap();
    });
    assert!(
        store.only().ends_with(r#","seed":1,"a":1,"b":2}"#),
        "{}",
        store.only()
    );
}

#[test]
fn commit_answers_with_what_is_stored() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store);
    let mut visitor = Visitor::with_session(&lifecycle);
    let mut other = visitor.clone();
    let next = async |session: &Session| {
        session
            .commit(|data| {
                let next = data.get::<u32>("ticket")?.unwrap_or(0) + 1;
                data.insert("ticket", &next)?;
                Ok::<_, Error>(next)
            })
            .await
    };
    visitor.visit_async(&lifecycle, async |session| {
        session.insert("mine", &1).unwrap();
        let mut theirs = 0;
        other.visit_async(&lifecycle, async |session| {
            theirs = next(&session).await.unwrap();
        });
        let mine = next(&session).await.unwrap();
        assert_eq!((theirs, mine), (1, 2));
    });
    assert!(
        store.only().ends_with(r#","seed":1,"ticket":2,"mine":1}"#),
        "{}",
        store.only()
    );

    // A refusal writes nothing, and what is there already is not written again.
    visitor.visit_async(&lifecycle, async |session| {
        store.calls();
        let refused = session.commit(|_| Err::<(), _>(Error::new(ErrorKind::Other, "sold")));
        assert_eq!(refused.await.unwrap_err().operation(), "sold");
        let seen = session.commit(|data| data.get::<u32>("ticket"));
        assert_eq!(seen.await.unwrap(), Some(2));
        // Both have looked at what is there now.
        assert_eq!(store.calls(), "get get");
    });
    // Nothing that comes of it makes no session; something does, at once.
    Visitor::default().visit_async(&lifecycle, async |session| {
        session.commit(|data| data.get::<u32>("n")).await.unwrap();
        assert!(session.is_new());
        assert_eq!(next(&session).await.unwrap(), 1);
        assert!(!session.is_new());
    });
    assert_eq!(store.len(), 2);
}

#[test]
fn what_is_claimed_is_claimed_once() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store);
    let mut visitor = Visitor::with_session(&lifecycle);
    let mut other = visitor.clone();
    let mut got = Vec::new();
    visitor.visit_async(&lifecycle, async |session| {
        let mine: Option<u32> = session.take("seed").unwrap();
        other.visit_async(&lifecycle, async |session| {
            let claim = session.commit(|data| {
                let claimed = data.get::<u32>("seed")?;
                data.remove("seed");
                Ok::<_, Error>(claimed)
            });
            got.push(claim.await.unwrap());
        });
        let saved = session.save_with(OnConflict::Fail).await;
        assert_eq!(saved.unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(mine, Some(1));
        session.reload().await.unwrap();
        assert_eq!(session.take::<u32>("seed").unwrap(), None);
    });
    assert_eq!(got, [Some(1)]);
}

#[test]
fn a_lost_edit_is_told() {
    let late = |options: fn(SessionOptions) -> SessionOptions| {
        let store = Recorder::new(ALL);
        let lifecycle = Lifecycle::new(options(store.options())).unwrap();
        let mut visitor = Visitor::with_session(&lifecycle);
        let mut out = visitor.clone();
        pollster::block_on(async {
            let exchange = visitor.begin(&lifecycle).unwrap();
            let session = exchange.session().await.unwrap().unwrap();
            session.insert("late", &1).unwrap();
            sign_out(&mut out, &lifecycle);
            let saved = session.save().await.unwrap_err();
            assert_eq!(
                (saved.kind(), saved.status().as_u16()),
                (ErrorKind::Missing, 401)
            );
            let finished = exchange.finish().await;
            assert_eq!(store.len(), 0);
            visitor.cookie = None;
            finished
        })
    };
    let outcome = late(|options| options).unwrap();
    assert!(outcome.edits_dropped() && outcome.cookies().count() == 0);
    let unfinished = late(|options| options.on_ended(OnEnded::Fail)).unwrap_err();
    assert_eq!(unfinished.error.kind(), ErrorKind::Missing);
}

#[test]
fn a_dead_cookie_hides_no_live_one() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store);
    let mut dead = Visitor::with_session(&lifecycle);
    let cookie = dead.cookie.clone().unwrap();
    sign_out(&mut dead, &lifecycle);
    let live = Visitor::with_session(&lifecycle);
    for order in [[0, 1], [1, 0]] {
        let cookies = [&cookie, live.cookie.as_ref().unwrap()];
        let mut both = live.clone();
        both.cookie = Some(order.map(|at| cookies[at].as_str()).join("; "));
        both.visit(&lifecycle, |session| {
            assert_eq!(session.get("seed").unwrap(), Some(1))
        });
    }
    // Signing out ends all that the request has shown.
    let second = Visitor::with_session(&lifecycle);
    let mut all = live.clone();
    all.cookie = Some(format!(
        "{cookie}; {}; {}",
        live.cookie.unwrap(),
        second.cookie.unwrap()
    ));
    sign_out(&mut all, &lifecycle);
    assert_eq!(store.len(), 0);
}

#[test]
fn a_header_full_of_cookies_asks_for_a_handful() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store);
    let cookies: Vec<String> = (0..10)
        .map(|_| {
            let mut visitor = Visitor::with_session(&lifecycle);
            let cookie = visitor.cookie.clone().unwrap();
            sign_out(&mut visitor, &lifecycle);
            cookie
        })
        .collect();
    let mut full = Visitor {
        cookie: Some(cookies.join("; ")),
        ..Visitor::default()
    };
    store.calls();
    full.visit(&lifecycle, |session| assert!(session.is_new()));
    assert_eq!(store.calls(), "get get get get");
}

#[test]
fn a_cookie_that_moves_leaves_none_behind() {
    let moves: [fn(&Session); 3] = [
        |session| session.update_cookie(|cookie| cookie.set_path("/shop")),
        |session| session.update_cookie(|cookie| cookie.set_domain(Some("example.com".into()))),
        |session| {
            session.update_cookie(|cookie| cookie.set_path("/a"));
            session.update_cookie(|cookie| cookie.set_path("/b"));
        },
    ];
    for moves in moves {
        let store = Recorder::new(ALL);
        let lifecycle = lifecycle(&store);
        let mut visitor = Visitor::with_session(&lifecycle);
        let response = visitor.visit(&lifecycle, |session| moves(&session));
        assert!(response.sets_cookie(), "{response:?}");
        let removal = "connect.sid=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly";
        assert!(
            response.0.iter().any(|cookie| cookie == removal),
            "{response:?}"
        );
    }
}

#[test]
fn former_cookies_are_dropped_on_purpose() {
    let store = Recorder::new(ALL);
    let options = || {
        let domain = CookieOptions::new().domain("example.com");
        let former = FormerCookie::new().name("old.sid").path("/app");
        let options = store.options().cookie(domain).former_cookie(former);
        options.former_cookie(FormerCookie::new())
    };
    let lifecycle = Lifecycle::new(options()).unwrap();
    let mut visitor = Visitor::with_session(&lifecycle);
    let cookie = visitor.cookie.clone().unwrap();
    assert!(visitor.visit(&lifecycle, |_| ()).0.is_empty());

    let dropped = |cookie: String| {
        let mut visitor = Visitor {
            cookie: Some(cookie),
            ..Visitor::default()
        };
        visitor.visit(&lifecycle, |_| ()).0
    };
    let expires = "Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly";
    let old = format!("old.sid=; Path=/app; {expires}");
    let host_only = format!("connect.sid=; Path=/; {expires}");
    assert_eq!(dropped(format!("{cookie}; old.sid=x")), [old]);
    assert_eq!(
        dropped(format!("connect.sid=x; {cookie}")),
        [host_only.as_str()]
    );
    assert_eq!(dropped("connect.sid=x".into()), [host_only]);
    // The present one would go with it.
    let present = FormerCookie::new().domain("example.com");
    let error = Lifecycle::new(options().former_cookie(present)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}

#[test]
fn a_page_view_costs_one_read_until_the_session_is_to_be_extended() {
    let store = Recorder::new(ALL);
    let default = |max_age: Duration| {
        let cookie = CookieOptions::new().max_age(max_age);
        let secrets = session_core::Secrets::new("keyboard cat").unwrap();
        let options = SessionOptions::new(store.clone(), secrets).clock(store.clock().clone());
        Lifecycle::new(options.cookie(cookie).rolling(true)).unwrap()
    };
    // A minute, or a tenth of the max age where that is less.
    for (max_age, after) in [(60 * MINUTE, MINUTE), (MINUTE, MINUTE / 10)] {
        let lifecycle = default(max_age);
        let mut visitor = Visitor::with_session(&lifecycle);
        let mut visit_after = |pause: Duration| {
            store.clock().advance(pause);
            store.calls();
            let response = visitor.visit(&lifecycle, |_| ());
            (store.calls(), response.sets_cookie())
        };
        let moment = Duration::from_millis(1);
        assert_eq!(visit_after(after - moment), ("get".into(), false));
        assert_eq!(visit_after(moment), ("get touch".into(), true));
        assert_eq!(visit_after(moment), ("get".into(), false));
    }
}

#[test]
fn a_poller_that_leaves_the_session_alone_does_not_extend_it() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store);
    let mut visitor = Visitor::with_session(&lifecycle);
    store.calls();
    visitor.visit(&lifecycle, |session| session.leave_alone());
    assert_eq!(store.calls(), "get");
    visitor.visit(&lifecycle, |session| {
        session.leave_alone();
        session.insert("seen", &true).unwrap();
    });
    assert_eq!(store.calls(), "get replace");
}

#[test]
fn extending_that_fails_or_takes_too_long_is_left_to_the_next_request() {
    let store = Recorder::new(ALL);
    let options = store.options().touch_limit(Duration::from_millis(5));
    let lifecycle = Lifecycle::new(options).unwrap();
    let mut visitor = Visitor::with_session(&lifecycle);
    store.fail("touch", ErrorKind::Unavailable);
    assert!(visitor.visit(&lifecycle, |_| ()).0.is_empty());
    store.heal();
    store.hang("touch");
    assert!(visitor.visit(&lifecycle, |_| ()).0.is_empty());
    assert_eq!(lifecycle.counts().not_extended, 2);
    store.heal();
    store.calls();
    visitor.visit(&lifecycle, |_| ());
    assert_eq!(store.calls(), "get touch");
}

/// What the browser is told of a session that was made with these settings.
fn secure() -> CookieOptions {
    CookieOptions::new()
        .secure(true)
        .same_site(session_core::SameSite::Lax)
        .max_age(10 * MINUTE)
}

#[test]
fn of_two_sign_ins_at_the_same_time_each_has_its_cookie_settings() {
    let store = Recorder::new(ALL);
    let options = store.options().name("__Secure-sid").cookie(secure());
    let lifecycle = Lifecycle::new(options).unwrap();
    let cookies = |outcome: session_core::Outcome| {
        let cookies = outcome
            .cookies()
            .map(|cookie| cookie.to_str().unwrap().to_owned());
        cookies.collect::<Vec<_>>()
    };
    let visitor = |cookie: Option<String>| Visitor {
        cookie,
        connection: session_core::Connection::Encrypted,
        ..Visitor::default()
    };
    pollster::block_on(async {
        let first = visitor(None).begin(&lifecycle).unwrap();
        let session = first.session().await.unwrap().unwrap();
        session.insert("seed", &1).unwrap();
        let cookie = cookies(first.finish().await.unwrap()).remove(0);
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let requests = [(), ()].map(|()| visitor(Some(cookie.clone())).begin(&lifecycle).unwrap());
        for request in &requests {
            let session = request.session().await.unwrap().unwrap();
            session.cycle_id();
            session.insert("user", "alice").unwrap();
        }
        for request in requests {
            let set = cookies(request.finish().await.unwrap());
            assert!(
                set[0].contains("Expires=") && set[0].contains("; Secure; SameSite=Lax"),
                "{set:?}"
            );
        }
    });
    assert!(
        store
            .sessions()
            .iter()
            .all(|text| text.contains(r#""originalMaxAge":600000"#))
    );
}

#[test]
fn what_commit_has_stored_under_a_new_id_stays() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store);
    let mut visitor = Visitor::with_session(&lifecycle);
    let mut shopping = visitor.clone();
    visitor.visit_async(&lifecycle, async |session| {
        session.cycle_id();
        let sign_in = session.commit(|data| data.insert("user", "alice"));
        sign_in.await.unwrap();
        shopping.visit(&lifecycle, |session| session.insert("cart", &[7]).unwrap());
    });
    let json = store.only();
    assert!(
        json.ends_with(r#","seed":1,"cart":[7],"user":"alice"}"#),
        "{json}"
    );
}

#[test]
fn a_session_that_was_saved_and_reloaded_still_gets_its_cookie() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store);
    let reload = async |session: Session| {
        session.insert("a", &1).unwrap();
        session.update_cookie(|cookie| cookie.set_path("/shop"));
        session.save().await.unwrap();
        session.reload().await.unwrap();
    };
    assert!(
        Visitor::default()
            .visit_async(&lifecycle, reload)
            .sets_cookie()
    );
    let mut visitor = Visitor::with_session(&lifecycle);
    let response = visitor.visit_async(&lifecycle, reload);
    assert!(
        response.sets_cookie() && response.drops_cookie(),
        "{response:?}"
    );
}

#[test]
fn a_sign_in_that_a_sign_out_has_undone_is_told() {
    let store = Recorder::new(ALL);
    let lifecycle = Lifecycle::new(store.options().on_ended(OnEnded::Fail)).unwrap();
    let mut visitor = Visitor::with_session(&lifecycle);
    let mut out = visitor.clone();
    let result = visitor.try_visit(&lifecycle, async |session| {
        session.cycle_id();
        session.insert("user", "alice").unwrap();
        session.save().await.unwrap();
        sign_out(&mut out, &lifecycle);
    });
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Missing);
    assert_eq!(store.len(), 0);
}

#[test]
fn a_function_that_edits_the_session_each_time_is_an_error_and_no_endless_loop() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store);
    Visitor::default().visit(&lifecycle, |session| {
        let same = session.clone();
        let times = std::sync::atomic::AtomicU32::new(0);
        let error = session.update("n", move |n: Option<u32>| {
            let time = times.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            same.insert("seen", &time).unwrap();
            n.unwrap_or(0) + 1
        });
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Conflict);
    });
}

#[test]
fn an_unanswered_update_is_not_made_again_by_a_change_of_id() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store);
    let mut visitor = Visitor::with_session(&lifecycle);
    let result = visitor.try_visit(&lifecycle, async |session| {
        count(&session);
        store.lose_answer("replace");
        session.save().await.unwrap_err();
        session.cycle_id();
    });
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Timeout);
    assert!(store.only().ends_with(r#""seed":2}"#), "{}", store.only());
}

#[test]
fn settings_that_could_not_follow_are_told() {
    let store = Recorder::new(ALL);
    let lifecycle = Lifecycle::new(store.options().on_ended(OnEnded::Fail)).unwrap();
    let mut visitor = Visitor::with_session(&lifecycle);
    let mut signing_in = visitor.clone();
    let result = visitor.try_visit(&lifecycle, async |session| {
        session.set_max_age(Some(MINUTE));
        signing_in.visit(&lifecycle, |session| session.cycle_id());
    });
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Missing);
}

#[test]
fn a_row_that_node_has_made_of_a_forwarding_record_is_a_session() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store);
    let mut visitor = Visitor::with_session(&lifecycle);
    let (old, id) = (visitor.clone(), visitor.id());
    visitor.visit(&lifecycle, |session| session.cycle_id());
    let forward = pollster::block_on(store.get(&id)).unwrap().unwrap();
    assert!(forward.is_forward());
    let mut json = forward.json().to_owned();
    json.insert_str(json.len() - 1, r#","user":"bob""#);
    let expiry = session_core::StoredExpiry::from(forward.expires());
    let record = session_core::Record::decode(json, expiry).unwrap();
    pollster::block_on(store.set(&id, &record)).unwrap();
    assert!(is_signed_in(&old, &lifecycle));
}

#[test]
fn former_cookies_stay_while_nobody_knows_what_the_present_one_leads_to() {
    let store = Recorder::new(ALL);
    let before = lifecycle(&store);
    let mut visitor = Visitor::with_session(&before);
    let options = store
        .options()
        .cookie(CookieOptions::new().domain("example.com"));
    let options = options.former_cookie(FormerCookie::new()).lazy(true);
    let lifecycle = Lifecycle::new(options).unwrap();
    pollster::block_on(async {
        let exchange = visitor.begin(&lifecycle).unwrap();
        assert_eq!(exchange.finish().await.unwrap().cookies().count(), 0);
    });
    // Its session is still kept in the former place.
    assert!(visitor.visit(&lifecycle, |_| ()).0.is_empty());
}
