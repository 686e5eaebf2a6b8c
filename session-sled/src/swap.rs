//! Writes that need no transaction: those to a live record which stays where it is filed.
//!
//! Every operation of sled's waits for a transaction that is under way, so that these come before it
//! or after it.

use session_core::Error;
use sled::Tree;

use crate::error::failed;
use crate::layout::{End, Times, parse_value, write_value};

/// What is to become of the record under an id, and the answer to whoever asked.
pub(crate) enum Step<'a, T> {
    Leave(T),
    /// It gets another end, and another text unless that stays as it is.
    Change {
        end: End,
        text: Option<&'a [u8]>,
        answer: T,
    },
}

/// Takes the step that `decide` chooses for the live record under `id` (`None` if there is none), as
/// often as it takes for nobody to come in between. `None` if only a transaction can take it, or
/// can tell what is there.
pub(crate) fn swap<'a, T>(
    records: &Tree,
    operation: &'static str,
    id: &[u8],
    now: End,
    decide: impl Fn(Option<(Times, &[u8])>) -> Step<'a, T>,
) -> Result<Option<T>, Error> {
    let error = |error| failed(operation, error);
    loop {
        let value = records.get(id).map_err(error)?;
        let found = match value.as_deref().map(|value| parse_value(operation, value)) {
            Some(Ok((times, json))) if times.end.is_live(now) => Some((times, json)),
            Some(Ok(_)) | None => None,
            Some(Err(_)) => return Ok(None),
        };
        let (end, text, answer) = match decide(found) {
            Step::Leave(answer) => return Ok(Some(answer)),
            Step::Change { end, text, answer } => (end, text, answer),
        };
        let Some((times, json)) = found.filter(|(times, _)| times.filed <= end && end.is_live(now))
        else {
            return Ok(None);
        };
        let times = Times { end, ..times };
        let new = write_value(times, text.unwrap_or(json));
        let swapped = records.compare_and_swap(id, value.as_deref(), Some(new));
        if swapped.map_err(error)?.is_ok() {
            return Ok(Some(answer));
        }
    }
}
