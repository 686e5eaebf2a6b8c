pub(crate) mod entries;
mod inspect;
mod read;
pub(crate) mod value;
mod written;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Result, SessionCookie};
use entries::{Entries, Entry, Span, Text, decode_key};
use value::{OtherShape, decode_value, encode_key, encode_value};

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

/// The key of what a session knows about itself.
pub(crate) const FACTS: &str = "@session";

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
    entries: Entries,
}

impl Data {
    /// No data.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of `key`, or `None` if there is none. `null` is none, too, unless `T` has a value
    /// for it: `get::<Option<String>>` gives `Some(None)`, `get::<String>` gives `None`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`](crate::ErrorKind::Decode) if the value is not a `T`.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        decode_value(key, self.raw(key), OtherShape::Error)
    }

    /// The value of `key`, or `None` if there is none that is a `T`; see
    /// [`Session::get_or_none`](crate::Session::get_or_none).
    #[must_use]
    pub fn get_or_none<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        decode_value(key, self.raw(key), OtherShape::Absent)
            .ok()
            .flatten()
    }

    /// The value of `key` as JSON text.
    #[must_use]
    pub fn raw(&self, key: &str) -> Option<&str> {
        let entry = self.entries.get(self.position(key)?)?;
        Some(entry.value.of(self.source.as_ref()))
    }

    /// Sets `key`. A key that exists keeps its place; a new one goes to the end.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ReservedKey`](crate::ErrorKind::ReservedKey) for a key that Node would erase,
    /// [`ErrorKind::Encode`](crate::ErrorKind::Encode) for a value that could not be read again;
    /// [`Session::insert`](crate::Session::insert) lists them.
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
        self.entries.remove(at, key);
        true
    }

    /// Removes every key.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// Whether `key` is there, be it with `null`.
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
        self.len() == 0
    }

    /// Keeps only `keys`, which are sorted.
    pub(crate) fn retain(&mut self, keys: &[String]) {
        let source = self.source.as_ref();
        self.entries.retain(|entry| {
            let key = decode_key(entry.key.of(source));
            let kept = |key: &str| keys.binary_search_by(|keep| keep.as_str().cmp(key)).is_ok();
            key.is_some_and(|key| kept(&key))
        });
    }

    pub(crate) fn insert_text(&mut self, key: &str, value: Arc<str>) {
        let value = Text::Own(value);
        let found = self.position(key);
        match found.and_then(|at| self.entries.get_mut(at)) {
            Some(entry) => entry.value = value,
            None => {
                let entry = Entry {
                    key: Text::Own(encode_key(key)),
                    value,
                };
                self.entries.append(key, entry);
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
        self.entries.push(Entry {
            key: Text::Source(key),
            value: Text::Source(value),
        });
    }

    fn position(&self, key: &str) -> Option<usize> {
        self.entries.position(key, self.source.as_ref())
    }

    fn raw_entries(&self) -> impl Iterator<Item = (&str, &str)> + '_ {
        let source = self.source.as_ref();
        self.entries
            .iter()
            .map(move |entry| (entry.key.of(source), entry.value.of(source)))
    }

    /// The row's JSON, with `cookie` in its place.
    pub(crate) fn to_json(&self, cookie: &SessionCookie) -> String {
        let source = self.source.as_ref();
        let size: usize = self
            .raw_entries()
            .map(|(key, value)| key.len() + value.len() + 2)
            .sum();
        let mut out = String::with_capacity(size + 128);
        out.push('{');
        let write = |out: &mut String, entry: &Entry| {
            out.push_str(entry.key.of(source));
            out.push(':');
            out.push_str(entry.value.of(source));
            out.push(',');
        };
        let [before, behind] = self.entries.around_cookie();
        before.for_each(|entry| write(&mut out, entry));
        out.push_str("\"cookie\":");
        cookie.write_json(&mut out);
        out.push(',');
        behind.for_each(|entry| write(&mut out, entry));
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

#[cfg(test)]
mod tests;
