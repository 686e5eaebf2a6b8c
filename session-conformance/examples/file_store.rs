//! A complete store of a third party, one file for each session, and the harness that holds it to
//! the suite. In a crate of your own the store is in `src/`, and what follows the line is
//! `tests/conformance.rs`:
//!
//! ```text
//! cargo run -p session-conformance --example file_store
//! cargo run -p session-conformance --example file_store -- DUR- --format markdown
//! ```
//!
//! A file's name is the id's bytes in hex, so that no id is a path, and none collides on a
//! file system that folds case. Its first line is the expiry in milliseconds, the rest the JSON,
//! byte for byte. A write goes to a file of its own, which is then renamed: readers see the old
//! record or the new one. What writes holds a lock of the process; one process at a time.

use std::fs::{self, File};
use std::io::{self, ErrorKind as Io, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};
use session_conformance::{
    Backend, Harness, Hooks, Namespace, Need, NotRun, Opening, Time, Write, crash,
};
use session_core::{
    Capabilities, Clock, Created, Error, ErrorKind, Record, Replaced, Result, SessionCookie,
    SessionId, Store, StoreStream, StoredExpiry, Swept, Touched,
};

/// Sessions in a directory. Clones are the same store.
#[derive(Clone, Debug)]
pub struct FileStore {
    directory: PathBuf,
    clock: Clock,
}

/// A session's file.
struct Entry {
    expires: Option<SystemTime>,
    json: String,
}

impl Entry {
    fn is_live(&self, now: SystemTime) -> bool {
        self.expires.is_none_or(|expires| expires > now)
    }

    fn record(self) -> Result<Record> {
        Record::decode(self.json, StoredExpiry::from(self.expires))
    }
}

impl FileStore {
    /// Everything but an expiry that the backend enforces.
    pub const CAPABILITIES: Capabilities = Capabilities::NONE
        .with_touch()
        .with_length()
        .with_clear()
        .with_all()
        .with_create()
        .with_replace()
        .with_sweep()
        .with_durable()
        // Two characters of the name for each byte, and an ending: a name has 255 at most.
        .with_max_id_bytes(120)
        .with_max_record_bytes(8 * 1024 * 1024);

    /// Opens the directory, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// What the file system answers if it cannot be made.
    pub fn open(directory: impl Into<PathBuf>, clock: Clock) -> io::Result<Self> {
        let directory = directory.into();
        fs::create_dir_all(&directory)?;
        Ok(Self { directory, clock })
    }

    fn path(&self, operation: &'static str, id: &SessionId) -> Result<PathBuf> {
        let limit = Self::CAPABILITIES.max_id_bytes.unwrap_or(usize::MAX);
        if id.as_str().len() > limit {
            return Err(Error::new(ErrorKind::InvalidId, operation));
        }
        let name: String = id.as_str().bytes().map(|b| format!("{b:02x}")).collect();
        Ok(self.directory.join(name + ".json"))
    }

    fn check_size(operation: &'static str, record: &Record) -> Result<()> {
        match Self::CAPABILITIES.max_record_bytes {
            Some(limit) if record.json().len() > limit => {
                Err(Error::new(ErrorKind::TooLarge, operation))
            }
            _ => Ok(()),
        }
    }

