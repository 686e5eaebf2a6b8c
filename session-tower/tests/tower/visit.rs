//! Requests to a service without a server in between.

use std::fmt::Debug;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use http::{HeaderMap, Request, Response, header};
use session_tower::{Session, SessionHandle, SessionId, SessionLayer, SessionOptions};
use tower::{Service, ServiceExt};

use crate::support::decoded_id;

pub(crate) fn layer(options: SessionOptions) -> SessionLayer {
    SessionLayer::new(options).expect("the options can work")
}

/// A request's session, as a service without an extractor gets it.
pub(crate) fn session<B>(request: &Request<B>) -> impl Future<Output = Session> + Send + use<B> {
    let handle = request.extensions().get::<SessionHandle>().cloned();
    async move {
        let session = handle.expect("a layer is around it").session().await;
        session.expect("the store works").expect("the store works")
    }
}

pub(crate) fn count(session: &Session) -> u32 {
    let views = session.update("views", |views: Option<u32>| views.unwrap_or(0) + 1);
    views.expect("views is a number")
}

/// Polls once, with the waker of the task that asks.
pub(crate) async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// A visitor whose browser keeps the session cookie.
#[derive(Clone, Debug, Default)]
pub(crate) struct Visitor {
    /// `connect.sid=..`
    pub(crate) cookie: Option<String>,
}

impl Visitor {
    pub(crate) fn request<B: Default>(&self, path: &str) -> Request<B> {
        let mut request = Request::builder().uri(path);
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        request.body(B::default()).expect("a request")
    }

    pub(crate) async fn visit<S, B, R>(&mut self, service: &S, path: &str) -> Response<R>
    where
        S: Service<Request<B>, Response = Response<R>> + Clone,
        S::Error: Debug,
        B: Default,
    {
        let response = service.clone().oneshot(self.request(path)).await;
        let response = response.expect("the service answers");
        self.receive(response.headers());
        response
    }

    pub(crate) fn receive(&mut self, headers: &HeaderMap) {
        for cookie in session_cookies(headers) {
            self.cookie = (!cookie.starts_with("connect.sid=;")).then(|| {
                let (pair, _) = cookie.split_once(';').expect("a cookie has attributes");
                pair.to_owned()
            });
        }
    }

    pub(crate) fn id(&self) -> SessionId {
        let cookie = self.cookie.as_ref().expect("the visitor has a cookie");
        let (_, value) = cookie.split_once('=').expect("a pair");
        decoded_id(value)
    }
}

/// The `Set-Cookie` lines of the session's cookie.
pub(crate) fn session_cookies(headers: &HeaderMap) -> Vec<String> {
    headers
        .get_all(header::SET_COOKIE)
        .iter()
        .map(|line| line.to_str().expect("cookies are ASCII").to_owned())
        .filter(|line| line.starts_with("connect.sid="))
        .collect()
}
