//! Reading a row: one pass over its text.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::entries::{FEW_KEYS, Span, Text, decode_key};
use super::{Data, is_reserved};
use crate::{Error, ErrorKind, Result, SessionCookie};

impl Data {
    /// Reads a row's data and its cookie.
    pub(crate) fn parse(source: &Arc<str>) -> Result<(Self, SessionCookie)> {
        if u32::try_from(source.len()).is_err() {
            return Err(Error::new(ErrorKind::TooLarge, "decode")
                .with_message("a session's JSON may have 4 GiB at most"));
        }
        let (data, cookie) = members(source)
            .map_err(|error| Error::from_json(ErrorKind::Decode, "decode", &error))?;
        let cookie = cookie.ok_or_else(|| {
            Error::new(ErrorKind::Decode, "decode").with_message(
                "the row has no `cookie` object; every session of express-session has one",
            )
        })?;
        Ok((data, cookie))
    }
}

fn members(source: &Arc<str>) -> serde_json::Result<(Data, Option<SessionCookie>)> {
    let mut row = serde_json::Deserializer::from_str(source);
    let members = RowVisitor { source }.deserialize(&mut row)?;
    row.end()?;
    Ok(members)
}

struct RowVisitor<'s> {
    source: &'s Arc<str>,
}

impl RowVisitor<'_> {
    /// Where `part`, a piece of the source, lies in it. The source's length fits into an `u32`.
    fn span(&self, part: &RawValue) -> Span {
        let start = part.get().as_ptr() as usize - self.source.as_ptr() as usize;
        Span::new(start, start + part.get().len())
    }
}

impl<'de> DeserializeSeed<'de> for RowVisitor<'de> {
    type Value = (Data, Option<SessionCookie>);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RowVisitor<'de> {
    type Value = (Data, Option<SessionCookie>);

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
                    rows.data.entries.place_cookie();
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
        match self.data.entries.get_mut(index) {
            Some(entry) => entry.value = Text::Source(value),
            None => self.data.push(key, value),
        }
    }

    /// The place of a key that has been read before; a new one gets the next place.
    fn place(&mut self, name: Cow<'de, str>) -> Option<usize> {
        let next = self.data.entries.len();
        if next < FEW_KEYS {
            return self.data.position(&name);
        }
        if self.places.is_empty() {
            let keys = self.data.raw_entries().enumerate();
            self.places = keys
                .filter_map(|(at, (key, _))| Some((decode_key(key)?.into_owned().into(), at)))
                .collect();
        }
        let place = *self.places.entry(name).or_insert(next);
        (place < next).then_some(place)
    }
}