    /// Runs blocking work where it blocks nobody.
    async fn blocking<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let store = self.clone();
        tokio::task::spawn_blocking(move || work(&store))
            .await
            .unwrap_or_else(|_| Err(Error::new(ErrorKind::Other, operation)))
    }

    /// Keeps others that write out. A store for several processes takes a lock of the kernel
    /// instead, which a process that dies gives back: `File::lock`, from Rust 1.89.
    fn lock() -> MutexGuard<'static, ()> {
        static WRITERS: Mutex<()> = Mutex::new(());
        WRITERS.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn live(&self, operation: &'static str, path: &Path) -> Result<Option<Entry>> {
        let now = self.clock.now();
        Ok(read(operation, path)?.filter(|entry| entry.is_live(now)))
    }

    fn write(&self, operation: &'static str, path: &Path, entry: &Entry) -> Result<()> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{number}.tmp", std::process::id());
        let (new, ends) = (self.directory.join(name), millis(entry.expires));
        let written = (|| {
            let mut file = File::create(&new)?;
            file.write_all(format!("{ends}\n").as_bytes())?;
            file.write_all(entry.json.as_bytes())?;
            // A power failure must not leave a name without its bytes.
            file.sync_data()?;
            fs::rename(&new, path)
        })();
        written.map_err(|error| {
            // What is left of a failed write is in nobody's way.
            let _ = fs::remove_file(&new);
            failed(operation, &error)
        })
    }

    fn put(&self, operation: &'static str, path: &Path, record: &Record) -> Result<()> {
        let entry = Entry {
            expires: record.expires(),
            json: record.json().to_owned(),
        };
        self.write(operation, path, &entry)
    }

    /// The files of all sessions, live or not.
    fn paths(&self, operation: &'static str) -> Result<Vec<PathBuf>> {
        let files = fs::read_dir(&self.directory).map_err(|error| failed(operation, &error))?;
        Ok(files
            .filter_map(|file| Some(file.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
            .collect())
    }

    /// The live records; what is removed meanwhile is left out.
    fn records(&self, operation: &'static str) -> Result<Vec<(SessionId, Result<Entry>)>> {
        let mut found = Vec::new();
        for path in self.paths(operation)? {
            let Some(id) = id_of(&path) else { continue };
            match self.live(operation, &path) {
                Ok(None) => {}
                Ok(Some(entry)) => found.push((id, Ok(entry))),
                Err(error) => found.push((id, Err(error))),
            }
        }
        Ok(found)
    }
}

/// The text of an I/O error has no path in it, unlike that of many libraries.
fn failed(operation: &'static str, error: &io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, operation).with_source(io::Error::from(error.kind()))
}

fn read(operation: &'static str, path: &Path) -> Result<Option<Entry>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == Io::NotFound => return Ok(None),
        Err(error) => return Err(failed(operation, &error)),
    };
    let undecodable = || Error::new(ErrorKind::Decode, operation);
    let text = String::from_utf8(bytes).map_err(|_| undecodable())?;
    let (ends, json) = text.split_once('\n').ok_or_else(undecodable)?;
    let expires = match ends {
        "never" => None,
        millis => Some(time(millis.parse().map_err(|_| undecodable())?)),
    };
    Ok(Some(Entry {
        expires,
        json: json.to_owned(),
    }))
}

fn remove(operation: &'static str, path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != Io::NotFound => Err(failed(operation, &error)),
        _ => Ok(()),
    }
}

fn id_of(path: &Path) -> Option<SessionId> {
    let name = path.file_stem()?.to_str()?;
    let byte = |at: usize| u8::from_str_radix(name.get(at..at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..name.len()).step_by(2).map(byte).collect();
    SessionId::new(String::from_utf8(bytes?).ok()?).ok()
}

fn millis(time: Option<SystemTime>) -> String {
    let whole = |duration: Duration| i128::try_from(duration.as_millis()).unwrap_or(i128::MAX);
    match time.map(|time| time.duration_since(SystemTime::UNIX_EPOCH)) {
        None => "never".into(),
        Some(Ok(after)) => whole(after).to_string(),
        Some(Err(before)) => (-whole(before.duration())).to_string(),
    }
}

fn time(millis: i64) -> SystemTime {
    let distance = Duration::from_millis(millis.unsigned_abs());
    let epoch = SystemTime::UNIX_EPOCH;
    let time = match millis < 0 {
        true => epoch.checked_sub(distance),
        false => epoch.checked_add(distance),
    };
    time.unwrap_or(epoch)
}

#[async_trait]
impl Store for FileStore {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let path = self.path("get", id)?;
        let entry = self
            .blocking("get", move |store| store.live("get", &path))
            .await?;
        entry.map(Entry::record).transpose()
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        Self::check_size("set", record)?;
        let (path, record) = (self.path("set", id)?, record.clone());
        self.blocking("set", move |store| {
            let _lock = Self::lock();
            store.put("set", &path, &record)
        })
        .await
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        let path = self.path("destroy", id)?;
        self.blocking("destroy", move |_| {
            let _lock = Self::lock();
            remove("destroy", &path)
        })
        .await
    }

    fn capabilities(&self) -> Capabilities {
        Self::CAPABILITIES
    }

    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        let (path, expires) = (self.path("touch", id)?, cookie.expires());
        self.blocking("touch", move |store| {
            let _lock = Self::lock();
            let Some(entry) = store.live("touch", &path)? else {
                return Ok(Touched::Missing);
            };
            store.write("touch", &path, &Entry { expires, ..entry })?;
            Ok(Touched::Touched)
        })
        .await
    }

    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        Self::check_size("create", record)?;
        let (path, record) = (self.path("create", id)?, record.clone());
        self.blocking("create", move |store| {
            let _lock = Self::lock();
            if store.live("create", &path)?.is_some() {
                return Ok(Created::Exists);
            }
            store.put("create", &path, &record)?;
            Ok(Created::Created)
        })
        .await
    }

    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        Self::check_size("replace", new)?;
        let path = self.path("replace", id)?;
        let (old, new) = (old.clone(), new.clone());
        self.blocking("replace", move |store| {
            let _lock = Self::lock();
            match store.live("replace", &path)? {
                None => Ok(Replaced::Missing),
                Some(entry) if entry.json != old.json() => Ok(Replaced::Conflict),
                Some(_) => {
                    store.put("replace", &path, &new)?;
                    Ok(Replaced::Replaced)
                }
            }
        })
        .await
    }

    async fn length(&self) -> Result<u64> {
        let found = self
            .blocking("length", |store| store.records("length"))
            .await?;
        Ok(found.len() as u64)
    }

    async fn clear(&self) -> Result<()> {
        self.blocking("clear", |store| {
            let _lock = Self::lock();
            let mut paths = store.paths("clear")?.into_iter();
            paths.try_for_each(|path| remove("clear", &path))
        })
        .await
    }

    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        Box::pin(
            stream::once(self.blocking("all", |store| store.records("all"))).flat_map(|found| {
                let items: Vec<Result<_>> = match found {
                    Err(error) => vec![Err(error)],
                    Ok(found) => found
                        .into_iter()
                        .map(|(id, entry)| Ok((id, entry.and_then(Entry::record)?)))
                        .collect(),
                };
                stream::iter(items)
            }),
        )
    }

    fn ids(&self) -> StoreStream<'_, SessionId> {
        Box::pin(self.all().map(|item| item.map(|(id, _)| id)))
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        self.blocking("sweep", move |store| {
            let _lock = Self::lock();
            let (now, mut swept) = (
                store.clock.now(),
                Swept {
                    removed: 0,
                    more: false,
                },
            );
            for path in store.paths("sweep")? {
                // What cannot be decoded is not known to have ended.
                let Ok(Some(entry)) = read("sweep", &path) else {
                    continue;
                };
                if entry.is_live(now) {
                    continue;
                }
                if swept.removed == limit {
                    swept.more = true;
                    break;
                }
                remove("sweep", &path)?;
                swept.removed += 1;
            }
            Ok(swept)
        })
        .await
    }
}

