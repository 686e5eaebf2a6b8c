use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redis::aio::{MultiplexedConnection, SendError};
use redis::io::AsyncDNSResolver;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, Pipeline, PushInfo, RedisError, RedisFuture,
    ServerErrorKind, Value,
};

use tokio::sync::mpsc::UnboundedSender;
use tokio::time::timeout;

use crate::connection::{Answers, Failure};
#[cfg(feature = "sentinel")]
use crate::sentinel::Watch;

/// How long to wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) connect: Duration,
    pub(crate) response: Duration,
    /// Whoever has been silent for longer is asked first whether he is still there.
    pub(crate) trust: Duration,
}

/// How long a server that was silent may take to say that it is still there. One that is merely
/// slow loses nothing: it is connected to once more.
const PING: Duration = Duration::from_millis(250);

/// How connections are made, to whatever server.
#[derive(Clone)]
pub(crate) struct Dialer {
    pub(crate) limits: Limits,
    pub(crate) resolver: Option<Arc<dyn AsyncDNSResolver>>,
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.limits, f)
    }
}

/// A connection that says itself when it ends.
#[derive(Clone)]
pub(crate) struct Line {
    connection: MultiplexedConnection,
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

/// Lives as long as the task that drives a connection.
struct Pulse(Arc<AtomicBool>);

impl Drop for Pulse {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// The caller's resolver, once more.
struct Resolver(Arc<dyn AsyncDNSResolver>);

impl AsyncDNSResolver for Resolver {
    fn resolve<'a, 'b: 'a>(
        &'a self,
        host: &'b str,
        port: u16,
    ) -> RedisFuture<'a, Box<dyn Iterator<Item = std::net::SocketAddr> + Send + 'a>> {
        self.0.resolve(host, port)
    }
}

impl Dialer {
    /// One that waits no longer than this.
    #[cfg(feature = "sentinel")]
    pub(crate) fn limited_to(&self, limit: Duration) -> Self {
        let mut limited = self.clone();
        limited.limits.connect = limit.min(self.limits.connect);
        limited.limits.response = limit.min(self.limits.response);
        limited
    }

    /// A new connection; what the server sends without being asked goes to `messages`.
    pub(crate) async fn dial(
        &self,
        client: &Client,
        messages: Option<UnboundedSender<PushInfo>>,
    ) -> Result<Line, Failure> {
        let lost = Arc::new(AtomicBool::new(false));
        let mut config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.limits.connect))
            .set_response_timeout(Some(self.limits.response));
        if let Some(resolver) = &self.resolver {
            config = config.set_dns_resolver(Resolver(Arc::clone(resolver)));
        }
        // Out-of-band messages exist in RESP3 alone, and so does the place to put the pulse.
        let protocol = client.get_connection_info().redis_settings().protocol();
        if protocol.supports_resp3() {
            let pulse = Pulse(Arc::clone(&lost));
            config = config.set_push_sender(move |message| {
                let _: &Pulse = &pulse;
                match &messages {
                    Some(messages) => messages.send(message).map_err(|_| SendError),
                    None => Ok(()),
                }
            });
        }
        let connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await
            .map_err(Failure::Connecting)?;
        let heard = Heard {
            since: Instant::now(),
            millis: AtomicU64::new(0),
        };
        Ok(Line {
            connection,
            lost,
            heard: Arc::new(heard),
            #[cfg(feature = "sentinel")]
            watch: None,
        })
    }
}

impl Line {
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
        let answer = self.connection.subscribe(channels).await;
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
        let answer = command.query_async(&mut self.connection).await;
        self.heard.again();
        answer.map_err(|error| {
            self.judge(&error);
            Failure::Talking(error)
        })
    }

    /// The answer of each command is its own, an error of the server too.
    pub(crate) async fn pipeline(&mut self, pipeline: &Pipeline) -> Result<Answers, Failure> {
        let answers: Result<Answers, _> = pipeline.query_async(&mut self.connection).await;
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
            watch.doubt();
        }
    }
}
