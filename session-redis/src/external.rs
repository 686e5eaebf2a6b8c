use futures_util::future::BoxFuture;
use redis::aio::ConnectionLike;
use redis::{Cmd, Pipeline, RedisResult, Value};

use crate::connection::Answers;

/// Any connection of the redis crate to a single server; clones of it share what is behind.
pub(crate) trait External: Send + Sync {
    fn command<'a>(&'a self, command: &'a Cmd) -> BoxFuture<'a, RedisResult<Value>>;
    fn pipeline<'a>(&'a self, pipeline: &'a Pipeline) -> BoxFuture<'a, RedisResult<Answers>>;
}

impl<C: ConnectionLike + Clone + Send + Sync + 'static> External for C {
    fn command<'a>(&'a self, command: &'a Cmd) -> BoxFuture<'a, RedisResult<Value>> {
        let mut connection = self.clone();
        Box::pin(async move { command.query_async(&mut connection).await })
    }

    fn pipeline<'a>(&'a self, pipeline: &'a Pipeline) -> BoxFuture<'a, RedisResult<Answers>> {
        let mut connection = self.clone();
        Box::pin(async move { pipeline.query_async(&mut connection).await })
    }
}

#[cfg(feature = "cluster")]
pub(crate) use cluster::ExternalCluster;

#[cfg(feature = "cluster")]
mod cluster {
    use redis::cluster_async::ClusterConnection;
    use redis::cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo, SingleNodeRoutingInfo};
    use redis::{Cmd, ErrorKind, Pipeline, RedisError, RedisResult, ServerErrorKind, Value};

    use crate::address::Address;
    use crate::connection::Answers;
    use crate::error::Failure;
    use crate::node::Node;

    /// A cluster connection of the redis crate.
    #[derive(Clone)]
    pub(crate) struct ExternalCluster(pub(crate) ClusterConnection);

    impl ExternalCluster {
        pub(crate) async fn command(&self, command: &Cmd) -> Result<Value, Failure> {
            let answer = command.query_async(&mut self.0.clone()).await;
            answer.map_err(unfollowed)
        }

        pub(crate) async fn pipeline(&self, pipeline: &Pipeline) -> Result<Answers, Failure> {
            let answers = pipeline.query_async(&mut self.0.clone()).await;
            answers.map_err(unfollowed)
        }

        pub(crate) async fn nodes(&self) -> Result<Vec<Node>, Failure> {
            let everywhere = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
            let mut connection = self.0.clone();
            let answers = connection.route_command(redis::cmd("PING"), everywhere);
            let Value::Map(answers) = answers.await.map_err(Failure::Talking)? else {
                return Err(Failure::Unfit("the cluster connection names no masters"));
            };
            let addresses = answers.into_iter().filter_map(|(name, _)| {
                let name: String = redis::from_redis_value(name).ok()?;
                let (host, port) = name.rsplit_once(':')?;
                Some(Node::At(Address::new(host, port.parse().ok()?)))
            });
            Ok(addresses.collect())
        }

        pub(crate) async fn pipeline_at(
            &self,
            address: &Address,
            pipeline: &Pipeline,
        ) -> Result<Answers, Failure> {
            let route = SingleNodeRoutingInfo::ByAddress {
                host: address.host.as_ref().into(),
                port: address.port,
            };
            let mut connection = self.0.clone();
            let answers = connection
                .route_pipeline(pipeline.clone(), 0, pipeline.len(), route)
                .await
                .map_err(unfollowed)?;
            let answers = answers.into_iter().map(Value::extract_error);
            Ok(answers.collect::<Vec<RedisResult<_>>>())
        }
    }

    /// A redirection that the connection has not followed, as often as it may, is an outage.
    fn unfollowed(error: RedisError) -> Failure {
        match error.kind() {
            ErrorKind::Server(ServerErrorKind::Moved | ServerErrorKind::Ask) => {
                let lost = (ErrorKind::ClusterConnectionNotFound, "the key is elsewhere");
                Failure::Talking(lost.into())
            }
            _ => Failure::Talking(error),
        }
    }
}
