//! The contract between sessions and a backend.

pub(crate) mod capabilities;
pub(crate) mod sweeper;

use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use futures_core::Stream;

use crate::{Capabilities, Error, Record, Result, SessionCookie, SessionId};

/// What [`Store::touch`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Touched {
    /// The live record has the new expiry.
    Touched,
    /// There is no live record; nothing was changed.
    Missing,
}

/// What [`Store::create`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Created {
    /// The record was written.
    Created,
    /// A live record has this id; it was left alone.
    Exists,
}

/// What [`Store::replace`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Replaced {
    /// The new record was written.
    Replaced,
    /// The live record is not the old one any more; it was left alone.
    Conflict,
    /// There is no live record; nothing was written.
    Missing,
}

/// What [`Store::sweep`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Swept {
    /// How many expired records were removed.
    pub removed: usize,
    /// Whether expired records are known to be left.
    pub more: bool,
}

/// The stream of [`Store::all`] and [`Store::ids`].
pub type StoreStream<'a, T> = Pin<Box<dyn Stream<Item = Result<T>> + Send + 'a>>;

/// The contract between sessions and a backend.
///
/// A minimal store has [`get`](Self::get), [`set`](Self::set), [`destroy`](Self::destroy) and
/// [`capabilities`](Self::capabilities); this is one:
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::Mutex;
/// use async_trait::async_trait;
/// use session_core::{Capabilities, Clock, Record, Result, SessionId, Store};
///
/// #[derive(Debug, Default)]
/// struct MapStore {
///     records: Mutex<HashMap<SessionId, Record>>,
///     clock: Clock,
/// }
///
/// #[async_trait]
/// impl Store for MapStore {
///     async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
///         let record = self.records.lock().unwrap().get(id).cloned();
///         Ok(record.filter(|record| !record.is_expired(self.clock.now())))
///     }
///
///     async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
///         self.records.lock().unwrap().insert(id.clone(), record.clone());
///         Ok(())
///     }
///
///     async fn destroy(&self, id: &SessionId) -> Result<()> {
///         self.records.lock().unwrap().remove(id);
///         Ok(())
///     }
///
///     fn capabilities(&self) -> Capabilities {
///         Capabilities::NONE
///     }
/// }
/// ```
///
/// The names in parentheses are rules of the `session-conformance` suite, which holds any store
/// to this page.
///
/// # Contract
///
/// - A record is what [`Record::json`] says, kept byte for byte (SET-01, UNI-01), and an expiry.
/// - Ids are compared byte by byte: no case folding, no trimming, no normal form (GET-04). An id
///   that the backend cannot hold is refused with [`InvalidId`](crate::ErrorKind::InvalidId)
///   before anything is touched; no id is ever a pattern, a path or a piece of SQL (GET-03).
/// - What `set` wrote is seen by the next `get`, through this handle (SET-07) and through every
///   other one on the same backend (SET-08).
/// - A record that is too large is refused with [`TooLarge`](crate::ErrorKind::TooLarge) before
///   anything is written, never cut (SIZ-02).
/// - A method whose capability is not declared answers
///   [`Unsupported`](crate::ErrorKind::Unsupported) and changes nothing (PRE-04); the bodies that
///   the trait gives to the optional methods do just that.
///
/// # Expiry
///
/// - Expired means `expires <= now` (EXP-01). An expired record is never returned (EXP-02), never
///   counted (LEN-01), and not revived by `touch` (TCH-04) or `replace` (RES-04).
/// - The expiry is [`Record::expires`]. A record without one lives as long as
///   [`Capabilities::default_ttl`] says.
/// - Writing a record that has already expired is accepted and leaves no live record under the id
///   (EXP-03). `replace` by one answers `Replaced` on the same condition as any other, and the
///   record is gone (RES-07); `create` of one answers as if it were not expired (RES-08).
/// - `default_ttl` counts from the last `set`, `create`, `replace` or `touch` (EXP-15).
/// - The store's own expiry is authoritative: `touch` moves it and need not rewrite the JSON.
///   `get` hands it to [`Record::decode`] or [`Record::with_stored_expires`].
/// - Parts of a second count, down to [`Capabilities::granularity`] (EXP-05).
///
/// # Concurrency
///
/// Any number of calls may run at the same time, from any task, thread or process. `create` and
/// `replace` are atomic (CAS-03, CAS-04). A future that is dropped half way leaves the old record
/// or the new one, expiry included, and a store that works (CON-04). A cache in front of a backend
/// hears of every write through other handles, those of `create`, `replace`, `touch` and `clear`
/// included (CON-11). Calls may come from any runtime, also after the first one has ended (CON-07).
///
/// # Errors
///
/// A backend that cannot be reached is [`Unavailable`](crate::ErrorKind::Unavailable), never "no
/// session": that would log people out (ERR-01). What cannot be decoded is
/// [`Decode`](crate::ErrorKind::Decode) and stays where it is; `destroy` works on it (GET-06).
/// Content that the backend cannot hold (a NUL, half a surrogate pair) is refused with
/// [`Encode`](crate::ErrorKind::Encode) before anything is written (UNI-01). Where the answer to a
/// write is lost, it is an error, and the old record or the new one is there (ERR-05); a store
/// never sends `create` or `replace` a second time by itself. No
/// error, `Debug` or log holds an id, data or a password (ERR-03, OBS-01).
///
/// # Wrappers
///
/// A store around another store forwards every method, also those with a body here; put
/// `#[deny(clippy::missing_trait_methods)]` on its `impl`.
#[async_trait]
pub trait Store: Debug + Send + Sync + 'static {
    /// The live record of `id`, or `None`. Changes nothing, the expiry included (GET-02).
    ///
    /// # Errors
    ///
    /// See [the trait](Self#errors).
    async fn get(&self, id: &SessionId) -> Result<Option<Record>>;

    /// Writes the whole record, whatever was there, expiry included (SET-02, SET-03).
    ///
    /// # Errors
    ///
    /// See [the trait](Self#errors).
    async fn set(&self, id: &SessionId, record: &Record) -> Result<()>;

    /// Removes the record of `id`, expired or not (DES-04); destroying an unknown id is `Ok`
    /// (DES-02).
    ///
    /// # Errors
    ///
    /// See [the trait](Self#errors).
    async fn destroy(&self, id: &SessionId) -> Result<()>;

    /// What this store can do. The answer does not change while the store lives.
    fn capabilities(&self) -> Capabilities;

    /// How many live records there are (LEN-01).
    ///
    /// # Errors
    ///
    /// See [the trait](Self#errors).
    async fn length(&self) -> Result<u64> {
        Err(Error::unsupported("length"))
    }

    /// Removes every record of this store and nothing else (CLR-03).
    ///
    /// # Errors
    ///
    /// See [the trait](Self#errors).
    async fn clear(&self) -> Result<()> {
        Err(Error::unsupported("clear"))
    }

    /// Moves the expiry of a live record to the one of `cookie`, later, earlier or none (TCH-06).
    /// Never changes data (TCH-02), never creates (TCH-03), and does not make a `replace` that is
    /// under way conflict (CAS-05).
    ///
    /// # Errors
    ///
    /// See [the trait](Self#errors).
    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        let _ = (id, cookie);
        Err(Error::unsupported("touch"))
    }

    /// Writes the record if there is no live one under `id`, atomically (RES-05, CAS-04).
    ///
    /// # Errors
    ///
    /// See [the trait](Self#errors).
    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        let _ = (id, record);
        Err(Error::unsupported("create"))
    }

    /// Writes `new` if the live record still has the JSON of `old`, atomically (CAS-01). Only
    /// [`Record::json`] is compared, byte for byte (CAS-08): a touch in between is no conflict. The
    /// new record's expiry is written in any case (CAS-06), also if the text is the same (CAS-09).
    ///
    /// # Errors
    ///
    /// See [the trait](Self#errors).
    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        let _ = (id, old, new);
        Err(Error::unsupported("replace"))
    }

    /// All live records with their ids, each once (ALL-01), in any order. Those written or removed
    /// meanwhile may or may not appear (ALL-06), none twice. A record that cannot be decoded is an
    /// `Err` item, and the stream goes on (ALL-07). Between two items the stream holds nothing that
    /// a write waits for, and it may be dropped at any of them (ALL-08).
    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        Box::pin(Once(Some(Err(Error::unsupported("all")))))
    }

    /// The ids of all live records, as [`all`](Self::all) gives them.
    fn ids(&self) -> StoreStream<'_, SessionId> {
        Box::pin(Once(Some(Err(Error::unsupported("ids")))))
    }

    /// Removes at most `limit` expired records and no live one (SWP-01, SWP-02), not even one that
    /// is written over an expired one meanwhile (SWP-04). With `more`, the next call removes some;
    /// without it, none is left.
    ///
    /// # Errors
    ///
    /// See [the trait](Self#errors).
    async fn sweep(&self, limit: usize) -> Result<Swept> {
        let _ = limit;
        Err(Error::unsupported("sweep"))
    }
}

struct Once<T>(Option<T>);

impl<T: Unpin> Stream for Once<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<T>> {
        Poll::Ready(self.0.take())
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Store + ?Sized> Store for Arc<S> {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        (**self).get(id).await
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        (**self).set(id, record).await
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        (**self).destroy(id).await
    }

    fn capabilities(&self) -> Capabilities {
        (**self).capabilities()
    }

    async fn length(&self) -> Result<u64> {
        (**self).length().await
    }

    async fn clear(&self) -> Result<()> {
        (**self).clear().await
    }

    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        (**self).touch(id, cookie).await
    }

    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        (**self).create(id, record).await
    }

    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        (**self).replace(id, old, new).await
    }

    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        (**self).all()
    }

    fn ids(&self) -> StoreStream<'_, SessionId> {
        (**self).ids()
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        (**self).sweep(limit).await
    }
}
