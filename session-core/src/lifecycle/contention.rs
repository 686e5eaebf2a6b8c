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
        let waiting = {
            let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.entry(id.clone()).or_default().lock_arc()
        };
        // Made before the wait: a waiter that is dropped cleans up, too.
        let mut turn = Turn {
            contention: self,
            id: id.clone(),
            guard: None,
        };
        turn.guard = Some(waiting.await);
        turn
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::task::{Context, Waker};

    #[test]
    fn nothing_is_left_of_a_line_once_everybody_has_gone() {
        let contention = Contention::default();
        let id = SessionId::random();
        let mut first = Box::pin(contention.turn(&id));
        let mut context = Context::from_waker(Waker::noop());
        let std::task::Poll::Ready(turn) = first.as_mut().poll(&mut context) else {
            panic!("nobody is before it")
        };
        drop(first);
        let mut second = Box::pin(contention.turn(&id));
        assert!(second.as_mut().poll(&mut context).is_pending());
        drop(turn);
        assert_eq!(contention.lines.lock().unwrap().len(), 1);
        drop(second);
        assert!(contention.lines.lock().unwrap().is_empty());
    }
}
