//! Broken stores of the group CON.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use session_core::{
    Error, ErrorKind, Record, Replaced, Result, SessionCookie, SessionId, Store, Touched,
};
use tokio::runtime::Handle as Runtime;
use tokio::sync::Semaphore;
use tokio::task::yield_now;
use tokio::time::sleep;

use super::{Bend, Broken, bent, each, lock, shared};
use crate::reference::{Reference, Row};

/// What a backend takes to answer.
const TRIP: Duration = Duration::from_micros(200);

pub(super) const BROKEN: &[Broken] = &[
    Broken {
        name: "GlobalBuffer",
        bug: "all calls put what they write into one buffer",
        open: |reference| shared(reference, GlobalBuffer::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "BusyFails",
        bug: "a write that meets another one fails (SQLITE_BUSY without a busy timeout)",
        open: |reference| shared(reference, BusyFails::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "TornWrite",
        bug: "`set` writes the two halves of the text one after the other",
        open: |reference| each(reference, TornWrite::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "TruncatesFirst",
        bug: "`set` empties the file before it writes it",
        open: |reference| each(reference, TruncatesFirst::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "TornExpiry",
        bug: "`set` writes the text and the expiry in two steps",
        open: |reference| each(reference, TornExpiry::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "StaleRead",
        bug: "`get` reads from a replica that is a moment behind",
        open: |reference| shared(reference, StaleRead::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "CacheFillRace",
        bug: "a cache is filled with what was read before a write that has emptied it",
        open: |reference| shared(reference, CacheFillRace::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "DeleteThenInsert",
        bug: "`set` deletes the row and inserts another one",
        open: |reference| each(reference, DeleteThenInsert::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "LateWrite",
        bug: "`set` returns first and writes then, if another write is under way",
        open: |reference| shared(reference, LateWrite::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "CancelPoison",
        bug: "a call that is dropped leaves its connection marked as busy",
        open: |reference| each(reference, CancelPoison::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "StaleAnswers",
        bug: "a call that is dropped leaves its answer in the connection for the next one",
        open: |reference| each(reference, StaleAnswers::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "SetThenExpire",
        bug: "`set` writes the record and gives it its expiry in a second call",
        open: |reference| each(reference, SetThenExpire::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "CancelDestroys",
        bug: "`replace` removes the old record before it awaits the write of the new one",
        open: |reference| each(reference, CancelDestroys::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "CancelledTouchUnsets",
        bug: "`touch` takes the expiry away before it awaits the write of the new one",
        open: |reference| each(reference, CancelledTouchUnsets::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "NestedAcquire",
        bug: "`set` takes a second connection while it holds one",
        open: |reference| Pooled::open(reference, Leak::Nested),
        ..Broken::REFERENCE
    },
    Broken {
        name: "ExpiredGetNests",
        bug: "`get` of an expired record takes a second connection to remove it",
        open: |reference| Pooled::open(reference, Leak::ExpiredNested),
        ..Broken::REFERENCE
    },
    Broken {
        name: "LeaksOnRefusal",
        bug: "a call that is refused keeps its connection",
        open: |reference| Pooled::open(reference, Leak::OnRefusal),
        ..Broken::REFERENCE
    },
    Broken {
        name: "LeaksOnMiss",
        bug: "a `get` that finds nothing keeps its connection",
        open: |reference| Pooled::open(reference, Leak::OnMiss),
        ..Broken::REFERENCE
    },
    Broken {
        name: "LeaksOnDecode",
        bug: "a `get` of what cannot be decoded keeps its connection",
        open: |reference| Pooled::open(reference, Leak::OnDecode),
        ..Broken::REFERENCE
    },
    Broken {
        name: "PoisonedMutex",
        bug: "a panic of the caller poisons the store's lock, and every later call panics",
        open: |reference| each(reference, PoisonedMutex::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "BlockInPlace",
        bug: "`set` uses `block_in_place`, which a runtime of one thread does not have",
        open: |reference| each(reference, BlockInPlace::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "RuntimeBound",
        bug: "all work is done on the runtime of the first call",
        open: |reference| each(reference, RuntimeBound::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "BlockingCall",
        bug: "`set` waits for the disk on the executor's thread",
        open: |reference| each(reference, BlockingCall::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "BlockingGet",
        bug: "`get` waits for the disk on the executor's thread",
        open: |reference| each(reference, BlockingGet::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "MigrateRace",
        bug: "the migration looks for the table and creates it then",
        migrate: |reference| {
            Box::pin(async move {
                if reference.schema().load(Ordering::SeqCst) {
                    return Ok(());
                }
                sleep(Duration::from_millis(20)).await;
                exists(reference.schema().swap(true, Ordering::SeqCst))
            })
        },
        ..Broken::REFERENCE
    },
    Broken {
        name: "MigrateOnce",
        bug: "the migration of a table that is there fails",
        migrate: |reference| {
            Box::pin(async move { exists(reference.schema().swap(true, Ordering::SeqCst)) })
        },
        ..Broken::REFERENCE
    },
    Broken {
        name: "MigrateDrops",
        bug: "the migration drops the table and creates it anew",
        migrate: |reference| {
            Box::pin(async move {
                reference.rows().clear();
                Ok(())
            })
        },
        ..Broken::REFERENCE
    },
    Broken {
        name: "CacheMissesReplace",
        bug: "caches in front hear of `set`, `destroy`, `touch` and `clear`, not of `replace`",
        open: |reference| Cached::open(reference, Deaf::Replace),
        ..Broken::REFERENCE
    },
    Broken {
        name: "CacheMissesTouch",
        bug: "caches in front do not hear of `touch`",
        open: |reference| Cached::open(reference, Deaf::Touch),
        ..Broken::REFERENCE
    },
    Broken {
        name: "CacheMissesClear",
        bug: "caches in front do not hear of `clear`",
        open: |reference| Cached::open(reference, Deaf::Clear),
        ..Broken::REFERENCE
    },
    Broken {
        name: "CacheKeepsNone",
        bug: "caches in front remember that there was nothing, and do not hear of `create`",
        open: |reference| Cached::open(reference, Deaf::Create),
        ..Broken::REFERENCE
    },
    Broken {
        name: "DropClears",
        bug: "a handle that is dropped clears the store (a test helper that went into the product)",
        open: |reference| each(reference, DropClears::new),
        ..Broken::REFERENCE
    },
    Broken {
        name: "DropCloses",
        bug: "a handle that is dropped closes the pool that all handles share",
        open: |reference| each(reference, DropCloses::new),
        ..Broken::REFERENCE
    },
];

bent!(
    GlobalBuffer: Option<Record>,
    BusyFails: u32,
    TornWrite,
    TruncatesFirst,
    TornExpiry,
    StaleRead: HashMap<SessionId, (Instant, Option<Record>)>,
    CacheFillRace: HashMap<SessionId, Record>,
    DeleteThenInsert,
    LateWrite: u32,
    CancelPoison: bool,
    StaleAnswers: std::collections::VecDeque<Option<Record>>,
    SetThenExpire,
    CancelDestroys,
    CancelledTouchUnsets,
    PoisonedMutex: bool,
    BlockInPlace,
    RuntimeBound: Option<Runtime>,
    BlockingCall,
    BlockingGet,
    DropClears,
    DropCloses,
);

fn exists(there: bool) -> Result<()> {
    if there {
        return Err(Error::new(ErrorKind::Other, "migrate").with_message("the table exists"));
    }
    Ok(())
}

/// A text in the place of a record.
fn put(reference: &Reference, id: &SessionId, text: &str, record: &Record) {
    let row = Row {
        text: text.into(),
        expires: record.expires(),
    };
    reference.rows().insert(id.as_str().to_owned(), row);
}

#[async_trait]
impl Bend for GlobalBuffer {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        *lock(&self.state) = Some(record.clone());
        sleep(TRIP).await;
        let buffer = lock(&self.state).clone();
        self.reference
            .set(id, buffer.as_ref().unwrap_or(record))
            .await
    }
}

#[async_trait]
impl Bend for BusyFails {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let before = std::mem::replace(&mut *lock(&self.state), 1);
        if before > 0 {
            return Err(Error::new(ErrorKind::Other, "set").with_message("database is locked"));
        }
        sleep(TRIP).await;
        let result = self.reference.set(id, record).await;
        *lock(&self.state) = 0;
        result
    }
}

#[async_trait]
impl Bend for TornWrite {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let old = self
            .reference
            .rows()
            .get(id.as_str())
            .map(|row| Arc::clone(&row.text));
        if let Some(old) = old.filter(|old| old.len() == record.json().len()) {
            let half = old.len() / 2;
            let torn = format!("{}{}", &record.json()[..half], &old[half..]);
            put(&self.reference, id, &torn, record);
            sleep(TRIP).await;
        }
        self.reference.set(id, record).await
    }
}

#[async_trait]
impl Bend for TruncatesFirst {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let there = self.reference.rows().contains_key(id.as_str());
        if there {
            put(&self.reference, id, "", record);
            sleep(TRIP).await;
        }
        self.reference.set(id, record).await
    }
}

#[async_trait]
impl Bend for TornExpiry {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let old = self.reference.rows().get(id.as_str()).cloned();
        if let Some(old) = old {
            let row = Row {
                expires: old.expires,
                ..Row::of(record)
            };
            self.reference.rows().insert(id.as_str().to_owned(), row);
            sleep(TRIP).await;
        }
        self.reference.set(id, record).await
    }
}

#[async_trait]
impl Bend for StaleRead {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let behind = lock(&self.state).get(id).cloned();
        let lag = Duration::from_millis(2);
        match behind {
            Some((written, before)) if written.elapsed() < lag => Ok(before),
            _ => self.reference.get(id).await,
        }
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let before = self.reference.get(id).await?;
        self.reference.set(id, record).await?;
        lock(&self.state).insert(id.clone(), (Instant::now(), before));
        Ok(())
    }
}

#[async_trait]
impl Bend for CacheFillRace {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let cached = lock(&self.state).get(id).cloned();
        if let Some(record) = cached.filter(|record| !record.is_expired(self.reference.now())) {
            return Ok(Some(record));
        }
        let found = self.reference.get(id).await?;
        sleep(TRIP).await;
        lock(&self.state).extend(found.iter().map(|record| (id.clone(), record.clone())));
        Ok(found)
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        self.reference.set(id, record).await?;
        lock(&self.state).remove(id);
        Ok(())
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        self.reference.destroy(id).await?;
        lock(&self.state).remove(id);
        Ok(())
    }
}

#[async_trait]
impl Bend for DeleteThenInsert {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        self.reference.destroy(id).await?;
        sleep(TRIP).await;
        self.reference.set(id, record).await
    }
}

#[async_trait]
impl Bend for LateWrite {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        *lock(&self.state) += 1;
        yield_now().await;
        let alone = *lock(&self.state) == 1;
        if alone {
            sleep(TRIP).await;
            *lock(&self.state) -= 1;
            return self.reference.set(id, record).await;
        }
        *lock(&self.state) -= 1;
        let (reference, id, record) = (self.reference.clone(), id.clone(), record.clone());
        tokio::spawn(async move {
            sleep(TRIP * 5).await;
            // Nobody waits for it.
            let _ = reference.set(&id, &record).await;
        });
        Ok(())
    }
}

impl CancelPoison {
    fn start(&self, operation: &'static str) -> Result<()> {
        if std::mem::replace(&mut *lock(&self.state), true) {
            return Err(Error::new(ErrorKind::Other, operation).with_message("connection in use"));
        }
        Ok(())
    }
}

#[async_trait]
impl Bend for CancelPoison {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        self.start("set")?;
        yield_now().await;
        *lock(&self.state) = false;
        self.reference.set(id, record).await
    }
}

#[async_trait]
impl Bend for StaleAnswers {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let answer = self.reference.get(id).await?;
        lock(&self.state).push_back(answer);
        yield_now().await;
        Ok(lock(&self.state).pop_front().flatten())
    }
}

#[async_trait]
impl Bend for SetThenExpire {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let row = Row {
            expires: None,
            ..Row::of(record)
        };
        self.reference.rows().insert(id.as_str().to_owned(), row);
        yield_now().await;
        self.reference.set(id, record).await
    }
}

#[async_trait]
impl Bend for CancelDestroys {
    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        let replaced = self.reference.replace(id, old, new).await?;
        if replaced == Replaced::Replaced {
            self.reference.rows().remove(id.as_str());
            yield_now().await;
            self.reference.set(id, new).await?;
        }
        Ok(replaced)
    }
}

#[async_trait]
impl Bend for CancelledTouchUnsets {
    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        if let Touched::Missing = self.reference.touch(id, &SessionCookie::new()).await? {
            return Ok(Touched::Missing);
        }
        yield_now().await;
        self.reference.touch(id, cookie).await
    }
}

/// What a call does wrong with its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leak {
    Nested,
    ExpiredNested,
    OnRefusal,
    OnMiss,
    OnDecode,
}

/// The reference behind a pool of connections.
#[derive(Debug)]
struct Pooled {
    reference: Reference,
    pool: Semaphore,
    leak: Leak,
}

impl Pooled {
    fn open(reference: Reference, leak: Leak) -> [Arc<dyn Store>; 2] {
        // Without a wish of the suite's it is large enough for all that it does elsewhere.
        let connections = reference.connections().map_or(1_000, |n| n as usize);
        each(reference, |reference| Self {
            reference,
            pool: Semaphore::new(connections),
            leak,
        })
    }

    async fn connection(&self) -> Option<tokio::sync::SemaphorePermit<'_>> {
        let permit = self.pool.acquire().await.ok();
        // The backend's answer: others come between.
        yield_now().await;
        permit
    }

    /// Gives a connection back, or not.
    fn end<T>(&self, permit: Option<tokio::sync::SemaphorePermit<'_>>, result: &Result<T>) {
        let kept = match result.as_ref().map_err(Error::kind) {
            Err(ErrorKind::Decode) => self.leak == Leak::OnDecode,
            Err(_) => self.leak == Leak::OnRefusal,
            Ok(_) => false,
        };
        if let Some(permit) = permit.filter(|_| kept) {
            permit.forget();
        }
    }
}

impl AsRef<Reference> for Pooled {
    fn as_ref(&self) -> &Reference {
        &self.reference
    }
}

#[async_trait]
impl Bend for Pooled {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let permit = self.connection().await;
        let result = self.reference.get(id).await;
        if matches!(result, Ok(None)) {
            let there = self.reference.rows().contains_key(id.as_str());
            if self.leak == Leak::ExpiredNested && there {
                let second = self.connection().await;
                self.reference.destroy(id).await?;
                drop(second);
            }
            if self.leak == Leak::OnMiss {
                if let Some(permit) = permit {
                    permit.forget();
                }
                return result;
            }
        }
        self.end(permit, &result);
        result
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let permit = self.connection().await;
        let second = match self.leak {
            Leak::Nested if self.reference.rows().contains_key(id.as_str()) => {
                self.connection().await
            }
            _ => None,
        };
        let result = self.reference.set(id, record).await;
        drop(second);
        self.end(permit, &result);
        result
    }
}

/// Poisons the lock if it is dropped by a panic.
struct Guard<'a>(&'a Mutex<bool>);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            *lock(self.0) = true;
        }
    }
}

