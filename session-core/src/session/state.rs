use std::sync::Arc;
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
    /// There, and its id was changed by another request: edits follow it, and that is all.
    Moved,
    /// Destroyed by this request.
    Destroyed,
    /// Let go of by this request.
    Unset,
    /// Destroyed, regenerated or expired elsewhere while this request was using it.
    Gone,
    /// The store failed, and the request is served without a session.
    Unavailable,
}

/// What the browser's cookie led to.
#[derive(Clone)]
pub(crate) struct Found {
    pub(crate) id: SessionId,
    pub(crate) record: Record,
}

/// What the session is an edited form of.
#[derive(Clone)]
pub(crate) enum Base {
    /// Nothing is stored under its id; the cookie settings that it was made with.
    New(SessionCookie),
    /// What the store holds, as far as this request knows.
    Stored(Record),
}

impl Base {
    fn stored(&self) -> Option<&Record> {
        match self {
            Self::New(_) => None,
            Self::Stored(record) => Some(record),
        }
    }

    fn data(&self) -> Data {
        self.stored().map_or_else(Data::new, Record::data)
    }

    fn cookie(&self) -> &SessionCookie {
        match self {
            Self::New(cookie) => cookie,
            Self::Stored(record) => record.cookie(),
        }
    }
}

/// A change of the session's id in this request.
#[derive(Clone, Default)]
pub(crate) struct IdChange {
    /// The session that was there before, while it may still be stored.
    pub(crate) retired: Option<Retired>,
}

/// The session that this one follows, still to be removed from the store.
#[derive(Clone)]
pub(crate) struct Retired {
    pub(crate) id: SessionId,
    /// What it held when it was last looked at.
    pub(crate) source: Record,
    /// How the new session's data came from it; `None` where nothing was to go on.
    pub(crate) kept: Option<Kept>,
}

/// What a session that keeps its data takes along.
#[derive(Clone, Default)]
pub(crate) struct Kept {
    /// The keys, where not all are.
    pub(crate) keys: Option<Arc<[String]>>,
    /// The edits that made the stored new session's data from the old one's.
    pub(crate) edits: Edits,
    /// Whether some of them may have been made on the old session, by a write without an answer.
    pub(crate) uncertain: bool,
}

/// A session's record about to be written.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) record: Record,
    made: SystemTime,
    last_edit: u64,
    pub(crate) epoch: u64,
}

/// A write whose answer has not come (yet): it may have taken place.
#[derive(Clone)]
pub(crate) struct Attempt {
    pub(crate) draft: Draft,
    /// Whether making its edits once more would not be the same as having made them once.
    pub(crate) inexact: bool,
}

/// A session within its request.
///
/// What can be told from the rest is not kept: whether data or settings have changed is a comparison
/// with `base`, and what the browser is to hear of it one with `found`.
pub(crate) struct State {
    pub(crate) phase: Phase,
    pub(crate) found: Option<Found>,
    /// `None` while a new session has not needed its id.
    pub(crate) id: Option<SessionId>,
    pub(crate) base: Base,
    pub(crate) cookie: SessionCookie,
    /// The data as it is now; until somebody edits it, or has to have it read, that of `base`.
    data: Option<Data>,
    edits: Edits,
    /// Moves with every change of the data, to notice that another task made one meanwhile.
    version: u64,
    /// Moves with every change of the id, to notice that one was made while the store was asked.
    epoch: u64,
    pub(crate) attempt: Option<Attempt>,
    pub(crate) id_change: Option<IdChange>,
    /// Ids under which this request has stored the session and which it has changed again since.
    /// No browser ever heard of them.
    pub(crate) discarded: Vec<SessionId>,
    /// When this request last wrote the session under its present id.
    written: Option<SystemTime>,
    /// Whether this request has destroyed the session that it came with.
    pub(crate) has_destroyed: bool,
    /// Whether reading the session is not to extend it.
    pub(crate) left_alone: bool,
    /// Whether the handler was told that the session is stored.
    pub(crate) saved: bool,
    /// Whether something that was to be changed is lost, because the session has ended or its id was
    /// changed.
    pub(crate) lost: bool,
    /// Whether the response has been sent, so that no cookie can be set any more.
    pub(crate) finished: bool,
}

impl State {
    pub(crate) fn new(phase: Phase, cookie: SessionCookie) -> Self {
        Self {
            phase,
            found: None,
            id: None,
            base: Base::New(cookie.clone()),
            cookie,
            data: None,
            edits: Edits::default(),
            version: 0,
            epoch: 0,
            attempt: None,
            id_change: None,
            discarded: Vec::new(),
            written: None,
            has_destroyed: false,
            left_alone: false,
            saved: false,
            lost: false,
            finished: false,
        }
    }

