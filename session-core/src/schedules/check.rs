//! What must hold after every schedule.

use std::collections::HashSet;
use std::fmt;

use super::scripts::{Deed, Report};
use super::world::{Outcome, Script, head_of};
use crate::format::facts::Moved;
use crate::{Connection, OnConflict, Record, RequestHead, SessionId, Store};

/// A promise of the crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Promise {
    /// An end that was acknowledged is final: no id that the session had or will have opens it.
    EndIsFinal,
    /// What was acknowledged is there as long as the session is.
    NothingIsLost,
    /// No update is made twice, and no two requests are told the same by `commit`.
    NothingIsTwice,
    /// After an acknowledged change of id, the old one opens nothing.
    OldIdIsDead,
    /// Without faults, the browser's cookie leads to a session that nobody has ended.
    CookieLeads,
    /// So it does after faults, unless the data was to be dropped.
    CookieSurvives,
    /// Nothing is stored under an id that nobody was told of.
    NothingIsUntold,
    /// Where a response shows a new session, it is there.
    SuccessIsTrue,
}

impl Promise {
    /// Whether it is given for such a script. The table in the
    /// module's docs says the same.
    pub(super) fn holds(self, script: &Script) -> bool {
        let overwrites = script.on_conflict == OnConflict::Overwrite;
        match self {
            Self::NothingIsLost => script.capabilities.replace && !overwrites,
            Self::EndIsFinal | Self::NothingIsTwice | Self::OldIdIsDead => {
                script.capabilities.replace
            }
            Self::CookieSurvives => script.capabilities.replace,
            Self::CookieLeads | Self::NothingIsUntold | Self::SuccessIsTrue => true,
        }
    }
}

/// A promise that a schedule has broken.
#[derive(Debug)]
pub(super) struct Breach {
    pub(super) promise: Promise,
    how: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.promise, self.how)
    }
}

/// The promises that a schedule has broken, given or not.
pub(super) fn breaches(script: &Script, world: &Outcome) -> Vec<Breach> {
    // Whatever requests come next finish what was interrupted.
    for _ in 0..=script.deeds.len() * 3 {
        finds(world, None);
    }
    let mut seen = Seen {
        script,
        world,
        sessions: world.store.sessions(),
        moves: moves_of(script, world),
        breaches: Vec::new(),
    };
    seen.ends_are_final();
    seen.old_ids_are_dead();
    seen.nothing_is_lost();
    seen.nothing_is_twice();
    seen.the_cookie_leads_to_its_session();
    seen.success_is_true();
    seen.nothing_is_untold();
    seen.breaches
}

