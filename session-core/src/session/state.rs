use std::time::{Duration, SystemTime};

use super::edits::{Edit, Edits};
use crate::format::data::Data;
use crate::{Record, SessionCookie, SessionId};

/// A request that takes longer is slow: its session lasts from its end on, as in express-session.
const LATELY: Duration = Duration::from_millis(500);

/// Where a session stands within its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The store has not been asked yet.
    NotLoaded,
    /// There to be used.
    Live,
    /// Destroyed by this request.
    Destroyed,
    /// Let go of by this request.
    Unset,
    /// Destroyed, regenerated or expired elsewhere while this request was using it.
    Gone,
    /// The store failed, and the request is served without a session.
    Unavailable,
}

/// The session that this one was regenerated from, still to be removed from the store.
#[derive(Clone)]
pub(crate) struct Retired {
    pub(crate) id: SessionId,
    /// The record whose data the new session keeps; it must still be the stored one when the old
    /// session goes, or an edit or a logout in between would be undone.
    pub(crate) source: Option<Record>,
    /// The edits that made the new session's data from the source's.
    pub(crate) edits: Edits,
    /// Whether its removal was begun: if it is gone, that may be our own doing.
    pub(crate) removal_begun: bool,
}

/// A session's record about to be written.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) record: Record,
    made: SystemTime,
    last_edit: u64,
    pub(crate) epoch: u64,
    data_changed: bool,
    settings_changed: bool,
}

pub(crate) struct State {
    pub(crate) phase: Phase,
    /// `None` while a new session has not needed its id.
    pub(crate) id: Option<SessionId>,
    /// What the store holds under the id, as far as this request knows.
    pub(crate) stored: Option<Record>,
    pub(crate) cookie: SessionCookie,
    /// The settings that a session which is not stored yet was made with.
    made_with: SessionCookie,
    /// The data as it is now; until somebody edits it, or has to have it read, that of `stored`.
    data: Option<Data>,
    edits: Edits,
    /// Moves with every change of the data, to notice that another task made one meanwhile.
    version: u64,
    /// Moves with every change of the id, to notice that one was made while the store was asked.
    epoch: u64,
    /// A write whose answer never came: it may have taken place.
    pub(crate) attempt: Option<Draft>,
    pub(crate) retired: Option<Retired>,
    /// Ids under which this request has stored the session and which it has changed again since.
    /// No browser ever heard of them.
    pub(crate) discarded: Vec<SessionId>,
    /// Whether the id was changed on purpose: such a session is saved even when it is empty.
    pub(crate) regenerated: bool,
    /// Whether this request has written the session under its present id.
    pub(crate) written: bool,
    /// When this request last moved the stored session's end, by reading or writing it.
    pub(crate) moved: Option<SystemTime>,
    /// Whether this request has written changed data, and not taken the change back since.
    data_was_changed: bool,
    /// What the first write of changed data replaced; nothing, if the session was new.
    changed_from: Option<Option<Record>>,
    /// Whether this request has written changed cookie settings.
    settings_were_changed: bool,
    /// The settings of the cookie that the browser is to drop.
    pub(crate) dropped_cookie: Option<SessionCookie>,
    /// Whether the response has been sent, so that no cookie can be set any more.
    pub(crate) finished: bool,
}

impl State {
    pub(crate) fn new(phase: Phase, cookie: SessionCookie) -> Self {
        Self {
            phase,
            id: None,
            stored: None,
            made_with: cookie.clone(),
            cookie,
            data: None,
            edits: Edits::default(),
            version: 0,
            epoch: 0,
            attempt: None,
            retired: None,
            discarded: Vec::new(),
            regenerated: false,
            written: false,
            moved: None,
            data_was_changed: false,
            changed_from: None,
            settings_were_changed: false,
            dropped_cookie: None,
            finished: false,
        }
    }

    /// There is nothing stored: a new session.
    pub(crate) fn start_live(&mut self, cookie: Option<SessionCookie>) {
        self.phase = Phase::Live;
        if let Some(cookie) = cookie {
            self.made_with = cookie.clone();
            self.cookie = cookie;
        }
    }

    /// Takes what the store holds, and drops every change.
    pub(crate) fn adopt(&mut self, record: Record) {
        self.phase = Phase::Live;
        self.cookie = record.cookie().clone();
        self.stored = Some(record);
        self.data = None;
        self.edits.forget_all();
        self.version += 1;
    }

