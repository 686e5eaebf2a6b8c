//! `MariaDB` and `MySQL`.

use std::io::{Read, Result};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use super::template::{as_user, copy, name_of, template};
use super::tls::certificates;
use super::{
    Failure, Launched, Ready, find, free_ports, run, stand_ins, stands_in, user, version, word,
};
use crate::Kind;
use crate::guard::Guard;
use crate::place::Place;
use crate::server::Node;

/// The user, who may do everything, and the database.
const NAME: &str = "session";

/// Enough connections for all the processes of a test run at once, room for a record of 16 MiB, and
/// nothing waits for the disk.
const SETTINGS: &str = "[mysqld]
bind-address = 127.0.0.1
skip-log-bin
skip-name-resolve
max_connections = 300
max_connect_errors = 1000000
max_allowed_packet = 64M
performance_schema = OFF
innodb_buffer_pool_size = 64M
innodb_flush_log_at_trx_commit = 2
innodb_doublewrite = OFF
";

pub(crate) fn launch(
    kind: Kind,
    settings: &[(&str, &str)],
) -> std::result::Result<Launched, Failure> {
    let (program, version) = program(kind)?;
    let mariadb = version.contains("MariaDB");
    let template = template(&name_of(&version), None, |directory| {
        let mut command = if mariadb {
            let mut command = Command::new("mariadb-install-db");
            command.args(["--no-defaults", "--auth-root-authentication-method=normal"]);
            command.arg("--skip-test-db");
            command
        } else {
            let mut command = Command::new(&program);
            command.args(["--no-defaults", "--initialize-insecure"]);
            command
        };
        if user::is_root() {
            command.arg("--user=root");
        }
        command.arg(format!("--datadir={}", directory.display()));
        run(as_user(&mut command, None)).map(drop)
    })?;

    let guard = Arc::new(Guard::new(None, "KILL")?);
    let data = guard.directory().join("data");
    copy(&template, &data, None)?;
    let [port] = free_ports()?;
    let password = word(24)?;
    // Made again whenever the server starts: each statement holds the second time too.
    let login = guard.write(
        "login.sql",
        &format!(
            "CREATE DATABASE IF NOT EXISTS {NAME};\n\
             CREATE USER IF NOT EXISTS '{NAME}'@'%' IDENTIFIED BY '{password}';\n\
             GRANT ALL ON *.* TO '{NAME}'@'%' WITH GRANT OPTION;\n\
             ALTER USER 'root'@'localhost' IDENTIFIED BY '{password}';\n"
        ),
    )?;
    let socket = guard.directory().join("socket");
    let mut configuration = format!(
        "{SETTINGS}port = {port}\ndatadir = {}\nsocket = {}\npid-file = {}\ninit-file = {}\n",
        data.display(),
        socket.display(),
        guard.directory().join("pid").display(),
        login.display()
    );
    if !mariadb {
        configuration.push_str("mysqlx = OFF\nsecure-file-priv = NULL\n");
    }
    if user::is_root() {
        configuration.push_str("user = root\n");
    }
    let mut ca = None;
    if settings.contains(&("ssl", "on")) {
        let [authority, certificate, key] =
            certificates().map_err(|error| Failure::Broken(error.to_string()))?;
        ca = Some(guard.write("ca.pem", &authority)?);
        let certificate = guard.write("server.pem", &certificate)?;
        let key = guard.write("server.key", &key)?;
        configuration.push_str(&format!(
            "ssl_cert = {}\nssl_key = {}\n",
            certificate.display(),
            key.display()
        ));
    }
    for (name, value) in settings {
        configuration.push_str(&format!("{name} = {value}\n"));
    }
    let configuration = guard.write("my.cnf", &configuration)?;
    let defaults = format!("--defaults-file={}", configuration.display());
    guard.define("server", &program, &[&defaults])?;
    let node = Node {
        name: "server".into(),
        address: ([127, 0, 0, 1], port).into(),
        ready: Ready::MySql {
            socket: socket.clone(),
        },
        guard: Arc::clone(&guard),
    };
    node.wait(guard.start("server")?)?;
    Ok(Launched {
        place: Place::new(
            kind.scheme(),
            NAME,
            &password,
            node.address,
            &format!("/{NAME}"),
        ),
        socket: Some(socket),
        nodes: vec![node],
        ca,
        version,
        guard,
    })
}

/// The program of this kind, and what it says about its version: either may be called `mysqld`.
fn program(kind: Kind) -> std::result::Result<(PathBuf, String), Failure> {
    let mut others = Vec::new();
    for name in ["mariadbd", "mysqld"] {
        let Some(program) = find(name, &[]) else {
            continue;
        };
        let version = version(&program)?;
        if version.contains("MariaDB") == (kind == Kind::MariaDb) {
            return Ok((program, version));
        }
        others.push((program, version));
    }
    match others.pop() {
        Some((program, version)) if kind == Kind::MySql && stand_ins() => {
            Ok((program, stands_in(kind, &version)))
        }
        Some((program, version)) => {
            let program = program.display();
            Err(Failure::Missing(format!("{program} is {version}")))
        }
        None => Err(Failure::Missing("there is no such program".into())),
    }
}

/// Whether it greets, with a packet that begins with the number of the protocol.
pub(crate) fn ready(socket: &Path) -> bool {
    let greeting = || -> Result<[u8; 5]> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        let mut bytes = [0; 5];
        stream.read_exact(&mut bytes)?;
        Ok(bytes)
    };
    greeting().is_ok_and(|bytes| bytes[4] == 10)
}
