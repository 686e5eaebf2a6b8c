//! One server of each kind that Debian has.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use test_servers::{Kind, Server};

use crate::support::{listens, redis, start};

#[test]
fn redis_answers_to_its_password_alone() {
    let server = start(Kind::Redis);
    let pong = redis(server.address(), server.password(), "PING");
    assert!(pong.starts_with("+PONG"), "{pong}");
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(b"PING\r\nQUIT\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("-NOAUTH"), "{answer}");
    assert!(server.socket().unwrap().exists());
    assert!(server.version().unwrap().contains("Redis"));
}

#[test]
fn two_at_once_do_not_meet() {
    let (one, two) = (start(Kind::Redis), start(Kind::Redis));
    assert_ne!(one.address(), two.address());
    assert_ne!(one.password(), two.password());
    redis(one.address(), one.password(), "SET key one");
    let found = redis(two.address(), two.password(), "GET key");
    assert!(found.starts_with("$-1"), "{found}");
}

#[test]
fn settings_reach_the_server() {
    let server = Server::start_with(Kind::Redis, &[("databases", "3")]).unwrap();
    let found = redis(server.address(), server.password(), "SELECT 3");
    assert!(found.contains("out of range"), "{found}");
}

#[test]
fn tls_takes_the_authority_that_it_names() {
    let server = start(Kind::RedisTls);
    let answer = |ca: &[&str]| {
        let address = server.address();
        let output = Command::new("redis-cli")
            .args([
                "--tls",
                "-h",
                "127.0.0.1",
                "-p",
                &address.port().to_string(),
            ])
            .args(ca)
            .arg("PING")
            .env("REDISCLI_AUTH", server.password())
            .output();
        String::from_utf8_lossy(&output.unwrap().stdout).into_owned()
    };
    let ca = server.ca_file().unwrap().to_str().unwrap();
    assert_eq!(answer(&["--cacert", ca]), "PONG\n");
    assert_eq!(answer(&[]), "");
    assert!(server.url().starts_with("rediss://"));
}

#[test]
fn postgres_takes_its_password_and_a_time_zone() {
    let zone = [("timezone", "America/New_York")];
    let server = Server::start_with(Kind::Postgres, &zone).unwrap_or_else(|why| panic!("{why}"));
    assert!(listens(server.address()));
    let ask = |url: &str| {
        let output = Command::new("psql")
            .args([
                "--no-psqlrc",
                "--tuples-only",
                "--no-align",
                "--no-password",
                "-c",
            ])
            .arg("SELECT current_setting('timezone') || ' ' || current_database()")
            .arg(url)
            .output();
        String::from_utf8_lossy(&output.unwrap().stdout).into_owned()
    };
    assert_eq!(ask(&server.url()), "America/New_York session\n");
    assert_eq!(ask(&server.url_with(server.address(), "wrong")), "");
}

#[test]
fn mariadb_takes_its_password() {
    let server = start(Kind::MariaDb);
    let ask = |password: &str| {
        let output = Command::new("mariadb")
            .args([
                "--no-defaults",
                "--protocol=tcp",
                "--host=127.0.0.1",
                "--batch",
            ])
            .args(["--skip-column-names", "--user", server.user()])
            .args(["--port", &server.address().port().to_string()])
            .args(["--execute", "SELECT DATABASE()", "session"])
            .env("MYSQL_PWD", password)
            .output();
        String::from_utf8_lossy(&output.unwrap().stdout).into_owned()
    };
    assert_eq!(ask(server.password()), "session\n");
    assert_eq!(ask("wrong"), "");
    assert!(server.version().unwrap().contains("MariaDB"));
}

#[test]
fn a_node_can_be_killed_and_started_again() {
    for kind in [Kind::Redis, Kind::Postgres, Kind::MariaDb] {
        let server = start(kind);
        let [node] = server.nodes() else {
            panic!("{kind} is one server");
        };
        node.kill().unwrap();
        assert!(!listens(node.address()), "{kind}");
        node.restart().unwrap();
        assert!(listens(node.address()), "{kind}");
    }
}

#[test]
fn a_node_that_is_halted_answers_when_it_goes_on() {
    let server = start(Kind::Redis);
    let node = &server.nodes()[0];
    node.pause().unwrap();
    let mut stream = TcpStream::connect(node.address()).unwrap();
    let limit = std::time::Duration::from_millis(300);
    stream.set_read_timeout(Some(limit)).unwrap();
    stream.write_all(b"PING\r\n").unwrap();
    let mut answer = [0];
    stream.read_exact(&mut answer).unwrap_err();
    node.resume().unwrap();
    stream.set_read_timeout(None).unwrap();
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"-", "it wants a password");
}

#[test]
fn the_directory_is_its_owners_alone() {
    let server = start(Kind::Redis);
    let mode = server
        .directory()
        .unwrap()
        .metadata()
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn no_password_is_shown() {
    let server = start(Kind::Redis);
    let shown = format!("{server:?}");
    assert!(!shown.contains(server.password()), "{shown}");
}

#[test]
fn a_setting_that_the_server_refuses_is_an_error_with_its_words() {
    let error = Server::start_with(Kind::Redis, &[("no-such-setting", "1")]).unwrap_err();
    assert!(error.starts_with("NOT RUN: redis: "), "{error}");
    assert!(error.contains("no-such-setting"), "{error}");
}