    /// Ends the session for this request.
    pub(crate) fn end(&mut self, phase: Phase) {
        self.phase = phase;
        self.dropped_cookie
            .get_or_insert_with(|| self.cookie.clone());
        self.data = Some(Data::new());
        self.edits.forget_all();
        self.version += 1;
        self.epoch += 1;
        if phase == Phase::Destroyed {
            self.stored = None;
        }
    }

    /// Becomes a new, empty session, after this one was destroyed.
    pub(crate) fn start_anew(&mut self, cookie: SessionCookie) {
        let fresh = Self::new(Phase::Live, cookie);
        let past = std::mem::replace(self, fresh);
        self.dropped_cookie = past.dropped_cookie;
        self.finished = past.finished;
        // What was counted is never counted again from the start.
        self.edits = past.edits;
        self.edits.forget_all();
        self.version = past.version + 1;
        self.epoch = past.epoch + 1;
    }

    /// Gives the session a new id, made when it is needed. Unless its data was kept, the new
    /// session has no tie to what the old one holds.
    pub(crate) fn change_id(&mut self, cookie: SessionCookie, keeps_data: bool) {
        if !keeps_data {
            self.edit(Edit::Clear);
        }
        self.data_mut();
        let source = self.stored.take();
        let may_be_stored = source.is_some() || self.attempt.take().is_some();
        let id = self.id.take().filter(|_| may_be_stored);
        match (&mut self.retired, id, source) {
            (None, Some(id), Some(source)) => {
                self.retired = Some(Retired {
                    id,
                    source: keeps_data.then_some(source),
                    edits: Edits::default(),
                    removal_begun: false,
                });
            }
            (_, id, _) => self.discarded.extend(id),
        }
        if let (Some(retired), false) = (&mut self.retired, keeps_data) {
            retired.source = None;
        }
        self.dropped_cookie
            .get_or_insert_with(|| self.cookie.clone());
        self.made_with = cookie.clone();
        self.cookie = cookie;
        self.regenerated = true;
        self.written = false;
        self.moved = None;
        self.version += 1;
        self.epoch += 1;
    }

    pub(crate) fn data(&mut self) -> &Data {
        let stored = self.stored.as_ref();
        match (&mut self.data, stored.and_then(Record::read_data)) {
            (None, Some(read)) => read,
            (data, _) => data.get_or_insert_with(|| data_of(stored)),
        }
    }

    fn data_mut(&mut self) -> &mut Data {
        self.data
            .get_or_insert_with(|| data_of(self.stored.as_ref()))
    }

