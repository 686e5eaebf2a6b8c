//! That the search finds what it is there to find: each fault in the lifecycle breaks the promise that
//! it is to break, within a bounded number of schedules.

use super::check::Promise;
use super::faults::{self, Fault};
use super::scripts::Deed;
use super::search::{Budget, search};
use super::{forks, pairs, script};

/// How many schedules of each script are tried.
const EACH: usize = 200;

/// With the fault in the lifecycle, one of the scripts breaks the promise when so many answers are
/// lost, and keeps it without the fault.
fn breaks(fault: Fault, promise: Promise, scripts: impl Iterator<Item = Vec<Deed>>, lost: usize) {
    let budget = Budget {
        faults: lost,
        schedules: EACH,
        more: EACH,
    };
    let mut all = 0;
    for script in scripts.map(script) {
        let look = || {
            search(&script, budget, |breach| {
                breach.promise == promise && promise.holds(&script)
            })
        };
        let (tried, broken) = faults::with(fault, look);
        all += tried;
        let Some(broken) = broken else { continue };
        println!("{fault:?} is found within {all} schedules:\n{broken}");
        if let (_, Some(broken)) = look() {
            panic!("without the fault, too: {broken}");
        }
        return;
    }
    panic!("{fault:?} is not found in {all} schedules");
}

macro_rules! found {
    ($($name:ident: $fault:ident breaks $promise:ident in $scripts:ident with $lost:literal lost,)+) => {$(
        #[test]
        fn $name() {
            breaks(Fault::$fault, Promise::$promise, $scripts(), $lost);
        }
    )+};
}

found! {
    ends_only_the_row: EndsOnlyTheRow breaks EndIsFinal in pairs with 0 lost,
    ends_by_id_alone: EndsByIdAlone breaks EndIsFinal in pairs with 0 lost,
    goes_on_after_the_end: GoesOnAfterTheEnd breaks EndIsFinal in pairs with 0 lost,
    old_stays: OldStays breaks OldIdIsDead in pairs with 0 lost,
    old_goes_first: OldGoesFirst breaks CookieSurvives in pairs with 1 lost,
    no_forward: NoForward breaks EndIsFinal in pairs with 0 lost,
    forward_opens_the_new: ForwardOpensTheNew breaks OldIdIsDead in pairs with 0 lost,
    lost_removal_is_done: LostRemovalIsDone breaks OldIdIsDead in pairs with 1 lost,
    cookie_in_doubt: CookieInDoubt breaks CookieSurvives in pairs with 2 lost,
    ends_only_the_source: EndsOnlyTheSource breaks OldIdIsDead in pairs with 0 lost,
    takes_nothing_over: TakesNothingOver breaks NothingIsLost in pairs with 0 lost,
    forks_unseen: ForksUnseen breaks EndIsFinal in forks with 0 lost,
    forks_forget: ForksForget breaks NothingIsLost in forks with 0 lost,
    follows_past_forks: FollowsPastForks breaks NothingIsLost in forks with 0 lost,
    undo_leaves_the_new: UndoLeavesTheNew breaks NothingIsUntold in pairs with 0 lost,
    discards_nothing: DiscardsNothing breaks NothingIsUntold in pairs with 0 lost,
    forgets_a_creation: ForgetsACreation breaks NothingIsUntold in pairs with 1 lost,
    drops_silently: DropsSilently breaks NothingIsUntold in pairs with 1 lost,
    never_settles: NeverSettles breaks NothingIsUntold in pairs with 1 lost,
    settles_what_has_ended: SettlesWhatHasEnded breaks OldIdIsDead in pairs with 1 lost,
    settles_only_the_new: SettlesOnlyTheNew breaks CookieSurvives in pairs with 1 lost,
    updates_twice: UpdatesTwice breaks NothingIsTwice in pairs with 1 lost,
    follows_without_writing: FollowsWithoutWriting breaks NothingIsLost in pairs with 0 lost,
    overwrites_conflicts: OverwritesConflicts breaks NothingIsLost in pairs with 0 lost,
    merge_drops_edits: MergeDropsEdits breaks NothingIsLost in pairs with 0 lost,
    first_answer_counts: FirstAnswerCounts breaks NothingIsTwice in pairs with 0 lost,
    touches_by_set: TouchesBySet breaks EndIsFinal in pairs with 0 lost,
    writes_by_set: WritesBySet breaks EndIsFinal in pairs with 0 lost,
}
