use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use session_core::{Exchange, Outcome, Result, Unfinished};
use tower_service::Service;

use crate::failure::{EditsDropped, failed};
use crate::{EmptyResponse, ErrorResponse, SessionLayer};

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

pin_project! {
    /// The future of [`SessionService`](crate::SessionService): load, handle, finish.
    ///
    /// Only the steps that ask the store allocate.
    pub struct ResponseFuture<S, B, R, F = EmptyResponse>
    where
        S: Service<Request<B>, Response = Response<R>>,
    {
        #[pin]
        step: Step<S, B, R, S::Future>,
        on_error: F,
        save_on_server_error: bool,
    }
}

pin_project! {
    #[project = StepProj]
    enum Step<S, B, R, F> {
        Load { load: BoxFuture<Result<()>>, next: Option<(Exchange, S, Request<B>)> },
        Handle { #[pin] response: F, exchange: Option<Exchange> },
        Finish { finish: BoxFuture<Result<Outcome, Unfinished>>, response: Option<Response<R>> },
    }
}

impl<S, B, R, F> ResponseFuture<S, B, R, F>
where
    S: Service<Request<B>, Response = Response<R>>,
    F: Clone,
{
    pub(crate) fn load(
        layer: &SessionLayer<F>,
        exchange: Exchange,
        service: S,
        request: Request<B>,
    ) -> Self {
        let loading = exchange.clone();
        let load = Box::pin(async move { loading.load().await });
        let next = Some((exchange, service, request));
        Self::new(layer, Step::Load { load, next })
    }

    pub(crate) fn handle(
        layer: &SessionLayer<F>,
        exchange: Option<Exchange>,
        response: S::Future,
    ) -> Self {
        Self::new(layer, Step::Handle { response, exchange })
    }

    fn new(layer: &SessionLayer<F>, step: Step<S, B, R, S::Future>) -> Self {
        Self {
            step,
            on_error: layer.on_error.clone(),
            save_on_server_error: layer.save_on_server_error,
        }
    }
}

impl<S, B, R, F> Future for ResponseFuture<S, B, R, F>
where
    S: Service<Request<B>, Response = Response<R>>,
    F: ErrorResponse<R>,
{
    type Output = Result<Response<R>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut step = this.step;
        loop {
            let next = match step.as_mut().project() {
                StepProj::Load { load, next } => {
                    let loaded = ready!(load.as_mut().poll(cx));
                    let (exchange, mut service, request) =
                        next.take().expect("polled after completion");
                    if let Err(error) = loaded {
                        return Poll::Ready(Ok(failed(this.on_error, error)));
                    }
                    let response = service.call(request);
                    Step::Handle {
                        response,
                        exchange: Some(exchange),
                    }
                }
                StepProj::Handle { response, exchange } => {
                    let mut response = match ready!(response.poll(cx)) {
                        Ok(response) => response,
                        Err(error) => return Poll::Ready(Err(error)),
                    };
                    let Some(exchange) = exchange.take() else {
                        return Poll::Ready(Ok(response));
                    };
                    if let Some(outcome) = exchange.finish_idle() {
                        apply(outcome, &mut response);
                        return Poll::Ready(Ok(response));
                    }
                    let saves = *this.save_on_server_error || !response.status().is_server_error();
                    let finish = async move {
                        if saves {
                            exchange.finish().await
                        } else {
                            exchange.abandon().await
                        }
                    };
                    Step::Finish {
                        finish: Box::pin(finish),
                        response: Some(response),
                    }
                }
                StepProj::Finish { finish, response } => {
                    let finished = ready!(finish.as_mut().poll(cx));
                    let mut response = response.take().expect("polled after completion");
                    return Poll::Ready(Ok(match finished {
                        Ok(outcome) => {
                            apply(outcome, &mut response);
                            response
                        }
                        Err(Unfinished { error, outcome }) => {
                            let mut response = failed(this.on_error, error);
                            apply(outcome, &mut response);
                            response
                        }
                    }));
                }
            };
            step.set(next);
        }
    }
}

fn apply<R>(outcome: Outcome, response: &mut Response<R>) {
    if outcome.edits_dropped() {
        response.extensions_mut().insert(EditsDropped);
    }
    outcome.apply(response.headers_mut());
}

impl<S, B, R, F> fmt::Debug for ResponseFuture<S, B, R, F>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = match &self.step {
            Step::Load { .. } => "load",
            Step::Handle { .. } => "handle",
            Step::Finish { .. } => "finish",
        };
        f.debug_struct("ResponseFuture")
            .field("step", &step)
            .finish_non_exhaustive()
    }
}
