use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use test_servers::{Kind, Server};

pub(crate) fn start(kind: Kind) -> Server {
    Server::start(kind).unwrap_or_else(|why| panic!("{why}"))
}

pub(crate) fn listens(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_ok()
}

/// What a Redis server answers to words without blanks, after the login.
pub(crate) fn redis(address: SocketAddr, password: &str, command: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "AUTH {password}\r\n{command}\r\n").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let mut answers = BufReader::new(stream);
    let mut login = String::new();
    answers.read_line(&mut login).unwrap();
    assert_eq!(login, "+OK\r\n");
    let mut answer = String::new();
    answers.read_to_string(&mut answer).unwrap();
    answer
}

/// Waits for what another process does.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
