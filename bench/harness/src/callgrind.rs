//! Counting a server's instructions and allocations with Valgrind.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::child::Server;

/// What a program did since it was last asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) instructions: u64,
    pub(crate) allocations: u64,
}

/// Where a program's counts go.
pub(crate) struct Profiler {
    directory: TempDir,
    words: Vec<String>,
}

impl Profiler {
    pub(crate) fn new() -> Result<Self, String> {
        let found = Command::new("valgrind").arg("--version").output();
        if !found.is_ok_and(|output| output.status.success()) {
            return Err("NOT RUN: install valgrind (Debian: apt-get install valgrind)".to_owned());
        }
        let directory = TempDir::new().map_err(|error| error.to_string())?;
        let file = directory.path().join("counts");
        let words = vec![
            "valgrind".to_owned(),
            "--quiet".to_owned(),
            "--tool=callgrind".to_owned(),
            "--compress-strings=no".to_owned(),
            format!("--callgrind-out-file={}", file.display()),
        ];
        Ok(Self { directory, words })
    }

    /// What to put before a program's command.
    pub(crate) fn command(&self) -> Vec<&str> {
        self.words.iter().map(String::as_str).collect()
    }

    /// Counts from nothing again.
    pub(crate) fn reset(&self, server: &Server) -> Result<(), String> {
        control(server, "--zero")
    }

    /// What was counted since the last reset.
    pub(crate) fn read(&self, server: &Server) -> Result<Counted, String> {
        control(server, "--dump")?;
        let newest = self.newest().ok_or("callgrind wrote no counts")?;
        let text = std::fs::read_to_string(newest).map_err(|error| error.to_string())?;
        parse(&text).ok_or_else(|| "callgrind's counts have no totals".to_owned())
    }

    /// Dumps are numbered: `counts.1`, `counts.2`.
    fn newest(&self) -> Option<PathBuf> {
        let files = std::fs::read_dir(self.directory.path()).ok()?.flatten();
        let number = |path: &Path| path.extension()?.to_str()?.parse::<u32>().ok();
        let files = files
            .map(|file| file.path())
            .filter(|path| number(path).is_some());
        files.max_by_key(|path| number(path))
    }
}

fn control(server: &Server, what: &str) -> Result<(), String> {
    let done = Command::new("callgrind_control")
        .args([what, &server.id().to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match done {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("callgrind_control {what}: {status}")),
        Err(error) => Err(format!("callgrind_control: {error}")),
    }
}

/// Callgrind's format: `cfn=NAME` and, in the next line, `calls=COUNT PLACE`; the sum of all in
/// `totals`.
fn parse(text: &str) -> Option<Counted> {
    const ALLOCATE: [&str; 6] = [
        "malloc",
        "calloc",
        "realloc",
        "posix_memalign",
        "memalign",
        "aligned_alloc",
    ];
    let mut calls = HashMap::<&str, u64>::new();
    let mut called = "";
    let mut instructions = None;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("cfn=") {
            called = name;
        } else if let Some(count) = line.strip_prefix("calls=") {
            let count = count.split(' ').next()?.parse::<u64>().ok()?;
            *calls.entry(called).or_default() += count;
        } else if let Some(total) = line.strip_prefix("totals: ") {
            instructions = total.trim().parse().ok();
        }
    }
    let allocations = ALLOCATE.iter().filter_map(|name| calls.get(name)).sum();
    Some(Counted {
        instructions: instructions?,
        allocations,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_allocate_are_summed_up() {
        let text = "fn=main\n3 4\ncfn=malloc\ncalls=2 10\n3 40\ncfn=free\ncalls=2 10\n4 4\n\
                    fn=other\ncfn=realloc\ncalls=1 10\n3 4\ntotals: 1234\n";
        let counted = Counted {
            instructions: 1234,
            allocations: 3,
        };
        assert_eq!(parse(text), Some(counted));
    }
}
