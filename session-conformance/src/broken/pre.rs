//! Broken stores of the group PRE.

use std::cell::RefCell;
use std::collections::HashMap;

use async_trait::async_trait;
use session_core::{
    Capabilities, Created, Data, Error, ErrorKind, Record, Result, SessionCookie, SessionId, Store,
    Touched,
};

use super::{Bend, Broken, bent, each};
use crate::reference::{Reference, Row};

pub(super) const BROKEN: &[Broken] = &[
    Broken {
        name: "ReusesData",
        bug: "each run finds what the last one left, because its rows outlive the namespace",
        open: |reference| (Broken::REFERENCE.open)(reference.elsewhere("always the same")),
        ..Broken::REFERENCE
    },
    Broken {
        name: "SeedsData",
        bug: "opening puts a demo session into an empty namespace",
        open: |reference| {
            let demo = Record::new(SessionCookie::new(), &Data::new());
            reference
                .rows()
                .entry("demo".into())
                .or_insert(Row::of(&demo));
            (Broken::REFERENCE.open)(reference)
        },
        ..Broken::REFERENCE
    },
    Broken {
        name: "IgnoresPrefix",
        bug: "keys have no prefix, so that all namespaces are one",
        open: |reference| (Broken::REFERENCE.open)(reference.elsewhere("")),
        ..Broken::REFERENCE
    },
    Broken {
        name: "DestroyIgnoresPrefix",
        bug: "`destroy` deletes the id in every namespace",
        open: |reference| each(reference, DestroyIgnoresPrefix::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "PerHandleMap",
        bug: "each handle has a map of its own",
        open: |reference| {
            let other = reference.elsewhere(&format!("{}, h2", reference.namespace()));
            let [h1, _] = (Broken::REFERENCE.open)(reference);
            let [_, h2] = (Broken::REFERENCE.open)(other);
            [h1, h2]
        },
        ..Broken::REFERENCE
    },
    Broken {
        name: "LyingManifest",
        bug: "the harness declares no `sweep`, the store does",
        declares: WITHOUT_SWEEP,
        ..Broken::REFERENCE
    },
    Broken {
        name: "SilentUnsupported",
        bug: "`touch` is not declared, answers `Touched` and does nothing",
        declares: WITHOUT_TOUCH,
        open: |reference| each(reference, SilentUnsupported::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "UnsupportedButWrites",
        bug: "`create` is not declared and answers `Unsupported`, but has written by then",
        declares: WITHOUT_CREATE,
        open: |reference| each(reference, UnsupportedButWrites::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "WrongRefusal",
        bug: "`clear` is not declared and answers an error of kind `Other`",
        declares: WITHOUT_CLEAR,
        open: |reference| each(reference, WrongRefusal::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ThreadBound",
        bug: "records are kept in a thread-local",
        open: |reference| each(reference, ThreadBound::new),
        ..Broken::REFERENCE
    },
];

const WITHOUT_SWEEP: Capabilities = {
    let mut declared = Reference::CAPABILITIES;
    declared.sweep = false;
    declared
};
const WITHOUT_TOUCH: Capabilities = {
    let mut declared = Reference::CAPABILITIES;
    declared.touch = false;
    declared
};
const WITHOUT_CREATE: Capabilities = {
    let mut declared = Reference::CAPABILITIES;
    declared.create = false;
    declared
};
const WITHOUT_CLEAR: Capabilities = {
    let mut declared = Reference::CAPABILITIES;
    declared.clear = false;
    declared
};

bent!(
    DestroyIgnoresPrefix,
    SilentUnsupported,
    UnsupportedButWrites,
    WrongRefusal,
    ThreadBound,
);

#[async_trait]
impl Bend for DestroyIgnoresPrefix {
    async fn destroy(&self, id: &SessionId) -> Result<()> {
        for namespace in self.reference.everywhere() {
            namespace.destroy(id).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Bend for SilentUnsupported {
    fn capabilities(&self) -> Capabilities {
        WITHOUT_TOUCH
    }

    async fn touch(&self, _: &SessionId, _: &SessionCookie) -> Result<Touched> {
        Ok(Touched::Touched)
    }
}

#[async_trait]
impl Bend for UnsupportedButWrites {
    fn capabilities(&self) -> Capabilities {
        WITHOUT_CREATE
    }

    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        self.reference.set(id, record).await?;
        Err(Error::unsupported("create"))
    }
}

#[async_trait]
impl Bend for WrongRefusal {
    fn capabilities(&self) -> Capabilities {
        WITHOUT_CLEAR
    }

    async fn clear(&self) -> Result<()> {
        Err(Error::new(ErrorKind::Other, "clear"))
    }
}

thread_local! {
    static ROWS: RefCell<HashMap<String, Row>> = RefCell::default();
}

#[async_trait]
impl Bend for ThreadBound {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let row = ROWS.with_borrow(|rows| rows.get(id.as_str()).cloned());
        let live = row.filter(|row| row.is_live(self.reference.now()));
        live.map(|row| row.decode()).transpose()
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        ROWS.with_borrow_mut(|rows| rows.insert(id.as_str().to_owned(), Row::of(record)));
        Ok(())
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        ROWS.with_borrow_mut(|rows| rows.remove(id.as_str()));
        Ok(())
    }
}
