//! A process that writes and is killed: for [`Hooks::write_and_crash`](crate::Hooks).
//!
//! The test program is started again, as a child that does nothing but open the store and apply
//! the writes. It says when the last one has returned, and is killed with SIGKILL at once: whatever
//! the store still held in that process's memory is gone.
//!
//! The child needs a place to begin at. Under [`suite!`](crate::suite) that is a test of its own,
//! whose body is one call of [`child`]:
//!
//! ```
//! # use session_conformance::__doc::MapStore;
//! # use session_core::Clock;
//! use session_conformance::{NotRun, Write, crash};
//!
//! #[test]
//! fn writes_and_is_killed() {
//!     crash::child(async |arguments| {
//!         let [path] = &arguments[..] else { panic!("one path") };
//! #       drop(path);
//! #       let open = |_: &str| async { session_core::Result::Ok(MapStore::with_clock(Clock::system())) };
//!         open(path).await
//!     });
//! }
//!
//! // In the harness's hooks:
//! async fn write_and_crash(path: &str, writes: Vec<Write>) -> Result<(), NotRun> {
//!     crash::Child::test("writes_and_is_killed").argument(path).write(&writes)
//! }
//! ```
//!
//! With `harness = false`, `main` calls [`child`] before anything else, and the parent says
//! [`Child::main`].
//!
//! A store that one process alone can have open is closed before [`Child::write`], and opened anew
//! afterwards; the child has ended, and with it its locks, when that returns.

#![expect(
    clippy::test_attr_in_doctest,
    reason = "the example shows where the child begins; that is a test"
)]

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use session_core::{Record, SessionCookie, SessionId, Store, StoredExpiry};

use crate::{NotRun, Write};

/// Set in the child's environment.
const CHILD: &str = "SESSION_CONFORMANCE_CRASH_CHILD";
/// What the child says, at the end of a line, when every write has returned.
const DONE: &str = "session-conformance: every write has returned";
/// The same, followed by what went wrong.
const FAILED: &str = "session-conformance: the child failed: ";

/// What the child is told: one line of JSON on its standard input.
#[derive(Deserialize, Serialize)]
struct Orders {
    arguments: Vec<String>,
    writes: Vec<Order>,
}

#[derive(Deserialize, Serialize)]
enum Order {
    Set(String, Text),
    Destroy(String),
    Create(String, Text),
    Replace(String, Text, Text),
    Touch(String, Option<u64>),
    Clear,
}

/// A record: the JSON and the expiry, in milliseconds since 1970.
#[derive(Deserialize, Serialize)]
struct Text(String, Option<u64>);

/// This program, to be started once more to write and be killed.
#[derive(Debug)]
pub struct Child {
    test: Option<String>,
    arguments: Vec<String>,
}

impl Child {
    /// The child begins in this test, named as `cargo test -- --list` does, whose body is a call of
    /// [`child`].
    #[must_use]
    pub fn test(name: &str) -> Self {
        Self {
            test: Some(name.into()),
            arguments: Vec::new(),
        }
    }

    /// The child begins in the program's `main`, which calls [`child`] first.
    #[must_use]
    pub fn main() -> Self {
        Self {
            test: None,
            arguments: Vec::new(),
        }
    }

