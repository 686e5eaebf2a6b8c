//! Faults that the tests put into the lifecycle on purpose, where it says `fault!`: to show that a search
//! finds them.

use std::cell::Cell;

use crate::context::config::Config;
use crate::format::facts::Moved;
use crate::session::Shared;
use crate::{Record, Result, SessionCookie, SessionId};

/// What the lifecycle does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A sign-out ends the row with the id that it knows, and not the session that took over.
    EndsOnlyTheRow,
    /// A sign-out removes whatever is there.
    EndsByIdAlone,
    /// A change of id goes on although somebody has signed out meanwhile.
    GoesOnAfterTheEnd,
    /// The old session is left in the store.
    OldStays,
    /// The old session is removed before the new one is stored.
    OldGoesFirst,
    /// Nothing says where the session went.
    NoForward,
    /// The old id opens the new session.
    ForwardOpensTheNew,
    /// A removal whose answer is lost is taken for done.
    LostRemovalIsDone,
    /// The new cookie is sent although the old session may still be there.
    CookieInDoubt,
    /// `regenerate` ends the old session only as it was when it was read.
    EndsOnlyTheSource,
    /// What others have put into the old session is not brought over.
    TakesNothingOver,
    /// Of two that change the id, the second leaves the record to the first.
    ForksUnseen,
    /// Of two that change the id, the second does not have what others put into the old session.
    ForksForget,
    /// Edits that follow a session are not told to whoever changes its id at the same time.
    FollowsPastForks,
    /// A change of id that comes to nothing leaves the new session in the store.
    UndoLeavesTheNew,
    /// Ids that a request has given up stay in the store.
    DiscardsNothing,
    /// What a creation whose answer is lost has left is left there.
    ForgetsACreation,
    /// A request that is dropped tells nobody what it leaves.
    DropsSilently,
    /// Nobody finishes what was interrupted.
    NeverSettles,
    /// An interrupted change of id is undone although somebody has ended the session since.
    SettlesWhatHasEnded,
    /// An interrupted change of id loses the session.
    SettlesOnlyTheNew,
    /// A save is repeated without a look at what became of it the first time.
    UpdatesTwice,
    /// Edits that follow their session are taken for stored.
    FollowsWithoutWriting,
    /// What another request has written is written over.
    OverwritesConflicts,
    /// What this request has changed is lost where another one was faster.
    MergeDropsEdits,
    /// `commit` answers with what its first run returned.
    FirstAnswerCounts,
    /// A touch writes the session as it was read.
    TouchesBySet,
    /// A save writes whatever is there.
    WritesBySet,
}

thread_local! {
    static ON: Cell<Option<Fault>> = const { Cell::new(None) };
}

pub(crate) fn on(fault: Fault) -> bool {
    ON.get() == Some(fault)
}

/// What `f` comes to with this fault in the lifecycle.
pub(super) fn with<T>(fault: Fault, f: impl FnOnce() -> T) -> T {
    ON.set(Some(fault));
    let result = f();
    ON.set(None);
    result
}

/// The session that took over, for somebody who came with the old id.
pub(crate) async fn follow(
    config: &Config,
    forward: &Record,
) -> Result<Option<(SessionId, Record)>> {
    let moved = Moved::read(forward);
    let successors = moved.map_or_else(Vec::new, |moved| moved.successors(config.clock().now()));
    for (id, _) in successors {
        if let Some(record) = config.store().get(&id).await? {
            return Ok(Some((id, record)));
        }
    }
    Ok(None)
}

/// A touch as a store without one is touched.
pub(crate) async fn touch_by_set(
    shared: &Shared,
    id: &SessionId,
    cookie: &SessionCookie,
) -> Result<bool> {
    let stored = shared.state().stored().cloned();
    if let Some(mut record) = stored {
        record.touch(cookie, cookie.expires());
        shared.config.store().set(id, &record).await?;
    }
    Ok(true)
}
