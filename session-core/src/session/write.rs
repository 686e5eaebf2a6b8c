//! How a session's changes reach the store.

use crate::format::data::Data;
use crate::lifecycle::options::OnConflict;
use crate::session::state::{Draft, Retired};
use crate::session::{Phase, Shared};
use crate::{Created, Error, ErrorKind, Record, Replaced, Result, SessionId};

/// How often one save meets a conflict before it gives up. In this process conflicting requests
/// stand in line, so each try but the first loses only to a request that is not in it.
const MAX_TRIES: usize = 64;
/// How often an id that is in use is followed by another one.
const MAX_IDS: usize = 4;

/// All methods expect the caller to hold the `io` lock.
impl Shared {
    /// Writes the session as it is now.
    ///
    /// A new session is created; a stored one is replaced if nobody else changed it, and brought
    /// together with the other change otherwise. A session that is no longer stored is not brought
    /// back: `Missing`.
    pub(crate) async fn write(&self) -> Result<()> {
        self.check_cookie()?;
        let stored = self.state().stored.clone();
        match stored {
            None => self.write_new().await,
            Some(stored) => self.write_over(stored).await,
        }
    }

    async fn write_new(&self) -> Result<()> {
        let store = self.config.store();
        let (epoch, mut interrupted) = self.begin();
        for _ in 0..MAX_IDS {
            let id = self.id();
            let Some(draft) = self.draft(epoch) else {
                return Ok(());
            };
            let created = if self.config.capabilities.create {
                store.create(&id, &draft.record).await?
            } else {
                store.set(&id, &draft.record).await?;
                Created::Created
            };
            if created == Created::Created {
                self.state().commit(draft);
                return Ok(());
            }
            if let Some(earlier) = interrupted.take()
                && let Some(current) = store.get(&id).await?
                && current.same_json(&earlier.record)
            {
                self.state().commit(earlier);
                return self.write_over(current).await;
            }
            if !self.forget_attempt(epoch) {
                return Ok(());
            }
            self.state().id = None;
            self.check_cookie()?;
        }
        Err(Error::new(ErrorKind::Conflict, "create")
            .with_message("every new session id was in use already; genid must make new ones"))
    }

    async fn write_over(&self, stored: Record) -> Result<()> {
        let store = self.config.store();
        let id = self.id();
        let (epoch, mut interrupted) = self.begin();
        let mut old = stored;
        let mut turn = None;
        for _ in 0..MAX_TRIES {
            let Some(draft) = self.draft(epoch) else {
                return Ok(());
            };
            let replaced = if self.config.capabilities.replace {
                store.replace(&id, &old, &draft.record).await?
            } else {
                store.set(&id, &draft.record).await?;
                Replaced::Replaced
            };
            if replaced == Replaced::Replaced {
                self.state().commit(draft);
                return Ok(());
            }
            if !self.forget_attempt(epoch) {
                return Ok(());
            }
            if replaced == Replaced::Missing {
                return Err(self.gone("replace"));
            }
            if turn.is_none() {
                turn = Some(self.config.contention.turn(&id).await);
            }
            let Some(current) = store.get(&id).await? else {
                return Err(self.gone("get"));
            };
            old = current.clone();
            match (interrupted.take(), self.config.options.on_conflict) {
                // No conflict, but what an earlier save of ours wrote whose answer never came.
                (Some(earlier), _) if earlier.record.same_json(&current) => {
                    self.state().commit(earlier);
                }
                (_, OnConflict::Merge) => self.rebase(&current, epoch)?,
                (_, OnConflict::Overwrite) => self.overwrite(current, epoch),
                (_, OnConflict::Fail) => break,
            }
        }
        Err(Error::new(ErrorKind::Conflict, "save"))
    }

    /// The state of the id's changes at the beginning of a write, and the write before it whose
    /// answer never came. Another task may change the id while the store is asked; the session
    /// under the old one is to go anyway then, and the write is none of the new one's.
    fn begin(&self) -> (u64, Option<Draft>) {
        let mut state = self.state();
        (state.epoch(), state.attempt.take())
    }

    /// A draft of the session, noted as one that may have been written.
    fn draft(&self, epoch: u64) -> Option<Draft> {
        let mut state = self.state();
        if state.epoch() != epoch {
            return None;
        }
        let draft = state.draft(self.config.clock().now());
        state.attempt = Some(draft.clone());
        Some(draft)
    }

    /// Notes that a draft was not written; `false` if the id was changed meanwhile.
    fn forget_attempt(&self, epoch: u64) -> bool {
        let mut state = self.state();
        let same = state.epoch() == epoch;
        if same {
            state.attempt = None;
        }
        same
    }

    /// Puts this request's edits on top of what another one has written.
    fn rebase(&self, current: &Record, epoch: u64) -> Result<()> {
        loop {
            let (edits, version) = {
                let state = self.state();
                (state.edits().clone(), state.version())
            };
            // The closures of `update` are the application's: they run without the lock.
            let mut data = current.data();
            edits.apply(&mut data)?;
            let mut state = self.state();
            if state.epoch() != epoch {
                return Ok(());
            }
            if state.version() == version {
                state.rebase(current.clone(), data);
                return Ok(());
            }
        }
    }

