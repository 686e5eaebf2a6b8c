//! What a store answered to one call, and what a rule can demand of it.

use std::fmt::{Debug, Display};
use std::time::SystemTime;

use session_core::{Error, ErrorKind, Record};

use crate::describe;
use crate::failure::{Failure, ensure};
use crate::timing::{Fit, Timing};

/// The answer to a call that has been written down. Each demand takes what the answer ought to be
/// and why, and fails with both.
#[must_use = "an answer that nobody looks at proves nothing"]
#[derive(Debug)]
pub(crate) struct Answer<T> {
    pub(crate) call: String,
    pub(crate) timing: Timing,
    pub(crate) result: Result<T, Error>,
}

impl<T> Answer<T> {
    /// The value; an error is a failure.
    pub(crate) fn ok(self) -> Result<T, Failure> {
        self.result.map_err(|error| {
            Failure::new(
                format_args!("`{}` to succeed", self.call),
                describe::error(&error),
            )
        })
    }

    /// The error, which must be of this kind.
    pub(crate) fn refused(self, kind: ErrorKind, because: impl Display) -> Result<Error, Failure>
    where
        T: Debug,
    {
        let expected = format!("`{}` to be refused with {kind:?}: {because}", self.call);
        match self.result {
            Err(error) if error.kind() == kind => Ok(error),
            Err(error) => Err(Failure::new(expected, describe::error(&error))),
            Ok(value) => Err(Failure::new(expected, format_args!("Ok({value:?})"))),
        }
    }

    /// The value, or `None` if it was refused with this kind; any other error is a failure.
    pub(crate) fn unless(self, kind: ErrorKind) -> Result<Option<T>, Failure> {
        match self.result {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.kind() == kind => Ok(None),
            Err(error) => Err(Failure::new(
                format_args!("`{}` to succeed or to be refused with {kind:?}", self.call),
                describe::error(&error),
            )),
        }
    }

    /// Demands this very value.
    #[expect(clippy::needless_pass_by_value, reason = "rules pass constants")]
    pub(crate) fn is(self, expected: T, because: impl Display) -> Result<(), Failure>
    where
        T: PartialEq + Debug,
    {
        let call = self.call.clone();
        let found = self.ok()?;
        ensure(
            found == expected,
            format_args!("`{call}` to return {expected:?}: {because}"),
            format_args!("{found:?}"),
        )
    }
}

impl Answer<Option<Record>> {
    /// Demands that there is no record.
    pub(crate) fn none(self, because: impl Display) -> Result<(), Failure> {
        let (call, timing) = (self.call.clone(), self.timing.clone());
        let now = timing.now();
        let found = self.ok()?;
        if let Some(record) = &found
            && timing.may_be_late(record.expires(), now)
        {
            return Err(too_slow());
        }
        ensure(
            found.is_none(),
            format_args!("`{call}` to return None: {because}"),
            describe::optional_record(found.as_ref(), now),
        )
    }

    /// Demands a record, whichever.
    pub(crate) fn some(self, because: impl Display) -> Result<Record, Failure> {
        let call = self.call.clone();
        self.ok()?.ok_or_else(|| {
            Failure::new(
                format_args!("`{call}` to return a record: {because}"),
                "None",
            )
        })
    }

    /// Demands this record: the same text, and the same expiry as exactly as the store declares.
    pub(crate) fn record(self, expected: &Record, because: impl Display) -> Result<(), Failure> {
        self.record_until(expected, expected.expires(), because)
    }

    /// Demands the text of `expected` with another expiry: what a touch leaves behind.
    pub(crate) fn record_until(
        self,
        expected: &Record,
        expires: Option<SystemTime>,
        because: impl Display,
    ) -> Result<(), Failure> {
        let (call, timing) = (self.call.clone(), self.timing.clone());
        let now = timing.now();
        let found = self.some(&because)?;
        same_text(&call, &found, expected, now, &because)?;
        let fit = timing.fit(expires, found.expires());
        if fit == Fit::Late {
            return Err(too_slow());
        }
        ensure(
            fit == Fit::Close,
            format_args!(
                "`{call}` to return a record that {}: {because}",
                ends(expires, now)
            ),
            format_args!("a record that {}", ends(found.expires(), now)),
        )
    }

    /// Demands the text of `expected`, whatever its expiry.
    pub(crate) fn text(self, expected: &Record, because: impl Display) -> Result<(), Failure> {
        let (call, now) = (self.call.clone(), self.timing.now());
        let found = self.some(&because)?;
        same_text(&call, &found, expected, now, because)
    }
}

/// Instead of a failure, where a call took longer than the backend's declared lag.
pub(crate) fn too_slow() -> Failure {
    Failure::inconclusive(
        "a call took longer than the declared lag, which can have moved an expiry by so much",
    )
}

fn same_text(
    call: &str,
    found: &Record,
    expected: &Record,
    now: SystemTime,
    because: impl Display,
) -> Result<(), Failure> {
    if found.same_json(expected) {
        return Ok(());
    }
    let same = |pair: &(u8, u8)| pair.0 == pair.1;
    let at = found
        .json()
        .bytes()
        .zip(expected.json().bytes())
        .take_while(same)
        .count();
    Err(Failure::new(
        format_args!(
            "`{call}` to return the {}: {because}",
            describe::data(expected)
        ),
        format_args!(
            "{} ({} bytes of JSON instead of {}, the first difference at byte {at})",
            describe::record(found, now),
            found.json().len(),
            expected.json().len()
        ),
    ))
}

fn ends(expires: Option<SystemTime>, now: SystemTime) -> String {
    match expires {
        None => "has no expiry".into(),
        expires => describe::expiry(expires, now),
    }
}
