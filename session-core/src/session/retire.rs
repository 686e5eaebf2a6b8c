//! How the session goes that another one has followed.

use super::shared::Shared;
use super::state::{Kept, Retired};
use super::write::MOST_TRIES;
use crate::context::limit::Deadline;
use crate::context::options::OnConflict;
use crate::format::facts::Moved;
use crate::{Error, ErrorKind, Record, Replaced, Result};

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
        let mut deadline = Deadline::new(self.config.wait_limit());
        let mut failures = 0;
        for _ in 0..MOST_TRIES {
            let Some(retired) = self.state().retired().cloned() else {
                return self.discard().await;
            };
            match self.retire_once(&retired).await {
                Ok(()) if deadline.left().is_some() => {}
                Ok(()) => break,
                Err(error)
                    if failures == 0
                        && !error.kind().is_refusal()
                        && error.kind() != ErrorKind::Missing
                        && error.kind() != ErrorKind::Conflict =>
                {
                    failures += 1
                }
                Err(error) => return Err(error),
            }
        }
        self.undo_change_of_id().await?;
        Err(Error::new(ErrorKind::Conflict, "regenerate"))
    }

    /// One step towards the old session's end.
    async fn retire_once(&self, retired: &Retired) -> Result<()> {
        let Retired { id, source, kept } = retired;
        let store = self.config.store();
        if self.state().lies_under(id) {
            // genid gave the same id again: the new session has taken the old one's place.
            self.state().forget_retired();
            return Ok(());
        }
        let kept = kept.as_ref().filter(|_| self.config.capabilities.replace);
        let Some(kept) = kept else {
            store.destroy(id).await?;
            self.state().forget_retired();
            return Ok(());
        };
        let new = self.id();
        let now = self.config.clock().now();
        let forward = Moved::new(&new, kept.keys.as_deref(), now).record(source.cookie(), now);
        let current = match store.replace(id, source, &forward).await? {
            Replaced::Replaced => {
                self.state().forget_retired();
                return Ok(());
            }
            Replaced::Missing => None,
            Replaced::Conflict => store.get(id).await?,
        };
        let Some(current) = current else {
            // Of old age; or else somebody has logged out.
            if source.is_expired(now) {
                self.state().forget_retired();
                return Ok(());
            }
            self.undo_change_of_id().await?;
            return Err(self.gone("regenerate"));
        };
        if let Some(moved) = Moved::read(&current) {
            if !moved.leads_to(&new) {
                tracing::debug!("another request has changed the id of the session, too");
            }
            // By our own hand, whose answer was lost, or by another request, which has its own.
            self.state().forget_retired();
            return Ok(());
        }
        match self.config.options.on_conflict {
            OnConflict::Overwrite => {}
            OnConflict::Merge => {
                self.rebase_retired(kept, &current)?;
                self.write(self.as_configured()).await?;
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

    /// Makes the data of a session with a new id again, from what the old one holds now.
    fn rebase_retired(&self, kept: &Kept, current: &Record) -> Result<()> {
        loop {
            let (edits, version) = {
                let state = self.state();
                (state.edits().clone(), state.version())
            };
            let mut data = current.data();
            kept.edits.apply(&mut data)?;
            edits.apply(&mut data)?;
            let mut state = self.state();
            if state.version() == version {
                state.rebase_retired(current, data);
                return Ok(());
            }
        }
    }

    /// Removes the new session again and leaves the old one to itself.
    async fn undo_change_of_id(&self) -> Result<()> {
        let (id, stored) = {
            let state = self.state();
            (state.id.clone(), state.stored().is_some())
        };
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
            if !self.state().lies_under(&id) {
                self.config.store().destroy(&id).await?;
            }
            self.state().discarded.pop();
        }
    }
}
