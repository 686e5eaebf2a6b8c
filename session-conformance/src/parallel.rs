//! Real parallelism, and futures that are dropped half way.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::task::Poll;
use std::time::Instant;

use tokio::runtime::Handle as Runtime;
use tokio::sync::oneshot;

use crate::failure::Failure;

/// Runs `work(0)` to `work(n - 1)` at the same time, each on a thread of its own, and waits for
/// all. The first failure is the result; a panic is a failure.
///
/// Threads rather than tasks: a store that blocks one blocks no other rule.
pub(crate) async fn race<T, F, Fut>(n: usize, work: F) -> Result<Vec<T>, Failure>
where
    T: Send + 'static,
    F: Fn(usize) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T, Failure>>,
{
    let runtime = Runtime::current();
    let work = Arc::new(work);
    let start = Arc::new(Start::new(n));
    let mut results = Vec::with_capacity(n);
    for index in 0..n {
        let (runtime, work, start) = (runtime.clone(), Arc::clone(&work), Arc::clone(&start));
        let (sender, receiver) = oneshot::channel();
        std::thread::spawn(move || {
            start.wait(n);
            let run = std::panic::AssertUnwindSafe(|| runtime.block_on(work(index)));
            let result = std::panic::catch_unwind(run).unwrap_or_else(|payload| {
                Err(Failure::panicked(&format!("task {index}"), &*payload))
            });
            // Nobody listens any more when another task has failed.
            let _ = sender.send(result);
        });
        results.push(receiver);
    }
    let mut values = Vec::with_capacity(n);
    for receiver in results {
        let result = receiver.await;
        values.push(result.unwrap_or_else(|_| Err(Failure::inconclusive("a thread was lost")))?);
    }
    Ok(values)
}

/// Where threads meet before they set off.
struct Start {
    woken: Barrier,
    awake: AtomicUsize,
}

impl Start {
    /// How often a thread looks whether all others are awake: those that share a core with it
    /// cannot be while it looks.
    const LOOKS: usize = 2_000;

    fn new(n: usize) -> Self {
        Self {
            woken: Barrier::new(n),
            awake: AtomicUsize::new(0),
        }
    }

    /// A barrier wakes its threads one after the other; those that are awake wait for the others a
    /// moment longer.
    fn wait(&self, n: usize) {
        self.woken.wait();
        self.awake.fetch_add(1, Ordering::SeqCst);
        for _ in 0..Self::LOOKS {
            if self.awake.load(Ordering::SeqCst) == n {
                break;
            }
            std::hint::spin_loop();
        }
    }
}

/// When a call was under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    began: Instant,
    ended: Instant,
}

impl Span {
    /// Awaits `call` and says when it was under way.
    pub(crate) async fn of<T>(call: impl Future<Output = T>) -> (T, Self) {
        let began = Instant::now();
        let value = call.await;
        let ended = Instant::now();
        (value, Self { began, ended })
    }

    /// Whether both were under way at the same time.
    pub(crate) fn meets(self, other: Self) -> bool {
        self.began < other.ended && other.began < self.ended
    }
}

/// What became of a future that was polled a few times.
#[derive(Debug)]
pub(crate) enum Polled<T> {
    /// It ended before.
    Done(T),
    /// It was dropped, as a cancelled request drops it.
    Dropped,
}

/// Polls `future` until it ends, but at most `polls` times, then drops it. Between two polls it is
/// waited for as usual, so that the backend's answers arrive.
pub(crate) async fn poll_n<T>(polls: usize, future: impl Future<Output = T>) -> Polled<T> {
    let mut future = pin!(future);
    let mut polled = 0;
    poll_fn(|context| {
        if polled == polls {
            return Poll::Ready(Polled::Dropped);
        }
        polled += 1;
        match future.as_mut().poll(context) {
            Poll::Ready(value) => Poll::Ready(Polled::Done(value)),
            Poll::Pending if polled == polls => Poll::Ready(Polled::Dropped),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .unwrap()
            .block_on(future)
    }

    #[test]
    fn a_race_gives_every_result_and_the_panic_of_one_is_a_failure() {
        let values = block_on(race(4, |index| async move { Ok(index * 2) }));
        assert_eq!(values.unwrap(), [0, 2, 4, 6]);
        let failed = block_on(race(2, |index| async move {
            assert_eq!(index, 0, "one too many");
            Ok(())
        }));
        assert!(format!("{failed:?}").contains("task 1 panicked"));
    }

    #[test]
    fn a_future_is_dropped_after_its_polls() {
        let three_polls = || async {
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
        };
        for (polls, done) in [(0, false), (1, false), (2, false), (3, true)] {
            let polled = block_on(poll_n(polls, three_polls()));
            assert_eq!(matches!(polled, Polled::Done(())), done, "{polls}");
        }
    }
}
