//! Every interleaving of requests on one session: the real lifecycle over a store whose every call is
//! a step. Each step may be taken next, its answer may be lost before or after it took effect, and
//! its request may be dropped there; after each schedule the promises of the crate are checked.
//!
//! | Promise | Stores with `replace` | Others |
//! |---|---|---|
//! | An acknowledged sign-out is final, whatever the session's id | yes | no: a write that was under way brings it back |
//! | What was acknowledged is not lost | yes; not with `OnConflict::Overwrite` | no: the last write wins |
//! | No update is made twice, no two commits are told the same | yes | no: two commits read the same |
//! | After an acknowledged change of id, the old one opens nothing | yes | no: a write that was under way brings it back |
//! | The browser's cookie leads to its session, without faults | yes | yes |
//! | So it does after faults | yes; not where data was to be dropped | no: there is no way back to the old session |
//! | Nothing is stored under an id that nobody was told of | yes | yes |
//! | A session whose cookie a response has set is there | yes | yes |
//!
//! (`Promise::holds`.) That the search finds what breaks them is shown in `bites`.
//!
//! `cargo nextest run` tries a fixed share. `SESSION_SCHEDULES=NUMBER cargo test --release -p
//! session-core --lib schedules -- --nocapture` tries up to so many of each script.

mod bites;
mod check;
pub(crate) mod faults;
mod scripts;
mod search;
mod store;
mod world;

use crate::{Capabilities, OnConflict};
use check::{Breach, Promise};
use scripts::Deed;
use search::{Budget, explore, search};
use world::Script;

const ALL: Capabilities = Capabilities::NONE.with_touch().with_create().with_replace();
const WITHOUT_REPLACE: Capabilities = Capabilities::NONE.with_touch().with_create();

/// Every pair of deeds.
fn pairs() -> impl Iterator<Item = Vec<Deed>> {
    let each = Deed::ALL.into_iter().enumerate();
    each.flat_map(|(at, one)| Deed::ALL[at..].iter().map(move |&other| vec![one, other]))
}

/// Two requests that change the id, and a third one.
fn forks() -> impl Iterator<Item = Vec<Deed>> {
    const CYCLE: Deed = Deed::SignInByCycle;
    Deed::ALL.into_iter().map(|third| vec![CYCLE, CYCLE, third])
}

/// Every three deeds of which two change the session as a whole.
fn triples() -> impl Iterator<Item = Vec<Deed>> {
    const WHOLE: [Deed; 4] = [
        Deed::SignInByRegenerate,
        Deed::SignInByCycle,
        Deed::SignOut,
        Deed::RegenerateKeeping,
    ];
    let each = WHOLE.into_iter().enumerate();
    each.flat_map(|(at, one)| WHOLE[at..].iter().map(move |&other| [one, other]))
        .flat_map(|[one, other]| {
            Deed::ALL
                .into_iter()
                .map(move |third| vec![one, other, third])
        })
}

fn script(deeds: Vec<Deed>) -> Script {
    Script {
        deeds,
        capabilities: ALL,
        on_conflict: OnConflict::Merge,
        browser_session: false,
        expires: false,
        in_turn: false,
    }
}

/// How many schedules of each script are tried: `share` of them, or as many as somebody wants.
fn at_most(share: usize, faults: usize) -> Budget {
    let wanted = std::env::var("SESSION_SCHEDULES").ok();
    let wanted = wanted.map(|text| text.parse().expect("SESSION_SCHEDULES is a number"));
    Budget {
        faults,
        schedules: wanted.unwrap_or(share),
        more: 20_000,
    }
}

fn search_all(about: &str, scripts: impl IntoIterator<Item = Script>, budget: Budget) {
    let tried: Vec<_> = scripts
        .into_iter()
        .map(|script| explore(&script, budget))
        .collect();
    println!(
        "{about}: {} scripts, {} schedules",
        tried.len(),
        tried.iter().sum::<usize>()
    );
}

#[test]
fn two_requests_without_faults() {
    for capabilities in [ALL, WITHOUT_REPLACE, Capabilities::NONE] {
        for in_turn in [false, true] {
            let scripts = pairs().map(|deeds| Script {
                capabilities,
                in_turn,
                ..script(deeds)
            });
            search_all("two requests, no faults", scripts, at_most(120, 0));
        }
    }
}

#[test]
fn two_requests_and_one_fault() {
    search_all(
        "two requests, one fault",
        pairs().map(script),
        at_most(120, 1),
    );
}