    /// Adds something that the child needs to open the store: a path, a URL, a prefix. It travels
    /// through a pipe, so that no list of processes shows it.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Starts the child, and kills it as soon as its last write has returned.
    ///
    /// # Errors
    ///
    /// [`NotRun`] if the child cannot be started, or ended before all its writes had returned; with
    /// the store's error, if that is what ended it.
    pub fn write(self, writes: &[Write]) -> Result<(), NotRun> {
        let mut orders = serde_json::to_vec(&Orders {
            arguments: self.arguments,
            writes: writes.iter().map(Order::of).collect(),
        })?;
        orders.push(b'\n');
        let mut command = Command::new(std::env::current_exe()?);
        if let Some(test) = &self.test {
            command.args([test, "--exact", "--nocapture", "--test-threads", "1"]);
        }
        let mut child = command
            .env(CHILD, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let no_pipe = || NotRun::because("the child has no pipe");
        // Open until the kill: the child waits for its end.
        let mut input = child.stdin.take().ok_or_else(no_pipe)?;
        let output = BufReader::new(child.stdout.take().ok_or_else(no_pipe)?);
        // A child that is gone already has said why, or is reported below.
        let _ = input.write_all(&orders);
        let mut failed = String::from("it ended before its writes had returned");
        let mut done = false;
        for line in output.lines().map_while(Result::ok) {
            if line.ends_with(DONE) {
                done = true;
                break;
            }
            if let Some((_, why)) = line.split_once(FAILED) {
                failed = why.into();
            }
        }
        child.kill()?;
        child.wait()?;
        if done {
            Ok(())
        } else {
            Err(NotRun::because(format!("the writing process: {failed}")))
        }
    }
}

/// The child's part: opens the store with [`Child::argument`]s, applies the writes and waits to be
/// killed. In any other process it does nothing.
pub fn child<S: Store>(open: impl AsyncFnOnce(Vec<String>) -> session_core::Result<S>) {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let line = match work(open) {
        Ok(_store) => {
            say(DONE);
            // The store is not dropped: a kill gives no time for that. The parent's end ends this.
            let _ = std::io::stdin().read(&mut [0]);
            std::process::exit(0);
        }
        Err(NotRun(why)) => format!("{FAILED}{}", why.replace('\n', " ")),
    };
    say(&line);
    std::process::exit(1);
}

/// Past the test runner's capture, which the parent has switched off in any case.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// The store and its runtime stay alive in what this returns.
fn work<S: Store>(
    open: impl AsyncFnOnce(Vec<String>) -> session_core::Result<S>,
) -> Result<(S, tokio::runtime::Runtime), NotRun> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let orders: Orders = serde_json::from_str(&line)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let store = runtime.block_on(async {
        let store = open(orders.arguments).await?;
        for order in orders.writes {
            order.write()?.apply(&store).await?;
        }
        Ok::<_, NotRun>(store)
    })?;
    Ok((store, runtime))
}

impl Order {
    fn of(write: &Write) -> Self {
        let id = |id: &SessionId| id.as_str().to_owned();
        match write {
            Write::Set(of, record) => Self::Set(id(of), Text::of(record)),
            Write::Destroy(of) => Self::Destroy(id(of)),
            Write::Create(of, record) => Self::Create(id(of), Text::of(record)),
            Write::Replace(of, old, new) => Self::Replace(id(of), Text::of(old), Text::of(new)),
            Write::Touch(of, cookie) => Self::Touch(id(of), cookie.expires().map(millis)),
            Write::Clear => Self::Clear,
        }
    }

    fn write(self) -> Result<Write, NotRun> {
        let id = |id: String| SessionId::new(id);
        Ok(match self {
            Self::Set(of, text) => Write::Set(id(of)?, text.record()?),
            Self::Destroy(of) => Write::Destroy(id(of)?),
            Self::Create(of, text) => Write::Create(id(of)?, text.record()?),
            Self::Replace(of, old, new) => Write::Replace(id(of)?, old.record()?, new.record()?),
            Self::Touch(of, ends) => {
                let mut cookie = SessionCookie::new();
                cookie.set_expires(ends.map(time), SystemTime::UNIX_EPOCH);
                Write::Touch(id(of)?, cookie)
            }
            Self::Clear => Write::Clear,
        })
    }
}

impl Text {
    fn of(record: &Record) -> Self {
        Self(record.json().into(), record.expires().map(millis))
    }

    fn record(self) -> Result<Record, NotRun> {
        Ok(Record::decode(
            self.0,
            StoredExpiry::from(self.1.map(time)),
        )?)
    }
}

fn time(millis: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
}

/// Since 1970: what ended before has ended.
fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}
