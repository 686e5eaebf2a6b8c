//! What must hold after every schedule.

use std::collections::HashSet;

use super::scripts::Deed;
use super::world::{Outcome, Script, head_of};
use crate::format::facts::Moved;
use crate::{Connection, Record, RequestHead, SessionId, Store};

/// A request that only reads, with this id's cookie: whether it finds a session.
fn finds(world: &Outcome, id: &SessionId) -> bool {
    pollster::block_on(async {
        let headers = head_of(id);
        let exchange = world
            .lifecycle
            .begin(&RequestHead {
                method: &http::Method::GET,
                uri: &http::Uri::from_static("/"),
                headers: &headers,
                connection: Connection::Plain,
            })
            .unwrap();
        let session = exchange.session().await.unwrap().unwrap();
        !session.is_new()
    })
}

/// The ids that a session has had, of which `id` is one.
fn line_of(id: &SessionId, moves: &[(SessionId, SessionId)]) -> Vec<SessionId> {
    let mut line = vec![id.clone()];
    loop {
        let before = line.len();
        for (old, new) in moves {
            let (has_old, has_new) = (line.contains(old), line.contains(new));
            if has_old && !has_new {
                line.push(new.clone());
            } else if has_new && !has_old {
                line.push(old.clone());
            }
        }
        if line.len() == before {
            return line;
        }
    }
}

fn number(record: &Record, key: &str) -> Option<u32> {
    record.data().get(key).unwrap()
}

/// The first promise that was broken.
pub(super) fn check(script: &Script, world: &Outcome) -> Result<(), String> {
    // Whatever requests come next finish what was interrupted.
    let nobody = SessionId::random();
    for _ in 0..=script.deeds.len() * 3 {
        finds(world, &nobody);
    }
    let can_compare = script.capabilities.replace;
    let sessions = world.store.sessions();
    let moves = world.store.moves();
    let live = |id: &SessionId| sessions.iter().find(|(live, _)| live == id);
    // An end that was asked for may have taken place, acknowledged or not.
    let ends = |deed: &Deed| matches!(deed, Deed::SignOut | Deed::Unset);
    let one_ended = script.deeds.iter().any(ends);

    // 1. An acknowledged end is final.
    for report in world.reports.iter().filter(|_| can_compare) {
        let Some(ended) = &report.ended else { continue };
        for id in line_of(ended, &moves) {
            if live(&id).is_some() {
                return Err("a session lives whose end was acknowledged".into());
            }
        }
    }

    // 3. After an acknowledged change of id the old one is dead.
    let changed = world.reports.iter().any(|report| {
        report.changes_id && report.succeeded && report.found.is_some() && report.cookie.is_some()
    });
    if changed
        && (live(&world.start).is_some() || finds(world, &world.start))
        && (can_compare || world.faults == 0 && script.deeds.len() == 1)
    {
        return Err("an id opens a session although a change of it was acknowledged".into());
    }

    // 2. Nothing acknowledged is lost, and nothing is done twice.
    let line = line_of(&world.start, &moves);
    let survivors = || sessions.iter().filter(|(id, _)| line.contains(id));
    let of_line = || {
        let found = |id: &SessionId| line.contains(id);
        world
            .reports
            .iter()
            .filter(move |report| report.found.as_ref().is_some_and(found))
    };
    // A session that a failed change of id leaves has what others did; a new line has nothing.
    let begun: u32 = world.reports.iter().map(|report| report.counts).sum();
    for (_, record) in sessions.iter().filter(|_| can_compare) {
        if number(record, "n").unwrap_or(0) > begun {
            return Err("an update was made twice".into());
        }
    }
    for (_, record) in survivors().filter(|_| can_compare) {
        let counted: u32 = of_line().map(|report| report.counted).sum();
        let n = number(record, "n").unwrap_or(0);
        if n < counted {
            return Err(format!(
                "{counted} updates were acknowledged, and the count is {n}"
            ));
        }
        let keeps_all = !script.deeds.contains(&Deed::RegenerateKeeping);
        for (number, report) in world.reports.iter().enumerate() {
            let ours = report.found.as_ref().is_some_and(|id| line.contains(id));
            let there = record.data().contains_key(&format!("key{number}"));
            if ours && keeps_all && report.key_is_set && !there {
                return Err("a key was acknowledged, and is not there".into());
            }
        }
    }
    let told: Vec<_> = of_line().filter_map(|report| report.told).collect();
    let different: HashSet<_> = told.iter().collect();
    if can_compare && different.len() < told.len() {
        return Err("two requests were told the same number".into());
    }

    // 4. Without faults, the browser's cookie leads to its session.
    if world.faults == 0 && !script.expires && !one_ended {
        match &world.jar {
            None => return Err("the browser has lost its cookie".into()),
            Some(id) if !finds(world, id) => {
                return Err("the browser's cookie leads to no session".into());
            }
            Some(_) => {}
        }
        // 6. Without faults, everything succeeds that nobody has ended.
        let conflicting = script.deeds.contains(&Deed::SignInByRegenerate);
        if can_compare && !conflicting && survivors().next().is_none() {
            return Err("the session is gone, and nobody has ended it".into());
        }
    }
    // 6. A sign-in that was acknowledged with a cookie is one.
    for report in &world.reports {
        let Some(id) = report.cookie.as_ref().filter(|_| report.changes_id) else {
            continue;
        };
        let moved = moves.iter().any(|(old, _)| old == id);
        let replaced = world
            .reports
            .iter()
            .any(|other| other.found.as_ref() == Some(id));
        let over = one_ended || script.expires || moved || replaced;
        if report.succeeded && !over && live(id).is_none() {
            return Err("a response has set the cookie of no session".into());
        }
    }

    // 5. Nothing is stored under an id that nobody was told of.
    let mut told: HashSet<&SessionId> = HashSet::from([&world.start]);
    for report in &world.reports {
        told.extend([&report.cookie, &report.saved].into_iter().flatten());
    }
    for (id, record) in &sessions {
        if !told.contains(id) && (can_compare || world.faults == 0) {
            return Err(format!(
                "a session is stored under an id that nobody was told of ({} bytes)",
                record.json().len()
            ));
        }
    }
    // What says where a session went has an end of its own.
    let rows = pollster::block_on(world.store.get(&world.start)).unwrap();
    if rows
        .as_ref()
        .is_some_and(|record| Moved::read(record).is_some() && record.expires().is_none())
    {
        return Err("a forwarding record has no end".into());
    }
    Ok(())
}
