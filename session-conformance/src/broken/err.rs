//! Broken stores of the group ERR.

use std::fmt;

use async_trait::async_trait;
use session_core::{
    Created, Error, ErrorKind, Record, Replaced, Result, SessionCookie, SessionId, Store, Touched,
};

use super::{Bend, Broken, bent, each, lock};
use crate::reference::Row;
use crate::reference::hooks::SECRET;

pub(super) const BROKEN: &[Broken] = &[
    Broken {
        name: "DownAsNone",
        bug: "`get` is `None` while the backend is down",
        open: |reference| each(reference, DownAsNone::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "DownAsOk",
        bug: "`set` is `Ok` while the backend is down",
        open: |reference| each(reference, DownAsOk::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "DownDestroyOk",
        bug: "`destroy` is `Ok` while the backend is down",
        open: |reference| each(reference, DownDestroyOk::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "DownIsEmpty",
        bug: "`length` is 0 while the backend is down",
        open: |reference| each(reference, DownIsEmpty::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "DownIsOther",
        bug: "a backend that is down is an error of kind `Other`",
        open: |reference| each(reference, DownIsOther::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "DownHangs",
        bug: "`get` waits for the backend to come back",
        open: |reference| each(reference, DownHangs::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "DownAsMissing",
        bug: "`touch` and `replace` are `Missing` while the backend is down",
        open: |reference| each(reference, DownAsMissing::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "NoReconnect",
        bug: "a handle that has met an outage never works again",
        open: |reference| each(reference, NoReconnect::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "CachesTheOutage",
        bug: "an id that was asked for during an outage is remembered as missing",
        open: |reference| each(reference, CachesTheOutage::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "LeakInError",
        bug: "errors name the id",
        open: |reference| each(reference, LeakInError::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "LeakTruncatedId",
        bug: "errors name the first twenty characters of the id",
        open: |reference| each(reference, LeakTruncatedId::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "LeakInSource",
        bug: "the source's text has the statement with the id in it",
        open: |reference| each(reference, LeakInSource::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "LeakDataInSource",
        bug: "the source's text has the statement with the data in it",
        open: |reference| each(reference, LeakDataInSource::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "LeakUrl",
        bug: "an outage's error has the URL with the password in it",
        open: |reference| each(reference, LeakUrl::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "LeakInDebug",
        bug: "the source's `Debug` has the id in hex, its text has not",
        open: |reference| each(reference, LeakInDebug::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "StringError",
        bug: "all errors are texts of kind `Other`",
        open: |reference| each(reference, StringError::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "EverythingUnavailable",
        bug: "all errors are of kind `Unavailable`",
        open: |reference| each(reference, EverythingUnavailable::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "AmbiguousOk",
        bug: "a transaction whose commit was not answered is rolled back, and `set` is `Ok`",
        open: |reference| each(reference, AmbiguousOk::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "LostGetIsNone",
        bug: "`get` is `None` if its answer is lost",
        open: |reference| each(reference, LostGetIsNone::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "TornOnLoss",
        bug: "if the answer is lost, the new data has the old expiry",
        open: |reference| each(reference, TornOnLoss::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "BlindRetry",
        bug: "conditional writes whose answers are lost are tried again",
        open: |reference| each(reference, BlindRetry::new),
        ..Broken::REFERENCE
    },
];

bent!(
    DownAsNone,
    DownAsOk,
    DownDestroyOk,
    DownIsEmpty,
    DownIsOther,
    DownHangs,
    DownAsMissing,
    NoReconnect: bool,
    CachesTheOutage: std::collections::HashSet<SessionId>,
    LeakInError,
    LeakTruncatedId,
    LeakInSource,
    LeakDataInSource,
    LeakUrl,
    LeakInDebug,
    StringError,
    EverythingUnavailable,
    AmbiguousOk,
    LostGetIsNone,
    TornOnLoss,
    BlindRetry,
);

/// A client's error with a text and a `Debug` of its own.
struct Client(String, String);

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.1)
    }
}

impl std::error::Error for Client {}

fn is_down<T>(result: &Result<T>) -> bool {
    matches!(result, Err(error) if error.kind() == ErrorKind::Unavailable)
}

#[async_trait]
impl Bend for DownAsNone {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let found = self.reference.get(id).await;
        if is_down(&found) { Ok(None) } else { found }
    }
}

#[async_trait]
impl Bend for DownAsOk {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let result = self.reference.set(id, record).await;
        if is_down(&result) { Ok(()) } else { result }
    }
}

#[async_trait]
impl Bend for DownDestroyOk {
    async fn destroy(&self, id: &SessionId) -> Result<()> {
        let result = self.reference.destroy(id).await;
        if is_down(&result) { Ok(()) } else { result }
    }
}

#[async_trait]
impl Bend for DownIsEmpty {
    async fn length(&self) -> Result<u64> {
        Ok(self.reference.length().await.unwrap_or_default())
    }
}

#[async_trait]
impl Bend for DownIsOther {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let found = self.reference.get(id).await;
        if is_down(&found) {
            Err(Error::new(ErrorKind::Other, "get"))
        } else {
            found
        }
    }
}

#[async_trait]
impl Bend for DownHangs {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let found = self.reference.get(id).await;
        if is_down(&found) {
            std::future::pending::<()>().await;
        }
        found
    }
}

#[async_trait]
impl Bend for DownAsMissing {
    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        let result = self.reference.touch(id, cookie).await;
        if is_down(&result) {
            Ok(Touched::Missing)
        } else {
            result
        }
    }

    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        let result = self.reference.replace(id, old, new).await;
        if is_down(&result) {
            Ok(Replaced::Missing)
        } else {
            result
        }
    }
}

#[async_trait]
impl Bend for NoReconnect {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        if *lock(&self.state) {
            return Err(Error::new(ErrorKind::Unavailable, "get"));
        }
        let found = self.reference.get(id).await;
        *lock(&self.state) = is_down(&found);
        found
    }
}

#[async_trait]
impl Bend for CachesTheOutage {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        if lock(&self.state).contains(id) {
            return Ok(None);
        }
        let found = self.reference.get(id).await;
        if is_down(&found) {
            lock(&self.state).insert(id.clone());
        }
        found
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        lock(&self.state).remove(id);
        self.reference.set(id, record).await
    }
}

#[async_trait]
impl Bend for LeakInError {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let found = self.reference.get(id).await;
        found.map_err(|error| error.with_message(format!("no answer for sess:{}", id.as_str())))
    }
}

#[async_trait]
impl Bend for LeakTruncatedId {
    async fn destroy(&self, id: &SessionId) -> Result<()> {
        let short: String = id.as_str().chars().take(20).collect();
        let result = self.reference.destroy(id).await;
        result.map_err(|error| error.with_message(format!("no answer for {short}...")))
    }
}

#[async_trait]
impl Bend for LeakInSource {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let statement = format!("INSERT INTO sessions VALUES ('{}', ..)", id.as_str());
        let result = self.reference.set(id, record).await;
        result.map_err(|error| error.with_source(Client(statement, "Client".into())))
    }
}

#[async_trait]
impl Bend for LeakDataInSource {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let statement = format!("INSERT INTO sessions VALUES (?, '{}')", record.json());
        let result = self.reference.set(id, record).await;
        result.map_err(|error| error.with_source(Client(statement, "Client".into())))
    }
}

#[async_trait]
impl Bend for LeakUrl {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let found = self.reference.get(id).await;
        found.map_err(|error| match error.kind() {
            ErrorKind::Unavailable => error.with_message(format!("cannot connect to {SECRET}")),
            _ => error,
        })
    }
}

#[async_trait]
impl Bend for LeakInDebug {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let hex: String = id
            .as_str()
            .bytes()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let source = Client(
            "connection lost".into(),
            format!("Client {{ key: \\x{hex} }}"),
        );
        let found = self.reference.get(id).await;
        found.map_err(|error| error.with_source(source))
    }
}

#[async_trait]
impl Bend for StringError {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let found = self.reference.get(id).await;
        found.map_err(|error| Error::new(ErrorKind::Other, "get").with_message(error.to_string()))
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let result = self.reference.set(id, record).await;
        result.map_err(|error| Error::new(ErrorKind::Other, "set").with_message(error.to_string()))
    }
}

#[async_trait]
impl Bend for EverythingUnavailable {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let found = self.reference.get(id).await;
        found.map_err(|error| Error::new(ErrorKind::Unavailable, "get").with_source(error))
    }
}

#[async_trait]
impl Bend for AmbiguousOk {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let before = self.reference.rows().get(id.as_str()).cloned();
        let result = self.reference.set(id, record).await;
        let written = self
            .reference
            .rows()
            .get(id.as_str())
            .map(|row| row.text.clone());
        if is_down(&result) && written.as_deref() == Some(record.json()) {
            if let Some(before) = before {
                self.reference.rows().insert(id.as_str().to_owned(), before);
            }
            return Ok(());
        }
        result
    }
}

#[async_trait]
impl Bend for LostGetIsNone {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let found = self.reference.get(id).await;
        // Only the answer was lost: the backend is there.
        if is_down(&found) && self.reference.trip("ping").is_ok() {
            return Ok(None);
        }
        found
    }
}

#[async_trait]
impl Bend for TornOnLoss {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let before = self.reference.rows().get(id.as_str()).cloned();
        let result = self.reference.set(id, record).await;
        if let (true, Some(before)) = (is_down(&result), before) {
            let row = Row {
                expires: before.expires,
                ..Row::of(record)
            };
            self.reference.rows().insert(id.as_str().to_owned(), row);
        }
        result
    }
}

#[async_trait]
impl Bend for BlindRetry {
    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        let created = self.reference.create(id, record).await;
        if is_down(&created) {
            return self.reference.create(id, record).await;
        }
        created
    }

    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        let replaced = self.reference.replace(id, old, new).await;
        if is_down(&replaced) {
            return self.reference.replace(id, old, new).await;
        }
        replaced
    }
}
