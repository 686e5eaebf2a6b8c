//! The program that starts servers for a command.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use test_servers::{Kind, Server};

use crate::support::{listens, start};

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_test-servers"));
    for kind in Kind::ALL {
        command.env_remove(kind.variable());
    }
    command.env_remove("SESSION_TEST_STAND_INS");
    command.args(arguments);
    command
}

fn address(url: &str) -> SocketAddr {
    let (_, rest) = url.split_once('@').unwrap();
    rest.split('/').next().unwrap().parse().unwrap()
}

#[test]
fn the_command_learns_of_the_servers_and_its_status_comes_back() {
    let script = r#"echo "$SESSION_TEST_REDIS_URL"; exit 7"#;
    let output = program(&["redis", "--", "sh", "-c", script])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(7));
    let url = String::from_utf8(output.stdout).unwrap();
    assert!(url.starts_with("redis://"), "{url}");
    assert!(!listens(address(url.trim())));
}

#[test]
fn a_server_that_is_there_is_left_alone() {
    let there = start(Kind::Redis);
    let mut command = program(&[
        "redis",
        "--",
        "sh",
        "-c",
        r#"echo "$SESSION_TEST_REDIS_URL""#,
    ]);
    command.env(Kind::Redis.variable(), there.url());
    let output = command.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), there.url());
    assert!(listens(there.address()));
}

#[test]
fn the_tls_servers_certificate_comes_along() {
    let script = r#"cat "$SESSION_TEST_REDIS_TLS_CA""#;
    let output = program(&["redis-tls", "--", "sh", "-c", script])
        .output()
        .unwrap();
    let ca = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(ca.starts_with("-----BEGIN CERTIFICATE-----"), "{ca}");
}

#[test]
fn being_terminated_ends_the_command_and_then_the_servers() {
    let script = r#"echo "$SESSION_TEST_REDIS_URL"; exec sleep 600"#;
    let mut child = program(&["redis", "--", "sh", "-c", script])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut url).unwrap();
    let address = address(url.trim());
    assert!(listens(address));
    kill_process(
        Pid::from_raw(child.id().try_into().unwrap()).unwrap(),
        Signal::TERM,
    )
    .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(128 + 15));
    assert!(!listens(address));
}

#[test]
fn a_server_that_cannot_be_had_is_a_failure_although_the_command_passes() {
    let output = without_path(&mut program(&["mysql", "--", "echo", "it ran"]));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.stdout, b"it ran\n");
    // Debian's mysqld is MariaDB, and is not taken for MySQL.
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("NOT RUN: mysql: "), "{said}");
    assert!(said.contains("SESSION_TEST_MYSQL_URL"), "{said}");
}

#[test]
fn a_relative_stands_in_where_that_is_asked_for_and_is_named() {
    let mut command = program(&["mysql", "--", "echo", "it ran"]);
    let output = without_path(command.env("SESSION_TEST_STAND_INS", "yes"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("MariaDB"), "{said}");
    assert!(said.contains("standing in for mysql"), "{said}");
}

/// Runs it with a PATH on which MySQL is not.
fn without_path(command: &mut Command) -> Output {
    let paths = std::env::var_os("PATH").unwrap();
    let others = std::env::split_paths(&paths).filter(|path| {
        let version = Command::new(path.join("mysqld")).arg("--version").output();
        version.map_or(true, |said| {
            String::from_utf8_lossy(&said.stdout).contains("MariaDB")
        })
    });
    let others = std::env::join_paths(others).unwrap();
    command.env("PATH", others).output().unwrap()
}

#[test]
fn a_name_that_is_no_kind_is_said_with_those_that_are() {
    let output = program(&["oracle", "--", "true"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("oracle is no kind of server"), "{said}");
    assert!(said.contains("redis-cluster"), "{said}");
}

#[test]
fn a_url_that_cannot_be_used_is_an_error_without_its_password() {
    let script = "TEST_SERVERS_UNUSABLE";
    if std::env::var_os(script).is_some() {
        let error = Server::shared(Kind::Redis).unwrap_err();
        println!("said {error}");
        return;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["program::a_url_that_cannot_be_used_is_an_error_without_its_password"])
        .args(["--exact", "--nocapture"])
        .env(script, "yes")
        .env(Kind::Redis.variable(), "redis://:secret@127.0.0.1:1/0")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        said.contains("said NOT RUN: redis: SESSION_TEST_REDIS_URL names"),
        "{said}"
    );
    assert!(!said.contains("secret"), "{said}");
}

#[test]
fn a_command_that_is_missing_stops_the_servers() {
    let output = program(&["redis", "--", "no-such-command"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("no-such-command cannot be run"), "{said}");
}
