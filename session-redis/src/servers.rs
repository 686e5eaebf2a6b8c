use std::sync::Arc;

#[cfg(feature = "cluster")]
use redis::RedisError;
use redis::aio::ConnectionLike;
use redis::{Cmd, Pipeline, Value};

#[cfg(feature = "cluster")]
use crate::address::Address;
#[cfg(feature = "cluster")]
use crate::cluster::Cluster;
use crate::connection::Answers;
#[cfg(feature = "cluster")]
use crate::connection::is_answer;
use crate::error::Failure;
use crate::external::External;
#[cfg(feature = "cluster")]
use crate::external::ExternalCluster;
use crate::manager::Manager;
use crate::node::Node;

/// Where commands go. What a kind of server needs to be different (which node to ask, how to find
/// it) is decided here and below; the store's commands are the same everywhere and touch one key
/// each.
#[derive(Clone)]
pub(crate) enum Servers {
    /// A connection that the store made and makes again when it is lost.
    Own(Arc<Manager>),
    /// Such connections to the masters of a cluster.
    #[cfg(feature = "cluster")]
    Cluster(Arc<Cluster>),
    /// One that the caller had; its own time limits and reconnection apply.
    External(Arc<dyn External>),
    #[cfg(feature = "cluster")]
    ExternalCluster(Box<ExternalCluster>),
}

impl Servers {
    pub(crate) fn external(
        connection: impl ConnectionLike + Clone + Send + Sync + 'static,
    ) -> Self {
        Self::External(Arc::new(connection))
    }

    /// Connects, where that is ours to do.
    pub(crate) async fn ready(&self) -> Result<(), Failure> {
        match self {
            Self::Own(manager) => manager.connection().await.map(drop),
            #[cfg(feature = "cluster")]
            Self::Cluster(cluster) => cluster.connect().await,
            _ => Ok(()),
        }
    }

    /// Sends commands that change nothing to every server that has keys. Servers that are away are
    /// passed over, where there are several.
    pub(crate) async fn probe(&self, probes: &Pipeline) -> Result<Answers, Failure> {
        match self {
            Self::Own(manager) => manager.connection().await?.pipeline(probes).await,
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
            Self::Own(manager) => manager.connection().await?.command(command).await,
            #[cfg(feature = "cluster")]
            Self::Cluster(cluster) => cluster.command(key, command).await,
            Self::External(external) => external.command(command).await.map_err(Failure::Talking),
            #[cfg(feature = "cluster")]
            Self::ExternalCluster(external) => external.command(command).await,
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
            Self::Own(manager) => manager.connection().await?.pipeline(pipeline).await,
            #[cfg(feature = "cluster")]
            Self::Cluster(cluster) => cluster.pipeline(key, pipeline).await,
            Self::External(external) => external.pipeline(pipeline).await.map_err(Failure::Talking),
            #[cfg(feature = "cluster")]
            Self::ExternalCluster(external) => external.pipeline(pipeline).await,
        }
    }

    /// All servers that have keys.
    pub(crate) async fn nodes(&self) -> Result<Vec<Node>, Failure> {
        match self {
            Self::Own(_) | Self::External(_) => Ok(vec![Node::Only]),
            #[cfg(feature = "cluster")]
            Self::Cluster(cluster) => cluster.nodes().await,
            #[cfg(feature = "cluster")]
            Self::ExternalCluster(external) => external.nodes().await,
        }
    }

    /// How often all keys have to be walked over for none to be missed that was there before.
    pub(crate) fn walks(&self) -> usize {
        match self {
            Self::Own(_) | Self::External(_) => 1,
            #[cfg(feature = "cluster")]
            Self::Cluster(_) | Self::ExternalCluster(_) => 2,
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
            Self::Own(_) | Self::External(_) => self.pipeline(&[], pipeline).await?,
            Self::Cluster(cluster) => cluster.pipeline_at(address, pipeline).await?,
            Self::ExternalCluster(external) => external.pipeline_at(address, pipeline).await?,
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

/// The server has not done what it was asked to, because the key is somewhere else.
#[cfg(feature = "cluster")]
fn is_redirection(error: &RedisError) -> bool {
    use redis::{ErrorKind, ServerErrorKind};
    matches!(
        error.kind(),
        ErrorKind::Server(ServerErrorKind::Moved | ServerErrorKind::Ask)
    )
}
