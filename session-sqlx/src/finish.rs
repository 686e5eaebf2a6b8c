use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};

/// Work that comes to its end although whoever waits for it may go away: then it goes on by itself,
/// until a time. The drivers cannot be used again after an answer that was read by half, and a
/// server goes on with a statement in any case.
///
/// Where it is dropped outside of a runtime, it ends there.
pub(crate) struct Finishing<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    work: Option<Pin<Box<F>>>,
    until: Instant,
}

impl<F> Finishing<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    /// Nobody waits for it after `limit`.
    pub(crate) fn new(work: F, limit: Duration) -> Self {
        const LONG: Duration = Duration::from_secs(30 * 365 * 86_400);
        Self {
            work: Some(Box::pin(work)),
            until: Instant::now() + limit.min(LONG),
        }
    }
}

impl<F> Future for Finishing<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Some(work) = &mut self.work else {
            return Poll::Pending;
        };
        let polled = work.as_mut().poll(context);
        if polled.is_ready() {
            self.work = None;
        }
        polled
    }
}

impl<F> Drop for Finishing<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    fn drop(&mut self) {
        if let Some(work) = self.work.take()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(timeout_at(self.until, work));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    const LONG: Duration = Duration::MAX;

    #[tokio::test]
    async fn what_nobody_waits_for_goes_on_unless_its_time_is_over() {
        for (limit, goes_on) in [(LONG, true), (Duration::ZERO, false)] {
            let (go, gone) = oneshot::channel::<()>();
            let (done, ended) = oneshot::channel();
            let mut work = Finishing::new(
                async move {
                    let _ = gone.await;
                    let _ = done.send(());
                },
                limit,
            );
            assert!(futures_util::poll!(&mut work).is_pending());
            drop(work);
            if !goes_on {
                assert!(ended.await.is_err());
                continue;
            }
            go.send(()).unwrap();
            ended.await.unwrap();
        }
    }

    #[test]
    fn outside_of_a_runtime_it_ends() {
        let (done, mut ended) = oneshot::channel::<()>();
        let work = async move {
            let _done = done;
            std::future::pending::<()>().await;
        };
        drop(Finishing::new(work, LONG));
        assert!(
            ended
                .try_recv()
                .is_err_and(|why| why == oneshot::error::TryRecvError::Closed)
        );
    }
}
