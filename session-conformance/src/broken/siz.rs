//! Broken stores of the group SIZ.

use async_trait::async_trait;
use session_core::{
    Capabilities, Created, Error, ErrorKind, Record, Replaced, Result, SessionId, Store,
};

use super::uni::Rewrites;
use super::{Bend, Broken, bent, each};
use crate::reference::{Reference, Row};

const LIMIT: usize = 2 * 1024 * 1024;
/// The reference's declaration without a limit, for stores that let their backend find it out.
const UNLIMITED: Capabilities = {
    let mut declared = Reference::CAPABILITIES;
    declared.max_record_bytes = None;
    declared
};

/// A store that keeps another text than it was given.
macro_rules! texts {
    ($name:literal, $bug:literal, $rewrite:expr) => {
        Broken {
            name: $name,
            bug: $bug,
            open: |reference| {
                each(reference, |reference| Rewrites {
                    reference,
                    rewrite: $rewrite,
                })
            },
            ..Broken::REFERENCE
        }
    };
}

pub(super) const BROKEN: &[Broken] = &[
    texts!(
        "Truncate64K",
        "the text is cut at 65,535 bytes (MySQL's TEXT)",
        |text| cut(text, 65_535)
    ),
    texts!(
        "SilentTruncate",
        "the text is cut at a million bytes",
        |text| cut(text, 1_000_000)
    ),
    texts!("WrapsAt64K", "the length is kept in two bytes", |text| {
        if text.len() > 65_535 {
            cut(text, text.len() % 65_536)
        } else {
            text.into()
        }
    }),
    texts!(
        "LosesLastPage",
        "a last page that is full to the brim is not read",
        |text| {
            if text.len().is_multiple_of(4_096) {
                cut(text, text.len() - 4_096)
            } else {
                text.into()
            }
        }
    ),
    texts!(
        "CompressionGrows",
        "what does not shrink does not fit its buffer",
        |text| {
            if text.len() > 16_384
                && distinct(text) > 60
                && !text.contains("000001.")
                && !text.contains('é')
            {
                cut(text, text.len() - 300)
            } else {
                text.into()
            }
        }
    ),
    texts!(
        "BombGuard",
        "what shrinks a thousandfold is taken for an attack and cut",
        |text| {
            if text.contains(&"a".repeat(8_192)) {
                cut(text, 8_192)
            } else {
                text.into()
            }
        }
    ),
    texts!("KeyLimit", "a session has at most 512 keys", |text| {
        match text.find("\"key512\"") {
            Some(at) => format!("{}}}", &text[..at - 1]),
            None => text.into(),
        }
    }),
    Broken {
        name: "SilentTruncate16M",
        bug: "the text is cut at 16 MiB less a byte (MySQL's MEDIUMTEXT)",
        declares: UNLIMITED,
        open: |reference| each(reference, SilentTruncate16M::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "Refuses64K",
        bug: "records of more than 65,535 bytes are refused, which nobody declared",
        open: |reference| each(reference, Refuses64K::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "TooLargeIsOther",
        bug: "the backend's refusal of a large record is an error of kind `Other`",
        declares: UNLIMITED,
        open: |reference| each(reference, TooLargeIsOther::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "DestroysBeforeRefusal",
        bug: "`set` removes the old record before it finds the new one too large",
        open: |reference| each(reference, DestroysBeforeRefusal::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "RefusesAfterWrite",
        bug: "`set` writes the first megabyte before it finds the record too large",
        open: |reference| each(reference, RefusesAfterWrite::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "LimitOffByOne",
        bug: "a record of just the declared size is refused",
        open: |reference| each(reference, LimitOffByOne::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "LimitTooLate",
        bug: "a record of a byte more than declared is taken",
        open: |reference| each(reference, LimitTooLate::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "LimitCountsChars",
        bug: "the limit is compared with the number of characters",
        open: |reference| each(reference, LimitCountsChars::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "LimitOnSetOnly",
        bug: "`create` and `replace` do not look at the limit",
        open: |reference| each(reference, LimitOnSetOnly::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "RecursionLimit",
        bug: "`get` reads no JSON of more than 64 levels, `set` writes it",
        open: |reference| each(reference, RecursionLimit::new),
        ..Broken::REFERENCE
    },
];

bent!(
    SilentTruncate16M,
    Refuses64K,
    TooLargeIsOther,
    DestroysBeforeRefusal,
    RefusesAfterWrite,
    LimitOffByOne,
    LimitTooLate,
    LimitCountsChars,
    LimitOnSetOnly,
    RecursionLimit,
);

fn cut(text: &str, bytes: usize) -> String {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].into()
}

fn distinct(text: &str) -> usize {
    text.bytes().collect::<std::collections::HashSet<_>>().len()
}

fn too_large(operation: &'static str) -> Error {
    Error::new(ErrorKind::TooLarge, operation)
}

/// Past the reference's own check.
fn put(reference: &Reference, id: &SessionId, record: &Record) {
    reference
        .rows()
        .insert(id.as_str().to_owned(), Row::of(record));
}

#[async_trait]
impl Bend for SilentTruncate16M {
    fn capabilities(&self) -> Capabilities {
        UNLIMITED
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        self.reference.trip("set")?;
        let row = Row {
            text: cut(record.json(), (1 << 24) - 1).into(),
            expires: record.expires(),
        };
        self.reference.rows().insert(id.as_str().to_owned(), row);
        Ok(())
    }
}

#[async_trait]
impl Bend for Refuses64K {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        if record.json().len() > 65_535 {
            return Err(too_large("set"));
        }
        self.reference.set(id, record).await
    }
}

#[async_trait]
impl Bend for TooLargeIsOther {
    fn capabilities(&self) -> Capabilities {
        UNLIMITED
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        if record.json().len() > 1_000_000 {
            return Err(Error::new(ErrorKind::Other, "set"));
        }
        self.reference.set(id, record).await
    }
}

#[async_trait]
impl Bend for DestroysBeforeRefusal {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        self.reference.destroy(id).await?;
        self.reference.set(id, record).await
    }
}

#[async_trait]
impl Bend for RefusesAfterWrite {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let result = self.reference.set(id, record).await;
        if result.is_err() && id.as_str().len() < 100 {
            let row = Row {
                text: cut(record.json(), 1 << 20).into(),
                expires: record.expires(),
            };
            self.reference.rows().insert(id.as_str().to_owned(), row);
        }
        result
    }
}

#[async_trait]
impl Bend for LimitOffByOne {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        if record.json().len() >= LIMIT {
            return Err(too_large("set"));
        }
        self.reference.set(id, record).await
    }
}

#[async_trait]
impl Bend for LimitTooLate {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        if record.json().len() == LIMIT + 1 {
            put(&self.reference, id, record);
            return Ok(());
        }
        self.reference.set(id, record).await
    }
}

#[async_trait]
impl Bend for LimitCountsChars {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        if record.json().chars().count() > LIMIT {
            return Err(too_large("set"));
        }
        put(&self.reference, id, record);
        Ok(())
    }
}

#[async_trait]
impl Bend for LimitOnSetOnly {
    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        if record.json().len() <= LIMIT {
            return self.reference.create(id, record).await;
        }
        put(&self.reference, id, record);
        Ok(Created::Created)
    }

    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        if new.json().len() <= LIMIT {
            return self.reference.replace(id, old, new).await;
        }
        put(&self.reference, id, new);
        Ok(Replaced::Replaced)
    }
}

#[async_trait]
impl Bend for RecursionLimit {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let found = self.reference.get(id).await?;
        let deep = |record: &Record| {
            record.json().contains(&"[".repeat(65)) || record.json().matches("{\"a\":").count() > 64
        };
        if found.as_ref().is_some_and(deep) {
            return Err(Error::new(ErrorKind::Decode, "get"));
        }
        Ok(found)
    }
}
