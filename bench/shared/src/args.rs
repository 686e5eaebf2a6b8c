//! The arguments of a stack's program.

use crate::Micro;

/// Where a stack keeps its sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// There are no sessions: the same server without the library.
    None,
    /// The memory of the process.
    Memory,
    /// A Redis server.
    Redis,
    /// A PostgreSQL server.
    Postgres,
    /// A MySQL or MariaDB server.
    MySql,
    /// An SQLite file.
    Sqlite,
    /// A sled directory.
    Sled,
}

/// How this project writes a changed session, for what its safety costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    /// As it does.
    Usual,
    /// The same through a wrapper that does nothing, which the next ones are compared with.
    Safe,
    /// Without a condition: whoever writes last wins.
    Plain,
    /// As `Safe`, and before each write somebody writes another session.
    Company,
    /// As `Safe`, and before each write somebody writes this session: a conflict for every request.
    Conflict,
}

/// What the harness asks of a program:
/// `STORE [--url URL] [--pipelining] [--boxed] [--cached] [--extend] [--writes HOW] [--micro ..]`.
#[derive(Clone, Debug)]
pub struct Args {
    /// Where the sessions are.
    pub store: Store,
    /// The server, file or directory; empty where the store needs none.
    pub url: String,
    /// Whether the store is asked through a client that does not wait for earlier answers.
    pub pipelining: bool,
    /// Whether the store is called through a trait object.
    pub boxed: bool,
    /// Whether the library keeps sessions of the store in its own memory.
    pub cached: bool,
    /// Whether each request extends the session.
    pub extend: bool,
    /// How a changed session is written.
    pub writes: Writes,
    /// What to measure in process, instead of serving.
    pub micro: Option<Micro>,
}

impl Args {
    /// Those of this process.
    ///
    /// # Panics
    ///
    /// With what was expected, where they are something else.
    #[must_use]
    pub fn parse() -> Self {
        let mut words = std::env::args().skip(1);
        let store = match words.next().as_deref() {
            Some("none") => Store::None,
            Some("memory") => Store::Memory,
            Some("redis") => Store::Redis,
            Some("postgres") => Store::Postgres,
            Some("mysql") => Store::MySql,
            Some("sqlite") => Store::Sqlite,
            Some("sled") => Store::Sled,
            other => panic!("the first argument is the store, not {other:?}"),
        };
        let mut args = Self {
            store,
            url: String::new(),
            pipelining: false,
            boxed: false,
            cached: false,
            extend: false,
            writes: Writes::Usual,
            micro: None,
        };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--url" => args.url = words.next().expect("a URL after --url"),
                "--pipelining" => args.pipelining = true,
                "--boxed" => args.boxed = true,
                "--cached" => args.cached = true,
                "--extend" => args.extend = true,
                "--writes" => {
                    args.writes = match words.next().as_deref() {
                        Some("safe") => Writes::Safe,
                        Some("plain") => Writes::Plain,
                        Some("company") => Writes::Company,
                        Some("conflict") => Writes::Conflict,
                        other => panic!("there are no writes {other:?}"),
                    }
                }
                "--micro" => {
                    let mut next = || words.next().expect("three words after --micro");
                    let operation = next();
                    let mut number = || next().parse().expect("a number");
                    let (sessions, threads) = (number(), number());
                    args.micro = Some(Micro {
                        operation,
                        sessions,
                        threads,
                    });
                }
                other => panic!("unknown argument {other}"),
            }
        }
        args
    }

    /// Ends the program: this stack has no such store.
    pub fn unknown_store<T>(&self) -> T {
        panic!("this stack has no store {:?}", self.store)
    }
}
