use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use session_core::{Error, Exchange, Outcome, Result, Unfinished};
use tower_service::Service;

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

pin_project! {
    /// The future of [`SessionService`](crate::SessionService): load, handle, finish.
    ///
    /// Only the steps that ask the store allocate.
    pub struct ResponseFuture<S, B, R>
    where
        S: Service<Request<B>, Response = Response<R>>,
    {
        #[pin]
        step: Step<S, B, R, S::Future>,
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

impl<S, B, R> ResponseFuture<S, B, R>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    pub(crate) fn load(exchange: Exchange, service: S, request: Request<B>) -> Self {
        let loading = exchange.clone();
        let load = Box::pin(async move { loading.load().await });
        Self {
            step: Step::Load {
                load,
                next: Some((exchange, service, request)),
            },
        }
    }

    pub(crate) fn handle(exchange: Option<Exchange>, response: S::Future) -> Self {
        Self {
            step: Step::Handle { response, exchange },
        }
    }
}

impl<S, B, R> Future for ResponseFuture<S, B, R>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Output = Result<Response<R>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut step = self.project().step;
        loop {
            let next = match step.as_mut().project() {
                StepProj::Load { load, next } => {
                    let loaded = ready!(load.as_mut().poll(cx));
                    let (exchange, mut service, request) =
                        next.take().expect("polled after completion");
                    if let Err(error) = loaded {
                        return Poll::Ready(Ok(failure(&error)));
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
                        outcome.apply(response.headers_mut());
                        return Poll::Ready(Ok(response));
                    }
                    let finish = Box::pin(async move { exchange.finish().await });
                    Step::Finish {
                        finish,
                        response: Some(response),
                    }
                }
                StepProj::Finish { finish, response } => {
                    let finished = ready!(finish.as_mut().poll(cx));
                    let mut response = response.take().expect("polled after completion");
                    return Poll::Ready(Ok(match finished {
                        Ok(outcome) => {
                            outcome.apply(response.headers_mut());
                            response
                        }
                        Err(Unfinished { error, outcome }) => {
                            let mut response = failure(&error);
                            outcome.apply(response.headers_mut());
                            response
                        }
                    }));
                }
            };
            step.set(next);
        }
    }
}

/// The response to a request whose session could not be loaded or saved.
fn failure<R: Default>(error: &Error) -> Response<R> {
    tracing::error!(%error, "the request failed because of its session");
    let mut response = Response::new(R::default());
    *response.status_mut() = error.status();
    response
}

impl<S, B, R> fmt::Debug for ResponseFuture<S, B, R>
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