#[test]
fn two_requests_and_two_faults() {
    search_all(
        "two requests, two faults",
        pairs().map(script),
        at_most(80, 2),
    );
}

#[test]
fn two_requests_one_after_the_other_and_one_fault() {
    let scripts = pairs().map(|deeds| Script {
        in_turn: true,
        ..script(deeds)
    });
    search_all("two requests in turn, one fault", scripts, at_most(100, 1));
}

#[test]
fn two_requests_while_the_session_ends_of_age() {
    let scripts = pairs().map(|deeds| Script {
        expires: true,
        ..script(deeds)
    });
    search_all(
        "two requests and the end of time, one fault",
        scripts,
        at_most(100, 1),
    );
}

#[test]
fn three_requests() {
    for faults in [0, 1] {
        let about = format!("three requests, {faults} faults");
        search_all(&about, triples().map(script), at_most(25, faults));
    }
}

#[test]
fn three_requests_one_after_the_other() {
    let scripts = triples().map(|deeds| Script {
        in_turn: true,
        ..script(deeds)
    });
    search_all("three requests in turn, one fault", scripts, at_most(15, 1));
}

#[test]
fn two_requests_on_a_session_that_ends_with_the_browser() {
    let scripts = pairs().map(|deeds| Script {
        browser_session: true,
        ..script(deeds)
    });
    search_all(
        "two requests without a max age, one fault",
        scripts,
        at_most(50, 1),
    );
}

#[test]
fn two_requests_that_do_not_merge() {
    for on_conflict in [OnConflict::Overwrite, OnConflict::Fail] {
        let scripts = pairs().map(|deeds| Script {
            on_conflict,
            ..script(deeds)
        });
        let about = format!("two requests that {on_conflict:?}, one fault");
        search_all(&about, scripts, at_most(50, 1));
    }
}

#[test]
fn requests_on_stores_that_cannot_compare() {
    for capabilities in [WITHOUT_REPLACE, Capabilities::NONE] {
        let scripts = pairs().map(|deeds| Script {
            capabilities,
            ..script(deeds)
        });
        search_all(
            "two requests on a store that cannot compare, one fault",
            scripts,
            at_most(50, 1),
        );
    }
}

/// Each promise that is not given does not hold: the table says no more than it must.
#[test]
fn what_is_not_promised_does_not_hold() {
    let others = |capabilities| Script {
        capabilities,
        ..script(Vec::new())
    };
    let overwrites = Script {
        on_conflict: OnConflict::Overwrite,
        ..script(Vec::new())
    };
    let cannot_compare = [
        (Promise::EndIsFinal, 0),
        (Promise::NothingIsLost, 0),
        (Promise::NothingIsTwice, 0),
        (Promise::OldIdIsDead, 0),
        (Promise::CookieSurvives, 1),
    ];
    let mut cases = vec![(overwrites, Promise::NothingIsLost, 0)];
    for capabilities in [WITHOUT_REPLACE, Capabilities::NONE] {
        let each = cannot_compare.into_iter();
        cases.extend(each.map(|(promise, faults)| (others(capabilities), promise, faults)));
    }
    for (store, promise, faults) in cases {
        let budget = Budget {
            faults,
            schedules: 200,
            more: 0,
        };
        let breaks = pairs().any(|deeds| {
            let script = Script {
                deeds,
                ..store.clone()
            };
            let counts = |breach: &Breach| breach.promise == promise;
            search(&script, budget, counts).1.is_some()
        });
        assert!(!promise.holds(&store));
        assert!(breaks, "{promise:?} holds: {store:?}");
    }
}

/// A search found it: with `OnConflict::Overwrite`, a save whose answer was lost was repeated after
/// another request had changed the id, and the edits that it had made followed the session.
#[test]
fn a_save_that_is_repeated_after_a_change_of_id() {
    let script = Script {
        on_conflict: OnConflict::Overwrite,
        ..script(vec![Deed::SignInByCycle, Deed::SaveTwice])
    };
    explore(&script, at_most(500, 1));
}

/// A search found it: the second change of the id was done, and the request was dropped while it
/// removed what the first one had stored. The old id led nowhere, and nobody knew the new one.
#[test]
fn one_request_that_changes_the_id_twice_and_is_interrupted() {
    let script = script(vec![Deed::SignInTwice]);
    let budget = Budget {
        faults: 2,
        schedules: 10_000,
        more: 0,
    };
    assert!(explore(&script, budget) < budget.schedules, "all are tried");
}
