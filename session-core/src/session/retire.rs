//! How the session goes that another one has followed.

use super::end::ended;
use super::shared::Shared;
use super::state::{Kept, Retired};
use super::write::{How, MOST_RUNS, MOST_TRIES, edits_itself};
use crate::context::limit::Deadline;
use crate::context::notices::Notice;
use crate::context::options::OnConflict;
use crate::format::data::Data;
use crate::format::facts::Moved;
use crate::{Error, ErrorKind, Record, Replaced, Result, SessionCookie, SessionId};

/// All methods expect the caller to hold the `io` lock.
impl Shared {
    /// Removes the session that this one follows, now that the new one is stored.
    ///
    /// Where the new one keeps its data, the old one goes only if it still is what that data was
    /// made from. An edit in between is brought over; if the old session was destroyed in between,
    /// so is the new one, since somebody has just logged out of it.
    ///
    /// An answer that is lost is asked for once more. If that fails, too, the old session may still
    /// be there: the new one is not shown to anybody then, and the next request
    /// [settles](Self::settle) it.
    pub(crate) async fn retire(&self) -> Result<()> {
        fault! { OldStays, self.state().forget_retired(), return Ok(()) }
        // First, so that nothing is left to be done once the old session has gone.
        self.discard().await?;
        let mut deadline = Deadline::new(self.config.wait_limit());
        let (mut failed, mut looks) = (false, false);
        for _ in 0..MOST_TRIES {
            let Some(retired) = self.state().retired().cloned() else {
                // What is left of ids that were given up is upkeep: the next request does it.
                if let Err(error) = self.discard().await {
                    self.config.notice_error(Notice::Unsettled, &error);
                }
                return Ok(());
            };
            match self.retire_once(&retired, looks).await {
                Ok(()) => looks = false,
                Err(error)
                    if !failed && error.kind().is_unknown() && self.state().retired().is_some() =>
                {
                    fault! { LostRemovalIsDone, self.state().forget_retired(), return Ok(()) }
                    (failed, looks) = (true, true);
                }
                Err(error) => return Err(error),
            }
            if self.state().retired().is_some() && deadline.left().is_none() {
                break;
            }
        }
        self.undo_change_of_id().await?;
        Err(Error::new(ErrorKind::Conflict, "regenerate"))
    }

    /// One step towards the old session's end. It `looks` first at what is there, where the last
    /// step may have taken place.
    async fn retire_once(&self, retired: &Retired, looks: bool) -> Result<()> {
        let Retired { id, source, kept } = retired;
        let store = self.config.store();
        if self.state().lies_under(id) {
            // genid gave the same id again: the new session has taken the old one's place.
            self.state().forget_retired();
            return Ok(());
        }
        let seen = match looks {
            true => Some(store.get(id).await?),
            false => None,
        };
        if !self.config.capabilities.replace {
            if !matches!(seen, Some(None)) {
                store.destroy(id).await?;
            }
            self.state().forget_retired();
            return Ok(());
        }
        let is_source = |record: &Record| record.same_json(source);
        // What is there, if it is something else than the source.
        let other = seen.filter(|seen| !seen.as_ref().is_some_and(is_source));
        let Some(kept) = kept else {
            return self.end_retired(id, source, other).await;
        };
        let new = self.id();
        let now = self.config.clock().now();
        let moved = Moved::new(&new, kept.keys.as_deref(), now).remembering(&source.data());
        let forward = moved.record(now);
        fault! { NoForward, let forward = ended(source) }
        let current = match other {
            Some(current) => current,
            None => match store.replace(id, source, &forward).await? {
                Replaced::Replaced => {
                    self.state().forget_retired();
                    return Ok(());
                }
                Replaced::Missing => None,
                Replaced::Conflict => store.get(id).await?,
            },
        };
        let Some(current) = current else {
            fault! { GoesOnAfterTheEnd, self.state().forget_retired(), return Ok(()) }
            // Somebody has logged out, or it has ended of age: nothing of it goes on.
            self.undo_change_of_id().await?;
            return Err(self.gone("regenerate"));
        };
        if let Some(already) = Moved::read(&current) {
            return self.share_retired(id, kept, current, already, moved).await;
        }
        match self.config.options.on_conflict {
            OnConflict::Overwrite => {}
            OnConflict::Merge if kept.uncertain => {
                self.undo_change_of_id().await?;
                return Err(Error::new(ErrorKind::Timeout, "regenerate")
                    .with_message("an earlier save was not answered, and may have taken place"));
            }
            OnConflict::Merge => {
                let settings = Some(current.cookie());
                self.take_over(kept, &current.data(), settings).await?;
            }
            OnConflict::Fail => {
                self.undo_change_of_id().await?;
                return Err(Error::new(ErrorKind::Conflict, "regenerate"));
            }
        }
        // Only now is everything that the old session holds in the new one, too.
        if let Some(retired) = self.state().retired_mut() {
            retired.source = current;
        }
        Ok(())
    }