// ---------------------------------------------------------------- tests/conformance.rs

struct Files;

impl Harness for Files {
    const NAME: &'static str = "one file for each session";
    const CAPABILITIES: Capabilities = FileStore::CAPABILITIES;
    const BACKEND: Backend = Backend::EMBEDDED
        .offers(Need::Undecodable)
        .offers(Need::Foreign)
        .offers(Need::Count)
        .offers(Need::Crash)
        .lacks(Need::Schema, "a directory has no schema")
        .lacks(Need::Fixture, "this is the first version");
    const TIME: Time = Time::Manual;

    async fn open(&self, opening: Opening) -> Result<Namespace, NotRun> {
        let directory = std::env::temp_dir().join(opening.namespace);
        let open = || FileStore::open(&directory, opening.clock.clone());
        Ok(Namespace::new(open()?, open()?).with_hooks(Behind(open()?)))
    }
}

/// What the suite does behind the store's back.
struct Behind(FileStore);

#[async_trait]
impl Hooks for Behind {
    async fn write_undecodable(&self, id: &SessionId) -> Result<(), NotRun> {
        Ok(fs::write(self.0.path("test", id)?, "never\n{\"cookie\":{")?)
    }

    async fn write_foreign(&self) -> Result<(), NotRun> {
        Ok(fs::write(
            self.0.directory.join("README.txt"),
            "not a session",
        )?)
    }

    async fn foreign_intact(&self) -> Result<bool, NotRun> {
        Ok(self.0.directory.join("README.txt").exists())
    }

    async fn count(&self) -> Result<u64, NotRun> {
        Ok(self.0.paths("test")?.len() as u64)
    }

    async fn write_and_crash(&self, writes: Vec<Write>) -> Result<(), NotRun> {
        let directory = self.0.directory.to_string_lossy();
        crash::Child::main().argument(directory).write(&writes)
    }

    async fn remove(&self) -> Result<(), NotRun> {
        Ok(fs::remove_dir_all(&self.0.directory)?)
    }
}

fn main() -> ExitCode {
    // This program may be the one that writes and is killed.
    crash::child(async |path| {
        let store = FileStore::open(path.concat(), Clock::system());
        store.map_err(|error| failed("open", &error))
    });
    session_conformance::main(Files)
}
