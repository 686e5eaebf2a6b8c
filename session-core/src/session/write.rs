//! How a session's changes reach the store.

use std::time::SystemTime;

use super::shared::Shared;
use super::state::{Draft, Phase, both, same_data};
use crate::context::contention::Turn;
use crate::context::limit::Deadline;
use crate::context::options::OnConflict;
use crate::format::data::Data;
use crate::format::facts::Moved;
use crate::{Created, Error, ErrorKind, Record, Replaced, Result, SessionId};

/// How often an id that is in use is followed by another one.
const MAX_IDS: usize = 4;

/// The steps after which a write gives up that time alone does not stop: a store on a clock that
/// stands still, or one that always answers the same.
pub(crate) const MOST_TRIES: usize = 4_096;

/// How often an application's function runs again because the session was edited meanwhile.
pub(crate) const MOST_RUNS: usize = 256;

/// The error of a function that does so itself each time.
pub(crate) fn edits_itself(operation: &'static str) -> Error {
    Error::new(ErrorKind::Conflict, operation).with_message(
        "the session is edited each time that the function runs; it may read the session, and must \
         not edit it",
    )
}

/// Decides on the data that is about to be written, and may change it; `false` to write nothing.
pub(crate) type Decide<'a> = dyn FnMut(&mut Data) -> bool + Send + 'a;

/// What a write has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// The store holds it.
    Stored,
    /// The store held it before.
    Unchanged,
    /// Whoever was to decide has refused.
    Refused,
}

/// How one write is made.
pub(crate) struct How<'a, 'd> {
    pub(crate) on_conflict: OnConflict,
    pub(crate) decide: Option<&'a mut Decide<'d>>,
}

impl How<'_, '_> {
    pub(crate) fn on_conflict(on_conflict: OnConflict) -> Self {
        Self {
            on_conflict,
            decide: None,
        }
    }

    /// What a write has come to of a session whose id another task has changed meanwhile: it is
    /// stored under the new one, with the edits but without what was decided.
    fn elsewhere(&self) -> Result<Written> {
        match self.decide {
            None => Ok(Written::Stored),
            Some(_) => Err(Error::new(ErrorKind::Conflict, "commit")),
        }
    }
}

/// All methods expect the caller to hold the `io` lock.
impl Shared {
    /// Writes the session as it is now.
    ///
    /// A new session is created; a stored one is replaced if nobody else changed it, and brought
    /// together with the other change otherwise. A session that is no longer stored is not brought
    /// back: `Missing`.
    pub(crate) async fn write(&self, mut how: How<'_, '_>) -> Result<Written> {
        self.check_cookie()?;
        let stored = self.state().stored().cloned();
        match stored {
            None => self.write_new(&mut how).await,
            Some(stored) => self.write_over(stored, &mut how).await,
        }
    }

    async fn write_new(&self, how: &mut How<'_, '_>) -> Result<Written> {
        let store = self.config.store();
        let epoch = self.state().epoch();
        // Of an earlier creation whose answer never came.
        let mut unanswered = self.state().attempt.clone();
        fault! { ForgetsACreation, unanswered = None }
        for _ in 0..MAX_IDS {
            let id = self.id();
            let (draft, decided) = match self.draft(epoch, how)? {
                Drafted::Draft(draft, decided) => (draft, decided),
                Drafted::Elsewhere => return how.elsewhere(),
                Drafted::Refused => return Ok(Written::Refused),
            };
            if how.decide.is_some() && draft.record.data().is_empty() && !self.state().has_new_id()
            {
                // Nothing came of it, and nothing makes no session.
                self.forget_attempt(epoch);
                return Ok(Written::Unchanged);
            }
            let created = if self.config.capabilities.create {
                self.answered(store.create(&id, &draft.record).await)?
            } else {
                self.answered(store.set(&id, &draft.record).await)?;
                Created::Created
            };
            if created == Created::Created {
                self.commit(draft, decided.as_ref())?;
                return Ok(Written::Stored);
            }
            if !self.forget_attempt(epoch) {
                return how.elsewhere();
            }
            // An id of ours is nobody else's: that creation did take place.
            if let Some(earlier) = unanswered.take().filter(|_| self.config.ids_are_ours()) {
                let stored = earlier.draft.record.clone();
                self.state().commit(earlier.draft, None);
                return self.write_over(stored, how).await;
            }
            self.state().id = None;
            self.check_cookie()?;
        }
        Err(Error::new(ErrorKind::Conflict, "create")
            .with_message("every new session id was in use already; genid must make new ones"))
    }

