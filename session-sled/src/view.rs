use session_core::Error;
use sled::transaction::{ConflictableTransactionError, TransactionalTree};
use sled::{IVec, Transactional as _, Tree};

use crate::error::failed;
use crate::layout::{COUNT, End, expiry_key, parse_value, write_value};

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
    Record(End, Json),
}

/// The JSON in a stored value.
pub(crate) struct Json(IVec);

impl Json {
    pub(crate) fn bytes(&self, operation: &'static str) -> Result<&[u8], Error> {
        parse_value(operation, &self.0).map(|(_, json)| json)
    }
}

impl Found {
    /// The end that an expiry names.
    pub(crate) fn end(&self) -> Option<End> {
        match self {
            Self::Record(end, _) => Some(*end),
            Self::Nothing | Self::Undecodable(_) => None,
        }
    }

    /// The live record at `now`, if there is one; an error if nobody can tell.
    pub(crate) fn live(self, now: End) -> Outcome<Option<(End, Json)>> {
        match self {
            Self::Record(end, json) if end.is_live(now) => Ok(Some((end, json))),
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
            Ok((end, _)) => Found::Record(end, Json(value)),
            Err(error) => Found::Undecodable(error),
        })
    }

    /// Writes a record over one that ended at `old`.
    pub(crate) fn put(&self, id: &[u8], old: Option<End>, end: End, json: &[u8]) -> Outcome<()> {
        self.records.insert(id, write_value(end, json))?;
        if let Some(old) = old.filter(|old| *old != end) {
            self.forget(&expiry_key(old, id))?;
        }
        let key = expiry_key(end, id);
        if self.expiries.get(&key)?.is_none() {
            self.expiries.insert(key, &[])?;
            self.count(1)?;
        }
        Ok(())
    }

    /// Removes what is under an id, a record that ended at `old`.
    pub(crate) fn remove(&self, id: &[u8], old: Option<End>) -> Outcome<()> {
        self.records.remove(id)?;
        if let Some(old) = old {
            self.forget(&expiry_key(old, id))?;
        }
        Ok(())
    }

    /// Removes a key of the expiries, if it is there.
    pub(crate) fn forget(&self, key: &[u8]) -> Outcome<()> {
        if self.expiries.remove(key)?.is_some() {
            self.count(-1)?;
        }
        Ok(())
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
