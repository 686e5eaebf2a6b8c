//! A stack's program: started, found, weighed and stopped.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::machine::Pinning;
use crate::stack::{Program, Stack};

/// Where the programs are: next to this one.
fn programs() -> PathBuf {
    let own = std::env::current_exe().expect("the path of this program");
    own.parent().expect("a directory").to_owned()
}

/// The command of a stack, without its arguments.
pub(crate) fn command(program: Program) -> Vec<String> {
    if program == Program::Express {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../stacks/express/server.js");
        return vec!["node".to_owned(), script.to_owned()];
    }
    let path = programs().join(program.package());
    vec![path.to_string_lossy().into_owned()]
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
}

impl Server {
    /// Starts a stack on the server's CPU; `flags` follow its arguments, and `wrapper` comes before
    /// its command, such as a profiler.
    pub(crate) fn start(
        stack: Stack,
        url: &str,
        flags: &[&str],
        pinning: Pinning,
        wrapper: &[&str],
    ) -> Result<Self, String> {
        let mut words = pinning.server_prefix();
        words.extend(wrapper.iter().map(|&word| word.to_owned()));
        words.extend(command(stack.program));
        words.push(stack.store.name().to_owned());
        if !url.is_empty() {
            words.extend(["--url".to_owned(), url.to_owned()]);
        }
        let flags = stack.variant.flags().iter().chain(flags);
        words.extend(flags.map(|&flag| flag.to_owned()));
        let mut child = Command::new(&words[0])
            .args(&words[1..])
            .env("NODE_ENV", "production")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", words[0]))?;
        let output = child.stdout.take().expect("piped");
        let port = read_port(output)
            .ok_or_else(|| format!("{} ended before it served; see above", stack.name()))?;
        Ok(Self { child, port })
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The CPU time of all its threads so far, in nanoseconds.
    pub(crate) fn cpu(&self) -> u64 {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let threads = threads.into_iter().flatten().flatten();
        threads
            .filter_map(|thread| {
                let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
                text.split(' ').next()?.parse::<u64>().ok()
            })
            .sum()
    }

    /// Closes its input, which ends it, and waits for that.
    pub(crate) fn stop(mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a program finds when it measures its store by itself, `--micro OPERATION SESSIONS THREADS`.
/// A process of its own for each measurement, so that none inherits another's heap.
pub(crate) fn micro(
    pinning: Pinning,
    stack: Stack,
    url: &str,
    micro: [&str; 3],
) -> Result<Value, String> {
    let mut words = pinning.micro_prefix();
    words.extend(command(stack.program));
    let mut arguments = vec![stack.store.name(), "--url", url];
    arguments.extend(stack.variant.flags());
    arguments.push("--micro");
    let output = Command::new(&words[0])
        .args(&words[1..])
        .args(arguments.into_iter().chain(micro))
        .output()
        .map_err(|error| format!("{}: {error}", words[0]))?;
    serde_json::from_slice(&output.stdout).map_err(|_| {
        let said = String::from_utf8_lossy(&output.stderr);
        format!("{}, {}: {said}", stack.name(), micro[0])
    })
}

fn read_port(output: impl std::io::Read) -> Option<u16> {
    let mut lines = BufReader::new(output).lines();
    lines.find_map(|line| line.ok()?.strip_prefix("port ")?.parse().ok())
}
