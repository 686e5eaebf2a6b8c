//! Runs a command with servers: `test-servers KIND.. -- COMMAND ARGUMENT..`.
//!
//! Starts those that the environment does not name, tells the command of them through the variables
//! that [`Kind::variable`] names, and stops them when it has ended, whatever ends it. Its status is
//! the command's. Where a server cannot be had, the command runs all the same, and the status is a
//! failure.

use std::io::{Write, stderr};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode, ExitStatus};

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use test_servers::{Kind, Server};

/// Where the rules leave their results, if anywhere.
const RESULTS: &str = "SESSION_CONFORMANCE_RESULTS";

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            say(&error);
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<ExitCode, String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut parts = arguments.splitn(2, |argument| argument == "--");
    let kinds: Result<Vec<Kind>, String> = parts
        .next()
        .unwrap_or_default()
        .iter()
        .map(|name| name.parse())
        .collect();
    let kinds = kinds?;
    let usage = "usage: test-servers KIND.. -- COMMAND ARGUMENT..";
    let (program, arguments) = parts.next().and_then(<[_]>::split_first).ok_or(usage)?;

    // From here on a signal ends the command first, then the servers.
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM]).map_err(|error| error.to_string())?;
    let started = std::thread::scope(|scope| {
        let kinds = kinds
            .iter()
            .filter(|kind| std::env::var_os(kind.variable()).is_none());
        let starting: Vec<_> = kinds
            .map(|&kind| scope.spawn(move || Server::start(kind)))
            .collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| thread.join();
        starting
            .into_iter()
            .filter_map(|thread| join(thread).ok())
            .collect::<Vec<_>>()
    });
    let mut servers = Vec::new();
    let mut complete = true;
    for server in started {
        match server {
            Ok(server) => servers.push(server),
            Err(why) => {
                say(&why);
                complete = false;
            }
        }
    }
    if signals.pending().next().is_some() {
        return Ok(ExitCode::from(130));
    }

    for server in &servers {
        say(&format!(
            "{}: {}",
            server.kind(),
            server.version().unwrap_or_default()
        ));
    }
    note_versions(&servers).map_err(|error| format!("{RESULTS}: {error}"))?;

    let mut command = Command::new(program);
    command.args(arguments);
    command.envs(servers.iter().flat_map(Server::variables));
    let mut child = command
        .spawn()
        .map_err(|error| format!("{program} cannot be run: {error}"))?;
    let handle = signals.handle();
    let forwarding = std::thread::spawn({
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        move || {
            for signal in signals.forever() {
                // The terminal sends its own to the command as well.
                let signal = match signal {
                    SIGTERM => Signal::TERM,
                    SIGHUP => Signal::HUP,
                    _ => continue,
                };
                if let Some(pid) = pid {
                    let _ = kill_process(pid, signal);
                }
            }
        }
    });
    let status = child.wait().map_err(|error| error.to_string())?;
    handle.close();
    let _ = forwarding.join();
    drop(servers);
    Ok(match code(status) {
        0 if !complete => ExitCode::FAILURE,
        code => ExitCode::from(code),
    })
}

/// Says beside the results what they were had with.
fn note_versions(servers: &[Server]) -> std::io::Result<()> {
    let Some(directory) = std::env::var_os(RESULTS) else {
        return Ok(());
    };
    let mut lines = String::new();
    for server in servers {
        let version = server.version().unwrap_or_default();
        lines.push_str(&format!("{}\t{version}\n", server.kind()));
    }
    std::fs::write(PathBuf::from(directory).join("servers.tsv"), lines)
}

fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| Some(128 + status.signal()?));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

fn say(what: &str) {
    let _ = writeln!(stderr(), "test-servers: {what}");
}
