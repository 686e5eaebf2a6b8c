use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_lock::{Mutex as AsyncMutex, MutexGuardArc};

use super::limit::within;
use crate::{Error, ErrorKind, Result, SessionId};

/// Lines up the requests of this process that conflict on one session.
///
/// Conditional writes alone would let n requests on one session try again up to n times each;
/// in a line each tries once more. Sessions without a conflict never come here.
#[derive(Default)]
pub(crate) struct Contention {
    lines: Mutex<HashMap<SessionId, Arc<Line>>>,
    /// How many lines there are, to be read without the lock.
    count: AtomicUsize,
}

#[derive(Default)]
struct Line {
    turn: Arc<AsyncMutex<()>>,
    failed: Mutex<Failed>,
}

/// The failures that the head of a line has met.
#[derive(Clone, Copy, Default)]
struct Failed {
    times: usize,
    last: Option<ErrorKind>,
}

impl Line {
    fn failed(&self) -> MutexGuard<'_, Failed> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contention {
    /// Whether requests of this process stand in line for the session.
    pub(crate) fn has_line(&self, id: &SessionId) -> bool {
        self.count.load(Ordering::Relaxed) > 0 && self.lines().contains_key(id)
    }

    /// Waits for this session's turn, which ends when the guard is dropped.
    ///
    /// # Errors
    ///
    /// `Timeout` where that takes longer than `limit`. And what the head of the line has failed
    /// with meanwhile: the store does not answer, and nobody needs to find that out again.
    pub(crate) async fn turn(&self, id: &SessionId, limit: Duration) -> Result<Turn<'_>> {
        // Made before the wait: a waiter that is dropped cleans up, too.
        let mut turn = {
            let mut lines = self.lines();
            let line = Arc::clone(lines.entry(id.clone()).or_default());
            self.count.store(lines.len(), Ordering::Relaxed);
            Turn {
                contention: self,
                id: id.clone(),
                line,
                guard: None,
            }
        };
        let before = turn.line.failed().times;
        turn.guard = within(limit, turn.line.turn.lock_arc()).await;
        if turn.guard.is_none() {
            return Err(Error::new(ErrorKind::Timeout, "save").with_message(
                "too many requests are changing this session; its turn did not come in time",
            ));
        }
        let now = *turn.line.failed();
        match now.last {
            Some(kind) if now.times != before => Err(Error::new(kind, "save")
                .with_message("a request that this one has waited for failed with it")),
            _ => Ok(turn),
        }
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<SessionId, Arc<Line>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) struct Turn<'a> {
    contention: &'a Contention,
    id: SessionId,
    line: Arc<Line>,
    guard: Option<MutexGuardArc<()>>,
}

impl Turn<'_> {
    /// Tells those who wait now that the store has failed.
    pub(crate) fn fail(&self, kind: ErrorKind) {
        let mut failed = self.line.failed();
        failed.times += 1;
        failed.last = Some(kind);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut lines = self.contention.lines();
        // The map's and this one's.
        if Arc::strong_count(&self.line) == 2 {
            lines.remove(&self.id);
            self.contention.count.store(lines.len(), Ordering::Relaxed);
        }
        self.guard = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::task::{Context, Poll, Waker};

    const LONG: Duration = Duration::from_secs(3_600);

    #[test]
    fn nothing_is_left_of_a_line_once_everybody_has_gone() {
        let contention = Contention::default();
        let id = SessionId::random();
        assert!(!contention.has_line(&id));
        let mut first = Box::pin(contention.turn(&id, LONG));
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(Ok(turn)) = first.as_mut().poll(&mut context) else {
            panic!("nobody is before it")
        };
        drop(first);
        let mut second = Box::pin(contention.turn(&id, LONG));
        assert!(second.as_mut().poll(&mut context).is_pending());
        drop(turn);
        assert!(contention.has_line(&id));
        assert_eq!(contention.lines().len(), 1);
        drop(second);
        assert!(contention.lines().is_empty() && !contention.has_line(&id));
    }

    #[test]
    fn a_failure_at_the_head_is_everybodys_who_waits_and_nobodys_who_comes_later() {
        let contention = Contention::default();
        let id = SessionId::random();
        let mut context = Context::from_waker(Waker::noop());
        let head = pollster::block_on(contention.turn(&id, LONG)).unwrap();
        let mut waiting: Vec<_> = (0..3)
            .map(|_| Box::pin(contention.turn(&id, LONG)))
            .collect();
        for waiter in &mut waiting {
            assert!(waiter.as_mut().poll(&mut context).is_pending());
        }
        head.fail(ErrorKind::Unavailable);
        let mut later = Box::pin(contention.turn(&id, LONG));
        assert!(later.as_mut().poll(&mut context).is_pending());
        drop(head);
        for waiter in waiting {
            let error = pollster::block_on(waiter).map(drop).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable);
        }
        drop(pollster::block_on(later).unwrap());
        assert!(!contention.has_line(&id));
    }

    #[test]
    fn a_wait_has_an_end() {
        let contention = Contention::default();
        let id = SessionId::random();
        let _head = pollster::block_on(contention.turn(&id, LONG)).unwrap();
        let waiter = contention.turn(&id, Duration::from_millis(1));
        let error = pollster::block_on(waiter).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
    }
}
