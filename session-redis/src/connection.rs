use std::sync::Arc;

use futures_util::future::BoxFuture;
use redis::aio::ConnectionLike;
use redis::{Cmd, Pipeline, RedisError, RedisResult, Value};

use crate::link::Link;

/// Where commands go. What a kind of server needs to be different (which node to ask, how to find
/// it) is decided here; the store's commands are the same everywhere and touch one key each.
#[derive(Clone)]
pub(crate) enum Connection {
    /// A connection that the store made and makes again when it is lost.
    Own(Arc<Link>),
    /// One that the caller had; its own time limits and reconnection apply.
    Given(Arc<dyn Given>),
}

/// A command that got no good answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// There was no connection to send it over.
    Connecting(RedisError),
    /// It was sent, or may have been.
    Talking(RedisError),
}

impl Failure {
    pub(crate) fn kind(&self) -> redis::ErrorKind {
        match self {
            Self::Connecting(error) | Self::Talking(error) => error.kind(),
        }
    }
}

impl Connection {
    pub(crate) fn given(connection: impl ConnectionLike + Clone + Send + Sync + 'static) -> Self {
        Self::Given(Arc::new(connection))
    }

    pub(crate) async fn command(&self, command: &Cmd) -> Result<Value, Failure> {
        match self {
            Self::Own(link) => link.command(command).await,
            Self::Given(given) => given.command(command).await.map_err(Failure::Talking),
        }
    }

    /// Sends all commands at once. The answer of each is its own, an error of the server too.
    pub(crate) async fn pipeline(&self, pipeline: &Pipeline) -> Result<Answers, Failure> {
        match self {
            Self::Own(link) => link.pipeline(pipeline).await,
            Self::Given(given) => given.pipeline(pipeline).await.map_err(Failure::Talking),
        }
    }
}

pub(crate) type Answers = Vec<RedisResult<Value>>;

/// A pipeline whose commands fail one by one.
pub(crate) fn pipeline() -> Pipeline {
    let mut pipeline = redis::pipe();
    pipeline.ignore_errors();
    pipeline
}

/// Any connection of the redis crate; clones of it share what is behind.
pub(crate) trait Given: Send + Sync {
    fn command<'a>(&'a self, command: &'a Cmd) -> BoxFuture<'a, RedisResult<Value>>;
    fn pipeline<'a>(&'a self, pipeline: &'a Pipeline) -> BoxFuture<'a, RedisResult<Answers>>;
}

impl<C: ConnectionLike + Clone + Send + Sync + 'static> Given for C {
    fn command<'a>(&'a self, command: &'a Cmd) -> BoxFuture<'a, RedisResult<Value>> {
        let mut connection = self.clone();
        Box::pin(async move { command.query_async(&mut connection).await })
    }

    fn pipeline<'a>(&'a self, pipeline: &'a Pipeline) -> BoxFuture<'a, RedisResult<Answers>> {
        let mut connection = self.clone();
        Box::pin(async move { pipeline.query_async(&mut connection).await })
    }
}
