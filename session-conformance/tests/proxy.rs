//! The proxy, between a server that answers each line with the number of lines it has seen and
//! clients that look at every byte.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use session_conformance::Proxy;

/// Answers every line, on any number of connections, until the test's process ends.
struct Server {
    address: SocketAddr,
    lines: Arc<AtomicU64>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let lines = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&lines);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let counter = Arc::clone(&counter);
                std::thread::spawn(move || answer(&stream, &counter));
            }
        });
        Self { address, lines }
    }

    fn lines(&self) -> u64 {
        self.lines.load(Ordering::SeqCst)
    }
}

/// "big" is answered with a lot.
fn answer(mut stream: &TcpStream, lines: &AtomicU64) {
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        let number = lines.fetch_add(1, Ordering::SeqCst) + 1;
        let filler = "x".repeat(if line == "big" { 1 << 20 } else { 0 });
        if writeln!(stream, "{filler}{number}").is_err() {
            return;
        }
    }
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(proxy: &Proxy) -> Self {
        let stream = TcpStream::connect(proxy.address()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        Self(BufReader::new(stream))
    }

    fn send(&mut self, text: &str) -> std::io::Result<()> {
        self.0.get_mut().write_all(text.as_bytes())
    }

    fn read(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        Ok(line.trim_end().into())
    }

    fn ask(&mut self, line: &str) -> String {
        self.send(&format!("{line}\n")).unwrap();
        self.read().unwrap()
    }

    /// Whether the connection has ended without another byte.
    fn is_closed(&mut self) -> bool {
        match self.0.read(&mut [0]) {
            Ok(0) => true,
            Ok(_) => false,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    }
}

#[test]
fn bytes_pass_in_both_directions_and_turnarounds_are_counted() {
    let server = Server::start();
    let proxy = Proxy::start(server.address).unwrap();
    let mut client = Client::connect(&proxy);
    assert_eq!(client.ask("a"), "1");
    assert_eq!(proxy.round_trips(), 1);

    client.send("b\nc\nd\n").unwrap();
    let answers = [(); 3].map(|()| client.read().unwrap());
    assert_eq!(answers, ["2", "3", "4"]);
    let pipeline = proxy.round_trips();
    assert!((2..=4).contains(&pipeline), "{pipeline}");

    // However many packets they take, a long request and a long answer are one round trip.
    assert_eq!(client.ask(&"y".repeat(1 << 20)), "5");
    assert_eq!(client.ask("big").len(), (1 << 20) + 1);
    assert_eq!(proxy.round_trips(), pipeline + 2);
    assert_eq!(proxy.connections(), 1);
}

#[test]
fn a_cut_closes_what_there_is_and_what_comes_until_it_is_healed() {
    let server = Server::start();
    let proxy = Proxy::start(server.address).unwrap();
    let mut before = Client::connect(&proxy);
    assert_eq!(before.ask("a"), "1");

    proxy.cut();
    proxy.cut();
    let _ = before.send("b\n");
    assert!(before.is_closed());
    let mut during = Client::connect(&proxy);
    let _ = during.send("c\n");
    assert!(during.is_closed());

    proxy.heal();
    proxy.heal();
    assert!(before.is_closed() && during.is_closed());
    assert_eq!(Client::connect(&proxy).ask("d"), "2");
    assert_eq!(server.lines(), 2, "nothing passed in between");
}

#[test]
fn a_lost_answer_is_that_of_the_next_request_which_arrives() {
    let server = Server::start();
    let proxy = Proxy::start(server.address).unwrap();
    let mut client = Client::connect(&proxy);
    assert_eq!(client.ask("a"), "1");

    proxy.lose_next_answer();
    client.send("b\n").unwrap();
    assert!(client.is_closed());
    assert_eq!(server.lines(), 2);
    assert_eq!(proxy.round_trips(), 1);
    assert_eq!(Client::connect(&proxy).ask("c"), "3");
}

#[test]
fn a_frozen_connection_stays_open_and_silent_and_others_work() {
    let server = Server::start();
    let proxy = Proxy::start(server.address).unwrap();
    let mut frozen = Client::connect(&proxy);
    assert_eq!(frozen.ask("a"), "1");

    proxy.freeze();
    frozen.send("b\n").unwrap();
    assert_eq!(Client::connect(&proxy).ask("c"), "2");
    let limit = Some(Duration::from_millis(50));
    frozen.0.get_ref().set_read_timeout(limit).unwrap();
    assert!(!frozen.is_closed());
    assert_eq!(server.lines(), 2);

    proxy.cut();
    let limit = Some(Duration::from_secs(10));
    frozen.0.get_ref().set_read_timeout(limit).unwrap();
    assert!(frozen.is_closed(), "a cut closes frozen ones, too");
}

#[test]
fn a_server_that_is_not_there_closes_the_connection() {
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let proxy = Proxy::start(nobody).unwrap();
    assert!(Client::connect(&proxy).is_closed());
}

#[test]
fn the_end_of_a_request_is_passed_on_and_its_answer_still_arrives() {
    let server = Server::start();
    let proxy = Proxy::start(server.address).unwrap();
    let mut client = Client::connect(&proxy);
    client.send("a\n").unwrap();
    client
        .0
        .get_ref()
        .shutdown(std::net::Shutdown::Write)
        .unwrap();
    assert_eq!(client.read().unwrap(), "1");
    assert!(client.is_closed());
}

#[test]
fn a_dropped_proxy_takes_its_connections_along() {
    let server = Server::start();
    let proxy = Proxy::start(server.address).unwrap();
    let mut client = Client::connect(&proxy);
    assert_eq!(client.ask("a"), "1");
    let address = proxy.address();
    assert!(format!("{proxy:?}").contains("round_trips: 1"));
    drop(proxy);
    assert!(client.is_closed());
    assert!(TcpStream::connect(address).is_err());
}
