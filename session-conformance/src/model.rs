//! What a store may answer: the contract as a map of id to text and expiry.
//!
//! After a call that was dropped, or whose answer was lost, the model does not know whether it has
//! taken effect, nor when it will: it keeps every world that there may be, and each answer leaves
//! those that explain it. A store has broken the contract when none is left.

mod call;
mod contract;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use session_core::{Created, Replaced, SessionId};

pub(crate) use call::{Call, Said, perform};
use contract::{Answer, State, contract};
pub(crate) use contract::{Deed, Held, Reply};

use crate::describe;
use crate::handle::Id;
use crate::timing::{Fit, Timing};

/// One way in which everything may be: what is stored, and what was asked for and may still come.
#[derive(Clone, Debug, PartialEq)]
struct World {
    state: State,
    pending: Vec<Deed>,
}

/// What the model knows of one id.
#[derive(Clone, Debug)]
struct Known {
    worlds: Vec<World>,
    /// A write was accepted once: it can be refused no more.
    accepted: bool,
}

/// When a call was under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct During {
    pub(crate) began: SystemTime,
    pub(crate) ended: SystemTime,
}

/// The ids of one namespace.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    ids: Arc<Vec<Id>>,
    known: Vec<Known>,
    timing: Timing,
    default_ttl: Option<Duration>,
    /// The store lets its backend end records: what has ended may be gone by itself.
    server_ttl: bool,
    /// Other calls are under way while these are.
    racing: bool,
}

impl Model {
    /// An empty namespace in which these ids will be used.
    pub(crate) fn new(
        ids: Arc<Vec<Id>>,
        timing: Timing,
        store: &session_core::Capabilities,
    ) -> Self {
        let nothing = World {
            state: State(None),
            pending: Vec::new(),
        };
        let known = Known {
            worlds: vec![nothing],
            accepted: false,
        };
        Self {
            known: vec![known; ids.len()],
            ids,
            timing,
            default_ttl: store.default_ttl,
            server_ttl: store.server_ttl,
            racing: false,
        }
    }

    /// The same for calls that run while others do.
    ///
    /// A `replace` whose record goes while it runs may answer `Conflict` as well as `Missing`: the
    /// caller reads again after the one, and finds what the other says.
    pub(crate) fn racing(self) -> Self {
        let racing = true;
        Self { racing, ..self }
    }

    /// What may be live under an id: to write from, and to wait for.
    pub(crate) fn held(&self, id: usize) -> Option<Held> {
        let worlds = self.known[id].worlds.iter();
        let mut held = worlds.filter_map(|world| world.state.0.as_ref());
        held.next().map(|(held, _)| held.clone())
    }

    /// Whether what is stored may have been there and not have ended, and may have ended.
    fn lives(&self, state: &State, during: During) -> [bool; 2] {
        let Some((held, since)) = &state.0 else {
            return [false, true];
        };
        let ends = match (held.ends, self.default_ttl) {
            (Some(ends), _) => ends,
            (None, None) => return [true, false],
            // The store may give a record without an expiry more than it says, but not less.
            (None, Some(ttl)) => {
                return [true, during.ended > self.timing.last_of(*since + ttl)];
            }
        };
        [
            during.began < self.timing.gone_at(ends),
            during.ended > self.timing.last_of(ends),
        ]
    }

    /// Every world that there may be while a call runs: what was asked for may have come.
    fn worlds(&self, id: usize, during: During) -> Vec<World> {
        let mut worlds = self.known[id].worlds.clone();
        let mut at = 0;
        while at < worlds.len() {
            let world = worlds[at].clone();
            for (n, deed) in world.pending.iter().enumerate() {
                let mut pending = world.pending.clone();
                pending.remove(n);
                for (_, state) in self.outcomes(&world.state, deed, during) {
                    let landed = World {
                        state,
                        pending: pending.clone(),
                    };
                    if !worlds.contains(&landed) {
                        worlds.push(landed);
                    }
                }
            }
            at += 1;
        }
        worlds
    }

