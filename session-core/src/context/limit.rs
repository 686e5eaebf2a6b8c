//! Waiting with a bound. Core knows no runtime: `futures-timer` (3.0) keeps the time, with one thread
//! for the whole process that is started when something first has to wait.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_timer::Delay;

/// What `future` gives, or `None` if it takes longer than `limit`; it is dropped then.
///
/// What is ready at once needs no timer.
pub(crate) async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut timer = None;
    std::future::poll_fn(move |context| {
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return Poll::Ready(Some(output));
        }
        let timer = timer.get_or_insert_with(|| Delay::new(limit));
        pin!(timer).poll(context).map(|()| None)
    })
    .await
}

/// The time that one write may spend on others that are changing the same session.
pub(crate) struct Deadline {
    limit: Duration,
    started: Option<Instant>,
}

impl Deadline {
    /// Starts when it is first asked.
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            limit,
            started: None,
        }
    }

    /// What is left of it; `None` when it is over.
    pub(crate) fn left(&mut self) -> Option<Duration> {
        let spent = self.started.get_or_insert_with(Instant::now).elapsed();
        self.limit.checked_sub(spent).filter(|left| !left.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ready_is_given_and_what_never_comes_is_given_up() {
        pollster::block_on(async {
            assert_eq!(within(Duration::ZERO, async { 1 }).await, Some(1));
            let never = std::future::pending::<()>();
            assert_eq!(within(Duration::from_millis(1), never).await, None);
        });
    }

    #[test]
    fn a_deadline_of_no_time_is_over_at_once() {
        assert_eq!(Deadline::new(Duration::ZERO).left(), None);
        assert!(Deadline::new(Duration::from_secs(3_600)).left().is_some());
    }
}
