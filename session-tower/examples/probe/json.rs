//! JSON as JavaScript reads and writes it: the order of keys is kept, numbers are doubles and are
//! printed in JavaScript's way. What a script sets is then the same text on both sides.

use std::fmt::{self, Write as _};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// What is nested deeper keeps the text it came with.
const DEEPEST: usize = 1_000;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
    /// As it came: it holds what only JavaScript can (half a surrogate pair), or is very deep.
    Other(String),
}

impl Json {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let raw: &RawValue = serde_json::from_str(text).map_err(|error| error.to_string())?;
        Ok(Self::read(raw, 0))
    }

    /// Goes by the text of each value: numbers are rounded as JavaScript does, and those beyond
    /// the largest double are infinite.
    fn read(raw: &RawValue, depth: usize) -> Self {
        let text = raw.get();
        let inner = |raw: &RawValue| Self::read(raw, depth + 1);
        let value = match text.as_bytes().first() {
            _ if depth > DEEPEST => None,
            Some(b'n') => Some(Self::Null),
            Some(b't' | b'f') => Some(Self::Bool(text == "true")),
            Some(b'"') => serde_json::from_str(text).ok().map(Self::Text),
            Some(b'[') => serde_json::from_str::<Vec<&RawValue>>(text)
                .ok()
                .map(|items| Self::List(items.into_iter().map(inner).collect())),
            Some(b'{') => serde_json::from_str::<Members<'_>>(text).ok().map(|found| {
                let members = found.0.into_iter();
                Self::Object(members.map(|(key, value)| (key, inner(value))).collect())
            }),
            _ => text.parse().ok().map(Self::Number),
        };
        value.unwrap_or_else(|| Self::Other(text.to_owned()))
    }

    /// A member of an object.
    pub(crate) fn member(&self, key: &str) -> Option<&Json> {
        match self {
            Self::Object(members) => members
                .iter()
                .find(|(name, _)| name == key)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }
}

/// The text that `JSON.stringify` makes.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(number) => write_number(f, *number),
            Self::Text(text) => f.write_str(&quoted(text)),
            Self::Other(text) => f.write_str(text),
            Self::List(items) => {
                f.write_char('[')?;
                for (index, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if index == 0 { "" } else { "," })?;
                }
                f.write_char(']')
            }
            Self::Object(members) => {
                f.write_char('{')?;
                for (index, (key, value)) in members.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    write!(f, "{comma}{}:{value}", quoted(key))?;
                }
                f.write_char('}')
            }
        }
    }
}

pub(crate) fn quoted(text: &str) -> String {
    // A str always has a JSON form.
    serde_json::to_string(text).unwrap_or_default()
}

/// `Number::toString` of ECMAScript: the shortest digits, an exponent from 1e21 and below 1e-6.
fn write_number(f: &mut fmt::Formatter<'_>, number: f64) -> fmt::Result {
    if !number.is_finite() {
        return f.write_str("null");
    }
    let size = number.abs();
    if number == 0.0 {
        f.write_char('0')
    } else if (1e-6..1e21).contains(&size) {
        write!(f, "{number}")
    } else {
        let text = format!("{number:e}");
        let sign = if size >= 1.0 { "e+" } else { "e" };
        f.write_str(&text.replacen('e', sign, 1))
    }
}

/// Where an object puts `key`: array indices come first, in ascending order; the others stay in
/// the order in which they were first set.
fn place<T>(members: &[(String, T)], key: &str) -> usize {
    let Some(index) = array_index(key) else {
        return members.len();
    };
    members
        .iter()
        .position(|(other, _)| array_index(other).is_none_or(|other| other > index))
        .unwrap_or(members.len())
}

fn array_index(key: &str) -> Option<u32> {
    let index: u32 = key.parse().ok()?;
    (index != u32::MAX && index.to_string() == key).then_some(index)
}

/// The members of an object, in JavaScript's order. Of a key that occurs twice the last value counts.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members: Vec<(String, &RawValue)> = Vec::new();
        while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
            match members.iter_mut().find(|(known, _)| *known == key) {
                Some((_, old)) => *old = value,
                None => members.insert(place(&members, &key), (key, value)),
            }
        }
        Ok(Members(members))
    }
}
