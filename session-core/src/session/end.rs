//! How a session ends, whatever its id is by now.

use std::time::SystemTime;

use super::shared::Shared;
use super::write::MOST_TRIES;
use crate::context::config::Config;
use crate::context::unsettled::Untold;
use crate::format::data::Data;
use crate::format::facts::Moved;
use crate::{Error, ErrorKind, Record, Replaced, Result, SessionId};

impl Config {
    /// Ends the session that had this id, of which `known` was stored under it when somebody looked.
    ///
    /// Where its id was changed meanwhile, the session that took over ends: whoever signs out means
    /// the session and not the row. On a store that cannot compare, the row is all there is.
    pub(crate) async fn end(&self, id: &SessionId, known: Option<Record>) -> Result<()> {
        let store = self.store();
        if !self.capabilities.replace {
            return store.destroy(id).await;
        }
        // Each row before the one whose successor it is: until a new session has ended, the old row
        // still knows of it.
        let mut rows = vec![(id.clone(), known)];
        let mut seen = vec![id.clone()];
        for _ in 0..MOST_TRIES {
            let Some((id, known)) = rows.pop() else {
                return Ok(());
            };
            let current = match known {
                Some(record) => record,
                None => match store.get(&id).await? {
                    Some(record) => record,
                    None => continue,
                },
            };
            fault! { EndsByIdAlone, return store.destroy(&id).await }
            let moved = Moved::read(&current);
            let mut successors =
                moved.map_or_else(Vec::new, |moved| moved.successors(self.clock().now()));
            successors.retain(|(successor, _)| !seen.contains(successor));
            fault! { EndsOnlyTheRow, let successors = Vec::new() }
            if !successors.is_empty() {
                rows.push((id, Some(current)));
                for (successor, _) in successors {
                    seen.push(successor.clone());
                    rows.push((successor, None));
                }
                continue;
            }
            // A record that has ended already: written on a condition, it removes on a condition.
            if store.replace(&id, &current, &ended(&current)).await? == Replaced::Conflict {
                rows.push((id, None));
            }
        }
        Err(Error::new(ErrorKind::Conflict, "destroy"))
    }

    /// Finishes what a request has left half done, if there is something of the session with this id
    /// or, without one, of any. The next request does it if this one cannot.
    pub(crate) async fn settle(&self, successor_of: Option<&SessionId>) -> Result<()> {
        fault! { NeverSettles, return Ok(()) }
        let Some(mut taken) = self.unsettled.take(successor_of) else {
            return Ok(());
        };
        if let Some(untold) = taken.untold() {
            self.settle_one(untold).await?;
        }
        taken.done();
        Ok(())
    }

    /// Removes the session that nobody was told of, and lets the one that the browser has the cookie
    /// of be what it was.
    async fn settle_one(&self, untold: &Untold) -> Result<()> {
        let store = self.store();
        let Untold {
            id,
            stored,
            predecessor,
        } = untold;
        if !self.capabilities.replace {
            return store.destroy(id).await;
        }
        let mut others = None;
        for _ in 0..MOST_TRIES {
            let Some(current) = store.get(id).await? else {
                break;
            };
            let removed = store.replace(id, &current, &ended(&current)).await?;
            if removed == Replaced::Replaced {
                others = stored
                    .as_ref()
                    .map(|stored| (stored.data(), current.data()));
            }
            if removed != Replaced::Conflict {
                break;
            }
        }
        let Some((old, source)) = predecessor else {
            return Ok(());
        };
        let Some(current) = store.get(old).await? else {
            return Ok(());
        };
        // Nobody has heard of the new id: as far as anybody knows, this is the session's.
        let undone = Moved::read(&current).is_some_and(|moved| moved.can_be_undone(id));
        fault! { SettlesWhatHasEnded, let undone = Moved::read(&current).is_some() }
        fault! { SettlesOnlyTheNew, let undone = false }
        if undone {
            let mut data = source.data();
            if let Some((before, after)) = others {
                data.carry_over(&before, &after);
            }
            let mut cookie = source.cookie().clone();
            cookie.touch(self.clock().now());
            let _ = store
                .replace(old, &current, &Record::new(cookie, &data))
                .await?;
        }
        Ok(())
    }
}

/// All methods expect the caller to hold the `io` lock.
impl Shared {
    /// Removes the session from the store: under its id, under the one that it had before, and those
    /// that the request's other cookies have shown.
    pub(crate) async fn remove(&self) -> Result<()> {
        self.discard().await?;
        let retired = self.state().retired().cloned();
        if let Some(retired) = retired {
            self.config.end(&retired.id, Some(retired.source)).await?;
            self.state().forget_retired();
        }
        let (own, stored) = {
            let state = self.state();
            let may_be_stored = state.stored().is_some() || state.attempt.is_some();
            // After a write without an answer, what is there is to be looked at.
            let known = state.stored().filter(|_| state.attempt.is_none()).cloned();
            (state.id.clone().filter(|_| may_be_stored), known)
        };
        if let Some(id) = &own {
            self.config.end(id, stored).await?;
        }
        let found = self.state().found.as_ref().map(|found| found.id.clone());
        let done = |id: &SessionId| own.as_ref() == Some(id) || found.as_ref() == Some(id);
        for id in self.signed().iter().map(|signed| &signed.id) {
            if done(id) {
                continue;
            }
            match self.config.end(id, None).await {
                // Not a session that anybody could use, and left alone.
                Err(error) if matches!(error.kind(), ErrorKind::Decode | ErrorKind::InvalidId) => {}
                ended => ended?,
            }
        }
        Ok(())
    }
}

/// A record that has ended already.
pub(super) fn ended(record: &Record) -> Record {
    let mut cookie = record.cookie().clone();
    cookie.set_expires(Some(SystemTime::UNIX_EPOCH), SystemTime::UNIX_EPOCH);
    Record::new(cookie, &Data::new())
}