#[async_trait]
impl Bend for PoisonedMutex {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let poisoned = *lock(&self.state);
        assert!(!poisoned, "the lock is poisoned: PoisonError {{ .. }}");
        self.reference.get(id).await
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let guard = Guard(&self.state);
        yield_now().await;
        let result = self.reference.set(id, record).await;
        drop(guard);
        result
    }
}

#[async_trait]
impl Bend for BlockInPlace {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        tokio::task::block_in_place(|| {});
        self.reference.set(id, record).await
    }
}

#[async_trait]
impl Bend for RuntimeBound {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        let runtime = lock(&self.state)
            .get_or_insert_with(Runtime::current)
            .clone();
        let (reference, id, record) = (self.reference.clone(), id.clone(), record.clone());
        runtime
            .spawn(async move { reference.set(&id, &record).await })
            .await
            .unwrap_or_else(|error| Err(Error::new(ErrorKind::Other, "set").with_source(error)))
    }
}

#[async_trait]
impl Bend for BlockingCall {
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        std::thread::sleep(Duration::from_millis(3));
        self.reference.set(id, record).await
    }
}

#[async_trait]
impl Bend for BlockingGet {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        std::thread::sleep(Duration::from_millis(3));
        self.reference.get(id).await
    }
}

/// The write that a cache does not hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deaf {
    Replace,
    Touch,
    Clear,
    Create,
}

