//! How a session's changes reach the store.

use crate::data::Data;
use crate::options::OnConflict;
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
    /// A new session is created, and the one that it was regenerated from goes afterwards; a
    /// stored one is replaced if nobody else changed it, and brought together with the other
    /// change otherwise. A session that is no longer stored is not brought back: `Missing`.
    pub(crate) async fn write(&self) -> Result<()> {
        let stored = self.state().stored.clone();
        match stored {
            None => {
                self.write_new().await?;
                self.retire().await
            }
            Some(stored) => {
                let id = self.id();
                self.write_over(&id, stored).await?;
                self.retire().await
            }
        }
    }

    async fn write_new(&self) -> Result<()> {
        let store = self.config.store();
        for _ in 0..MAX_IDS {
            let id = self.id();
            let draft = self.state().draft(self.config.clock().now());
            let created = if self.config.capabilities.create {
                store.create(&id, &draft.record).await?
            } else {
                store.set(&id, &draft.record).await?;
                Created::Created
            };
            match created {
                Created::Created => {
                    self.state().commit(draft);
                    return Ok(());
                }
                Created::Exists => self.state().id = None,
            }
        }
        Err(Error::new(ErrorKind::Conflict, "create")
            .with_message("every new session id was in use already; genid must make new ones"))
    }

    async fn write_over(&self, id: &SessionId, stored: Record) -> Result<()> {
        let store = self.config.store();
        if !self.config.capabilities.replace {
            let draft = self.state().draft(self.config.clock().now());
            store.set(id, &draft.record).await?;
            self.state().commit(draft);
            return Ok(());
        }
        let mut old = stored;
        let mut turn = None;
        for _ in 0..MAX_TRIES {
            let draft = self.state().draft(self.config.clock().now());
            match store.replace(id, &old, &draft.record).await? {
                Replaced::Replaced => {
                    self.state().commit(draft);
                    return Ok(());
                }
                Replaced::Missing => return Err(self.gone("replace")),
                Replaced::Conflict => {}
            }
            let policy = self.config.options.on_conflict;
            if policy == OnConflict::Fail {
                break;
            }
            if turn.is_none() {
                turn = Some(self.config.contention.turn(id).await);
            }
            let Some(current) = store.get(id).await? else {
                return Err(self.gone("get"));
            };
            old = current.clone();
            match policy {
                OnConflict::Merge => self.state().rebase(current)?,
                OnConflict::Overwrite | OnConflict::Fail => self.state().overwrite(current),
            }
        }
        Err(Error::new(ErrorKind::Conflict, "save"))
    }

    /// Removes the session that this one was regenerated from, now that the new one is stored.
    ///
    /// Where the new one keeps its data, the old one goes only if it still is what that data was
    /// made from. An edit in between is brought over; if the old session was destroyed in between,
    /// so is the new one, since somebody has just logged out of it.
    pub(crate) async fn retire(&self) -> Result<()> {
        let store = self.config.store();
        let Some(retired) = self.state().retired.clone() else {
            return Ok(());
        };
        let id = retired.id;
        let source = retired.source.filter(|_| self.config.capabilities.replace);
        let Some(mut source) = source else {
            store.destroy(&id).await?;
            self.state().retired = None;
            return Ok(());
        };
        for _ in 0..MAX_TRIES {
            // A record that has ended already: written on a condition, it removes on a condition.
            match store.replace(&id, &source, &ended(&source)).await? {
                Replaced::Replaced => {
                    self.state().retired = None;
                    return Ok(());
                }
                Replaced::Conflict => {}
                Replaced::Missing => return Err(self.undo_regenerate().await?),
            }
            let Some(current) = store.get(&id).await? else {
                return Err(self.undo_regenerate().await?);
            };
            source = current.clone();
            self.state().rebase_retired(current)?;
            let stored = self.state().stored.clone();
            if let Some(stored) = stored {
                let own = self.id();
                self.write_over(&own, stored).await?;
            }
        }
        Err(Error::new(ErrorKind::Conflict, "regenerate"))
    }

    async fn undo_regenerate(&self) -> Result<Error> {
        let id = self.id();
        self.config.store().destroy(&id).await?;
        self.state().retired = None;
        Ok(self.gone("regenerate"))
    }

    /// Removes the session, and the one it was regenerated from, from the store.
    pub(crate) async fn remove(&self) -> Result<()> {
        let store = self.config.store();
        let (own, old) = {
            let state = self.state();
            let own = state.id.clone().filter(|_| state.stored.is_some());
            (
                own,
                state.retired.as_ref().map(|retired| retired.id.clone()),
            )
        };
        if let Some(id) = old {
            store.destroy(&id).await?;
            self.state().retired = None;
        }
        if let Some(id) = own {
            store.destroy(&id).await?;
        }
        Ok(())
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
