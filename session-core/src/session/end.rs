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

    /// Finishes what a request has left half done of the session that had this id, if anything is:
    /// one request at a time, and the others wait for it.
    pub(crate) async fn settle_successor_of(&self, id: &SessionId) -> Result<()> {
        fault! { NeverSettles, return Ok(()) }
        let _turn = self.contention.turn(id, self.wait_limit()).await?;
        while let Some(mut claim) = self.unsettled.claim(Some(id)) {
            self.settle_one(claim.untold()).await?;
            claim.done();
        }
        Ok(())
    }

    /// Finishes what some request has left half done.
    pub(crate) async fn settle_any(&self) -> Result<()> {
        fault! { NeverSettles, return Ok(()) }
        if let Some(mut claim) = self.unsettled.claim(None) {
            self.settle_one(claim.untold()).await?;
            claim.done();
        }
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
        let Some(moved) = Moved::read(&current).filter(|moved| moved.leads_to(id)) else {
            return Ok(());
        };
        let now = self.clock().now();
        let others_went = moved.without(id);
        fault! { SettlesWhatHasEnded, let others_went = None }
        fault! { SettlesOnlyTheNew, return Ok(()) }
        let left = if let Some(moved) = others_went {
            moved.record(now)
        } else {
            // Nobody has heard of the new id: as far as anybody knows, this is the session's.
            let mut data = source.data();
            if let Some((before, after)) = others {
                data.carry_over(&before, &after);
            }
            let mut cookie = source.cookie().clone();
            cookie.touch(now);
            Record::new(cookie, &data)
        };
        let _ = store.replace(old, &current, &left).await?;
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
        let mut ended = Vec::new();
        if let Some(retired) = retired {
            self.config.end(&retired.id, Some(retired.source)).await?;
            self.state().forget_retired();
            ended.push(retired.id);
        }
        let (own, stored) = {
            let state = self.state();
            let may_be_stored = state.stored().is_some() || state.attempt.is_some();
            // After a write without an answer, what is there is to be looked at.
            let known = state.stored().filter(|_| state.attempt.is_none()).cloned();
            (state.id.clone().filter(|_| may_be_stored), known)
        };
        if let Some(id) = own {
            self.config.end(&id, stored).await?;
            ended.push(id);
        }
        for id in self.signed().iter().map(|signed| &signed.id) {
            if ended.contains(id) {
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