    /// There is nothing stored: a new session.
    pub(crate) fn start_live(&mut self, cookie: Option<SessionCookie>) {
        self.phase = Phase::Live;
        if let Some(cookie) = cookie {
            self.base = Base::New(cookie.clone());
            self.cookie = cookie;
        }
    }

    /// Takes what the store holds under `id`, and drops every change.
    pub(crate) fn adopt(&mut self, id: SessionId, record: Record) {
        self.phase = Phase::Live;
        self.cookie = record.cookie().clone();
        self.data = None;
        self.edits.forget_all();
        self.attempt = None;
        self.version += 1;
        // A new session is there, so that it was written, although the answer may have been lost.
        if self.id.is_some() && self.is_new() {
            self.written.get_or_insert(SystemTime::UNIX_EPOCH);
        }
        self.id = Some(id);
        self.base = Base::Stored(record);
    }

    /// Takes what the request's cookie led to.
    pub(crate) fn find(&mut self, id: SessionId, record: Record) {
        self.found = Some(Found {
            id: id.clone(),
            record: record.clone(),
        });
        self.adopt(id, record);
    }

    /// Ends the session for this request.
    pub(crate) fn end(&mut self, phase: Phase) {
        self.phase = phase;
        self.data = Some(Data::new());
        self.edits.forget_all();
        self.attempt = None;
        self.version += 1;
        self.epoch += 1;
        if phase == Phase::Destroyed {
            self.base = Base::New(self.cookie.clone());
            self.id_change = None;
            self.has_destroyed = true;
        }
    }

    /// Becomes a new, empty session, after this one was destroyed.
    pub(crate) fn start_anew(&mut self, cookie: SessionCookie) {
        let past = std::mem::replace(self, Self::new(Phase::Live, cookie));
        self.found = past.found;
        self.has_destroyed = past.has_destroyed;
        self.left_alone = past.left_alone;
        self.finished = past.finished;
        // What was counted is never counted again from the start.
        self.edits = past.edits;
        self.edits.forget_all();
        self.version = past.version + 1;
        self.epoch = past.epoch + 1;
    }

    /// Gives the session a new id, made when it is needed. `keeps` says which of the data goes on;
    /// without it, the new session has no tie to what the old one holds.
    pub(crate) fn change_id(&mut self, cookie: SessionCookie, keeps: Option<Kept>) {
        match keeps.as_ref().map(|kept| &kept.keys) {
            None => self.edit(Edit::Clear),
            Some(Some(keys)) => self.edit(Edit::Retain(keys.clone())),
            Some(None) => {}
        }
        self.data_mut();
        let base = std::mem::replace(&mut self.base, Base::New(cookie.clone()));
        let attempt = self.attempt.take();
        let attempted = attempt.is_some();
        let uncertain = attempt.is_some_and(|attempt| attempt.inexact);
        let change = self.id_change.get_or_insert_default();
        match (self.id.take(), base) {
            (Some(id), Base::Stored(source)) if change.retired.is_none() => {
                change.retired = Some(Retired {
                    id,
                    source,
                    kept: keeps.map(|kept| Kept { uncertain, ..kept }),
                });
            }
            (id, base) => {
                let may_be_stored = attempted || matches!(base, Base::Stored(_));
                self.discarded.extend(id.filter(|_| may_be_stored));
                if let Some(retired) = &mut change.retired {
                    retired.kept = retired.kept.take().zip(keeps).map(|(was, now)| Kept {
                        keys: both(was.keys, now.keys),
                        ..was
                    });
                }
            }
        }
        if self.phase == Phase::Moved {
            self.phase = Phase::Live;
        }
        self.cookie = cookie;
        self.written = None;
        self.version += 1;
        self.epoch += 1;
    }

    pub(crate) fn stored(&self) -> Option<&Record> {
        self.base.stored()
    }

    pub(crate) fn data(&mut self) -> &Data {
        let Self { data, base, .. } = self;
        match (data, base.stored().and_then(Record::read_data)) {
            (None, Some(read)) => read,
            (data, _) => data.get_or_insert_with(|| base.data()),
        }
    }

    fn data_mut(&mut self) -> &mut Data {
        let Self { data, base, .. } = self;
        data.get_or_insert_with(|| base.data())
    }

