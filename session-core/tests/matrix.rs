//! Which store calls and which cookie a request costs: the matrix that express-session 1.19 was
//! measured with, and the budget of this project.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

mod common;

use std::time::Duration;

use common::{ALL, Recorder, Visitor};
use session_core::{Capabilities, CookieOptions, Lifecycle, SessionOptions};

#[derive(Debug)]
struct Row {
    resave: bool,
    save_uninitialized: bool,
    rolling: bool,
    max_age: bool,
    /// New and unmodified, new and modified, existing and unmodified, existing and modified; `C`
    /// stands for Set-Cookie. As Node's store saw them.
    node: [&'static str; 4],
}

const fn row(flags: [u8; 3], max_age: bool, node: [&'static str; 4]) -> Row {
    let [resave, save_uninitialized, rolling] = flags;
    Row {
        resave: resave == 1,
        save_uninitialized: save_uninitialized == 1,
        rolling: rolling == 1,
        max_age,
        node,
    }
}

const MATRIX: [Row; 16] = [
    row(
        [1, 1, 1],
        false,
        ["set C", "set C", "get set C", "get set C"],
    ),
    row(
        [1, 1, 1],
        true,
        ["set C", "set C", "get set C", "get set C"],
    ),
    row([1, 1, 0], false, ["set C", "set C", "get set", "get set"]),
    row([1, 1, 0], true, ["set C", "set C", "get set", "get set C"]),
    row([1, 0, 1], false, ["", "set C", "get set C", "get set C"]),
    row([1, 0, 1], true, ["", "set C", "get set C", "get set C"]),
    row([1, 0, 0], false, ["", "set C", "get set", "get set"]),
    row([1, 0, 0], true, ["", "set C", "get set", "get set C"]),
    row(
        [0, 1, 1],
        false,
        ["set C", "set C", "get touch C", "get set C"],
    ),
    row(
        [0, 1, 1],
        true,
        ["set C", "set C", "get touch C", "get set C"],
    ),
    row([0, 1, 0], false, ["set C", "set C", "get touch", "get set"]),
    row(
        [0, 1, 0],
        true,
        ["set C", "set C", "get touch", "get set C"],
    ),
    row([0, 0, 1], false, ["", "set C", "get touch C", "get set C"]),
    row([0, 0, 1], true, ["", "set C", "get touch C", "get set C"]),
    row([0, 0, 0], false, ["", "set C", "get touch", "get set"]),
    row([0, 0, 0], true, ["", "set C", "get touch", "get set C"]),
];

fn options(store: &Recorder, row: &Row) -> SessionOptions {
    let cookie = CookieOptions::new();
    store
        .options()
        .resave(row.resave)
        .save_uninitialized(row.save_uninitialized)
        .rolling(row.rolling)
        .cookie(if row.max_age {
            cookie.max_age(Duration::from_secs(60))
        } else {
            cookie
        })
}

/// What the four requests of a row did.
fn measure(capabilities: Capabilities, row: &Row) -> [String; 4] {
    let store = Recorder::new(capabilities);
    let lifecycle = Lifecycle::new(options(&store, row)).unwrap();
    let request = |visitor: &mut Visitor, modify: bool| {
        store.calls();
        let response = visitor.visit(&lifecycle, |session| {
            if modify {
                session
                    .update("n", |n: Option<u32>| n.unwrap_or(0) + 1)
                    .unwrap();
            }
        });
        let cookie = if response.sets_cookie() { " C" } else { "" };
        format!("{}{cookie}", store.calls()).trim().to_owned()
    };
    let mut known = Visitor::with_session(&lifecycle);
    [
        request(&mut Visitor::default(), false),
        request(&mut Visitor::default(), true),
        request(&mut known, false),
        request(&mut known, true),
    ]
}

/// Departure 2: where Node's store sees `set`, a new session is created and a stored one replaced,
/// each on condition that nobody was faster.
fn conditional(row: &Row) -> [String; 4] {
    let [new, new_modified, existing, existing_modified] = row.node;
    [
        new.replace("set", "create"),
        new_modified.replace("set", "create"),
        existing.replace("set", "replace"),
        existing_modified.replace("set", "replace"),
    ]
}

#[test]
fn the_matrix_of_express_session_on_a_store_with_all_capabilities() {
    for row in &MATRIX {
        assert_eq!(measure(ALL, row), conditional(row), "{row:?}");
    }
}

#[test]
fn the_matrix_of_express_session_on_a_store_with_touch_alone() {
    for row in &MATRIX {
        assert_eq!(measure(Capabilities::NONE.with_touch(), row), row.node);
    }
}

#[test]
fn the_matrix_of_express_session_on_a_minimal_store() {
    for row in &MATRIX {
        let expected = row.node.map(|calls| calls.replace(" touch", ""));
        assert_eq!(measure(Capabilities::NONE, row), expected);
    }
}

/// The store calls of one request, counted after the visitor has got a session.
fn budget(options: impl FnOnce(SessionOptions) -> SessionOptions, act: Act) -> String {
    let store = Recorder::new(ALL);
    let lifecycle = Lifecycle::new(options(store.options())).unwrap();
    let mut known = Visitor::with_session(&lifecycle);
    let mut new = Visitor::default();
    let mut forged = known.clone();
    forged.cookie = forged
        .cookie
        .map(|cookie| cookie.replace("connect.sid=s%3A", "connect.sid=s%3Ax"));
    store.calls();
    match act {
        Act::NewUntouched => untouched(&mut new, &lifecycle),
        Act::NewWritten => drop(new.visit(&lifecycle, |session| session.insert("a", &1).unwrap())),
        Act::Untouched => untouched(&mut known, &lifecycle),
        Act::Read => drop(known.visit(&lifecycle, |session| {
            assert_eq!(session.get("seed").unwrap(), Some(1));
        })),
        Act::Modified => {
            drop(known.visit(&lifecycle, |session| session.insert("a", &1).unwrap()));
        }
        Act::Forged => drop(forged.visit(&lifecycle, |session| assert!(session.is_new()))),
        Act::Unsigned => {
            let mut unsigned = Visitor {
                cookie: Some("connect.sid=apple".into()),
                ..new
            };
            drop(unsigned.visit(&lifecycle, |session| assert!(session.is_new())));
        }
    }
    store.calls()
}

#[derive(Clone, Copy)]
enum Act {
    NewUntouched,
    NewWritten,
    Untouched,
    Read,
    Modified,
    Forged,
    Unsigned,
}

/// A request whose handler never asks for the session.
fn untouched(visitor: &mut Visitor, lifecycle: &Lifecycle) {
    pollster::block_on(async {
        let exchange = visitor.begin(lifecycle).unwrap();
        if exchange.loads_first() {
            exchange.load().await.unwrap();
        }
        assert_eq!(exchange.finish().await.unwrap().cookies().count(), 0);
    });
}

#[test]
fn every_request_keeps_to_its_budget() {
    let hour = Duration::from_secs(3_600);
    let plain = |options: SessionOptions| options;
    let lazy = |options: SessionOptions| options.lazy(true);
    let patient = |options: SessionOptions| {
        options
            .touch_after(hour)
            .cookie(CookieOptions::new().max_age(2 * hour))
    };
    assert_eq!(budget(plain, Act::NewUntouched), "");
    assert_eq!(budget(lazy, Act::NewUntouched), "");
    assert_eq!(budget(lazy, Act::Untouched), "");
    assert_eq!(budget(plain, Act::Untouched), "get touch");
    assert_eq!(budget(plain, Act::Read), "get touch");
    assert_eq!(budget(lazy, Act::Read), "get touch");
    assert_eq!(budget(patient, Act::Read), "get");
    assert_eq!(budget(plain, Act::Modified), "get replace");
    assert_eq!(budget(patient, Act::Modified), "get replace");
    assert_eq!(budget(plain, Act::NewWritten), "create");
    assert_eq!(budget(plain, Act::Forged), "");
    assert_eq!(budget(plain, Act::Unsigned), "");
}