/// A request that only reads, with this id's cookie: whether it finds a session.
fn finds(world: &Outcome, id: Option<&SessionId>) -> bool {
    pollster::block_on(async {
        let headers = id.map(head_of).unwrap_or_default();
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

/// From which id to which a session has gone: as the store was told, and as the requests were.
fn moves_of(script: &Script, world: &Outcome) -> Vec<(SessionId, SessionId)> {
    let mut moves = world.store.moves();
    for (report, deed) in world.reports.iter().zip(&script.deeds) {
        // Of a session that has ended of age, a new one without a tie to it may follow.
        if deed.keeps_data()
            && report.succeeded
            && !script.expires
            && let (Some(old), Some(new)) = (&report.found, &report.cookie)
            && old != new
        {
            moves.push((old.clone(), new.clone()));
        }
    }
    moves
}

fn number(record: &Record, key: &str) -> Option<u32> {
    record.data().get(key).unwrap()
}

/// A world in which nothing happens any more.
struct Seen<'a> {
    script: &'a Script,
    world: &'a Outcome,
    /// The live ones.
    sessions: Vec<(SessionId, Record)>,
    moves: Vec<(SessionId, SessionId)>,
    breaches: Vec<Breach>,
}

impl Seen<'_> {
    fn broken(&mut self, promise: Promise, how: impl Into<String>) {
        let how = how.into();
        self.breaches.push(Breach { promise, how });
    }

    fn is_live(&self, id: &SessionId) -> bool {
        self.sessions.iter().any(|(live, _)| live == id)
    }

    /// The id, and those that its session has had since.
    fn since(&self, id: &SessionId) -> Vec<SessionId> {
        let mut line = vec![id.clone()];
        let mut at = 0;
        while let Some(old) = line.get(at).cloned() {
            at += 1;
            for (from, to) in &self.moves {
                if *from == old && !line.contains(to) {
                    line.push(to.clone());
                }
            }
        }
        line
    }

    /// The reports on requests whose session now has this id, or one of whose sessions.
    fn of_line<'s>(&'s self, id: &'s SessionId) -> impl Iterator<Item = (usize, &'s Report)> {
        let reports = self.world.reports.iter().enumerate();
        reports.filter(|(_, report)| {
            // Who changes the id edits the session that it begins.
            let edited = match report.changes_id {
                true => report.cookie.as_ref(),
                false => report.found.as_ref(),
            };
            edited.is_some_and(|edited| self.since(edited).contains(id))
        })
    }

    /// Whether somebody may have ended the session, acknowledged or not.
    fn one_ended(&self) -> bool {
        let ends = |deed: &Deed| matches!(deed, Deed::SignOut | Deed::Unset);
        self.script.deeds.iter().any(ends)
    }

    fn ends_are_final(&mut self) {
        let ended = self.world.reports.iter();
        for id in ended.filter_map(|report| report.ended.as_ref()) {
            let line = self.since(id);
            let before = |old: &&SessionId| self.since(old).contains(id);
            let mut before = self.moves.iter().map(|(old, _)| old).filter(before);
            if before.any(|id| self.is_live(id)) || line.iter().any(|id| self.is_live(id)) {
                self.broken(
                    Promise::EndIsFinal,
                    "a session lives whose end was acknowledged",
                );
                return;
            }
        }
    }

    fn old_ids_are_dead(&mut self) {
        for report in &self.world.reports {
            let changed = report.changes_id && report.succeeded && report.cookie.is_some();
            let Some(old) = report.found.as_ref().filter(|_| changed) else {
                continue;
            };
            if self.is_live(old) || finds(self.world, Some(old)) {
                self.broken(
                    Promise::OldIdIsDead,
                    "an id opens a session although a change of it was acknowledged",
                );
                return;
            }
        }
    }

    fn nothing_is_lost(&mut self) {
        let keeps_all = !self.script.deeds.contains(&Deed::RegenerateKeeping);
        let mut lost = Vec::new();
        // A session that a failed change of id leaves has what others did; a new line has nothing.
        for (id, record) in &self.sessions {
            let counted: u32 = self.of_line(id).map(|(_, report)| report.counted).sum();
            let n = number(record, "n").unwrap_or(0);
            if n < counted {
                lost.push(format!(
                    "{counted} updates were acknowledged, and the count is {n}"
                ));
            }
            let keys = self.of_line(id).filter(|(_, report)| report.key_is_set);
            for (number, _) in keys {
                if keeps_all && !record.data().contains_key(&format!("key{number}")) {
                    lost.push("a key was acknowledged, and is not there".into());
                }
            }
        }
        for how in lost {
            self.broken(Promise::NothingIsLost, how);
        }
    }

    fn nothing_is_twice(&mut self) {
        let reports = &self.world.reports;
        let begun: u32 = reports.iter().map(|report| report.counts).sum();
        let count = |(_, record): &(_, Record)| number(record, "n").unwrap_or(0);
        if self.sessions.iter().map(count).any(|n| n > begun) {
            self.broken(Promise::NothingIsTwice, "an update was made twice");
        }
        let line = self.since(&self.world.start);
        let ours = |report: &&Report| report.found.as_ref().is_some_and(|id| line.contains(id));
        let told: Vec<_> = reports
            .iter()
            .filter(ours)
            .filter_map(|it| it.told)
            .collect();
        let different: HashSet<_> = told.iter().collect();
        if different.len() < told.len() {
            self.broken(
                Promise::NothingIsTwice,
                "two requests were told the same number",
            );
        }
    }

    fn the_cookie_leads_to_its_session(&mut self) {
        let Self { script, world, .. } = *self;
        if script.expires || self.one_ended() {
            return;
        }
        let drops = script.deeds.contains(&Deed::SignInByRegenerate);
        let promise = match world.faults {
            0 => Promise::CookieLeads,
            _ if drops => return,
            _ => Promise::CookieSurvives,
        };
        match &world.jar {
            None => self.broken(promise, "the browser has lost its cookie"),
            Some(id) if !finds(world, Some(id)) => {
                self.broken(promise, "the browser's cookie leads to no session");
            }
            Some(_) => {}
        }
        let line = self.since(&world.start);
        if world.faults == 0 && !drops && !line.iter().any(|id| self.is_live(id)) {
            let how = "the session is gone, and nobody has ended it";
            self.broken(Promise::NothingIsLost, how);
        }
    }

    /// A sign-in that was acknowledged with a cookie is one.
    fn success_is_true(&mut self) {
        let reports = &self.world.reports;
        for report in reports {
            let shown = report.cookie.as_ref().filter(|_| report.changes_id);
            let Some(id) = shown else { continue };
            let moved = self.moves.iter().any(|(old, _)| old == id);
            let replaced = reports.iter().any(|other| other.found.as_ref() == Some(id));
            let over = self.one_ended() || self.script.expires || moved || replaced;
            if report.succeeded && !over && !self.is_live(id) {
                self.broken(
                    Promise::SuccessIsTrue,
                    "a response has set the cookie of no session",
                );
                return;
            }
        }
    }

    fn nothing_is_untold(&mut self) {
        let mut told: HashSet<&SessionId> = HashSet::from([&self.world.start]);
        for report in &self.world.reports {
            told.extend([&report.cookie, &report.saved].into_iter().flatten());
        }
        let untold = self.sessions.iter().find(|(id, _)| !told.contains(id));
        if let Some((_, record)) = untold {
            let size = record.json().len();
            self.broken(
                Promise::NothingIsUntold,
                format!("a session is stored under an id that nobody was told of ({size} bytes)"),
            );
        }
        // What says where a session went has an end of its own, unless a late touch takes it away.
        let row = pollster::block_on(self.world.store.get(&self.world.start)).unwrap();
        let endless = |record: Record| Moved::read(&record).is_some() && record.expires().is_none();
        if !self.script.browser_session && row.is_some_and(endless) {
            self.broken(Promise::NothingIsUntold, "a forwarding record has no end");
        }
    }
}
