//! That the search finds what it is there to find: each fault in the lifecycle breaks the promise that
//! it is to break, within a bounded number of schedules.

use super::check::Promise;
use super::faults::{self, Fault};
use super::scripts::Deed;
use super::search::{Broken, Budget, search};
use super::{pairs, script, triples};

/// How many schedules of each script are tried with each number of lost answers.
const EACH: usize = 400;

/// The first script with the fewest steps gone wrong that shows it, and how many schedules that took.
fn look(
    scripts: impl Fn() -> Vec<Vec<Deed>>,
    promise: Promise,
    most_faults: usize,
) -> (usize, Option<Broken>) {
    let mut tried = 0;
    for faults in 0..=most_faults {
        for deeds in scripts() {
            let script = script(deeds);
            let budget = Budget {
                faults,
                schedules: EACH,
                more: EACH,
            };
            let counts = |promise: Promise, faults| promise.holds(&script, faults);
            let (more, broken) = search(&script, budget, |breach, faults| {
                breach.promise == promise && counts(promise, faults)
            });
            tried += more;
            if broken.is_some() {
                return (tried, broken);
            }
        }
    }
    (tried, None)
}

/// With the fault, two requests (or three, if it takes them) break the promise.
fn breaks(fault: Fault, promise: Promise, faults: usize) {
    let (mut tried, mut broken) =
        faults::with(fault, || look(|| pairs().collect(), promise, faults));
    if broken.is_none() {
        let (more, found) = faults::with(fault, || look(|| triples().collect(), promise, faults));
        (tried, broken) = (tried + more, found);
    }
    let Some(broken) = broken else {
        panic!("{fault:?} is not found in {tried} schedules");
    };
    println!("{fault:?} is found in {tried} schedules: {broken}");
}

macro_rules! found {
    ($($name:ident: $fault:ident breaks $promise:ident with $faults:literal lost,)+) => {$(
        #[test]
        fn $name() {
            breaks(Fault::$fault, Promise::$promise, $faults);
        }
    )+};
}

found! {
    ends_only_the_row: EndsOnlyTheRow breaks EndIsFinal with 1 lost,
    ends_by_id_alone: EndsByIdAlone breaks EndIsFinal with 1 lost,
    goes_on_after_the_end: GoesOnAfterTheEnd breaks EndIsFinal with 1 lost,
    old_stays: OldStays breaks OldIdIsDead with 1 lost,
    old_goes_first: OldGoesFirst breaks CookieSurvives with 1 lost,
    no_forward: NoForward breaks EndIsFinal with 1 lost,
    forward_opens_the_new: ForwardOpensTheNew breaks OldIdIsDead with 1 lost,
    lost_removal_is_done: LostRemovalIsDone breaks OldIdIsDead with 1 lost,
    cookie_in_doubt: CookieInDoubt breaks CookieSurvives with 2 lost,
    ends_only_the_source: EndsOnlyTheSource breaks OldIdIsDead with 1 lost,
    takes_nothing_over: TakesNothingOver breaks NothingIsLost with 1 lost,
    forks_unseen: ForksUnseen breaks EndIsFinal with 1 lost,
    undo_leaves_the_new: UndoLeavesTheNew breaks NothingIsUntold with 1 lost,
    discards_nothing: DiscardsNothing breaks NothingIsUntold with 1 lost,
    forgets_a_creation: ForgetsACreation breaks NothingIsUntold with 1 lost,
    drops_silently: DropsSilently breaks NothingIsUntold with 1 lost,
    never_settles: NeverSettles breaks NothingIsUntold with 1 lost,
    settles_what_has_ended: SettlesWhatHasEnded breaks OldIdIsDead with 1 lost,
    settles_only_the_new: SettlesOnlyTheNew breaks CookieSurvives with 1 lost,
    updates_twice: UpdatesTwice breaks NothingIsTwice with 1 lost,
    follows_without_writing: FollowsWithoutWriting breaks NothingIsLost with 1 lost,
    overwrites_conflicts: OverwritesConflicts breaks NothingIsLost with 1 lost,
    merge_drops_edits: MergeDropsEdits breaks NothingIsLost with 1 lost,
    first_answer_counts: FirstAnswerCounts breaks NothingIsTwice with 1 lost,
    touches_by_set: TouchesBySet breaks EndIsFinal with 1 lost,
    writes_by_set: WritesBySet breaks EndIsFinal with 1 lost,
}
