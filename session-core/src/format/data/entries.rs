//! The entries of a session's data, in order, and where each key is among them.

use std::borrow::Cow;
use std::cmp::Ordering::{Equal, Greater, Less};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

/// Up to so many keys are searched one by one, which is quicker than an index.
pub(super) const FEW_KEYS: usize = 32;
/// So many searches among more keys than that cost less than an index.
const FEW_SEARCHES: u32 = 8;
/// Room for as many keys as most sessions have.
const USUAL_KEYS: usize = 8;

#[derive(Clone)]
pub(super) struct Entry {
    /// The key as JSON, with its quotes.
    pub(super) key: Text,
    pub(super) value: Text,
}

/// A piece of the source.
#[derive(Clone, Copy)]
pub(super) struct Span(u32, u32);

impl Span {
    /// The bytes from `start` to `end` of a source, whose length fits into an `u32`.
    pub(super) fn new(start: usize, end: usize) -> Self {
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self(place(start), place(end))
    }

    pub(super) fn of(self, source: Option<&Arc<str>>) -> &str {
        source
            .and_then(|text| text.get(self.0 as usize..self.1 as usize))
            .unwrap_or_default()
    }
}

#[derive(Clone)]
pub(super) enum Text {
    Source(Span),
    Own(Arc<str>),
}

impl Text {
    pub(super) fn of<'a>(&'a self, source: Option<&'a Arc<str>>) -> &'a str {
        match self {
            Self::Source(span) => span.of(source),
            Self::Own(text) => text,
        }
    }

    /// Whether this is the JSON of `key`.
    fn is_key(&self, key: &str, source: Option<&Arc<str>>) -> bool {
        let (json, key) = (self.of(source), key.as_bytes());
        let [b'"', inner @ .., b'"'] = json.as_bytes() else {
            return false;
        };
        match inner.len().cmp(&key.len()) {
            Less => false,
            Equal => inner == key && !key.contains(&b'\\'),
            // Escapes make a key's JSON longer than the key.
            Greater => {
                (inner[0] == b'\\' || Some(&inner[0]) == key.first())
                    && inner.contains(&b'\\')
                    && decode_key(json).is_some_and(|decoded| decoded.as_bytes() == key)
            }
        }
    }
}

/// The text of a key between its quotes; `None` for one that only JavaScript can hold (half a
/// surrogate pair).
pub(super) fn decode_key(json: &str) -> Option<Cow<'_, str>> {
    if json.contains('\\') {
        return serde_json::from_str(json).ok().map(Cow::Owned);
    }
    json.get(1..json.len().checked_sub(1)?).map(Cow::Borrowed)
}

/// The entries, in order. Those who search name the source that spans point into.
#[derive(Clone, Default)]
pub(super) struct Entries {
    /// `None` where one of many was removed: moving up all that follow, each time, would make
    /// removing them all quadratic.
    slots: Vec<Option<Entry>>,
    gaps: usize,
    /// How many slots stand before the `cookie` key; Node keeps its place.
    cookie_at: usize,
    index: Index,
}

impl Entries {
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.gaps
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.slots.iter().flatten()
    }

    /// The entries before the `cookie` key and those behind it.
    pub(super) fn around_cookie(&self) -> [impl Iterator<Item = &Entry>; 2] {
        let (before, behind) = self.slots.split_at(self.cookie_at.min(self.slots.len()));
        [before, behind].map(|slots| slots.iter().flatten())
    }

    pub(super) fn get(&self, at: usize) -> Option<&Entry> {
        self.slots.get(at)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut Entry> {
        self.slots.get_mut(at)?.as_mut()
    }

    /// Adds an entry of the source while that is read: there is no index yet.
    pub(super) fn push(&mut self, entry: Entry) {
        if self.slots.capacity() == 0 {
            self.slots.reserve_exact(USUAL_KEYS);
        }
        self.slots.push(Some(entry));
    }

    /// Adds an entry whose key, which is new, means `key`.
    pub(super) fn append(&mut self, key: &str, entry: Entry) {
        if let Some(places) = self.index.places.get_mut() {
            places.insert(key.into(), self.slots.len());
        }
        self.slots.push(Some(entry));
    }

    /// Puts the `cookie` key behind the entries there are.
    pub(super) fn place_cookie(&mut self) {
        self.cookie_at = self.slots.len();
    }

    /// Where `key` is.
    pub(super) fn position(&self, key: &str, source: Option<&Arc<str>>) -> Option<usize> {
        if self.slots.len() > FEW_KEYS
            && let Some(places) = self.index.get_or_build(|| self.places(source))
        {
            return places.get(key).copied();
        }
        note_steps(self.slots.len());
        self.slots.iter().position(|slot| {
            slot.as_ref()
                .is_some_and(|entry| entry.key.is_key(key, source))
        })
    }

    /// Removes the entry at `at`, whose key means `key`.
    pub(super) fn remove(&mut self, at: usize, key: &str) {
        let Some(places) = self.index.places.get_mut() else {
            note_steps(self.slots.len() - at);
            self.slots.remove(at);
            self.cookie_at -= usize::from(at < self.cookie_at);
            return;
        };
        places.remove(key);
        self.slots[at] = None;
        self.gaps += 1;
        if self.gaps > self.slots.len() / 2 {
            self.retain(|_| true);
        }
    }

    /// Keeps the entries for which `keeps` says so, and closes the gaps.
    pub(super) fn retain(&mut self, keeps: impl Fn(&Entry) -> bool) {
        note_steps(self.slots.len());
        let (mut index, mut before_cookie) = (0, 0);
        self.slots.retain(|slot| {
            let kept = slot.as_ref().is_some_and(&keeps);
            before_cookie += usize::from(kept && index < self.cookie_at);
            index += 1;
            kept
        });
        self.gaps = 0;
        self.cookie_at = before_cookie;
        self.index = Index::default();
    }

    pub(super) fn clear(&mut self) {
        self.slots.clear();
        self.gaps = 0;
        self.cookie_at = 0;
        self.index = Index::default();
    }

    /// Where the keys are that are Unicode; no others can be asked for.
    fn places(&self, source: Option<&Arc<str>>) -> Places {
        note_steps(self.slots.len());
        let keys = self.slots.iter().enumerate();
        keys.filter_map(|(at, slot)| {
            let key = decode_key(slot.as_ref()?.key.of(source))?;
            Some((key.into(), at))
        })
        .collect()
    }
}

type Places = HashMap<Box<str>, usize>;

/// Where each of many keys is, from the time on that it pays to know.
#[derive(Default)]
struct Index {
    places: OnceLock<Box<Places>>,
    searches: AtomicU32,
}

impl Index {
    /// `None` while there have been few searches.
    fn get_or_build(&self, build: impl FnOnce() -> Places) -> Option<&Places> {
        if let Some(places) = self.places.get() {
            return Some(places);
        }
        (self.searches.fetch_add(1, Relaxed) >= FEW_SEARCHES)
            .then(|| &**self.places.get_or_init(|| Box::new(build())))
    }
}

/// A copy is seldom searched as much as what it was made of: it has no index yet.
impl Clone for Index {
    fn clone(&self) -> Self {
        Self::default()
    }
}

#[cfg(test)]
thread_local! {
    /// What has been noted in this thread.
    pub(crate) static STEPS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Notes that so many entries were looked at or moved: a test sees how the work grows.
pub(crate) fn note_steps(_steps: usize) {
    #[cfg(test)]
    STEPS.set(STEPS.get() + _steps);
}
