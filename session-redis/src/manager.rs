use std::io;
use std::panic::AssertUnwindSafe;
#[cfg(feature = "sentinel")]
use std::sync::Arc;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use redis::Client;
use tokio::runtime::{Handle, Id};
use tokio::time::timeout;

use crate::connection::Connection;
use crate::connector::Connector;
use crate::error::Failure;
#[cfg(feature = "sentinel")]
use crate::sentinel::Sentinels;

/// One connection that all operations of a runtime share, made when it is first needed and made
/// again when it is lost.
///
/// This is not the redis crate's `ConnectionManager`, because that one (in 1.8)
/// - keeps the failure of an attempt to reconnect for the next command, however much later that
///   comes: the first session after an outage would fail although the server is back;
/// - keeps a connection whose answers time out: when a host has vanished without a word, every
///   command would wait in vain until TCP gives up, a quarter of an hour later;
/// - is made again by tasks of the runtime that it was made on, and learns of its end by failing a
///   command when that runtime has ended, by RESP2 always.
///
/// Here an operation that finds no connection has all the time for connecting to itself, and the
/// connection says itself when it ends. No command is ever sent twice.
///
/// A connection is served by the runtime that it was made on, which may rest while others wait for
/// it: each runtime has its own.
pub(crate) struct Manager {
    target: Target,
    connector: Connector,
    /// The latest of each runtime.
    attempts: Mutex<Vec<Attempt>>,
}

/// What a manager leads to.
#[derive(Clone)]
pub(crate) enum Target {
    Server(Box<Client>),
    /// Whoever is the master at the moment of connecting.
    #[cfg(feature = "sentinel")]
    Master(Arc<Sentinels>),
}

impl Target {
    async fn connect(&self, connector: &Connector) -> Result<Connection, Failure> {
        match self {
            Self::Server(client) => connector.connect(client, None).await,
            #[cfg(feature = "sentinel")]
            Self::Master(sentinels) => sentinels.connect(connector).await,
        }
    }
}

/// A connection that is being made, that stands, or that is lost.
#[derive(Clone)]
struct Attempt {
    connection: Shared<BoxFuture<'static, Result<Connection, Failure>>>,
    since: Instant,
    /// Where it is made.
    runtime: Option<Id>,
}

impl Manager {
    pub(crate) fn new(target: Target, connector: Connector) -> Self {
        Self {
            target,
            connector,
            attempts: Mutex::default(),
        }
    }

    /// The connection, made if there is none.
    pub(crate) async fn connection(&self) -> Result<Connection, Failure> {
        if let Some(mut connection) = self.standing()
            && connection.is_alive(self.connector.limits.trust).await
        {
            return Ok(connection);
        }
        let began = Instant::now();
        let attempt = self.attempt();
        match attempt.connection.await {
            // Another operation's attempt: there was less time than this one may take.
            Err(failure) if attempt.since < began && !failure.is_config() => {
                let left = self
                    .connector
                    .limits
                    .connect
                    .saturating_sub(began.elapsed());
                let again = timeout(left, self.attempt().connection).await;
                again.unwrap_or(Err(failure))
            }
            connection => connection,
        }
    }

    /// The connection of this runtime, if it stands.
    fn standing(&self) -> Option<Connection> {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        // Where there is one alone, nobody has to ask the time.
        if attempts.len() > 1 {
            self.drop_lost(&mut attempts);
        }
        let here = runtime();
        let mut own = attempts.iter().filter(|attempt| attempt.runtime == here);
        own.find_map(|attempt| attempt.standing().cloned())
    }

    /// Of runtimes that have ended, for instance.
    fn drop_lost(&self, attempts: &mut Vec<Attempt>) {
        let limit = self.connector.limits.connect;
        attempts.retain(|attempt| attempt.standing().is_some() || attempt.is_pending(limit));
    }

    /// The attempt of this runtime that has led to a connection or is under way, or a new one.
    fn attempt(&self) -> Attempt {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        self.drop_lost(&mut attempts);
        let here = runtime();
        if let Some(own) = attempts.iter().find(|attempt| attempt.runtime == here) {
            return own.clone();
        }
        let attempt = Attempt::new(self.target.clone(), self.connector.clone());
        attempts.push(attempt.clone());
        attempt
    }
}

impl Attempt {
    fn new(target: Target, connector: Connector) -> Self {
        // A panic (of the caller's resolver, say) is the end of this attempt. Without the catch it
        // would come again from everybody who looks at the shared future, for ever.
        let connection = AssertUnwindSafe(async move { target.connect(&connector).await })
            .catch_unwind()
            .map(|connection| connection.unwrap_or_else(|_| Err(panicked())))
            .boxed()
            .shared();
        Self {
            connection,
            since: Instant::now(),
            runtime: runtime(),
        }
    }

    fn standing(&self) -> Option<&Connection> {
        let connection = self.connection.peek()?.as_ref().ok()?;
        (!connection.is_lost()).then_some(connection)
    }

    /// One that nobody has waited for to its end (their requests were cancelled) has run out of
    /// time although it need not fail.
    fn is_pending(&self, limit: Duration) -> bool {
        self.connection.peek().is_none() && self.since.elapsed() <= limit
    }
}

fn runtime() -> Option<Id> {
    Handle::try_current().ok().map(|handle| handle.id())
}

fn panicked() -> Failure {
    let error = io::Error::other("connecting panicked; the panic's own message says where");
    Failure::Connecting(error.into())
}
