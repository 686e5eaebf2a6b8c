//! Reading a row: one pass over its text.

use std::borrow::Cow;
use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Data, Entry, Span, Text, decode_key, is_reserved};
use crate::{Error, ErrorKind, Result, SessionCookie};

/// From this many keys on, a repeated one is looked up rather than searched for.
const MANY_KEYS: usize = 32;

impl Data {
    /// Reads a row's data and its cookie.
    pub(crate) fn parse(source: &Arc<str>) -> Result<(Self, SessionCookie)> {
        if u32::try_from(source.len()).is_err() {
            return Err(Error::new(ErrorKind::TooLarge, "decode")
                .with_message("a session's JSON may have 4 GiB at most"));
        }
        let (data, cookie) = members::<SessionCookie>(source)
            .map_err(|error| Error::from_json(ErrorKind::Decode, "decode", &error))?;
        let cookie = cookie.ok_or_else(|| {
            Error::new(ErrorKind::Decode, "decode").with_message(
                "the row has no `cookie` object; every session of express-session has one",
            )
        })?;
        Ok((data, cookie))
    }

    /// Reads a row's data once more; the row was read before, so it is known to be well-formed.
    pub(crate) fn reparse(source: &Arc<str>) -> Self {
        members::<IgnoredAny>(source)
            .map(|(data, _)| data)
            .unwrap_or_default()
    }
}

/// Reads a row's data, and its cookie as a `C`.
fn members<'s, C: Deserialize<'s>>(source: &'s Arc<str>) -> serde_json::Result<(Data, Option<C>)> {
    let mut row = serde_json::Deserializer::from_str(source);
    let members = RowVisitor {
        source,
        cookie: PhantomData,
    }
    .deserialize(&mut row)?;
    row.end()?;
    Ok(members)
}

struct RowVisitor<'s, C> {
    source: &'s Arc<str>,
    cookie: PhantomData<C>,
}

impl<C> RowVisitor<'_, C> {
    /// Where `part`, a piece of the source, lies in it. The source's length fits into an `u32`.
    fn span(&self, part: &RawValue) -> Span {
        let start = part.get().as_ptr() as usize - self.source.as_ptr() as usize;
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Span(place(start), place(start + part.get().len()))
    }
}

impl<'de, C: Deserialize<'de>> DeserializeSeed<'de> for RowVisitor<'de, C> {
    type Value = (Data, Option<C>);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, C: Deserialize<'de>> Visitor<'de> for RowVisitor<'de, C> {
    type Value = (Data, Option<C>);

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a session object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut rows = Reader {
            data: Data {
                source: Some(Arc::clone(self.source)),
                ..Data::new()
            },
            places: HashMap::new(),
        };
        let mut cookie = None;
        while let Some(key) = map.next_key::<&'de RawValue>()? {
            let name = decode_key(key.get());
            if name.as_deref() == Some("cookie") {
                if cookie.is_none() {
                    rows.data.cookie_at = rows.data.entries.len();
                }
                cookie = Some(map.next_value()?);
            } else {
                let value = self.span(map.next_value()?);
                rows.take(name, self.span(key), value);
            }
        }
        Ok((rows.data, cookie))
    }
}

/// The data as far as it has been read.
struct Reader<'de> {
    data: Data,
    /// Where the keys stand among the entries; empty while there are few.
    places: HashMap<Cow<'de, str>, usize>,
}

impl<'de> Reader<'de> {
    fn take(&mut self, name: Option<Cow<'de, str>>, key: Span, value: Span) {
        if name.as_deref().is_some_and(is_reserved) {
            return;
        }
        // JavaScript gives a repeated key its last value in its first place.
        let next = self.data.entries.len();
        let index = name.and_then(|name| self.place(name)).unwrap_or(next);
        let text = Text::Source(value);
        // A text of at most 4 GiB has fewer entries than that.
        let origin = u32::try_from(index).ok().map(|index| (index, value));
        match self.data.entries.get_mut(index) {
            Some(entry) => (entry.value, entry.origin) = (text, origin),
            None => self.data.entries.push(Entry {
                key: Text::Source(key),
                value: text,
                origin,
            }),
        }
        self.data.source_len = self.data.entries.len();
    }

    /// The place of a key that has been read before; a new one gets the next place.
    fn place(&mut self, name: Cow<'de, str>) -> Option<usize> {
        let next = self.data.entries.len();
        if next < MANY_KEYS {
            return self.data.position(&name);
        }
        if self.places.is_empty() {
            let entries = self.data.keys_with_places();
            self.places = entries
                .map(|(name, at)| (name.into_owned().into(), at))
                .collect();
        }
        let place = *self.places.entry(name).or_insert(next);
        (place < next).then_some(place)
    }
}
