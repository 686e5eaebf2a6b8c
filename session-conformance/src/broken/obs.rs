//! Broken stores of the group OBS.

use std::fmt;

use async_trait::async_trait;
use session_core::{Record, Replaced, Result, SessionId, Store};

use super::{Bend, Broken, bent, each};
use crate::reference::Reference;
use crate::reference::hooks::SECRET;

pub(super) const BROKEN: &[Broken] = &[
    Broken {
        name: "LeakDebug",
        bug: "the store's `Debug` shows the URL with the password",
        open: |reference| Shows::open(reference, |_| SECRET.into()),
        ..Broken::REFERENCE
    },
    Broken {
        name: "DebugShowsIds",
        bug: "the store's `Debug` shows the keys of its map",
        open: |reference| {
            Shows::open(reference, |reference| {
                reference
                    .rows()
                    .keys()
                    .cloned()
                    .collect::<Vec<_>>()
                    .join(" ")
            })
        },
        ..Broken::REFERENCE
    },
    Broken {
        name: "DebugShowsData",
        bug: "the store's `Debug` shows the rows of its cache",
        open: |reference| {
            Shows::open(reference, |reference| {
                reference
                    .rows()
                    .values()
                    .map(|row| row.text.to_string())
                    .collect()
            })
        },
        ..Broken::REFERENCE
    },
    Broken {
        name: "ChattySet",
        bug: "`set` reads before it writes",
        open: |reference| each(reference, ChattySet::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "PingsFirst",
        bug: "`get` pings the backend before it asks",
        open: |reference| each(reference, PingsFirst::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ReplaceInSteps",
        bug: "`replace` watches, reads, and writes (WATCH, GET, MULTI)",
        open: |reference| each(reference, ReplaceInSteps::new),
        ..Broken::REFERENCE
    },
];

bent!(ChattySet, PingsFirst, ReplaceInSteps);

/// The reference with a `Debug` that says too much.
struct Shows {
    reference: Reference,
    text: fn(&Reference) -> String,
}

impl Shows {
    fn open(
        reference: Reference,
        text: fn(&Reference) -> String,
    ) -> [std::sync::Arc<dyn Store>; 2] {
        each(reference, |reference| Self { reference, text })
    }
}

impl fmt::Debug for Shows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store {{ {} }}", (self.text)(&self.reference))
    }
}

impl AsRef<Reference> for Shows {
    fn as_ref(&self) -> &Reference {
        &self.reference
    }
}

impl Bend for Shows {}

#[async_trait]
impl Bend for ChattySet {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        self.reference.get(id).await?;
        self.reference.set(id, record).await
    }
}

#[async_trait]
impl Bend for PingsFirst {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        self.reference.trip("ping")?;
        self.reference.get(id).await
    }
}

#[async_trait]
impl Bend for ReplaceInSteps {
    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        self.reference.trip("watch")?;
        self.reference.get(id).await?;
        self.reference.replace(id, old, new).await
    }
}
