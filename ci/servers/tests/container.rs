//! A server in a container: of each kind that has an image.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::net::TcpStream;

use test_servers::{Kind, Server};

fn starts(kind: Kind) {
    let server = Server::contained(kind).unwrap_or_else(|why| panic!("{why}"));
    let address = server.address();
    assert!(TcpStream::connect(address).is_ok());
    server.share().unwrap();
    assert_eq!(Server::shared(kind).unwrap().url(), server.url());
    assert!(server.share().is_err());
    let ours = std::env::var_os(kind.variable()).is_none();
    drop(server);
    assert_eq!(TcpStream::connect(address).is_err(), ours);
}

#[test]
fn redis() {
    starts(Kind::Redis);
}

#[test]
fn valkey() {
    starts(Kind::Valkey);
}

#[test]
fn postgres() {
    starts(Kind::Postgres);
}

#[test]
fn mariadb() {
    starts(Kind::MariaDb);
}

#[test]
fn mysql() {
    starts(Kind::MySql);
}

#[test]
fn what_is_no_single_server_is_not_run() {
    // Whatever the environment has: no test runs with a URL for this one and expects a container.
    if std::env::var_os(Kind::RedisTls.variable()).is_none() {
        let error = Server::contained(Kind::RedisTls).unwrap_err();
        assert!(error.starts_with("NOT RUN: redis-tls: "), "{error}");
    }
}