    async fn write_over(&self, stored: Record, how: &mut How<'_, '_>) -> Result<Written> {
        self.check_earlier(how.on_conflict)?;
        let id = self.id();
        let mut turn = None;
        let written = self.replace(&id, stored, how, &mut turn).await;
        if let (Err(error), Some(turn)) = (&written, &turn)
            && matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout)
        {
            turn.fail(error.kind());
        }
        written
    }

    async fn replace<'s>(
        &'s self,
        id: &SessionId,
        mut old: Record,
        how: &mut How<'_, '_>,
        turn: &mut Option<Turn<'s>>,
    ) -> Result<Written> {
        let store = self.config.store();
        let epoch = self.state().epoch();
        fault! { OverwritesConflicts, how.on_conflict = OnConflict::Overwrite }
        let in_doubt = self.may_have_updated();
        let mut deadline = Deadline::new(self.config.wait_limit());
        // Where others stand in line already, a write that does not would only be in their way.
        let merges = how.on_conflict == OnConflict::Merge;
        let mut conflicts = merges && self.config.contention.has_line(id);
        // Whether `old` was read in this call.
        let mut is_fresh = false;
        for _ in 0..MOST_TRIES {
            if conflicts && turn.is_none() {
                let Some(left) = deadline.left() else { break };
                *turn = Some(self.config.contention.turn(id, left).await?);
            }
            if conflicts || is_fresh {
                if deadline.left().is_none() {
                    break;
                }
                let Some(current) = store.get(id).await? else {
                    return Err(self.gone("get"));
                };
                if current.is_forward() {
                    // Decided here, the new session's data would be told to whoever has the old id.
                    if how.decide.is_some() {
                        return Err(self.gone("commit"));
                    }
                    self.state().phase = Phase::Moved;
                    if in_doubt {
                        // What is sent after it are edits, and no whole session.
                        self.note_elsewhere(&current, self.config.clock().now());
                        return Err(unanswered());
                    }
                    return self.follow(current).await;
                }
                if !current.same_json(&old) {
                    match merges {
                        true => self.rebase(&current, epoch)?,
                        false => self.overwrite(current.clone(), epoch),
                    }
                }
                old = current;
                is_fresh = true;
            }
            let (draft, decided) = match self.draft(epoch, how)? {
                Drafted::Draft(draft, decided) => (draft, decided),
                Drafted::Elsewhere => return how.elsewhere(),
                Drafted::Refused if is_fresh => return Ok(Written::Refused),
                Drafted::Refused => {
                    // Of what this request has read; the store may hold something else by now.
                    is_fresh = true;
                    continue;
                }
            };
            let unchanged = |data: &Data| same_data(data, &old) && !self.state().settings_changed();
            if decided.as_ref().is_some_and(unchanged) {
                self.forget_attempt(epoch);
                if is_fresh {
                    return Ok(Written::Unchanged);
                }
                is_fresh = true;
                continue;
            }
            fault! { WritesBySet, return store.set(id, &draft.record).await.map(|()| Written::Stored) }
            let replaced = if self.config.capabilities.replace {
                self.answered(store.replace(id, &old, &draft.record).await)?
            } else {
                self.answered(store.set(id, &draft.record).await)?;
                Replaced::Replaced
            };
            match replaced {
                Replaced::Replaced => {
                    self.commit(draft, decided.as_ref())?;
                    return Ok(Written::Stored);
                }
                Replaced::Missing => {
                    self.forget_attempt(epoch);
                    return Err(self.gone("replace"));
                }
                Replaced::Conflict if !self.forget_attempt(epoch) => return how.elsewhere(),
                Replaced::Conflict if how.on_conflict == OnConflict::Fail => break,
                Replaced::Conflict => conflicts = true,
            }
        }
        Err(Error::new(ErrorKind::Conflict, "save"))
    }

    /// Sends this request's edits after a session whose id was changed meanwhile, of which `forward`
    /// is left. Nothing of what the new id holds comes back here: this request came with the old one.
    async fn follow(&self, forward: Record) -> Result<Written> {
        let store = self.config.store();
        let edits = {
            let mut state = self.state();
            // Settings are of the cookie, and stay behind.
            state.lost |= state.settings_changed();
            state.edits().clone()
        };
        let mut written = None;
        let mut rows: Vec<Row> = vec![(self.id(), None, Some(forward))];
        for _ in 0..MOST_TRIES {
            let Some((id, kept, known)) = rows.pop() else {
                let Some(written) = written else {
                    return Err(self.gone("get"));
                };
                self.state().forget_edits_through(edits.last());
                return Ok(written);
            };
            let current = match known {
                Some(record) => record,
                None => match store.get(&id).await? {
                    Some(record) => record,
                    None => continue,
                },
            };
            let now = self.config.clock().now();
            let edited = |data: &mut Data| match &kept {
                Some(keys) => edits.apply_to(keys, data),
                None => edits.apply(data),
            };
            let left_out = kept.as_deref().is_some_and(|keys| edits.any_beside(keys));
            self.state().lost |= left_out;
            if let Some(moved) = Moved::read(&current) {
                // Whoever changes the id at the same time goes on from what this says.
                let edited = moved.edited(edited)?;
                fault! { FollowsPastForks, let edited = None }
                if let Some(moved) = edited {
                    let forward = moved.record(now);
                    self.note_elsewhere(&forward, now);
                    match store.replace(&id, &current, &forward).await? {
                        Replaced::Replaced => {}
                        Replaced::Conflict => {
                            rows.push((id, kept, None));
                            continue;
                        }
                        Replaced::Missing => continue,
                    }
                }
                let successors = moved.successors(now).into_iter();
                rows.extend(successors.map(|(id, keys)| (id, both(kept.clone(), keys), None)));
                continue;
            }
            let mut data = current.data();
            edited(&mut data)?;
            let mut cookie = current.cookie().clone();
            cookie.touch(now);
            let record = Record::new(cookie, &data);
            if same_data(&data, &current) {
                written.get_or_insert(Written::Unchanged);
                continue;
            }
            fault! { FollowsWithoutWriting, return Ok(Written::Stored) }
            self.check_size(&record, Some(&current))?;
            self.note_elsewhere(&record, now);
            match self.answered(store.replace(&id, &current, &record).await)? {
                Replaced::Replaced => written = Some(Written::Stored),
                Replaced::Conflict => rows.push((id, kept, None)),
                Replaced::Missing => {}
            }
        }
        Err(Error::new(ErrorKind::Conflict, "save"))
    }

    /// Notes that this request's edits may have been written to where their session went.
    fn note_elsewhere(&self, record: &Record, now: SystemTime) {
        let mut state = self.state();
        let draft = state.draft_of(record.clone(), now);
        state.note_attempt(draft);
    }

    /// Refuses to make edits a second time of which nobody knows whether they were made.
    ///
    /// The row cannot tell: another request may have written the very same text, or have taken ours
    /// back since.
    fn check_earlier(&self, on_conflict: OnConflict) -> Result<()> {
        fault! { UpdatesTwice, return Ok(()) }
        // A whole session that stands against every other is the same however often it is written.
        if on_conflict != OnConflict::Overwrite && self.may_have_updated() {
            return Err(unanswered());
        }
        Ok(())
    }

    /// Whether an earlier save was not answered which made edits that are others if made twice.
    fn may_have_updated(&self) -> bool {
        let state = self.state();
        let attempt = state.attempt.as_ref();
        attempt.is_some_and(|earlier| earlier.inexact)
    }

    /// What the store has answered. An error that says nothing was done leaves nothing to wonder
    /// about.
    fn answered<T>(&self, answer: Result<T>) -> Result<T> {
        answer.inspect_err(|error| {
            if error.kind().is_refusal() {
                self.state().attempt = None;
            }
        })
    }

    /// A draft of the session, noted as one that may have been written.
    fn draft(&self, epoch: u64, how: &mut How<'_, '_>) -> Result<Drafted> {
        for _ in 0..MOST_RUNS {
            // Application's code runs without the lock.
            let (decided, version) = match &mut how.decide {
                None => (None, None),
                Some(decide) => {
                    let (mut data, version) = {
                        let mut state = self.state();
                        (state.data().clone(), state.version())
                    };
                    if !decide(&mut data) {
                        return Ok(Drafted::Refused);
                    }
                    (Some(data), Some(version))
                }
            };
            let mut state = self.state();
            if state.epoch() != epoch {
                // The session under the old id is to go, and this write is none of the new one's.
                return Ok(Drafted::Elsewhere);
            }
            if version.is_some_and(|version| version != state.version()) {
                continue;
            }
            let draft = state.draft(self.config.clock().now(), decided.as_ref());
            self.check_size(&draft.record, state.source())?;
            state.note_attempt(draft.clone());
            return Ok(Drafted::Draft(draft, decided));
        }
        Err(edits_itself("commit"))
    }

    /// Notes that a draft is what the store holds.
    fn commit(&self, draft: Draft, decided: Option<&Data>) -> Result<()> {
        let after = decided.map(|_| (draft.record.clone(), draft.epoch));
        let settled = self.state().commit(draft, decided);
        // The edits that were made meanwhile know nothing of what was decided.
        match after.filter(|_| !settled) {
            Some((record, epoch)) => self.rebase(&record, epoch),
            None => Ok(()),
        }
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
        for _ in 0..MOST_RUNS {
            let (edits, version) = {
                let state = self.state();
                (state.edits().clone(), state.version())
            };
            fault! { MergeDropsEdits, let edits = super::edits::Edits::default() }
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
        Err(edits_itself("save"))
    }

    fn overwrite(&self, current: Record, epoch: u64) {
        let mut state = self.state();
        if state.epoch() == epoch {
            state.overwrite(current);
        }
    }

    /// Notes that the session is no longer stored, and makes the error that says so.
    pub(crate) fn gone(&self, operation: &'static str) -> Error {
        tracing::debug!("the session was destroyed or has expired meanwhile; edits are dropped");
        let mut state = self.state();
        state.lost |= !state.edits().is_empty() || state.settings_changed() || state.has_new_id();
        state.phase = Phase::Gone;
        Error::new(ErrorKind::Missing, operation)
    }

    /// Refuses a record above `max_session_bytes`, unless it is no larger than the one that it was
    /// made from.
    fn check_size(&self, record: &Record, source: Option<&Record>) -> Result<()> {
        let size = record.json().len();
        match self.config.options.max_session_bytes {
            Some(max) if size > max && source.is_none_or(|source| size > source.json().len()) => {
                Err(
                    Error::new(ErrorKind::TooLarge, "save").with_message(format!(
                        "its JSON has {size} bytes, and max_session_bytes is {max}"
                    )),
                )
            }
            _ => Ok(()),
        }
    }
}

fn unanswered() -> Error {
    Error::new(ErrorKind::Timeout, "save").with_message(
        "an earlier save was not answered, and may have taken place; `reload` the session before \
         the edits are made again",
    )
}

/// A row on the way of edits that follow a session: the keys that went there, where not all did, and
/// what it holds, if that is known.
type Row = (SessionId, Option<Vec<String>>, Option<Record>);

enum Drafted {
    /// With the data that was decided on.
    Draft(Draft, Option<Data>),
    /// The id was changed meanwhile.
    Elsewhere,
    Refused,
}
