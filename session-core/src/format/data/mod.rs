mod read;
mod written;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use arrayvec::ArrayVec;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, ErrorKind, Result, SessionCookie};

/// Top-level keys that express-session keeps for itself or that every JavaScript object has: Node
/// skips them when it loads a row and so erases them with its next save (EXPRESS 1.19, found by
/// running it).
const RESERVED_KEYS: [&str; 21] = [
    "cookie",
    "req",
    "id",
    "touch",
    "resetMaxAge",
    "save",
    "reload",
    "destroy",
    "regenerate",
    "constructor",
    "toString",
    "toLocaleString",
    "valueOf",
    "hasOwnProperty",
    "isPrototypeOf",
    "propertyIsEnumerable",
    "__proto__",
    "__defineGetter__",
    "__defineSetter__",
    "__lookupGetter__",
    "__lookupSetter__",
];

/// Room for as many keys as most sessions have.
const FEW_KEYS: usize = 8;

/// A session's data: its top-level keys in order, each with its value as raw JSON text.
///
/// A value that nobody touches keeps the text it was read with: `1.0`, integers above 2^53 and
/// escapes go back byte for byte as Node wrote them.
///
/// ```
/// use session_core::Data;
///
/// # fn main() -> session_core::Result<()> {
/// let mut data = Data::new();
/// data.insert("views", &1)?;
/// assert_eq!(data.get::<u32>("views")?, Some(1));
/// assert_eq!(data.raw("views"), Some("1"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Data {
    /// The text that spans point into.
    source: Option<Arc<str>>,
    entries: Vec<Entry>,
    /// How many entries the source has.
    source_len: usize,
    /// How many entries stand before the `cookie` key; Node keeps its place.
    cookie_at: usize,
}

#[derive(Clone)]
struct Entry {
    /// The key as JSON, with its quotes.
    key: Text,
    value: Text,
    /// The place among the source's entries and the value there.
    origin: Option<(u32, Span)>,
}

/// A piece of the source.
#[derive(Clone, Copy)]
struct Span(u32, u32);

impl Span {
    /// The bytes from `start` to `end` of a source, whose length fits into an `u32`.
    fn new(start: usize, end: usize) -> Self {
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self(place(start), place(end))
    }

    fn of(self, source: Option<&Arc<str>>) -> &str {
        source
            .and_then(|text| text.get(self.0 as usize..self.1 as usize))
            .unwrap_or_default()
    }
}

#[derive(Clone)]
enum Text {
    Source(Span),
    Own(Arc<str>),
}

impl Text {
    fn of<'a>(&'a self, source: Option<&'a Arc<str>>) -> &'a str {
        match self {
            Self::Source(span) => span.of(source),
            Self::Own(text) => text,
        }
    }
}

/// The text of a key between its quotes; `None` for one that only JavaScript can hold (half a
/// surrogate pair).
fn decode_key(json: &str) -> Option<Cow<'_, str>> {
    if json.contains('\\') {
        return serde_json::from_str(json).ok().map(Cow::Owned);
    }
    json.get(1..json.len().checked_sub(1)?).map(Cow::Borrowed)
}

