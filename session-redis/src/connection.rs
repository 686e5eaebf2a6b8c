use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, Pipeline, RedisError, RedisResult, ServerErrorKind, Value};
use tokio::time::timeout;
#[cfg(feature = "sentinel")]
use tokio::{sync::Notify, task::JoinHandle};

use crate::error::Failure;

/// How long a server that was silent may take to say that it is still there. One that is merely
/// slow loses nothing: it is connected to once more.
const PING: Duration = Duration::from_millis(250);

/// The answers to several commands.
pub(crate) type Answers = Vec<RedisResult<Value>>;

/// A connection that says itself when it ends.
#[derive(Clone)]
pub(crate) struct Connection {
    multiplexed: MultiplexedConnection,
    lost: Arc<AtomicBool>,
    heard: Arc<Heard>,
    /// Of a connection that Sentinels have named.
    #[cfg(feature = "sentinel")]
    watch: Option<Arc<Watch>>,
}

/// When the server has answered last.
struct Heard {
    since: Instant,
    millis: AtomicU64,
}

impl Heard {
    fn passed(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn again(&self) {
        self.millis.store(self.passed(), Ordering::Relaxed);
    }

    fn ago(&self) -> Duration {
        let last = self.millis.load(Ordering::Relaxed);
        Duration::from_millis(self.passed().saturating_sub(last))
    }
}

/// A task that lasts as long as a connection, and may give it up.
#[cfg(feature = "sentinel")]
pub(crate) struct Watch {
    pub(crate) task: JoinHandle<()>,
    /// The server behaves as if it were no master any more.
    pub(crate) doubt: Arc<Notify>,
}

#[cfg(feature = "sentinel")]
impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Connection {
    /// `lost` is set when it ends.
    pub(crate) fn new(multiplexed: MultiplexedConnection, lost: Arc<AtomicBool>) -> Self {
        let heard = Heard {
            since: Instant::now(),
            millis: AtomicU64::new(0),
        };
        Self {
            multiplexed,
            lost,
            heard: Arc::new(heard),
            #[cfg(feature = "sentinel")]
            watch: None,
        }
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::SeqCst)
    }

    #[cfg(feature = "sentinel")]
    pub(crate) fn lost(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.lost)
    }

    /// The same with a watch that lasts as long.
    #[cfg(feature = "sentinel")]
    pub(crate) fn watched(mut self, watch: Watch) -> Self {
        self.watch = Some(Arc::new(watch));
        self
    }

    #[cfg(feature = "sentinel")]
    pub(crate) async fn subscribe(&mut self, channels: &[&str]) -> Result<(), Failure> {
        let answer = self.multiplexed.subscribe(channels).await;
        answer.map_err(Failure::Talking)
    }

    /// Whether the server is there, or has been a moment ago: a network that forgets connections
    /// without a word is noticed here, and not by waiting for an answer in vain.
    pub(crate) async fn is_alive(&mut self, trust: Duration) -> bool {
        if self.heard.ago() >= trust {
            let ping = redis::cmd("PING");
            // An error of the server is an answer as well.
            if timeout(PING, self.command(&ping)).await.is_err() {
                self.lost.store(true, Ordering::SeqCst);
            }
        }
        !self.is_lost()
    }

    pub(crate) async fn command(&mut self, command: &Cmd) -> Result<Value, Failure> {
        let answer = command.query_async(&mut self.multiplexed).await;
        self.heard.again();
        answer.map_err(|error| {
            self.judge(&error);
            Failure::Talking(error)
        })
    }

    /// The answer of each command is its own, an error of the server too.
    pub(crate) async fn pipeline(&mut self, pipeline: &Pipeline) -> Result<Answers, Failure> {
        let answers: Result<Answers, _> = pipeline.query_async(&mut self.multiplexed).await;
        self.heard.again();
        match &answers {
            Ok(answers) => answers
                .iter()
                .filter_map(|answer| answer.as_ref().err())
                .for_each(|error| self.judge(error)),
            Err(error) => self.judge(error),
        }
        answers.map_err(Failure::Talking)
    }

    /// Gives up the connection after an error that says that it does not work, or that it does not
    /// answer; what else is under way on it may still come to its end. One that leads to a replica
    /// led to a master once: whoever answers to the name now has to be looked up again.
    fn judge(&self, error: &RedisError) {
        let demoted = error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly);
        if demoted || error.is_io_error() || error.is_timeout() || error.is_unrecoverable_error() {
            self.lost.store(true, Ordering::SeqCst);
        }
        // It may have lost its replicas to a new master.
        #[cfg(feature = "sentinel")]
        if let Some(watch) = &self.watch
            && error.code() == Some("NOREPLICAS")
        {
            watch.doubt.notify_waiters();
        }
    }
}

/// Whether the server has answered, if only with an error.
#[cfg(feature = "cluster")]
pub(crate) fn is_answer(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension)
}

/// A pipeline whose commands fail one by one.
pub(crate) fn pipeline() -> Pipeline {
    let mut pipeline = redis::pipe();
    pipeline.ignore_errors();
    pipeline
}
