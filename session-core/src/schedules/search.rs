//! Goes through the schedules of a script: all of them, or as many as there is time for.

use std::fmt;

use super::check::{Breach, breaches};
use super::scripts::Deed;
use super::world::{Choice, Outcome, Script, play};

/// How far a search goes.
#[derive(Clone, Copy)]
pub(super) struct Budget {
    /// How many steps of a schedule may go wrong.
    pub(super) faults: usize,
    /// How many schedules of one script are tried at most; chosen at random where there are more.
    pub(super) schedules: usize,
    /// How many more are tried after one has broken a promise, for a shorter story.
    pub(super) more: usize,
}

/// A schedule that breaks a promise.
pub(super) struct Broken {
    pub(super) breach: Breach,
    deeds: Vec<Deed>,
    outcome: Outcome,
}

impl Broken {
    pub(super) fn length(&self) -> (usize, usize) {
        (self.outcome.faults, self.outcome.choices.len())
    }
}

/// Told as a story.
impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{:?}", self.breach, self.deeds)?;
        let mut lines = self.outcome.story.iter().enumerate();
        lines.try_for_each(|(at, line)| writeln!(f, "{:3}. {line}", at + 1))
    }
}

/// Tries a script's schedules; the number that were tried.
///
/// # Panics
///
/// If one breaks a promise that is given; with the shortest that was found.
pub(super) fn explore(script: &Script, budget: Budget) -> usize {
    let (tried, broken) = search(script, budget, |breach| breach.promise.holds(script));
    if let Some(broken) = broken {
        panic!("{broken}");
    }
    tried
}

/// The number of schedules that were tried, and the shortest of those that break a promise which
/// `counts`.
pub(super) fn search(
    script: &Script,
    budget: Budget,
    counts: impl Fn(&Breach) -> bool,
) -> (usize, Option<Broken>) {
    let mut broken: Option<Broken> = None;
    let mut last = usize::MAX;
    let mut note = |tried: usize, outcome: Outcome| {
        let breach = breaches(script, &outcome);
        let breach = breach.into_iter().find(&counts);
        if let Some(breach) = breach {
            let found = Broken {
                breach,
                deeds: script.deeds.clone(),
                outcome,
            };
            if broken.is_none() {
                last = tried.saturating_add(budget.more);
            }
            if broken
                .as_ref()
                .is_none_or(|known| found.length() < known.length())
            {
                broken = Some(found);
            }
        }
        tried < last
    };
    let mut tried = 0;
    let mut walk = Walk::default();
    loop {
        let outcome = play(script, allowed(budget.faults, |count| walk.choose(count)));
        tried += 1;
        if !note(tried, outcome) || !walk.next() {
            return (tried, broken);
        }
        if tried >= budget.schedules / 2 {
            break;
        }
    }
    // There are too many: the rest of them at random, so that all parts are looked at.
    let mut random = Random(0x5eed);
    while tried < budget.schedules {
        let outcome = play(script, allowed(budget.faults, |count| random.below(count)));
        tried += 1;
        if !note(tried, outcome) {
            break;
        }
    }
    (tried, broken)
}

/// Chooses among what may happen, with at most so many faults.
fn allowed(
    faults: usize,
    mut choose: impl FnMut(usize) -> usize,
) -> impl FnMut(&[Choice]) -> Option<usize> {
    let mut left = faults;
    move |options| {
        let allowed = |choice: &Choice| left > 0 || !choice.is_fault();
        let count = options.iter().filter(|choice| allowed(choice)).count();
        let wanted = choose(count);
        let permitted = options.iter().enumerate();
        let mut permitted = permitted.filter(|(_, choice)| allowed(choice));
        let (chosen, choice) = permitted.nth(wanted)?;
        left -= usize::from(choice.is_fault());
        Some(chosen)
    }
}

/// Goes through all schedules in order: which choice was taken of how many, at each place.
#[derive(Default)]
struct Walk {
    path: Vec<(usize, usize)>,
    depth: usize,
}

impl Walk {
    fn choose(&mut self, count: usize) -> usize {
        if self.depth == self.path.len() {
            self.path.push((0, count));
        }
        self.depth += 1;
        self.path[self.depth - 1].0
    }

    /// Goes on to the next schedule; `false` after the last.
    fn next(&mut self) -> bool {
        self.depth = 0;
        while self
            .path
            .pop_if(|(chosen, count)| *chosen + 1 >= *count)
            .is_some()
        {}
        let Some((chosen, _)) = self.path.last_mut() else {
            return false;
        };
        *chosen += 1;
        true
    }
}

/// `SplitMix64`: the same schedules in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let count = u64::try_from(count).unwrap().max(1);
        usize::try_from((mixed ^ (mixed >> 31)) % count).unwrap()
    }
}
