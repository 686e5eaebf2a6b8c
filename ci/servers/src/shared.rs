//! The servers that the tests of a process share.

use std::net::TcpStream;
use std::sync::OnceLock;
use std::time::Duration;

use crate::place::Place;
use crate::{Kind, Server};

/// Names the certificate to trust, beside the URL of a server that speaks TLS.
pub(crate) const CA: &str = "SESSION_TEST_REDIS_TLS_CA";

static SHARED: [OnceLock<Result<Server, String>>; Kind::ALL.len()] =
    [const { OnceLock::new() }; Kind::ALL.len()];

pub(crate) fn server(kind: Kind) -> Result<&'static Server, String> {
    let server = SHARED[kind as usize].get_or_init(|| match std::env::var(kind.variable()) {
        Ok(urls) => at(kind, &urls),
        Err(_) => Server::start(kind),
    });
    server.as_ref().map_err(Clone::clone)
}

fn at(kind: Kind, urls: &str) -> Result<Server, String> {
    let unusable = |what: String| format!("NOT RUN: {kind}: {} {what}", kind.variable());
    let place = Place::parse(kind, urls).map_err(unusable)?;
    TcpStream::connect_timeout(&place.address, Duration::from_secs(10))
        .map_err(|error| unusable(format!("names a server that does not listen: {error}")))?;
    let ca = std::env::var_os(CA).filter(|_| kind == Kind::RedisTls);
    Ok(Server {
        kind,
        place,
        ca: ca.map(Into::into),
        own: None,
    })
}
