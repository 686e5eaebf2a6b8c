//! The private servers of the tests themselves.

use std::net::TcpStream;

use crate::support::server::Server;

#[test]
fn a_server_goes_with_its_owner_also_after_a_panic() {
    let server = Server::start().unwrap();
    let address = server.address();
    assert!(TcpStream::connect(address).is_ok());
    let directory = server.socket().parent().unwrap().to_owned();
    let panicked = std::panic::catch_unwind(move || {
        let _server = server;
        std::panic::resume_unwind(Box::new("on purpose"));
    });
    assert!(panicked.is_err());
    assert!(TcpStream::connect(address).is_err());
    assert!(!directory.exists());
}

#[test]
fn a_missing_program_is_said_with_what_to_install() {
    let error = Server::start_one_of(&["no-such-server"]).unwrap_err();
    assert!(error.contains("apt-get install redis-server"), "{error}");
    assert!(error.contains("SESSION_TEST_REDIS_URL"), "{error}");
}
