//! `PostgreSQL`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use super::template::{as_user, copy, name_of, template};
use super::tls::certificates;
use super::{Failure, Launched, Ready, find, free_ports, run, user, version, word};
use crate::Kind;
use crate::guard::Guard;
use crate::place::Place;
use crate::server::Node;

/// The superuser, and the database.
const NAME: &str = "session";

/// Enough for all the processes of a test run at once; and nothing waits for the disk: what matters
/// here is that a client may die at any time, not the machine.
const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
max_connections = 300
shared_buffers = 64MB
fsync = off
full_page_writes = off
synchronous_commit = off
";

pub(crate) fn launch(settings: &[(&str, &str)]) -> Result<Launched, Failure> {
    let [postgres, initdb, psql] = ["postgres", "initdb", "psql"].map(|name| find(name, &places()));
    let (Some(postgres), Some(initdb), Some(psql)) = (postgres, initdb, psql) else {
        return Err(Failure::Missing(
            "postgres, initdb or psql is missing".into(),
        ));
    };
    // PostgreSQL refuses to run as root.
    let owner = user::other_than_root(&["postgres", "nobody"])?;
    let version = version(&postgres)?;
    let template = template(&name_of(&version), owner, |directory| {
        let mut command = Command::new(&initdb);
        command
            .args(["--username", NAME, "--encoding", "UTF8", "--no-locale"])
            .args(["--auth-local", "trust", "--auth-host", "scram-sha-256"])
            .args(["--no-sync", "--pgdata"])
            .arg(directory);
        run(as_user(&mut command, owner)).map(drop)
    })?;

    // Told to stop at once, it takes along its processes and its shared memory; killed, it does not.
    let guard = Arc::new(Guard::new(owner, "QUIT")?);
    let data = guard.directory().join("data");
    copy(&template, &data, owner)?;
    let [port] = free_ports()?;
    let mut configuration = format!(
        "{SETTINGS}port = {port}\nunix_socket_directories = '{}'\n",
        guard.directory().display()
    );
    let mut ca = None;
    if settings.contains(&("ssl", "on")) {
        let [authority, certificate, key] =
            certificates().map_err(|error| Failure::Broken(error.to_string()))?;
        ca = Some(guard.write("ca.pem", &authority)?);
        let certificate = guard.write("server.pem", &certificate)?;
        let key = guard.write("server.key", &key)?;
        configuration.push_str(&format!(
            "ssl_cert_file = '{}'\nssl_key_file = '{}'\n",
            certificate.display(),
            key.display()
        ));
    }
    for (name, value) in settings {
        configuration.push_str(&format!("{name} = '{}'\n", value.replace('\'', "''")));
    }
    guard.write("data/postgresql.auto.conf", &configuration)?;
    guard.define("server", &postgres, &["-D", &data.to_string_lossy()])?;
    let node = Node {
        name: "server".into(),
        address: ([127, 0, 0, 1], port).into(),
        ready: Ready::Postgres {
            pid_file: data.join("postmaster.pid"),
        },
        guard: Arc::clone(&guard),
    };
    node.wait(guard.start("server")?)?;

    let password = word(24)?;
    let script = guard.write(
        "login.sql",
        &format!("ALTER ROLE {NAME} PASSWORD '{password}';\nCREATE DATABASE {NAME};\n"),
    )?;
    run(Command::new(psql)
        .args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1"])
        .args(["--username", NAME, "--dbname", "postgres"])
        .args(["--port", &port.to_string(), "--host"])
        .arg(guard.directory())
        .arg("--file")
        .arg(script))?;
    Ok(Launched {
        place: Place::new(
            Kind::Postgres.scheme(),
            NAME,
            &password,
            node.address,
            &format!("/{NAME}"),
        ),
        socket: Some(guard.directory().join(format!(".s.PGSQL.{port}"))),
        nodes: vec![node],
        ca,
        version,
        guard,
    })
}

/// Where distributions keep the programs of each version, the newest first.
fn places() -> Vec<PathBuf> {
    let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") else {
        return Vec::new();
    };
    let mut versions: Vec<PathBuf> = versions.flatten().map(|entry| entry.path()).collect();
    versions.sort_by_key(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        std::cmp::Reverse(name.parse::<u32>().unwrap_or(0))
    });
    versions.into_iter().map(|path| path.join("bin")).collect()
}

/// Line 8 of the file that it writes at its start: what `pg_ctl` looks at. The file of one that was
/// killed stays, with another process's id.
pub(crate) fn ready(pid_file: &Path, pid: u32) -> bool {
    std::fs::read_to_string(pid_file).is_ok_and(|file| {
        let mut lines = file.lines();
        let whose = lines.next().and_then(|pid| pid.trim().parse().ok());
        whose == Some(pid) && lines.nth(6).is_some_and(|state| state.trim() == "ready")
    })
}
