//! Requests that go on to their end although nobody waits for the answer.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Request;
use tower_layer::Layer;
use tower_service::Service;

use crate::{EmptyResponse, SessionLayer, SessionService};

/// What is left of a request that was dropped.
pub(crate) type Rest = Pin<Box<dyn Future<Output = ()> + Send>>;

type Spawn = Arc<dyn Fn(Rest) + Send + Sync>;

/// A [`SessionLayer`] whose requests end even if their clients do not wait, from
/// [`SessionLayer::finish_on`].
#[derive(Clone)]
pub struct FinishingLayer<F = EmptyResponse> {
    sessions: SessionLayer<F>,
    spawn: Spawn,
}

impl<F> FinishingLayer<F> {
    pub(crate) fn new(
        sessions: SessionLayer<F>,
        spawn: impl Fn(Rest) + Send + Sync + 'static,
    ) -> Self {
        Self {
            sessions,
            spawn: Arc::new(spawn),
        }
    }
}

impl<S, F: Clone> Layer<S> for FinishingLayer<F> {
    type Service = FinishingService<S, F>;

    fn layer(&self, inner: S) -> FinishingService<S, F> {
        FinishingService {
            sessions: self.sessions.layer(inner),
            spawn: Arc::clone(&self.spawn),
        }
    }
}

/// The service that [`FinishingLayer`] makes.
#[derive(Clone)]
pub struct FinishingService<S, F = EmptyResponse> {
    sessions: SessionService<S, F>,
    spawn: Spawn,
}

impl<S, F, B> Service<Request<B>> for FinishingService<S, F>
where
    SessionService<S, F>: Service<Request<B>>,
    <SessionService<S, F> as Service<Request<B>>>::Future: Send + 'static,
{
    type Response = <SessionService<S, F> as Service<Request<B>>>::Response;
    type Error = <SessionService<S, F> as Service<Request<B>>>::Error;
    type Future = FinishingFuture<<SessionService<S, F> as Service<Request<B>>>::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.sessions.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        FinishingFuture {
            request: Some(Box::pin(self.sessions.call(request))),
            begun: false,
            spawn: Arc::clone(&self.spawn),
        }
    }
}

/// The future of [`FinishingService`]. Dropped before it is done, it hands the rest of itself over.
pub struct FinishingFuture<F: Future + Send + 'static> {
    /// In a box, so that it can be moved to where it goes on. `None` when it has ended.
    request: Option<Pin<Box<F>>>,
    begun: bool,
    spawn: Spawn,
}

impl<F: Future + Send + 'static> Future for FinishingFuture<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.begun = true;
        // Taken out, so that what panics is dropped rather than gone on with.
        let mut request = self.request.take().expect("polled after completion");
        let polled = request.as_mut().poll(cx);
        if polled.is_pending() {
            self.request = Some(request);
        }
        polled
    }
}

impl<F: Future + Send + 'static> Drop for FinishingFuture<F> {
    fn drop(&mut self) {
        if let Some(request) = self.request.take().filter(|_| self.begun) {
            tracing::debug!("nobody waits for the response any more; the request goes on");
            (self.spawn)(Box::pin(async move { drop(request.await) }));
        }
    }
}

impl<F: fmt::Debug> fmt::Debug for FinishingLayer<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FinishingLayer")
            .field(&self.sessions)
            .finish()
    }
}

impl<S: fmt::Debug, F: fmt::Debug> fmt::Debug for FinishingService<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FinishingService")
            .field(&self.sessions)
            .finish()
    }
}

impl<F: Future + Send + 'static> fmt::Debug for FinishingFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FinishingFuture")
            .field("begun", &self.begun)
            .field("ended", &self.request.is_none())
            .finish_non_exhaustive()
    }
}