    /// The record whose data this session's was made from, also under an earlier id.
    pub(crate) fn source(&self) -> Option<&Record> {
        let retired = || self.retired().filter(|retired| retired.kept.is_some());
        self.stored().or_else(|| Some(&retired()?.source))
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Makes an edit whose value is known.
    pub(crate) fn edit(&mut self, edit: Edit) {
        let made = edit.apply(self.data_mut());
        debug_assert!(made.is_ok(), "an update comes with its value");
        self.log(edit);
    }

    /// Makes an update whose value has been computed, and remembers how.
    pub(crate) fn update(&mut self, key: &str, value: Arc<str>, edit: Edit) {
        self.data_mut().insert_text(key, value);
        self.log(edit);
    }

    fn log(&mut self, edit: Edit) {
        self.edits.push(edit);
        self.version += 1;
    }

    /// Whether the data differs from what is stored; values are compared, not acts. Where an answer
    /// was lost, nobody knows what is.
    pub(crate) fn data_changed(&self) -> bool {
        if self.attempt.is_some() && self.stored().is_some() {
            return true;
        }
        let Some(data) = self.data.as_ref().filter(|_| !self.edits.is_empty()) else {
            return false;
        };
        match &self.base {
            Base::Stored(record) => !same_data(data, record),
            Base::New(_) => !data.is_empty(),
        }
    }

    /// Whether the cookie's settings differ from those stored.
    pub(crate) fn settings_changed(&self) -> bool {
        !self.cookie.same_settings(self.base.cookie())
    }

    pub(crate) fn has_written(&self) -> bool {
        self.written.is_some()
    }

    /// Whether this request has moved the session's end so lately that moving it again would show
    /// nowhere: cookies and most stores count in seconds.
    pub(crate) fn written_lately(&self, now: SystemTime) -> bool {
        self.written
            .is_some_and(|at| now.duration_since(at).unwrap_or_default() < LATELY)
    }

    /// Whether the data is another one than the browser's cookie led to, written or not;
    /// `changed` is whether it is another one than is stored.
    pub(crate) fn data_ever_changed(&self, changed: bool) -> bool {
        let Some(found) = self.found.as_ref().filter(|_| self.has_written()) else {
            return changed;
        };
        match (&self.data, &self.base) {
            (Some(data), _) => !same_data(data, &found.record),
            (None, Base::Stored(record)) => !same_data(&record.data(), &found.record),
            (None, Base::New(_)) => false,
        }
    }

    /// Whether the cookie settings are others than the browser's cookie was sent with.
    pub(crate) fn settings_ever_changed(&self) -> bool {
        let found = self.found.as_ref();
        found.is_some_and(|found| !self.cookie.same_settings(found.record.cookie()))
    }

    /// The record to write now, with `data` in place of the session's own where it is given. Touched
    /// first, so that its `expires` is never stale.
    pub(crate) fn draft(&mut self, now: SystemTime, data: Option<&Data>) -> Draft {
        self.cookie.touch(now);
        let cookie = self.cookie.clone();
        let record = match data {
            Some(data) => Record::new(cookie, data),
            None => Record::new(cookie, self.data()),
        };
        self.draft_of(record, now)
    }

    pub(crate) fn draft_of(&self, record: Record, made: SystemTime) -> Draft {
        Draft {
            record,
            made,
            last_edit: self.edits.last(),
            epoch: self.epoch,
        }
    }

    /// Notes that a draft may be written from now on.
    pub(crate) fn note_attempt(&mut self, draft: Draft) {
        self.attempt = Some(Attempt {
            draft,
            inexact: self.edits.update_any(),
        });
    }

    /// The draft has been written. `false` if edits were made meanwhile, which are now to be made on
    /// what was written.
    pub(crate) fn commit(&mut self, draft: Draft, decided: Option<&Data>) -> bool {
        if draft.epoch != self.epoch {
            // The id was changed meanwhile: what was written is the session that is to go.
            self.edits.forget_through(draft.last_edit);
            if let Some(retired) = self.retired_mut() {
                retired.source = draft.record;
            }
            return true;
        }
        self.attempt = None;
        self.version += 1;
        let Self {
            edits,
            id_change,
            data,
            base,
            ..
        } = self;
        let retired = id_change
            .as_mut()
            .and_then(|change| change.retired.as_mut());
        if let Some(kept) = retired.and_then(|retired| retired.kept.as_mut()) {
            kept.edits.extend_through(edits, draft.last_edit);
            if let Some(decided) = decided {
                let before = data.as_ref().map_or_else(|| base.data(), Data::clone);
                kept.edits.push_changes(&before, decided);
            }
        }
        self.edits.forget_through(draft.last_edit);
        self.base = Base::Stored(draft.record);
        self.written = Some(draft.made);
        let settled = self.edits.is_empty();
        if settled {
            self.data = None;
        }
        settled
    }

    pub(crate) fn edits(&self) -> &Edits {
        &self.edits
    }

    /// This request's edits up to the one with `number` have found their place.
    pub(crate) fn forget_edits_through(&mut self, number: u64) {
        self.attempt = None;
        self.edits.forget_through(number);
        self.version += 1;
    }

    /// Goes back to what is stored.
    pub(crate) fn forget_edits(&mut self) {
        self.edits.forget_all();
        self.data = None;
        self.attempt = None;
        self.version += 1;
        if let Base::Stored(record) = &self.base {
            self.cookie = record.cookie().clone();
        }
    }

    pub(crate) fn retired(&self) -> Option<&Retired> {
        self.id_change.as_ref()?.retired.as_ref()
    }

    pub(crate) fn retired_mut(&mut self) -> Option<&mut Retired> {
        self.id_change.as_mut()?.retired.as_mut()
    }

    /// The session that was there before is not there any more.
    pub(crate) fn forget_retired(&mut self) {
        if let Some(change) = &mut self.id_change {
            change.retired = None;
        }
    }

    /// Whether the session's id is not the one that the request came with.
    pub(crate) fn is_new(&self) -> bool {
        // Both are this request's own: nobody learns anything from how long it takes.
        let own = self.id.as_ref().map(SessionId::as_str);
        let known = self.found.as_ref().map(|found| found.id.as_str());
        own.is_none() || own != known
    }

    /// Whether the id was changed on purpose: such a session is saved even when it is empty.
    pub(crate) fn has_new_id(&self) -> bool {
        self.id_change.is_some()
    }

    /// Whether sessions of this request are still to be removed from the store.
    pub(crate) fn has_remains(&self) -> bool {
        self.retired().is_some() || !self.discarded.is_empty()
    }

    /// Whether the session that was there is to end even if nobody can be told of the new one:
    /// nothing of it was to go on, or not all of it, or the browser has never heard of it.
    pub(crate) fn ends_the_old(&self) -> bool {
        let known = self.found.as_ref().map(|found| &found.id);
        self.retired().is_some_and(|retired| {
            let removed = |kept: &Kept| kept.keys.is_some() || kept.edits.remove_any();
            retired.kept.as_ref().is_none_or(removed)
                || self.edits.remove_any()
                || Some(&retired.id) != known
        })
    }

    /// Whether `id` is that of the session as it is now in the store.
    pub(crate) fn lies_under(&self, id: &SessionId) -> bool {
        self.has_written() && self.id.as_ref() == Some(id)
    }

    /// Takes `data`, which is this request's edits on top of what another one has written.
    pub(crate) fn rebase(&mut self, current: Record, data: Data) {
        if !self.settings_changed() {
            self.cookie = current.cookie().clone();
        }
        self.data = Some(data);
        self.base = Base::Stored(current);
        self.version += 1;
    }

    /// Lets this request's whole session stand against what another one has written.
    pub(crate) fn overwrite(&mut self, current: Record) {
        self.data_mut();
        self.base = Base::Stored(current);
    }

    /// Takes `data`, which is that of a session with a new id made again from what the old one holds
    /// now; and its cookie `settings`, unless this request has others.
    pub(crate) fn rebase_retired(&mut self, data: Data, settings: Option<&SessionCookie>) {
        let source = self.retired().map(|retired| retired.source.cookie());
        if let (Some(source), Some(settings)) = (source, settings)
            && self.cookie.same_settings(source)
        {
            self.cookie = settings.clone();
        }
        self.data = Some(data);
        self.version += 1;
    }
}

/// Whether a record holds this data.
pub(super) fn same_data(data: &Data, record: &Record) -> bool {
    match record.read_data() {
        Some(read) => data == read,
        None => data.is_written_in(record.json()),
    }
}

/// The keys that both of two selections keep.
pub(super) fn both<K>(one: Option<K>, other: Option<K>) -> Option<K>
where
    K: AsRef<[String]> + FromIterator<String>,
{
    match (one, other) {
        (Some(one), Some(other)) => {
            let shared = |key: &&String| other.as_ref().contains(key);
            Some(one.as_ref().iter().filter(shared).cloned().collect())
        }
        (one, other) => one.or(other),
    }
}
