use session_core::Error;
use sled::transaction::{ConflictableTransactionError, TransactionalTree};
use sled::{IVec, Transactional as _, Tree};

use crate::error::failed;
use crate::layout::{COUNT, End, Times, expiry_key, parse_value, write_value};

/// What happens in a transaction; `Err` leaves everything as it was.
pub(crate) type Outcome<T> = Result<T, ConflictableTransactionError<Error>>;

/// Both trees as one transaction sees them.
pub(crate) struct View<'a> {
    records: &'a TransactionalTree,
    expiries: &'a TransactionalTree,
    operation: &'static str,
}

/// What is stored under an id.
pub(crate) enum Found {
    Nothing,
    /// Bytes that are no record, and what is wrong with them. No expiry names them.
    Undecodable(Error),
    Record(Times, Json),
}

/// The JSON in a stored value.
pub(crate) struct Json(IVec);

impl Json {
    pub(crate) fn bytes(&self, operation: &'static str) -> Result<&[u8], Error> {
        parse_value(operation, &self.0).map(|(_, json)| json)
    }
}

impl Found {
    /// The times of a record, which the expiries name.
    pub(crate) fn times(&self) -> Option<Times> {
        match self {
            Self::Record(times, _) => Some(*times),
            Self::Nothing | Self::Undecodable(_) => None,
        }
    }

    /// The live record at `now`, if there is one; an error if nobody can tell.
    pub(crate) fn live(self, now: End) -> Outcome<Option<(Times, Json)>> {
        match self {
            Self::Record(times, json) if times.end.is_live(now) => Ok(Some((times, json))),
            Self::Record(..) | Self::Nothing => Ok(None),
            Self::Undecodable(error) => Err(ConflictableTransactionError::Abort(error)),
        }
    }
}

/// Runs `work` on both trees at once. sled 0.34 has one lock for all transactions of a process, so
/// that they wait for each other instead of being tried again, and readers see all of one or none.
/// `work` must not go past the view: every other operation of sled's waits for that lock.
pub(crate) fn transact<T>(
    operation: &'static str,
    records: &Tree,
    expiries: &Tree,
    work: impl Fn(&View<'_>) -> Outcome<T>,
) -> Result<T, Error> {
    let done = (records, expiries).transaction(|(records, expiries)| {
        work(&View {
            records,
            expiries,
            operation,
        })
    });
    done.map_err(|error| match error {
        sled::transaction::TransactionError::Abort(error) => error,
        sled::transaction::TransactionError::Storage(error) => failed(operation, error),
    })
}

impl View<'_> {
    pub(crate) fn find(&self, id: &[u8]) -> Outcome<Found> {
        let Some(value) = self.records.get(id)? else {
            return Ok(Found::Nothing);
        };
        Ok(match parse_value(self.operation, &value) {
            Ok((times, _)) => Found::Record(times, Json(value)),
            Err(error) => Found::Undecodable(error),
        })
    }

    /// Writes a record, filed under its end, over one with these times.
    pub(crate) fn put(&self, id: &[u8], old: Option<Times>, end: End, json: &[u8]) -> Outcome<()> {
        let times = Times { end, filed: end };
        self.records.insert(id, write_value(times, json))?;
        self.file(id, old.map(|old| old.filed), Some(end))
    }

    /// Removes what is under an id, a record with these times.
    pub(crate) fn remove(&self, id: &[u8], old: Option<Times>) -> Outcome<()> {
        self.records.remove(id)?;
        self.file(id, old.map(|old| old.filed), None)
    }

    /// Removes a key of the expiries, if it is there.
    pub(crate) fn forget(&self, key: &[u8]) -> Outcome<()> {
        match self.expiries.remove(key)? {
            Some(_) => self.count(-1),
            None => Ok(()),
        }
    }

    /// Moves the expiries' entry for an id from one time to another.
    fn file(&self, id: &[u8], from: Option<End>, to: Option<End>) -> Outcome<()> {
        if from == to {
            return Ok(());
        }
        let mut change = 0;
        if let Some(from) = from
            && self.expiries.remove(expiry_key(from, id))?.is_some()
        {
            change -= 1;
        }
        if let Some(to) = to
            && self.expiries.insert(expiry_key(to, id), &[])?.is_none()
        {
            change += 1;
        }
        match change {
            0 => Ok(()),
            change => self.count(change),
        }
    }

    fn count(&self, change: i64) -> Outcome<()> {
        let count = self.expiries.get(COUNT)?;
        let count = parse_count(count.as_deref()).saturating_add_signed(change);
        self.expiries.insert(COUNT, &count.to_be_bytes())?;
        Ok(())
    }
}

/// The number under [`COUNT`]; a tree without one is empty.
pub(crate) fn parse_count(value: Option<&[u8]>) -> u64 {
    value
        .and_then(|bytes| bytes.try_into().ok())
        .map_or(0, u64::from_be_bytes)
}
