//! What a rule did, step by step, for the report of a failure.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

/// One call of a rule and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The call, as in `h1.get(id a)`, or a remark.
    pub what: String,
    /// What it returned; `None` for a remark, and for a call that never returned.
    pub answer: Option<String>,
}

/// A shared list of steps; clones write to the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Step>>>);

/// The place of a step that has been written down.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place(usize);

impl Log {
    /// Writes a call down before it is made: one that hangs is then the last step.
    pub(crate) fn call(&self, what: String) -> Place {
        let mut steps = self.lock();
        steps.push(Step {
            what,
            answer: Some("(no answer)".into()),
        });
        Place(steps.len() - 1)
    }

    pub(crate) fn answer(&self, place: Place, answer: String) {
        if let Some(step) = self.lock().get_mut(place.0) {
            step.answer = Some(answer);
        }
    }

    pub(crate) fn remark(&self, what: impl Into<String>) {
        self.lock().push(Step {
            what: what.into(),
            answer: None,
        });
    }

    pub(crate) fn steps(&self) -> Vec<Step> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Step>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
