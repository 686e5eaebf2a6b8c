//! Broken stores of the group UNI.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use session_core::{Data, Error, ErrorKind, Record, Result, SessionId, Store};

use super::{Bend, Broken, bent, each};
use crate::reference::{Reference, Row};

/// A store that keeps another text than it was given; `None` refuses it.
const fn rewrites(
    name: &'static str,
    bug: &'static str,
    open: fn(Reference) -> [Arc<dyn Store>; 2],
) -> Broken {
    Broken {
        name,
        bug,
        open,
        ..Broken::REFERENCE
    }
}

macro_rules! texts {
    ($name:literal, $bug:literal, $rewrite:expr) => {
        rewrites($name, $bug, |reference| {
            each(reference, |reference| Rewrites {
                reference,
                rewrite: $rewrite,
            })
        })
    };
}

pub(super) const BROKEN: &[Broken] = &[
    texts!(
        "Utf8mb3",
        "a character of four bytes ends the text that it stands in (MySQL's utf8)",
        |text| cut_texts(text, |c| c.len_utf8() == 4)
    ),
    texts!(
        "NullStrip",
        "NULs are taken out, because PostgreSQL's texts have none",
        |text| text.replace("\\u0000", "")
    ),
    texts!("FloatMangle", "every number becomes a double", |text| {
        rewritten(text, floats)
    }),
    texts!(
        "Latin1",
        "what is not in Latin-1 becomes a question mark",
        |text| text
            .chars()
            .map(|c| if u32::from(c) < 256 { c } else { '?' })
            .collect()
    ),
    texts!(
        "TrimsStrings",
        "spaces at the ends of texts are trimmed",
        |text| rewritten(text, trims)
    ),
    texts!(
        "MongoKeys",
        "dots and dollars in keys are replaced, because MongoDB took them amiss",
        |text| rewritten(text, mongo)
    ),
    texts!(
        "Unescapes",
        "a driver takes backslashes for escapes of its own",
        |text| text.replace("\\\\", "\\")
    ),
    texts!(
        "LosesEmptyKey",
        "members with an empty key are lost",
        |text| rewritten(text, empty_keys)
    ),
    texts!(
        "SurrogatesReplaced",
        "lone surrogates become U+FFFD",
        |text| text
            .replace("\\ud83cb", "\u{fffd}b")
            .replace("a\\udf6a", "a\u{fffd}")
    ),
    texts!(
        "DropUnknown",
        "only the fields that the store knows are kept",
        |text| rewritten_object(text, |key| !matches!(
            key,
            "passport" | "csrfSecret" | "_garbage"
        ))
    ),
    texts!(
        "SortsKeys",
        "keys are sorted (a BTreeMap on the way)",
        |text| sorted(text)
    ),
    texts!(
        "Jsonb",
        "the backend keeps a value, not a text: keys sorted by length, spaces normal",
        |text| sorted(text).replace(':', ": ").replace(',', ", ")
    ),
    texts!(
        "Reserialises",
        "the JSON is parsed and written anew",
        |text| serde_json::from_str::<Value>(text).map_or_else(
            |_| text.into(),
            |value| {
                if value.to_string().len() == text.len() {
                    text.into()
                } else {
                    value.to_string()
                }
            }
        )
    ),
    texts!(
        "TrimsText",
        "space at the ends of the text is trimmed",
        |text| text.trim().into()
    ),
    texts!(
        "DropsDuplicateKeys",
        "of a key that stands twice the first is dropped",
        |text| text.replace("\"k\":1,\"k\":2", "\"k\":2")
    ),
    texts!(
        "EmptyIsDestroyed",
        "a session whose data was emptied is destroyed",
        |text| {
            if is_empty(text) {
                String::new()
            } else {
                text.into()
            }
        }
    ),
    Broken {
        name: "RefusesEmojiLate",
        bug: "an emoji is refused after the old record was removed",
        open: |reference| each(reference, RefusesEmojiLate::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "DropUnknownCookie",
        bug: "the record is written from what was parsed of it: unknown cookie fields are lost",
        open: |reference| each(reference, DropUnknownCookie::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "MetaCollision",
        bug: "the data's `expires` is taken for the record's",
        open: |reference| each(reference, MetaCollision::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "TtlCollision",
        bug: "the data's `ttl` is taken for the record's",
        open: |reference| each(reference, TtlCollision::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "IdCollision",
        bug: "the data's `_id` is taken for the key",
        open: |reference| each(reference, IdCollision::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "EmptyIsMissing",
        bug: "`get` of a session without data is `None`",
        open: |reference| each(reference, EmptyIsMissing::new),
        ..Broken::REFERENCE
    },
];

bent!(
    RefusesEmojiLate,
    DropUnknownCookie,
    MetaCollision,
    TtlCollision,
    IdCollision,
    EmptyIsMissing,
);

/// The reference with another text in its rows than it was given.
#[derive(Debug)]
pub(super) struct Rewrites {
    pub(super) reference: Reference,
    pub(super) rewrite: fn(&str) -> String,
}

impl AsRef<Reference> for Rewrites {
    fn as_ref(&self) -> &Reference {
        &self.reference
    }
}

#[async_trait]
impl Bend for Rewrites {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        self.reference.set(id, record).await?;
        let text: Arc<str> = (self.rewrite)(record.json()).into();
        let row = Row {
            text,
            expires: record.expires(),
        };
        self.reference.rows().insert(id.as_str().to_owned(), row);
        Ok(())
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let empty = self
            .reference
            .rows()
            .get(id.as_str())
            .is_some_and(|row| row.text.is_empty());
        if empty {
            return Ok(None);
        }
        self.reference.get(id).await
    }
}

fn is_empty(text: &str) -> bool {
    serde_json::from_str::<Value>(text)
        .ok()
        .and_then(|value| value.as_object().map(|members| members.len() == 1))
        .unwrap_or(false)
}

/// The text with its values changed; keys keep their places where nothing is changed.
fn rewritten(text: &str, change: fn(&mut Value) -> bool) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(mut value) => {
            if change(&mut value) {
                value.to_string()
            } else {
                text.into()
            }
        }
        Err(_) => text.into(),
    }
}

fn rewritten_object(text: &str, keep: fn(&str) -> bool) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(mut members)) if members.keys().any(|key| !keep(key)) => {
            members.retain(|key, _| keep(key));
            Value::Object(members).to_string()
        }
        _ => text.into(),
    }
}

