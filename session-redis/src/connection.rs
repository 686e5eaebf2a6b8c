use std::sync::Arc;

use redis::aio::ConnectionLike;
use redis::{Cmd, Pipeline, RedisError, RedisResult, Value};

#[cfg(feature = "cluster")]
use crate::address::Address;
#[cfg(feature = "cluster")]
use crate::cluster::Cluster;
use crate::given::Given;
#[cfg(feature = "cluster")]
use crate::given::GivenCluster;
use crate::link::Link;

/// Where commands go. What a kind of server needs to be different (which node to ask, how to find
/// it) is decided here and below; the store's commands are the same everywhere and touch one key
/// each.
#[derive(Clone)]
pub(crate) enum Connection {
    /// A connection that the store made and makes again when it is lost.
    Own(Arc<Link>),
    /// Such connections to the masters of a cluster.
    #[cfg(feature = "cluster")]
    Cluster(Arc<Cluster>),
    /// One that the caller had; its own time limits and reconnection apply.
    Given(Arc<dyn Given>),
    #[cfg(feature = "cluster")]
    GivenCluster(Box<GivenCluster>),
}

/// A server with keys of its own.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Only,
    /// One of a cluster.
    #[cfg(feature = "cluster")]
    At(Address),
}

/// A command that got no good answer.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// There was no connection to send it over.
    Connecting(RedisError),
    /// It was sent, or may have been.
    Talking(RedisError),
    /// The server is none to send it to.
    #[cfg_attr(
        not(any(feature = "cluster", feature = "sentinel")),
        expect(dead_code, reason = "a single server is not asked what it is")
    )]
    Unfit(&'static str),
}

impl Failure {
    pub(crate) fn kind(&self) -> Option<redis::ErrorKind> {
        match self {
            Self::Connecting(error) | Self::Talking(error) => Some(error.kind()),
            Self::Unfit(_) => None,
        }
    }
}

pub(crate) type Answers = Vec<RedisResult<Value>>;

impl Connection {
    pub(crate) fn given(connection: impl ConnectionLike + Clone + Send + Sync + 'static) -> Self {
        Self::Given(Arc::new(connection))
    }

    /// Connects, where that is ours to do.
    pub(crate) async fn ready(&self) -> Result<(), Failure> {
        match self {
            Self::Own(link) => link.line().await.map(drop),
            #[cfg(feature = "cluster")]
            Self::Cluster(cluster) => cluster.connect().await,
            _ => Ok(()),
        }
    }

    /// Sends commands that change nothing to every server that has keys. Servers that are away are
    /// passed over, where there are several.
    pub(crate) async fn probe(&self, probes: &Pipeline) -> Result<Answers, Failure> {
        match self {
            Self::Own(link) => link.line().await?.pipeline(probes).await,
            #[cfg(feature = "cluster")]
            Self::Cluster(cluster) => cluster.probe(probes).await,
            _ => Ok(Vec::new()),
        }
    }

    /// Sends a command that is about `key` alone.
    pub(crate) async fn command(&self, key: &[u8], command: &Cmd) -> Result<Value, Failure> {
        #[cfg(not(feature = "cluster"))]
        let _ = key;
        match self {
            Self::Own(link) => link.line().await?.command(command).await,
            #[cfg(feature = "cluster")]
            Self::Cluster(cluster) => cluster.command(key, command).await,
            Self::Given(given) => given.command(command).await.map_err(Failure::Talking),
            #[cfg(feature = "cluster")]
            Self::GivenCluster(given) => given.command(command).await,
        }
    }

    /// Sends commands that are about `key` alone and only read, at once. The answer of each is its
    /// own, an error of the server too.
    pub(crate) async fn pipeline(
        &self,
        key: &[u8],
        pipeline: &Pipeline,
    ) -> Result<Answers, Failure> {
        #[cfg(not(feature = "cluster"))]
        let _ = key;
        match self {
            Self::Own(link) => link.line().await?.pipeline(pipeline).await,
            #[cfg(feature = "cluster")]
            Self::Cluster(cluster) => cluster.pipeline(key, pipeline).await,
            Self::Given(given) => given.pipeline(pipeline).await.map_err(Failure::Talking),
            #[cfg(feature = "cluster")]
            Self::GivenCluster(given) => given.pipeline(pipeline).await,
        }
    }

    /// All servers that have keys.
    pub(crate) async fn nodes(&self) -> Result<Vec<Node>, Failure> {
        match self {
            Self::Own(_) | Self::Given(_) => Ok(vec![Node::Only]),
            #[cfg(feature = "cluster")]
            Self::Cluster(cluster) => cluster.nodes().await,
            #[cfg(feature = "cluster")]
            Self::GivenCluster(given) => given.nodes().await,
        }
    }

    /// How often all keys have to be walked over for none to be missed that was there before.
    pub(crate) fn walks(&self) -> usize {
        match self {
            Self::Own(_) | Self::Given(_) => 1,
            #[cfg(feature = "cluster")]
            Self::Cluster(_) | Self::GivenCluster(_) => 2,
        }
    }

    /// Sends commands to one server at once. A command about a key that is not there any more goes
    /// to the server that has it now.
    pub(crate) async fn pipeline_at(
        &self,
        node: &Node,
        pipeline: &Pipeline,
    ) -> Result<Answers, Failure> {
        match node {
            Node::Only => self.pipeline(&[], pipeline).await,
            #[cfg(feature = "cluster")]
            Node::At(address) => self.pipeline_at_address(address, pipeline).await,
        }
    }

    #[cfg(feature = "cluster")]
    async fn pipeline_at_address(
        &self,
        address: &Address,
        pipeline: &Pipeline,
    ) -> Result<Answers, Failure> {
        let mut answers = match self {
            Self::Own(_) | Self::Given(_) => self.pipeline(&[], pipeline).await?,
            Self::Cluster(cluster) => cluster.pipeline_at(address, pipeline).await?,
            Self::GivenCluster(given) => given.pipeline_at(address, pipeline).await?,
        };
        for (command, answer) in pipeline.cmd_iter().zip(&mut answers) {
            let moved = answer.as_ref().err().is_some_and(is_redirection);
            if moved && let Some(redis::Arg::Simple(key)) = command.args_iter().nth(1) {
                *answer = match self.command(key, command).await {
                    Err(Failure::Talking(error)) if is_answer(&error) => Err(error),
                    other => Ok(other?),
                };
            }
        }
        Ok(answers)
    }
}

/// Whether the server has answered, if only with an error.
#[cfg(feature = "cluster")]
pub(crate) fn is_answer(error: &RedisError) -> bool {
    use redis::ErrorKind;
    matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension)
}

/// The server has not done what it was asked to, because the key is somewhere else.
#[cfg(feature = "cluster")]
fn is_redirection(error: &RedisError) -> bool {
    use redis::{ErrorKind, ServerErrorKind};
    matches!(
        error.kind(),
        ErrorKind::Server(ServerErrorKind::Moved | ServerErrorKind::Ask)
    )
}

/// A pipeline whose commands fail one by one.
pub(crate) fn pipeline() -> Pipeline {
    let mut pipeline = redis::pipe();
    pipeline.ignore_errors();
    pipeline
}