    fn overwrite(&self, current: Record, epoch: u64) {
        let mut state = self.state();
        if state.epoch() == epoch {
            state.overwrite(current);
        }
    }

    /// Makes the data of a regenerated session again, from what the old one holds now.
    fn rebase_retired(&self, retired: &Retired, current: &Record) -> Result<()> {
        loop {
            let (edits, version) = {
                let state = self.state();
                (state.edits().clone(), state.version())
            };
            let mut data = current.data();
            retired.edits.apply(&mut data)?;
            edits.apply(&mut data)?;
            let mut state = self.state();
            if state.version() == version {
                state.rebase_retired(current, data);
                return Ok(());
            }
        }
    }

    /// Removes the session that this one was regenerated from, now that the new one is stored.
    ///
    /// Where the new one keeps its data, the old one goes only if it still is what that data was
    /// made from. An edit in between is brought over; if the old session was destroyed in between,
    /// so is the new one, since somebody has just logged out of it.
    pub(crate) async fn retire(&self) -> Result<()> {
        let store = self.config.store();
        for _ in 0..MAX_TRIES {
            let Some(retired) = self.state().retired.clone() else {
                return self.discard().await;
            };
            if self.state().lies_under(&retired.id) {
                // genid gave the same id again: the new session has taken the old one's place.
                self.state().retired = None;
                continue;
            }
            let source = retired
                .source
                .as_ref()
                .filter(|_| self.config.capabilities.replace);
            let Some(source) = source else {
                store.destroy(&retired.id).await?;
                self.state().retired = None;
                continue;
            };
            if let Some(retired) = &mut self.state().retired {
                retired.removal_begun = true;
            }
            // A record that has ended already: written on a condition, it removes on a condition.
            let current = match store.replace(&retired.id, source, &ended(source)).await? {
                Replaced::Conflict => store.get(&retired.id).await?,
                Replaced::Missing => None,
                Replaced::Replaced => {
                    self.state().retired = None;
                    continue;
                }
            };
            let Some(current) = current else {
                // Gone by our own hand, or of old age; or else somebody has logged out.
                if retired.removal_begun || source.is_expired(self.config.clock().now()) {
                    self.state().retired = None;
                    continue;
                }
                self.undo_regenerate().await?;
                return Err(self.gone("regenerate"));
            };
            match self.config.options.on_conflict {
                OnConflict::Overwrite => {}
                OnConflict::Fail => {
                    self.undo_regenerate().await?;
                    break;
                }
                OnConflict::Merge => {
                    self.rebase_retired(&retired, &current)?;
                    let stored = self.state().stored.clone();
                    if let Some(stored) = stored {
                        self.write_over(stored).await?;
                    }
                }
            }
            // Only now is everything that the old session holds in the new one, too.
            if let Some(retired) = &mut self.state().retired {
                retired.source = Some(current);
                retired.removal_begun = false;
            }
        }
        Err(Error::new(ErrorKind::Conflict, "regenerate"))
    }

    /// Removes the new session again and leaves the old one to itself.
    async fn undo_regenerate(&self) -> Result<()> {
        self.state().retired = None;
        self.remove().await?;
        let mut state = self.state();
        state.stored = None;
        state.written = false;
        Ok(())
    }

    /// Removes the session, with the one it was regenerated from, from the store.
    pub(crate) async fn remove(&self) -> Result<()> {
        let store = self.config.store();
        let retired = self
            .state()
            .retired
            .as_ref()
            .map(|retired| retired.id.clone());
        if let Some(id) = retired {
            store.destroy(&id).await?;
            self.state().retired = None;
        }
        self.discard().await?;
        let own = {
            let state = self.state();
            let may_be_stored = state.stored.is_some() || state.attempt.is_some();
            state.id.clone().filter(|_| may_be_stored)
        };
        match own {
            Some(id) => store.destroy(&id).await,
            None => Ok(()),
        }
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

    /// Notes that the session is no longer stored, and makes the error that says so.
    pub(crate) fn gone(&self, operation: &'static str) -> Error {
        tracing::debug!("the session was destroyed or has expired meanwhile; edits are dropped");
        self.state().phase = Phase::Gone;
        Error::new(ErrorKind::Missing, operation)
    }

    /// The session's id, made now if it has none yet.
    pub(crate) fn id(&self) -> SessionId {
        if let Some(id) = &self.state().id {
            return id.clone();
        }
        // Made outside the lock: genid is the application's.
        let new = self.config.new_id(&self.origin);
        self.state().id.get_or_insert(new).clone()
    }
}

fn ended(source: &Record) -> Record {
    let mut cookie = source.cookie().clone();
    let epoch = std::time::SystemTime::UNIX_EPOCH;
    cookie.set_expires(Some(epoch), epoch);
    Record::new(cookie, &Data::new())
}
