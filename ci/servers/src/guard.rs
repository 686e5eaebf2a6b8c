//! What stands between this process and its servers, so that they end with it.

use std::fs::{DirBuilder, Permissions};
use std::io::{BufRead, BufReader, Error, Result, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::launch::user::{self, User};

const SCRIPT: &str = include_str!("guard.sh");

/// The variable that says where to put the servers' directories, if not where temporary files are.
pub(crate) const DIRECTORY: &str = "SESSION_TEST_DIRECTORY";

/// A directory, and the servers that run in it. Both go with this value, or with this process.
#[derive(Debug)]
pub(crate) struct Guard {
    directory: PathBuf,
    user: Option<User>,
    shell: Mutex<Shell>,
}

#[derive(Debug)]
struct Shell {
    process: Child,
    answers: BufReader<ChildStdout>,
}

impl Guard {
    /// A new directory, for servers which run as `user` and are stopped with the signal `stop`.
    pub(crate) fn new(user: Option<User>, stop: &str) -> Result<Self> {
        let parent = match std::env::var_os(DIRECTORY) {
            Some(parent) => parent.into(),
            None => user::directory(user)?,
        };
        let directory = parent.join(format!("test-servers-{}", crate::launch::word(8)?));
        DirBuilder::new().mode(0o700).create(&directory)?;
        let mut command = Command::new("sh");
        command
            .args(["-c", SCRIPT, "test-servers"])
            .arg(&directory)
            .arg(stop)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // What the terminal sends at Ctrl-C is for us; the servers go when we have gone.
            .process_group(0);
        if let Some(user) = user {
            chown(&directory, Some(user.uid), Some(user.gid))?;
            command.uid(user.uid).gid(user.gid);
        }
        let mut process = command.spawn()?;
        let output = process.stdout.take().ok_or_else(|| broken("no output"))?;
        let shell = Mutex::new(Shell {
            process,
            answers: BufReader::new(output),
        });
        Ok(Self {
            directory,
            user,
            shell,
        })
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Writes a file that the servers alone can read.
    pub(crate) fn write(&self, name: &str, contents: &str) -> Result<PathBuf> {
        let path = self.directory.join(name);
        std::fs::write(&path, contents)?;
        std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        self.give(&path)?;
        Ok(path)
    }

    pub(crate) fn make_directory(&self, name: &str) -> Result<PathBuf> {
        let path = self.directory.join(name);
        DirBuilder::new().mode(0o700).create(&path)?;
        self.give(&path)?;
        Ok(path)
    }

    fn give(&self, path: &Path) -> Result<()> {
        match self.user {
            Some(user) => chown(path, Some(user.uid), Some(user.gid)),
            None => Ok(()),
        }
    }

    /// Says how the server of this name is started; a name consists of letters, digits and `_`.
    pub(crate) fn define(&self, name: &str, program: &Path, arguments: &[&str]) -> Result<()> {
        let mut line = format!("exec {}", quote(&program.to_string_lossy()));
        for argument in arguments {
            line.push(' ');
            line.push_str(&quote(argument));
        }
        line.push('\n');
        self.write(&format!("{name}.run"), &line).map(drop)
    }

    /// Starts the server of this name; what it answers is the process's id.
    pub(crate) fn start(&self, name: &str) -> Result<u32> {
        let answer = self.ask(&format!("start {name}"))?;
        answer.parse().map_err(|_| broken("no process was started"))
    }

    /// Kills the server of this name, and waits until it is gone.
    pub(crate) fn kill(&self, name: &str) -> Result<()> {
        self.ask(&format!("kill {name}")).map(drop)
    }

    /// Halts the server of this name, with its connections open.
    pub(crate) fn pause(&self, name: &str) -> Result<()> {
        self.ask(&format!("stop {name}")).map(drop)
    }

    /// Lets it go on.
    pub(crate) fn resume(&self, name: &str) -> Result<()> {
        self.ask(&format!("cont {name}")).map(drop)
    }

    fn ask(&self, line: &str) -> Result<String> {
        let mut shell = self.lock();
        let input = shell.process.stdin.as_mut();
        let input = input.ok_or_else(|| broken("the shell has ended"))?;
        input.write_all(format!("{line}\n").as_bytes())?;
        let mut answer = String::new();
        shell.answers.read_line(&mut answer)?;
        Ok(answer.trim_end().to_owned())
    }

    /// The last lines that the server said.
    pub(crate) fn log(&self, name: &str) -> String {
        let log = std::fs::read(self.directory.join(format!("{name}.log"))).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(8)..].join("\n")
    }

    fn lock(&self) -> MutexGuard<'_, Shell> {
        self.shell.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut shell = self.lock();
        drop(shell.process.stdin.take());
        let _ = shell.process.wait();
        // Empty by now; another user's shell cannot remove it from a directory that is ours alone.
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// A word for the shell that stands for exactly this text.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn broken(what: &str) -> Error {
    Error::other(format!("the shell that guards the servers: {what}"))
}
