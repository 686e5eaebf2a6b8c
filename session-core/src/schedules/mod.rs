//! Every interleaving of requests on one session: the real lifecycle over a store whose every call is
//! a step. Each step may be taken next, its answer may be lost before or after it took effect, and
//! its request may be dropped there; after each schedule the promises of the crate are checked.
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
use scripts::Deed;
use search::{Budget, explore};
use world::Script;

const ALL: Capabilities = Capabilities::NONE.with_touch().with_create().with_replace();
const WITHOUT_REPLACE: Capabilities = Capabilities::NONE.with_touch().with_create();

/// Every pair of deeds.
fn pairs() -> impl Iterator<Item = Vec<Deed>> {
    let each = Deed::ALL.into_iter().enumerate();
    each.flat_map(|(at, one)| Deed::ALL[at..].iter().map(move |&other| vec![one, other]))
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
            search_all("two requests, no faults", scripts, at_most(300, 0));
        }
    }
}

#[test]
fn two_requests_and_one_fault() {
    search_all(
        "two requests, one fault",
        pairs().map(script),
        at_most(200, 1),
    );
}

#[test]
fn two_requests_and_two_faults() {
    search_all(
        "two requests, two faults",
        pairs().map(script),
        at_most(150, 2),
    );
}

#[test]
fn two_requests_one_after_the_other_and_one_fault() {
    let scripts = pairs().map(|deeds| Script {
        in_turn: true,
        ..script(deeds)
    });
    search_all("two requests in turn, one fault", scripts, at_most(150, 1));
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
        search_all(&about, triples().map(script), at_most(60, faults));
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
