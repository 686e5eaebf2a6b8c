//! The cookie of a stored session, read in every form that Node writes or accepts.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::attributes::Attributes;
use super::millis::Millis;
use super::scalar::Scalar;
use super::{SessionCookie, shared};
use crate::format::date;

/// Reads the cookie of a stored session, tolerating every form that Node has been seen to write
/// or to accept. What Node would choke on later (a text as `originalMaxAge`) counts as absent, a
/// number as `expires` as the time in milliseconds.
impl<'de> Deserialize<'de> for SessionCookie {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RowVisitor)
    }
}

struct RowVisitor;

impl<'de> Visitor<'de> for RowVisitor {
    type Value = SessionCookie;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a session's cookie object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SessionCookie, A::Error> {
        let mut attributes = Attributes::default();
        let mut original_max_age = Millis::UNDEFINED;
        let mut expires = Millis::NULL;
        while let Some(key) = map.next_key::<Scalar<'de>>()? {
            let value: Scalar<'de> = map.next_value()?;
            match &key {
                Scalar::Text(key) if key == "originalMaxAge" => {
                    original_max_age = read_max_age(&value);
                }
                Scalar::Text(key) if key == "expires" => expires = read_expires(&value),
                Scalar::Text(key) => attributes.read(key, value),
                _ => {}
            }
        }
        Ok(SessionCookie {
            attributes: shared(attributes),
            original_max_age,
            expires,
        })
    }

    /// An empty array passes for an object in JavaScript, and has none of the keys.
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<SessionCookie, A::Error> {
        while seq.next_element::<Scalar<'de>>()?.is_some() {}
        Ok(SessionCookie {
            original_max_age: Millis::UNDEFINED,
            ..SessionCookie::new()
        })
    }
}

fn read_max_age(value: &Scalar<'_>) -> Millis {
    match value {
        Scalar::Null => Millis::NULL,
        Scalar::Bool(false) => Millis::FALSE,
        Scalar::Number(number) => number_to_millis(*number),
        Scalar::Text(text) => text.parse().map_or(Millis::UNDEFINED, number_to_millis),
        Scalar::Bool(true) | Scalar::Structure => Millis::UNDEFINED,
    }
}

pub(super) fn read_expires(value: &Scalar<'_>) -> Millis {
    match value {
        Scalar::Bool(false) => Millis::FALSE,
        Scalar::Number(number) => number_to_millis(*number),
        Scalar::Text(text) => date::parse_iso(text).map_or(Millis::NULL, Millis::new),
        Scalar::Null | Scalar::Bool(true) | Scalar::Structure => Millis::NULL,
    }
}

/// The whole milliseconds of a JavaScript number, as `new Date(number)` takes them.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a float-to-int cast saturates"
)]
pub(super) fn number_to_millis(number: f64) -> Millis {
    if number.is_nan() {
        Millis::NULL
    } else {
        Millis::new(number as i64)
    }
}
