use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use cookie::Cookie;
use http::header::{COOKIE, HOST, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use session_tower::{Clock, SessionId};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::seconds;

/// A visitor who keeps the cookies that it is given, by name. Clones are other windows: they go
/// their own way from then on.
#[derive(Clone)]
pub struct Browser {
    pub address: SocketAddr,
    pub tls: Option<TlsConnector>,
    pub clock: Clock,
    pub jar: BTreeMap<String, String>,
}

impl Browser {
    pub async fn get(&mut self, path: &str) -> Reply {
        self.get_with(path, []).await
    }

    /// A GET with headers of the test's own.
    pub async fn get_with<const N: usize>(
        &mut self,
        path: &str,
        headers: [(&str, &str); N],
    ) -> Reply {
        self.send(Method::GET, path, headers).await
    }

    pub async fn send<const N: usize>(
        &mut self,
        method: Method,
        path: &str,
        headers: [(&str, &str); N],
    ) -> Reply {
        let response = self.open(method, path, headers).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("the body arrives whole");
        Reply {
            status: parts.status,
            headers: parts.headers,
            body: body.to_bytes(),
        }
    }

    /// A request whose response's body the test reads itself. The cookies are taken in.
    pub async fn open<const N: usize>(
        &mut self,
        method: Method,
        path: &str,
        headers: [(&str, &str); N],
    ) -> Response<Incoming> {
        let mut request = Request::builder().method(method).uri(path);
        if !self.jar.is_empty() {
            request = request.header(COOKIE, self.cookie_header());
        }
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let mut request = request.body(Empty::<Bytes>::new()).expect("a request");
        let host = HeaderValue::from_static("shop.example");
        request.headers_mut().entry(HOST).or_insert(host);
        let stream = TcpStream::connect(self.address)
            .await
            .expect("the server is there");
        let response = match &self.tls {
            None => exchange(stream, request).await,
            Some(connector) => {
                let name = "localhost".try_into().expect("a host name");
                let stream = connector.connect(name, stream).await;
                exchange(stream.expect("TLS is set up"), request).await
            }
        };
        self.receive(response.headers());
        response
    }

    pub fn cookie_header(&self) -> String {
        let pairs: Vec<String> = self
            .jar
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join("; ")
    }

    fn receive(&mut self, headers: &HeaderMap) {
        let now = seconds(self.clock.now());
        for cookie in set_cookies(headers) {
            let ended = cookie
                .expires_datetime()
                .is_some_and(|expires| expires.unix_timestamp() <= now);
            if ended {
                self.jar.remove(cookie.name());
            } else {
                self.jar
                    .insert(cookie.name().to_owned(), cookie.value().to_owned());
            }
        }
    }

    /// The id of this visitor's session, from the cookie.
    pub fn id(&self) -> SessionId {
        let value = self.jar.get("connect.sid");
        decoded_id(value.expect("the browser has a session cookie"))
    }
}

async fn exchange<S>(stream: S, request: Request<Empty<Bytes>>) -> Response<Incoming>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .expect("a fresh connection takes a request");
    // Ends with the response's body, or when the server goes.
    tokio::spawn(connection.with_upgrades());
    sender
        .send_request(request)
        .await
        .expect("the server answers")
}

/// A response, read to its end.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the tests answer with text")
    }

    /// Every `Set-Cookie` as another implementation understands it.
    pub fn cookies(&self) -> Vec<Cookie<'static>> {
        set_cookies(&self.headers).collect()
    }

    /// The session cookie that this response sets.
    pub fn cookie(&self) -> Option<Cookie<'static>> {
        self.cookie_named("connect.sid")
    }

    pub fn cookie_named(&self, name: &str) -> Option<Cookie<'static>> {
        let mut found = self.cookies().into_iter().filter(|c| c.name() == name);
        let first = found.next();
        assert!(found.next().is_none(), "{name} is set twice: {self:?}");
        first
    }

    /// The session cookie that this response must set.
    pub fn set(&self) -> Cookie<'static> {
        let cookie = self.cookie();
        cookie.unwrap_or_else(|| panic!("no session cookie is set: {self:?}"))
    }

    /// The session id in the cookie that this response must set.
    pub fn id(&self) -> SessionId {
        decoded_id(self.set().value())
    }

    /// When the session cookie ends, in seconds since 1970.
    pub fn expires(&self) -> i64 {
        let expires = self.set().expires_datetime();
        let expires = expires.unwrap_or_else(|| panic!("the cookie has no Expires: {self:?}"));
        expires.unix_timestamp()
    }

    /// The whole `Set-Cookie` line of the session cookie.
    pub fn line(&self) -> &str {
        self.headers
            .get_all(SET_COOKIE)
            .iter()
            .map(|line| line.to_str().expect("cookies are ASCII"))
            .find(|line| line.starts_with("connect.sid="))
            .unwrap_or_else(|| panic!("no session cookie is set: {self:?}"))
    }

    pub fn has_attribute(&self, attribute: &str) -> bool {
        self.line().split("; ").any(|part| part == attribute)
    }
}

fn set_cookies(headers: &HeaderMap) -> impl Iterator<Item = Cookie<'static>> {
    headers
        .get_all(SET_COOKIE)
        .iter()
        .map(|line| parse_set_cookie(line.to_str().expect("cookies are ASCII")))
}

fn parse_set_cookie(line: &str) -> Cookie<'static> {
    Cookie::parse(line.to_owned()).expect("a Set-Cookie line")
}

/// The id in a signed and encoded cookie value.
pub fn decoded_id(value: &str) -> SessionId {
    let decoded = Cookie::parse_encoded(format!("x={value}")).expect("a cookie pair");
    let (id, _signature) = decoded
        .value()
        .strip_prefix("s:")
        .and_then(|signed| signed.rsplit_once('.'))
        .unwrap_or_else(|| panic!("not a signed value: {value}"));
    SessionId::new(id).expect("not empty")
}
