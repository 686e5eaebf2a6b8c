//! What a rule did, step by step, for the report of a failure.

use std::sync::atomic::{AtomicUsize, Ordering};
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
pub(crate) struct Log {
    steps: Arc<Mutex<Vec<Step>>>,
    ended: Arc<AtomicUsize>,
    calls: Arc<AtomicUsize>,
    quiet: bool,
}

/// The place of a step, if it has been written down.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place(Option<usize>);

impl Log {
    /// The same log for calls that are counted alone.
    pub(crate) fn quiet(&self) -> Self {
        Self {
            quiet: true,
            ..self.clone()
        }
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Writes a call down before it is made: one that hangs is then the last step.
    pub(crate) fn call(&self, what: &str) -> Place {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if self.quiet {
            return Place(None);
        }
        let mut steps = self.lock();
        steps.push(Step {
            what: what.into(),
            answer: Some("(no answer)".into()),
        });
        Place(Some(steps.len() - 1))
    }

    pub(crate) fn answer(&self, place: Place, answer: impl FnOnce() -> String) {
        self.calls.fetch_sub(1, Ordering::Relaxed);
        self.ended.fetch_add(1, Ordering::Relaxed);
        let Place(Some(place)) = place else { return };
        let answer = answer();
        if let Some(step) = self.lock().get_mut(place) {
            step.answer = Some(answer);
        }
    }

    pub(crate) fn remark(&self, what: impl Into<String>) {
        self.ended.fetch_add(1, Ordering::Relaxed);
        self.lock().push(Step {
            what: what.into(),
            answer: None,
        });
    }

    /// How many steps have ended, those that are not written down included.
    pub(crate) fn ended(&self) -> usize {
        self.ended.load(Ordering::Relaxed)
    }

    /// Puts `steps` in the place of all after the first `mark`.
    pub(crate) fn replace_since(&self, mark: usize, steps: Vec<Step>) {
        self.ended.fetch_add(1, Ordering::Relaxed);
        let mut known = self.lock();
        known.truncate(mark);
        known.extend(steps);
    }

    /// How many calls have begun and not ended; one that was dropped half way is among them.
    pub(crate) fn open(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    pub(crate) fn steps(&self) -> Vec<Step> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Step>> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