    /// The old session has `already` gone on under another id.
    ///
    /// By our own hand, whose answer was lost; or by that of another request, which has a session of
    /// its own. Ours has what the old one held, too, and whoever ends the old one ends both.
    async fn share_retired(
        &self,
        id: &SessionId,
        kept: &Kept,
        current: Record,
        already: Moved,
        moved: Moved,
    ) -> Result<()> {
        if !already.leads_to(&self.id()) {
            fault! { ForksUnseen, self.state().forget_retired(), return Ok(()) }
            let was = already.was();
            fault! { ForksForget, let was = None }
            if let Some(was) = was {
                self.take_over(kept, &was, None).await?;
            }
            let now = self.config.clock().now();
            let both = already.and(moved).record(now);
            match self.config.store().replace(id, &current, &both).await? {
                Replaced::Replaced => {}
                // It is looked at again.
                Replaced::Conflict => return Ok(()),
                Replaced::Missing => {
                    self.undo_change_of_id().await?;
                    return Err(self.gone("regenerate"));
                }
            }
        }
        self.state().forget_retired();
        Ok(())
    }

    /// Ends the old session of which nothing goes on, if it is still there.
    async fn end_retired(
        &self,
        id: &SessionId,
        source: &Record,
        other: Option<Option<Record>>,
    ) -> Result<()> {
        let store = self.config.store();
        let current = match other {
            Some(current) => current,
            None => match store.replace(id, source, &ended(source)).await? {
                Replaced::Replaced | Replaced::Missing => None,
                Replaced::Conflict => store.get(id).await?,
            },
        };
        fault! { EndsOnlyTheSource, let current = None }
        if let Some(current) = current {
            // What says where it went is left to those who sign out of it.
            let moved = Moved::read(&current);
            let now = self.config.clock().now();
            let last = moved.map_or_else(|| ended(&current), |moved| moved.ended().record(now));
            if store.replace(id, &current, &last).await? == Replaced::Conflict {
                // It is looked at again.
                return Ok(());
            }
        }
        self.state().forget_retired();
        Ok(())
    }

    /// Makes the new session from the data that the old one holds now, and its cookie settings where
    /// they are known, and writes it.
    async fn take_over(
        &self,
        kept: &Kept,
        old: &Data,
        settings: Option<&SessionCookie>,
    ) -> Result<()> {
        fault! { TakesNothingOver, return Ok(()) }
        for run in 0.. {
            if run == MOST_RUNS {
                return Err(edits_itself("regenerate"));
            }
            let (edits, version) = {
                let state = self.state();
                (state.edits().clone(), state.version())
            };
            let mut data = old.clone();
            kept.edits.apply(&mut data)?;
            edits.apply(&mut data)?;
            let mut state = self.state();
            if state.version() == version {
                state.rebase_retired(data, settings);
                break;
            }
        }
        // Nobody knows of the new session yet: what is there is our own, and may be what an earlier
        // write of this left whose answer was lost.
        self.write(How::on_conflict(OnConflict::Overwrite))
            .await
            .map(drop)
    }

    /// Removes the new session again and leaves the old one to itself.
    async fn undo_change_of_id(&self) -> Result<()> {
        let (id, stored) = {
            let state = self.state();
            (state.id.clone(), state.stored().is_some())
        };
        fault! { UndoLeavesTheNew, let stored = false }
        if let Some(id) = id.filter(|_| stored) {
            self.config.store().destroy(&id).await?;
        }
        {
            let mut state = self.state();
            state.forget_retired();
            state.id = None;
        }
        self.discard().await
    }

    /// Removes what this request has stored under ids that it has given up.
    pub(crate) async fn discard(&self) -> Result<()> {
        loop {
            let Some(id) = self.state().discarded.last().cloned() else {
                return Ok(());
            };
            fault! { DiscardsNothing, self.state().discarded.clear(), return Ok(()) }
            if !self.state().lies_under(&id) {
                self.config.store().destroy(&id).await?;
            }
            self.state().discarded.pop();
        }
    }
}
