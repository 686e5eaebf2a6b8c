use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use redis::aio::{MultiplexedConnection, SendError};
use redis::{AsyncConnectionConfig, Client, Cmd, Pipeline, RedisError, RedisResult, Value};

use crate::connection::{Answers, Failure};

/// One connection that all operations share, made when it is first needed and made again when it
/// is lost.
///
/// This is not the redis crate's `ConnectionManager`, because that one
/// - keeps the failure of an attempt to reconnect for the next command, however much later that
///   comes: the first session after an outage would fail although the server is back;
/// - keeps a connection whose answers time out: when a host has vanished without a word, every
///   command would wait in vain until TCP gives up, a quarter of an hour later;
/// - learns of a lost connection by failing a command, also when the connection was lost long
///   before, or with the runtime that it was made on.
///
/// Here an operation that finds no connection waits for an attempt of its own time, and the
/// connection says itself when it ends. No command is ever sent twice.
pub(crate) struct Link {
    client: Client,
    limits: Limits,
    current: Mutex<Option<Arc<Attempt>>>,
}

/// How long to wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) connect: Duration,
    pub(crate) response: Duration,
}

/// A connection that is being made, that stands, or that is lost.
struct Attempt {
    connection: Shared<BoxFuture<'static, RedisResult<MultiplexedConnection>>>,
    since: Instant,
    lost: Arc<AtomicBool>,
}

/// Lives as long as the task that drives a connection.
struct Pulse(Arc<AtomicBool>);

impl Drop for Pulse {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Link {
    pub(crate) fn new(client: Client, limits: Limits) -> Self {
        Self {
            client,
            limits,
            current: Mutex::new(None),
        }
    }

    /// Makes the connection if there is none.
    pub(crate) async fn connect(&self) -> Result<(), Failure> {
        self.connection().await.map(drop)
    }

    pub(crate) async fn command(&self, command: &Cmd) -> Result<Value, Failure> {
        let (mut connection, lost) = self.connection().await?;
        let answer = command.query_async(&mut connection).await;
        answer.map_err(|error| judge(error, &lost))
    }

    pub(crate) async fn pipeline(&self, pipeline: &Pipeline) -> Result<Answers, Failure> {
        let (mut connection, lost) = self.connection().await?;
        let answers = pipeline.query_async(&mut connection).await;
        answers.map_err(|error| judge(error, &lost))
    }

    async fn connection(&self) -> Result<(MultiplexedConnection, Arc<AtomicBool>), Failure> {
        let attempt = self.attempt();
        match attempt.connection.clone().await {
            Ok(connection) => Ok((connection, Arc::clone(&attempt.lost))),
            Err(error) => {
                attempt.lost.store(true, Ordering::SeqCst);
                Err(Failure::Connecting(error))
            }
        }
    }

    /// The current attempt, or a new one if that is of no use any more.
    fn attempt(&self) -> Arc<Attempt> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match &*current {
            Some(attempt) if attempt.is_usable(self.limits.connect) => Arc::clone(attempt),
            _ => {
                let attempt = Arc::new(Attempt::start(self.client.clone(), self.limits));
                *current = Some(Arc::clone(&attempt));
                attempt
            }
        }
    }
}

impl Attempt {
    fn start(client: Client, limits: Limits) -> Self {
        let lost = Arc::new(AtomicBool::new(false));
        let mut config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(limits.connect))
            .set_response_timeout(Some(limits.response));
        // Out-of-band messages exist in RESP3 alone, and so does the place to put the pulse.
        let protocol = client.get_connection_info().redis_settings().protocol();
        if protocol.supports_resp3() {
            let pulse = Pulse(Arc::clone(&lost));
            config = config.set_push_sender(move |_| {
                let _: &Pulse = &pulse;
                Ok::<(), SendError>(())
            });
        }
        let connection = async move {
            client
                .get_multiplexed_async_connection_with_config(&config)
                .await
        };
        Self {
            connection: connection.boxed().shared(),
            since: Instant::now(),
            lost,
        }
    }

    fn is_usable(&self, limit: Duration) -> bool {
        // An attempt that nobody has waited for to its end (their requests were cancelled) has
        // run out of time although it need not fail.
        let abandoned = self.connection.peek().is_none() && self.since.elapsed() > limit;
        !self.lost.load(Ordering::SeqCst) && !abandoned
    }
}

/// Gives up the connection after an error that says that it does not work, or that it does not
/// answer; what else is under way on it may still come to its end.
fn judge(error: RedisError, lost: &AtomicBool) -> Failure {
    if error.is_io_error() || error.is_timeout() || error.is_unrecoverable_error() {
        lost.store(true, Ordering::SeqCst);
    }
    Failure::Talking(error)
}