    /// The record whose data this session's was made from, also under an earlier id.
    pub(crate) fn source(&self) -> Option<&Record> {
        let retired = || self.retired.as_ref()?.source.as_ref();
        self.stored.as_ref().or_else(retired)
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Makes an edit whose value is known.
    pub(crate) fn edit(&mut self, edit: Edit) {
        match &edit {
            Edit::Insert(key, value) => self.data_mut().insert_text(key, value.clone()),
            Edit::Remove(key) => {
                self.data_mut().remove(key);
            }
            Edit::Retain(keys) => self.data_mut().retain(keys),
            Edit::Clear => self.data_mut().clear(),
            Edit::Update(..) => debug_assert!(false, "an update comes with its value"),
        }
        self.log(edit);
    }

    /// Makes an update whose value has been computed, and remembers how.
    pub(crate) fn update(&mut self, key: &str, value: std::sync::Arc<str>, edit: Edit) {
        self.data_mut().insert_text(key, value);
        self.log(edit);
    }

    fn log(&mut self, edit: Edit) {
        self.edits.push(edit);
        self.version += 1;
    }

    /// Whether the data differs from what is stored; values are compared, not acts.
    pub(crate) fn data_changed(&self) -> bool {
        let Some(data) = self.data.as_ref().filter(|_| !self.edits.is_empty()) else {
            return false;
        };
        match &self.stored {
            Some(_) => data.differs_from_source(),
            None => !data.is_empty(),
        }
    }

    /// Whether the cookie's settings differ from those stored.
    pub(crate) fn settings_changed(&self) -> bool {
        let before = self.stored.as_ref().map_or(&self.made_with, Record::cookie);
        !self.cookie.same_settings(before)
    }

    /// Whether this request has moved the session's end so lately that moving it again would show
    /// nowhere: cookies and most stores count in seconds.
    pub(crate) fn moved_lately(&self, now: SystemTime) -> bool {
        self.moved
            .is_some_and(|at| now.duration_since(at).unwrap_or_default() < LATELY)
    }

    /// Whether the data is another one than when the request began, written or not.
    pub(crate) fn data_ever_changed(&self) -> bool {
        self.data_was_changed || self.data_changed()
    }

    /// Whether cookie settings have been changed since the request began, written or not.
    pub(crate) fn settings_ever_changed(&self) -> bool {
        self.settings_were_changed || self.settings_changed()
    }

    /// The record to write now. Touched first, so that its `expires` is never stale.
    pub(crate) fn draft(&mut self, now: SystemTime) -> Draft {
        let data_changed = self.data_changed();
        let settings_changed = self.settings_changed();
        self.cookie.touch(now);
        let cookie = self.cookie.clone();
        Draft {
            record: Record::new(cookie, self.data()),
            made: now,
            last_edit: self.edits.last(),
            epoch: self.epoch,
            data_changed,
            settings_changed,
        }
    }

    /// The draft has been written.
    pub(crate) fn commit(&mut self, draft: Draft) {
        if draft.epoch != self.epoch {
            // The id was changed meanwhile: what was written is the session that is to go.
            self.edits.forget_through(draft.last_edit);
            if let Some(retired) = &mut self.retired
                && retired.source.is_some()
            {
                retired.source = Some(draft.record);
            }
            return;
        }
        self.attempt = None;
        self.version += 1;
        if let Some(retired) = &mut self.retired {
            retired.edits.extend_through(&self.edits, draft.last_edit);
        }
        self.edits.forget_through(draft.last_edit);
        if self.edits.is_empty() {
            self.data = None;
        } else if let Some(data) = &mut self.data {
            // Edited again while the draft was being written.
            data.detach();
        }
        if draft.data_changed {
            self.note_changed_data(&draft.record);
        }
        self.made_with = draft.record.cookie().clone();
        self.stored = Some(draft.record);
        self.written = true;
        self.moved = Some(draft.made);
        self.settings_were_changed |= draft.settings_changed;
    }

    /// Changed data is about to count as stored. A second write may undo what the first one did.
    fn note_changed_data(&mut self, written: &Record) {
        self.data_was_changed = match &self.changed_from {
            Some(Some(before)) => !before.data().iter().eq(written.data().iter()),
            Some(None) => true,
            None => {
                self.changed_from = Some(self.stored.take());
                true
            }
        };
    }

    pub(crate) fn edits(&self) -> &Edits {
        &self.edits
    }

    /// Whether sessions of this request are still to be removed from the store.
    pub(crate) fn has_remains(&self) -> bool {
        self.retired.is_some() || !self.discarded.is_empty()
    }

    pub(crate) fn has_discarded(&self) -> bool {
        !self.discarded.is_empty()
    }

    /// Whether the session that was there is to end even if nobody can be told of the new one:
    /// nothing of it was to go on, or not all of it, or the browser, which has `known`, has never
    /// heard of it.
    pub(crate) fn ends_the_old(&self, known: Option<&SessionId>) -> bool {
        self.retired.as_ref().is_some_and(|retired| {
            retired.source.is_none()
                || retired.edits.remove_any()
                || self.edits.remove_any()
                || Some(&retired.id) != known
        })
    }

    /// Whether `id` is that of the session as it is now in the store.
    pub(crate) fn lies_under(&self, id: &SessionId) -> bool {
        self.written && self.id.as_ref() == Some(id)
    }

    /// Takes `data`, which is this request's edits on top of what another one has written.
    pub(crate) fn rebase(&mut self, current: Record, data: Data) {
        if !self.settings_changed() {
            self.cookie = current.cookie().clone();
        }
        self.data = Some(data);
        self.stored = Some(current);
        self.version += 1;
    }

    /// Lets this request's whole session stand against what another one has written.
    pub(crate) fn overwrite(&mut self, current: Record) {
        self.data_mut().detach();
        self.stored = Some(current);
    }

    /// Takes `data`, which is that of a regenerated session made again from what the old one holds
    /// now.
    pub(crate) fn rebase_retired(&mut self, current: &Record, mut data: Data) {
        let source = self
            .retired
            .as_ref()
            .and_then(|retired| retired.source.as_ref());
        if source.is_some_and(|source| self.cookie.same_settings(source.cookie())) {
            self.cookie = current.cookie().clone();
        }
        data.detach();
        self.data = Some(data);
        self.version += 1;
    }
}

fn data_of(stored: Option<&Record>) -> Data {
    stored.map_or_else(Data::new, Record::data)
}