impl Data {
    /// No data.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of `key`, or `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] if the value is not a `T`.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        self.raw(key)
            .map(|json| decode_value(key, json))
            .transpose()
    }

    /// The value of `key` as JSON text.
    #[must_use]
    pub fn raw(&self, key: &str) -> Option<&str> {
        let entry = &self.entries[self.position(key)?];
        Some(entry.value.of(self.source.as_ref()))
    }

    /// Sets `key`. A key that exists keeps its place; a new one goes to the end.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ReservedKey`] for a key that Node would erase, [`ErrorKind::Encode`] if the
    /// value has no JSON form.
    pub fn insert<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<()> {
        let value = encode_value(key, value)?;
        self.insert_text(key, value);
        Ok(())
    }

    /// Removes `key`; says whether it was there.
    pub fn remove(&mut self, key: &str) -> bool {
        let Some(at) = self.position(key) else {
            return false;
        };
        self.entries.remove(at);
        if at < self.cookie_at {
            self.cookie_at -= 1;
        }
        true
    }

    /// Removes every key.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.cookie_at = 0;
    }

    /// Whether `key` has a value.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.position(key).is_some()
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = Cow<'_, str>> + '_ {
        self.iter().map(|(key, _)| key)
    }

    /// The keys with their values as JSON text, in order. A key that is not Unicode (half a
    /// surrogate pair from JavaScript) is kept, but not shown.
    pub fn iter(&self) -> impl Iterator<Item = (Cow<'_, str>, &str)> + '_ {
        self.raw_entries()
            .filter_map(|(key, value)| Some((decode_key(key)?, value)))
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Keeps only `keys`.
    pub(crate) fn retain(&mut self, keys: &[String]) {
        let source = self.source.take();
        let mut before_cookie = 0;
        let mut index = 0;
        self.entries.retain(|entry| {
            let key = decode_key(entry.key.of(source.as_ref()));
            let kept = key.is_some_and(|key| keys.iter().any(|keep| *keep == key));
            before_cookie += usize::from(kept && index < self.cookie_at);
            index += 1;
            kept
        });
        self.cookie_at = before_cookie;
        self.source = source;
    }

    pub(crate) fn insert_text(&mut self, key: &str, value: Arc<str>) {
        let value = Text::Own(value);
        match self.position(key) {
            Some(at) => self.entries[at].value = value,
            None => {
                // A str always has a JSON form.
                self.entries.push(Entry {
                    key: Text::Own(json_text(key).unwrap_or_default()),
                    value,
                    origin: None,
                });
            }
        }
    }

    /// Makes the changes that lead from `before` to `after`.
    pub(crate) fn carry_over(&mut self, before: &Self, after: &Self) {
        for (key, value) in after.iter() {
            if before.raw(&key) != Some(value) {
                self.insert_text(&key, value.into());
            }
        }
        for key in before.keys() {
            if !after.contains_key(&key) {
                self.remove(&key);
            }
        }
    }

    /// Adds a member of the source.
    fn push(&mut self, key: Span, value: Span) {
        if self.entries.capacity() == 0 {
            self.entries.reserve_exact(FEW_KEYS);
        }
        self.entries.push(Entry {
            key: Text::Source(key),
            value: Text::Source(value),
            // A text of at most 4 GiB has fewer entries than that.
            origin: u32::try_from(self.entries.len())
                .ok()
                .map(|place| (place, value)),
        });
    }

    fn position(&self, key: &str) -> Option<usize> {
        let source = self.source.as_ref();
        self.entries.iter().position(|entry| {
            let json = entry.key.of(source);
            match json.as_bytes() {
                [b'"', inner @ .., b'"'] if inner == key.as_bytes() => !key.contains('\\'),
                // Escapes make a key's JSON longer than the key.
                _ => {
                    json.len() > key.len() + 2
                        && json.contains('\\')
                        && decode_key(json).is_some_and(|decoded| decoded == key)
                }
            }
        })
    }

    /// The keys that are Unicode, each with its place among the entries.
    fn keys_with_places(&self) -> impl Iterator<Item = (Cow<'_, str>, usize)> + '_ {
        self.raw_entries()
            .enumerate()
            .filter_map(|(at, (key, _))| Some((decode_key(key)?, at)))
    }

    fn raw_entries(&self) -> impl Iterator<Item = (&str, &str)> + '_ {
        let source = self.source.as_ref();
        self.entries
            .iter()
            .map(move |entry| (entry.key.of(source), entry.value.of(source)))
    }

    /// Whether keys, their order or their values differ from the text that the data was read from.
    pub(crate) fn differs_from_source(&self) -> bool {
        let source = self.source.as_ref();
        self.entries.len() != self.source_len
            || self
                .entries
                .iter()
                .enumerate()
                .any(|(index, entry)| match entry.origin {
                    Some((origin, span)) => {
                        origin as usize != index || entry.value.of(source) != span.of(source)
                    }
                    None => true,
                })
    }

    /// Forgets how the data differs from its source, which is no longer the one to compare with.
    pub(crate) fn detach(&mut self) {
        self.source_len = usize::MAX;
    }

    /// The row's JSON, with `cookie` in its place.
    pub(crate) fn to_json(&self, cookie: &SessionCookie) -> String {
        let size: usize = self
            .raw_entries()
            .map(|(key, value)| key.len() + value.len() + 2)
            .sum();
        let mut out = String::with_capacity(size + 128);
        out.push('{');
        let write_cookie = |out: &mut String, index: usize| {
            if index == self.cookie_at {
                out.push_str("\"cookie\":");
                cookie.write_json(out);
                out.push(',');
            }
        };
        for (index, (key, value)) in self.raw_entries().enumerate() {
            write_cookie(&mut out, index);
            out.push_str(key);
            out.push(':');
            out.push_str(value);
            out.push(',');
        }
        write_cookie(&mut out, self.entries.len());
        out.pop();
        out.push('}');
        out
    }
}

/// Two data are equal if they have the same keys in the same order with the same JSON texts.
impl PartialEq for Data {
    fn eq(&self, other: &Self) -> bool {
        self.raw_entries().eq(other.raw_entries())
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Data({} keys)", self.len())
    }
}

/// Whether Node would erase `key` from a session's data.
pub(crate) fn is_reserved(key: &str) -> bool {
    RESERVED_KEYS.contains(&key)
}

/// The JSON of a value for `key`.
pub(crate) fn encode_value<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<Arc<str>> {
    if is_reserved(key) {
        return Err(
            Error::new(ErrorKind::ReservedKey, "insert").with_message(format!(
                "`{key}` belongs to the session object of express-session, which would erase it; \
             choose another key"
            )),
        );
    }
    json_text(value).map_err(|error| Error::from_json(ErrorKind::Encode, "insert", &error))
}

fn json_text<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<Arc<str>> {
    // Most texts are short: written on the stack first, they are allocated once.
    let mut short = ArrayVec::<u8, 128>::new();
    if serde_json::to_writer(&mut short, value).is_ok()
        && let Ok(text) = std::str::from_utf8(&short)
    {
        return Ok(text.into());
    }
    serde_json::to_string(value).map(Arc::from)
}

/// The value of `key` from its JSON.
pub(crate) fn decode_value<T: DeserializeOwned>(key: &str, json: &str) -> Result<T> {
    serde_json::from_str(json).map_err(|error| {
        let wanted = std::any::type_name::<T>();
        Error::from_json(ErrorKind::Decode, "get", &error).context(format_args!(
            "the value of `{key}` cannot be read as {wanted}"
        ))
    })
}

#[cfg(test)]
mod tests;
