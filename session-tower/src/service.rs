use std::task::{Context, Poll};

use http::uri::Scheme;
use http::{Request, Response, Uri, Version};
use session_core::{Connection, Exchange, RequestHead};
use tower_service::Service;

use crate::{EmptyResponse, ErrorResponse, ResponseFuture, SessionHandle, SessionLayer};

/// The service that [`SessionLayer`](crate::SessionLayer) makes.
///
/// The response is released after the store has answered, so that the client's next request finds
/// what this one wrote. If the store fails, the response is the one that
/// [`on_error`](SessionLayer::on_error) makes. If the inner service fails, its error is passed on,
/// and the session stays as it was.
#[derive(Clone, Debug)]
pub struct SessionService<S, F = EmptyResponse> {
    inner: S,
    layer: SessionLayer<F>,
}

impl<S, F> SessionService<S, F> {
    pub(crate) fn new(inner: S, layer: SessionLayer<F>) -> Self {
        Self { inner, layer }
    }

    fn begin<B>(&self, request: &mut Request<B>) -> Option<Exchange> {
        let lifecycle = self.layer.lifecycle();
        let outer = request.extensions().get::<SessionHandle>();
        if outer.is_some_and(|outer| outer.named(lifecycle.name()).is_some()) {
            return None;
        }
        let outer = outer.cloned();
        let exchange = lifecycle.begin(&RequestHead {
            method: request.method(),
            uri: original_uri(request),
            headers: request.headers(),
            connection: connection(request),
        })?;
        request
            .extensions_mut()
            .insert(SessionHandle::new(exchange.clone(), outer));
        Some(exchange)
    }
}

/// The URI as the client sent it: axum cuts the path of nested routers.
fn original_uri<B>(request: &Request<B>) -> &Uri {
    #[cfg(feature = "axum")]
    if let Some(original) = request.extensions().get::<axum::extract::OriginalUri>() {
        return &original.0;
    }
    request.uri()
}

/// What the server says of the connection in the request's extensions, or else what the URI's
/// scheme says. In HTTP/1 only a request to a proxy has a scheme, and it is the client's word.
fn connection<B>(request: &Request<B>) -> Connection {
    match request.extensions().get::<Connection>() {
        Some(connection) => *connection,
        None if request.version() >= Version::HTTP_2
            && request.uri().scheme() == Some(&Scheme::HTTPS) =>
        {
            Connection::Encrypted
        }
        None => Connection::Plain,
    }
}

impl<S, B, R, F> Service<Request<B>> for SessionService<S, F>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    F: ErrorResponse<R> + Clone,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ResponseFuture<S, B, R, F>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match self.begin(&mut request) {
            Some(exchange) if exchange.loads_first() => {
                // The service that was polled ready goes along; a clone takes its place.
                let clone = self.inner.clone();
                let service = std::mem::replace(&mut self.inner, clone);
                ResponseFuture::load(&self.layer, exchange, service, request)
            }
            exchange => ResponseFuture::handle(&self.layer, exchange, self.inner.call(request)),
        }
    }
}