/// What the handles' caches have in common: a number that a write which they hear of raises, as a
/// message from the backend would.
static GENERATION: AtomicUsize = AtomicUsize::new(0);

type Remembered = HashMap<SessionId, (usize, Option<Record>)>;

/// The reference behind a cache in each handle.
#[derive(Debug)]
struct Cached {
    reference: Reference,
    state: Mutex<Remembered>,
    deaf: Deaf,
}

impl Cached {
    fn open(reference: Reference, deaf: Deaf) -> [Arc<dyn Store>; 2] {
        each(reference, |reference| Self {
            reference,
            state: Mutex::default(),
            deaf,
        })
    }

    fn heard(&self, call: Option<Deaf>) {
        if call != Some(self.deaf) {
            GENERATION.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl AsRef<Reference> for Cached {
    fn as_ref(&self) -> &Reference {
        &self.reference
    }
}

#[async_trait]
impl Bend for Cached {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let generation = GENERATION.load(Ordering::SeqCst);
        let remembered = lock(&self.state).get(id).cloned();
        if let Some((of, record)) = remembered {
            let now = self.reference.now();
            if of == generation && record.as_ref().is_none_or(|record| !record.is_expired(now)) {
                return Ok(record);
            }
        }
        let found = self.reference.get(id).await?;
        lock(&self.state).insert(id.clone(), (generation, found.clone()));
        Ok(found)
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        self.reference.set(id, record).await?;
        self.heard(None);
        Ok(())
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        self.reference.destroy(id).await?;
        self.heard(None);
        Ok(())
    }

    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        let touched = self.reference.touch(id, cookie).await;
        self.heard(Some(Deaf::Touch));
        touched
    }

    async fn create(&self, id: &SessionId, record: &Record) -> Result<session_core::Created> {
        let created = self.reference.create(id, record).await;
        self.heard(Some(Deaf::Create));
        created
    }

    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        let replaced = self.reference.replace(id, old, new).await;
        self.heard(Some(Deaf::Replace));
        replaced
    }

    async fn clear(&self) -> Result<()> {
        let cleared = self.reference.clear().await;
        self.heard(Some(Deaf::Clear));
        cleared
    }
}

impl Drop for DropClears {
    fn drop(&mut self) {
        for namespace in self.reference.everywhere() {
            namespace.rows().clear();
        }
    }
}

impl Bend for DropClears {}

impl Drop for DropCloses {
    fn drop(&mut self) {
        // What stands for the pool: the schema's flag is of no use to this store otherwise.
        for namespace in self.reference.everywhere() {
            namespace.schema().store(true, Ordering::SeqCst);
        }
    }
}

#[async_trait]
impl Bend for DropCloses {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        if self.reference.schema().load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Unavailable, "get").with_message("pool closed"));
        }
        self.reference.get(id).await
    }
}
