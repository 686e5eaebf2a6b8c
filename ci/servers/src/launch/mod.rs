//! Starting servers of our own.

mod cluster;
mod mariadb;
mod postgres;
mod redis;
mod resp;
mod sentinel;
mod template;
mod tls;
pub(crate) mod user;

use std::fmt;
use std::io::{Error, Result};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::Kind;
use crate::guard::Guard;
use crate::place::Place;
use crate::server::Node;

/// How long a server may take to start on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(60);

/// What was started.
#[derive(Debug)]
pub(crate) struct Launched {
    pub(crate) place: Place,
    pub(crate) nodes: Vec<Node>,
    pub(crate) socket: Option<PathBuf>,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) version: String,
    pub(crate) guard: Arc<Guard>,
}

/// Why nothing was started.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A program is missing; the reason says which.
    Missing(String),
    /// The server ended at once, which is what it does when somebody took its port meanwhile.
    Ended(String),
    /// It runs, but does not serve, or nothing could be run at all.
    Broken(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Broken(error.to_string())
    }
}

pub(crate) fn launch(
    kind: Kind,
    settings: &[(&str, &str)],
) -> std::result::Result<Launched, String> {
    let mut last = String::new();
    for _ in 0..5 {
        let launched = match kind {
            Kind::Redis | Kind::Valkey => redis::launch(kind, settings),
            Kind::RedisTls => tls::launch(settings),
            Kind::RedisCluster => cluster::launch(settings),
            Kind::RedisSentinel => sentinel::launch(settings),
            Kind::Postgres => postgres::launch(settings),
            Kind::MariaDb | Kind::MySql => mariadb::launch(kind, settings),
        };
        match launched {
            Ok(launched) => return Ok(launched),
            Err(Failure::Missing(why)) => return Err(kind.not_run(&why)),
            Err(Failure::Broken(why)) => return Err(format!("NOT RUN: {kind}: {why}")),
            Err(Failure::Ended(why)) => last = why,
        }
    }
    Err(format!(
        "NOT RUN: {kind}: it ended as soon as it was started: {last}"
    ))
}

/// When a server may be used.
#[derive(Clone)]
pub(crate) enum Ready {
    /// It answers on this socket to this password.
    Redis { socket: PathBuf, password: String },
    /// It has written so into its data directory.
    Postgres { pid_file: PathBuf },
    /// It greets on this socket.
    MySql { socket: PathBuf },
}

impl Ready {
    fn now(&self, pid: u32) -> bool {
        match self {
            Self::Redis { socket, password } => resp::Link::connect(socket, password)
                .and_then(|mut link| link.ask(&["PING"]))
                .is_ok_and(|answer| answer == "PONG"),
            Self::Postgres { pid_file } => postgres::ready(pid_file, pid),
            Self::MySql { socket } => mariadb::ready(socket),
        }
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Redis { .. } => "Redis",
            Self::Postgres { .. } => "Postgres",
            Self::MySql { .. } => "MySql",
        })
    }
}

impl Node {
    pub(crate) fn start_again(&self) -> std::result::Result<(), Failure> {
        let started = Instant::now();
        loop {
            match self.wait(self.guard.start(&self.name)?) {
                // PostgreSQL's processes may hold the memory of the one that was killed for a while.
                Err(Failure::Ended(_)) if started.elapsed() < START_LIMIT / 4 => pause(),
                result => return result,
            }
        }
    }

    pub(crate) fn wait(&self, pid: u32) -> std::result::Result<(), Failure> {
        let (guard, name) = (&self.guard, &self.name);
        let started = Instant::now();
        while !self.ready.now(pid) {
            if ended(pid) {
                return Err(Failure::Ended(guard.log(name)));
            }
            if started.elapsed() > START_LIMIT {
                let log = guard.log(name);
                return Err(Failure::Broken(format!("it does not answer: {log}")));
            }
            pause();
        }
        Ok(())
    }
}

/// Tries until it holds.
fn until(what: &str, mut holds: impl FnMut() -> Result<bool>) -> std::result::Result<(), Failure> {
    let started = Instant::now();
    while started.elapsed() < START_LIMIT {
        if holds()? {
            return Ok(());
        }
        pause();
    }
    Err(Failure::Broken(format!("{what} takes too long")))
}

/// Between two looks at a server that is starting: it has no other way to tell.
fn pause() {
    std::thread::sleep(Duration::from_millis(10));
}

/// Whether the process has ended; its parent, the shell, has not looked yet.
fn ended(pid: u32) -> bool {
    if !Path::new("/proc/self/stat").exists() {
        return false;
    }
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat
            .rsplit(')')
            .next()
            .is_some_and(|rest| rest.starts_with(" Z")),
        Err(_) => true,
    }
}

/// Ports that nobody listens on.
fn free_ports<const N: usize>() -> Result<[u16; N]> {
    // All are taken before the first is given back, or the same might come twice.
    let mut held = Vec::new();
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}

/// How far a cluster's port for its nodes is from the one for clients; 6.2 knows no other way.
const BUS: u16 = 10_000;

/// Free ports whose neighbours at the distance of [`BUS`] are free as well.
fn free_port_pairs<const N: usize>() -> Result<[u16; N]> {
    let (mut held, mut skipped) = (Vec::new(), Vec::new());
    let mut ports = [0; N];
    for port in &mut ports {
        loop {
            let bus = TcpListener::bind("127.0.0.1:0")?;
            let below = bus.local_addr()?.port().saturating_sub(BUS);
            match TcpListener::bind(("127.0.0.1", below)) {
                Ok(listener) if below > 1_024 => {
                    *port = below;
                    held.push((listener, bus));
                    break;
                }
                _ => skipped.push(bus),
            }
            if skipped.len() > 1_000 {
                return Err(Error::other(
                    "no two free ports have the distance of 10,000",
                ));
            }
        }
    }
    Ok(ports)
}

/// A word of `bytes` random bytes, as hexadecimal digits.
pub(crate) fn word(bytes: usize) -> Result<String> {
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random).map_err(Error::other)?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The program of this name, from the PATH or from one of the other places.
fn find(name: &str, elsewhere: &[PathBuf]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from);
    elsewhere
        .iter()
        .cloned()
        .chain(std::env::split_paths(&path))
        .chain(system)
        .map(|directory| directory.join(name))
        .find(|program| program.is_file())
}

/// Whether Redis may stand in for Valkey and MariaDB for MySQL where those cannot be had. Not unless
/// somebody asks for it: what passes with the one need not pass with the other.
fn stand_ins() -> bool {
    std::env::var_os("SESSION_TEST_STAND_INS").is_some_and(|asked| !asked.is_empty())
}

fn stands_in(kind: Kind, version: &str) -> String {
    format!("{version}, standing in for {kind}")
}

/// What the program says about its version.
fn version(program: &Path) -> Result<String> {
    run(Command::new(program).arg("--version"))
}

/// Runs a program to its end; what it says is the answer, or the error.
fn run(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| {
        let program = command.get_program().to_string_lossy();
        Error::other(format!("{program} cannot be run: {error}"))
    })?;
    if !output.status.success() {
        let program = command.get_program().to_string_lossy();
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Error::other(format!("{program} failed: {}", said.trim())));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(why) | Self::Ended(why) | Self::Broken(why) => f.write_str(why),
        }
    }
}