    /// What a deed may answer and leave; twice, where nobody can tell whether a record has ended.
    fn outcomes<'a>(
        &self,
        state: &'a State,
        deed: &Deed,
        during: During,
    ) -> Vec<(Answer<'a>, State)> {
        let lives = self.lives(state, during);
        let mut outcomes = Vec::new();
        for live in [true, false] {
            if !lives[usize::from(!live)] {
                continue;
            }
            let (answer, mut left) = contract(state, deed, live, during.ended);
            if !live
                && left == *state
                && let Some((held, _)) = &mut left.0
            {
                // Once it has ended, it does not come back.
                held.ends = Some(SystemTime::UNIX_EPOCH);
            }
            outcomes.push((answer, left));
        }
        outcomes
    }

    /// Takes note of a reply; `false` if nothing explains it.
    fn replied(&mut self, id: usize, deed: &Deed, reply: &Reply, during: During) -> bool {
        let mut next: Vec<World> = Vec::new();
        let refused = matches!(reply, Reply::Refused);
        if refused && self.known[id].accepted {
            return false;
        }
        let racing = self.racing || self.pending(&Call::One(id, Deed::Get)) > 0;
        for world in self.worlds(id, during) {
            for (answer, state) in self.outcomes(&world.state, deed, during) {
                let kept = World {
                    state: if refused { world.state.clone() } else { state },
                    pending: world.pending.clone(),
                };
                if self.fits(&answer, reply, racing) && !next.contains(&kept) {
                    next.push(kept);
                }
            }
        }
        let explained = !next.is_empty();
        if explained {
            self.known[id].worlds = next;
            self.known[id].accepted |= matches!(
                (deed, reply),
                (Deed::Set(_), Reply::Done) | (_, Reply::Created(Created::Created))
            );
        }
        explained
    }

    fn fits(&self, answer: &Answer<'_>, reply: &Reply, racing: bool) -> bool {
        match (answer, reply) {
            (Answer::Done, Reply::Done) | (_, Reply::Refused) => true,
            (Answer::Found(None), Reply::Found(None)) => true,
            (Answer::Found(Some(held)), Reply::Found(Some(found))) => {
                *held.text == *found.json()
                    && self.timing.fit(held.ends, found.expires()) != Fit::Off
            }
            (Answer::Touched(wanted), Reply::Touched(found)) => wanted == found,
            (Answer::Created(wanted), Reply::Created(found)) => wanted == found,
            (Answer::Replaced(Replaced::Missing), Reply::Replaced(Replaced::Conflict)) => racing,
            (Answer::Replaced(wanted), Reply::Replaced(found)) => wanted == found,
            (Answer::Listed(wanted), Reply::Listed(found)) => wanted == found,
            _ => false,
        }
    }

    /// Takes note of the answer to a call. Where nothing explains it, what would have.
    pub(crate) fn hear(&mut self, call: &Call, said: &Said, during: During) -> Result<(), String> {
        match (call, said) {
            (Call::One(id, deed), Said::Reply(reply)) => {
                if self.replied(*id, deed, reply, during) {
                    return Ok(());
                }
                Err(self.wanted(*id, deed, during))
            }
            (Call::Clear, Said::Reply(reply)) => {
                for id in 0..self.known.len() {
                    self.replied(id, &Deed::Clear, reply, during);
                }
                Ok(())
            }
            (Call::Length, Said::Length(length)) => {
                let (least, most) = self.live(during);
                match (least..=most).contains(length) {
                    true => Ok(()),
                    false if least == most => Err(format!("{least}")),
                    false => Err(format!("{least} to {most}")),
                }
            }
            (Call::All, Said::Records(records)) => {
                self.listed(records.iter().map(|(id, _)| id))?;
                for id in 0..self.known.len() {
                    let mut found = records.iter();
                    let found = found.find(|(listed, _)| *listed == self.ids[id].id);
                    let reply = Reply::Found(found.map(|(_, record)| record.clone()));
                    if !self.replied(id, &Deed::Get, &reply, during) {
                        return Err(self.wanted_of(id, &Deed::Get, &reply, during));
                    }
                }
                Ok(())
            }
            (Call::Ids, Said::Ids(ids)) => {
                self.listed(ids.iter())?;
                for id in 0..self.known.len() {
                    let reply = Reply::Listed(ids.contains(&self.ids[id].id));
                    if !self.replied(id, &Deed::List, &reply, during) {
                        return Err(self.wanted_of(id, &Deed::List, &reply, during));
                    }
                }
                Ok(())
            }
            (Call::Sweep(limit), Said::Swept(swept)) => self.swept(*limit, *swept, during),
            _ => Err("an answer to this call".into()),
        }
    }

    /// Ids that a stream gave: each of this namespace, and none twice.
    fn listed<'a>(&self, listed: impl Iterator<Item = &'a SessionId>) -> Result<(), String> {
        let mut seen: Vec<&SessionId> = Vec::new();
        for id in listed {
            if !self.ids.iter().any(|known| known.id == *id) {
                return Err("only ids that were written to this namespace".into());
            }
            if seen.contains(&id) {
                return Err("no id twice".into());
            }
            seen.push(id);
        }
        Ok(())
    }

    /// How many records are live at least and at most.
    pub(crate) fn live(&self, during: During) -> (u64, u64) {
        let (mut least, mut most) = (0, 0);
        for id in 0..self.known.len() {
            let worlds = self.worlds(id, during);
            let lives = |live: usize| {
                let mut worlds = worlds.iter();
                worlds.any(|world| self.lives(&world.state, during)[live])
            };
            least += u64::from(!lives(1));
            most += u64::from(lives(0));
        }
        (least, most)
    }

    fn swept(
        &mut self,
        limit: usize,
        swept: session_core::Swept,
        during: During,
    ) -> Result<(), String> {
        let mut ended = 0;
        for id in 0..self.known.len() {
            let worlds = self.worlds(id, during);
            let rests =
                |world: &World| world.state.0.is_some() && self.lives(&world.state, during)[1];
            ended += usize::from(worlds.iter().any(rests));
            self.known[id].worlds = worlds;
        }
        if swept.removed > limit.min(ended) {
            return Err(format!(
                "at most {} removed: the limit is {limit}, and {ended} records may have ended",
                limit.min(ended)
            ));
        }
        if !swept.more {
            // Nothing that has ended is left: what may have ended is either gone or has not.
            for known in &mut self.known {
                for world in &mut known.worlds {
                    let surely = match &world.state.0 {
                        Some((
                            Held {
                                ends: Some(ends), ..
                            },
                            _,
                        )) => during.began >= self.timing.gone_at(*ends),
                        _ => false,
                    };
                    if surely {
                        world.state = State(None);
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether a sweep to the end leaves the live records alone.
    pub(crate) fn sweeps_all(&self) -> bool {
        !self.server_ttl
    }

    /// How many calls are pending on the ids of this one.
    pub(crate) fn pending(&self, call: &Call) -> usize {
        let pending = |known: &Known| {
            let worlds = known.worlds.iter();
            worlds.map(|world| world.pending.len()).max().unwrap_or(0)
        };
        match call {
            Call::One(id, _) => pending(&self.known[*id]),
            _ => self.known.iter().map(pending).max().unwrap_or(0),
        }
    }

    /// Whether anything may still come of a call that nobody heard the answer of.
    pub(crate) fn is_pending(&self) -> bool {
        self.pending(&Call::Clear) > 0
    }

    /// Takes note that a call was made and that nobody heard its answer.
    pub(crate) fn lost(&mut self, call: &Call) {
        let mut pending = |id: usize, deed: &Deed| {
            let reads = matches!(deed, Deed::Get | Deed::List);
            if !reads {
                for world in &mut self.known[id].worlds {
                    // Twice the same is as good as more.
                    let same = world.pending.iter().filter(|other| *other == deed);
                    if same.count() < 2 {
                        world.pending.push(deed.clone());
                    }
                }
            }
        };
        match call {
            Call::One(id, deed) => pending(*id, deed),
            Call::Clear => (0..self.ids.len()).for_each(|id| pending(id, &Deed::Clear)),
            Call::Length | Call::All | Call::Ids | Call::Sweep(_) => {}
        }
    }

    /// Takes note that time passes: what is pending may have come before.
    pub(crate) fn passes(&mut self, during: During) {
        for id in 0..self.known.len() {
            self.known[id].worlds = self.worlds(id, during);
        }
    }

    /// What a deed could have answered, in words.
    fn wanted(&self, id: usize, deed: &Deed, during: During) -> String {
        let mut wanted: Vec<String> = Vec::new();
        for world in self.worlds(id, during) {
            for (answer, _) in self.outcomes(&world.state, deed, during) {
                let text = match answer {
                    Answer::Done => "Ok".into(),
                    Answer::Found(held) => {
                        let record = held.and_then(|held| held.record().ok());
                        describe::optional_record(record.as_ref(), during.ended)
                    }
                    Answer::Touched(touched) => format!("{touched:?}"),
                    Answer::Created(created) => format!("{created:?}"),
                    Answer::Replaced(replaced) => format!("{replaced:?}"),
                    Answer::Listed(true) => "to be listed".into(),
                    Answer::Listed(false) => "not to be listed".into(),
                };
                if !wanted.contains(&text) {
                    wanted.push(text);
                }
            }
        }
        wanted.join(" or ")
    }

    fn wanted_of(&self, id: usize, deed: &Deed, reply: &Reply, during: During) -> String {
        let found = match reply {
            Reply::Found(found) => describe::optional_record(found.as_ref(), during.ended),
            Reply::Listed(true) => "listed".into(),
            _ => "not listed".into(),
        };
        let wanted = self.wanted(id, deed, during);
        format!("{}: {wanted}, and not {found}", self.ids[id].label)
    }
}