/// Changes each value below, and says whether one was changed.
fn walk(value: &mut Value, change: &mut dyn FnMut(&mut Value) -> bool) -> bool {
    let mut changed = change(value);
    match value {
        Value::Array(items) => {
            for item in items {
                changed |= walk(item, change);
            }
        }
        Value::Object(members) => {
            for (_, item) in members.iter_mut() {
                changed |= walk(item, change);
            }
        }
        _ => {}
    }
    changed
}

fn floats(value: &mut Value) -> bool {
    walk(value, &mut |value| match value.as_f64() {
        Some(float) if value.is_number() => {
            let before = value.clone();
            *value = serde_json::Number::from_f64(float).map_or(Value::Null, Value::Number);
            *value != before
        }
        _ => false,
    })
}

fn trims(value: &mut Value) -> bool {
    walk(value, &mut |value| match value {
        Value::String(text) if text.trim_end() != text.as_str() => {
            *text = text.trim_end().to_owned();
            true
        }
        _ => false,
    })
}

fn mongo(value: &mut Value) -> bool {
    walk(value, &mut |value| match value {
        Value::Object(members) if members.keys().any(|key| key.contains(['.', '$'])) => {
            *members = std::mem::take(members)
                .into_iter()
                .map(|(key, value)| (key.replace(['.', '$'], "_"), value))
                .collect();
            true
        }
        _ => false,
    })
}

fn empty_keys(value: &mut Value) -> bool {
    walk(value, &mut |value| match value {
        Value::Object(members) => members.remove("").is_some(),
        _ => false,
    })
}

/// Ends each text at its first character of this kind.
fn cut_texts(text: &str, bad: fn(char) -> bool) -> String {
    let (mut out, mut cutting) = (String::new(), false);
    for c in text.chars() {
        if c == '"' {
            cutting = false;
        } else if bad(c) {
            cutting = true;
        }
        if !cutting {
            out.push(c);
        }
    }
    out
}

/// The top level's keys in order; the rest as it was.
fn sorted(text: &str) -> String {
    let members: Option<std::collections::BTreeMap<String, Box<serde_json::value::RawValue>>> =
        serde_json::from_str(text).ok();
    members
        .and_then(|members| serde_json::to_string(&members).ok())
        .unwrap_or_else(|| text.into())
}

#[async_trait]
impl Bend for RefusesEmojiLate {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        if record.json().chars().any(|c| c.len_utf8() == 4) {
            self.reference.destroy(id).await?;
            return Err(Error::new(ErrorKind::Encode, "set"));
        }
        self.reference.set(id, record).await
    }
}

#[async_trait]
impl Bend for DropUnknownCookie {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let anew = Record::new(record.cookie().clone(), &record.data());
        self.reference.set(id, &anew).await
    }
}

#[async_trait]
impl Bend for MetaCollision {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        self.reference.set(id, record).await?;
        if record.data().contains_key("expires") {
            let past = std::time::SystemTime::UNIX_EPOCH;
            if let Some(row) = self.reference.rows().get_mut(id.as_str()) {
                row.expires = Some(past);
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Bend for TtlCollision {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        self.reference.set(id, record).await?;
        let ttl = record.data().get::<u64>("ttl").ok().flatten();
        if let (Some(ttl), Some(row)) = (ttl, self.reference.rows().get_mut(id.as_str())) {
            row.expires = Some(self.reference.now() + std::time::Duration::from_secs(ttl));
        }
        Ok(())
    }
}

#[async_trait]
impl Bend for IdCollision {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let theirs = record.data().get::<String>("_id").ok().flatten();
        let key = theirs.and_then(|id| SessionId::new(id).ok());
        self.reference.set(key.as_ref().unwrap_or(id), record).await
    }
}

#[async_trait]
impl Bend for EmptyIsMissing {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let found = self.reference.get(id).await?;
        Ok(found.filter(|record| record.data() != Data::new()))
    }
}
