use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_lock::{Mutex as AsyncMutex, MutexGuardArc};

use crate::SessionId;

/// Lines up the requests of this process that conflict on one session.
///
/// Conditional writes alone would let n requests on one session try again up to n times each;
/// in a line each tries once more. Sessions without a conflict never come here.
#[derive(Default)]
pub(crate) struct Contention {
    lines: Mutex<HashMap<SessionId, Arc<AsyncMutex<()>>>>,
}

impl Contention {
    /// Waits for this session's turn, which ends when the guard is dropped.
    pub(crate) async fn turn(&self, id: &SessionId) -> Turn<'_> {
        let line = {
            let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(lines.entry(id.clone()).or_default())
        };
        // A waiter that is dropped here leaves the line's entry behind; the next turn removes it.
        let guard = line.lock_arc().await;
        Turn {
            contention: self,
            id: id.clone(),
            guard: Some(guard),
        }
    }
}

pub(crate) struct Turn<'a> {
    contention: &'a Contention,
    id: SessionId,
    guard: Option<MutexGuardArc<()>>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.guard = None;
        let mut lines = self
            .contention
            .lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if lines
            .get(&self.id)
            .is_some_and(|line| Arc::strong_count(line) == 1)
        {
            lines.remove(&self.id);
        }
    }
}
