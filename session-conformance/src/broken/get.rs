//! Broken stores of the group GET.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use session_core::{Data, Error, ErrorKind, Record, Result, SessionCookie, SessionId, Store};

use super::{Bend, Broken, MapsIds, bent, each, lock, shared};
use crate::reference::Row;

pub(super) const BROKEN: &[Broken] = &[
    Broken {
        name: "ErrOnMissing",
        bug: "`get` of an unknown id is an error",
        open: |reference| each(reference, ErrOnMissing::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "NeverNone",
        bug: "`get` of an unknown id is an empty session",
        open: |reference| each(reference, NeverNone::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "CreatesOnLoad",
        bug: "`get` of an unknown id answers `None`, but leaves an empty session behind",
        open: |reference| each(reference, CreatesOnLoad::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "SlidingGet",
        bug: "`get` prolongs the record by a minute (GETEX)",
        open: |reference| each(reference, SlidingGet::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "GetConsumes",
        bug: "`get` takes the record out of the store (GETDEL)",
        open: |reference| each(reference, GetConsumes::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "SqlConcat",
        bug: "ids are pasted into SQL: a quote ends the text, a condition finds any row",
        open: |reference| each(reference, SqlConcat::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "PathJoin",
        bug: "ids are joined to a directory's path",
        open: |reference| MapsIds::each(reference, resolve_path),
        ..Broken::REFERENCE
    },
    Broken {
        name: "GlobKeys",
        bug: "`get` looks ids up as glob patterns (KEYS)",
        open: |reference| {
            each(reference, |reference| Patterns {
                reference,
                any: '*',
                one: '?',
            })
        },
        ..Broken::REFERENCE
    },
    Broken {
        name: "LikeIds",
        bug: "`get` compares ids with LIKE",
        open: |reference| {
            each(reference, |reference| Patterns {
                reference,
                any: '%',
                one: '_',
            })
        },
        ..Broken::REFERENCE
    },
    Broken {
        name: "NulCut",
        bug: "a C library ends ids at their first NUL",
        open: |reference| {
            MapsIds::each(reference, |id| {
                id.split('\0').next().unwrap_or_default().into()
            })
        },
        ..Broken::REFERENCE
    },
    Broken {
        name: "IdTruncated",
        bug: "the id's column cuts at 255 characters without an error",
        open: |reference| MapsIds::each(reference, |id| id.chars().take(255).collect()),
        ..Broken::REFERENCE
    },
    Broken {
        name: "UrlDecodes",
        bug: "ids are percent-decoded on their way to the backend",
        open: |reference| {
            MapsIds::each(reference, |id| id.replace("%6D", "m").replace("%00", "\0"))
        },
        ..Broken::REFERENCE
    },
    Broken {
        name: "OddIdPanics",
        bug: "`set` panics on an id that is not ASCII",
        open: |reference| each(reference, OddIdPanics::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "RefusesTooLate",
        bug: "`set` refuses an id with a control character after it has written",
        open: |reference| each(reference, RefusesTooLate::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "IgnoresIdLimit",
        bug: "`set` takes ids that are longer than the declared limit",
        open: |reference| each(reference, IgnoresIdLimit::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "CiCollation",
        bug: "ids are compared without regard to case, as in MySQL's default collation",
        open: |reference| MapsIds::each(reference, str::to_lowercase),
        ..Broken::REFERENCE
    },
    Broken {
        name: "TrimId",
        bug: "spaces at the end of an id do not count (PAD SPACE)",
        open: |reference| MapsIds::each(reference, |id| id.trim_end_matches(' ').into()),
        ..Broken::REFERENCE
    },
    Broken {
        name: "NormalForm",
        bug: "ids are brought into Unicode's composed form",
        open: |reference| MapsIds::each(reference, |id| id.replace("e\u{301}", "\u{e9}")),
        ..Broken::REFERENCE
    },
    Broken {
        name: "RefusesUpperCase",
        bug: "an id with a capital letter is refused as invalid",
        open: |reference| each(reference, RefusesUpperCase::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "AliasOut",
        bug: "`get` lends its only copy: when the caller drops it, it is gone",
        open: |reference| shared(reference, AliasOut::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "DecodeAsNone",
        bug: "a record that cannot be decoded is `None`",
        open: |reference| each(reference, DecodeAsNone::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "DecodePanics",
        bug: "a record that cannot be decoded is a panic",
        open: |reference| each(reference, DecodePanics::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "DecodeDeletes",
        bug: "a record that cannot be decoded is removed",
        open: |reference| each(reference, DecodeDeletes::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "DestroyDecodes",
        bug: "`destroy` reads the record first, and fails if it cannot",
        open: |reference| each(reference, DestroyDecodes::new),
        ..Broken::REFERENCE
    },
];

bent!(
    ErrOnMissing,
    NeverNone,
    CreatesOnLoad,
    SlidingGet,
    GetConsumes,
    SqlConcat,
    OddIdPanics,
    RefusesTooLate,
    IgnoresIdLimit,
    RefusesUpperCase,
    AliasOut: HashMap<String, Lent>,
    DecodeAsNone,
    DecodePanics,
    DecodeDeletes,
    DestroyDecodes,
);

type Lent = (Weak<str>, Option<SystemTime>);

fn empty() -> Record {
    Record::new(SessionCookie::new(), &Data::new())
}

#[async_trait]
impl Bend for ErrOnMissing {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let found = self.reference.get(id).await?;
        found
            .map(Some)
            .ok_or_else(|| Error::new(ErrorKind::Missing, "get"))
    }
}

#[async_trait]
impl Bend for NeverNone {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        Ok(self.reference.get(id).await?.or_else(|| Some(empty())))
    }
}

#[async_trait]
impl Bend for CreatesOnLoad {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let found = self.reference.get(id).await?;
        if found.is_none() {
            self.reference.set(id, &empty()).await?;
        }
        Ok(found)
    }
}

#[async_trait]
impl Bend for SlidingGet {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let found = self.reference.get(id).await?;
        let later = self.reference.now() + Duration::from_secs(3_600);
        if let Some(row) = self.reference.rows().get_mut(id.as_str()) {
            row.expires = row.expires.map(|expires| expires.max(later));
        }
        Ok(found)
    }
}

#[async_trait]
impl Bend for GetConsumes {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let found = self.reference.get(id).await?;
        self.reference.destroy(id).await?;
        Ok(found)
    }
}

#[async_trait]
impl Bend for SqlConcat {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        if id.as_str().contains("' OR '") {
            return self
                .reference
                .rows()
                .values()
                .next()
                .map(Row::decode)
                .transpose();
        }
        self.reference.get(id).await
    }
}

/// What a file system makes of a path.
fn resolve_path(id: &str) -> String {
    let mut parts = Vec::new();
    for part in id.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[derive(Debug)]
struct Patterns {
    reference: crate::reference::Reference,
    any: char,
    one: char,
}

impl Patterns {
    fn matches(&self, pattern: &str, text: &str) -> bool {
        let (Some(first), rest) = (
            pattern.chars().next(),
            pattern.chars().skip(1).collect::<String>(),
        ) else {
            return text.is_empty();
        };
        if first == self.any {
            return (0..=text.len())
                .filter(|at| text.is_char_boundary(*at))
                .any(|at| self.matches(&rest, &text[at..]));
        }
        let mut characters = text.chars();
        characters.next().is_some_and(|character| {
            (first == self.one || first == character) && self.matches(&rest, characters.as_str())
        })
    }
}

impl AsRef<crate::reference::Reference> for Patterns {
    fn as_ref(&self) -> &crate::reference::Reference {
        &self.reference
    }
}

#[async_trait]
impl Bend for Patterns {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        if let Some(exact) = self.reference.get(id).await? {
            return Ok(Some(exact));
        }
        let now = self.reference.now();
        let rows = self.reference.rows();
        let found = rows
            .iter()
            // Only short patterns: this is no contest in matching.
            .find(|(key, row)| {
                id.as_str().len() < 20 && row.is_live(now) && self.matches(id.as_str(), key)
            });
        found.map(|(_, row)| row.decode()).transpose()
    }
}

#[async_trait]
impl Bend for OddIdPanics {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        assert!(
            id.as_str().is_ascii(),
            "byte index 1 is not a char boundary"
        );
        self.reference.set(id, record).await
    }
}

#[async_trait]
impl Bend for RefusesTooLate {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        self.reference.set(id, record).await?;
        if id.as_str().contains(char::is_control) {
            return Err(Error::new(ErrorKind::InvalidId, "set"));
        }
        Ok(())
    }
}

#[async_trait]
impl Bend for IgnoresIdLimit {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        self.reference
            .rows()
            .insert(id.as_str().to_owned(), Row::of(record));
        Ok(())
    }
}

#[async_trait]
impl Bend for RefusesUpperCase {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        if id.as_str().contains(char::is_uppercase) {
            return Err(Error::new(ErrorKind::InvalidId, "set"));
        }
        self.reference.set(id, record).await
    }
}

#[async_trait]
impl Bend for AliasOut {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let lent = lock(&self.state).get(id.as_str()).cloned();
        if let Some((text, expires)) = lent {
            let live = expires.is_none_or(|expires| expires > self.reference.now());
            let text = text.upgrade().filter(|_| live);
            return text
                .map(|text| Record::decode(text, expires.into()))
                .transpose();
        }
        let found = self.reference.get(id).await?;
        if let Some(record) = &found {
            let weak = Arc::downgrade(record.shared_json());
            lock(&self.state).insert(id.as_str().to_owned(), (weak, record.expires()));
            self.reference.destroy(id).await?;
        }
        Ok(found)
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        lock(&self.state).remove(id.as_str());
        // A copy of its own: the caller's is not what is lent.
        let copy: Arc<str> = record.json().into();
        let own = Record::decode(copy, record.expires().into())?;
        self.reference.set(id, &own).await
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        lock(&self.state).remove(id.as_str());
        self.reference.destroy(id).await
    }
}

fn is_decode<T>(result: &Result<T>) -> bool {
    matches!(result, Err(error) if error.kind() == ErrorKind::Decode)
}

#[async_trait]
impl Bend for DecodeAsNone {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let found = self.reference.get(id).await;
        if is_decode(&found) { Ok(None) } else { found }
    }
}

#[async_trait]
impl Bend for DecodePanics {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let found = self.reference.get(id).await;
        assert!(!is_decode(&found), "rows are always written by us");
        found
    }
}

#[async_trait]
impl Bend for DecodeDeletes {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let found = self.reference.get(id).await;
        if is_decode(&found) {
            self.reference.destroy(id).await?;
        }
        found
    }
}

#[async_trait]
impl Bend for DestroyDecodes {
    async fn destroy(&self, id: &SessionId) -> Result<()> {
        self.reference.get(id).await?;
        self.reference.destroy(id).await
    }
}
