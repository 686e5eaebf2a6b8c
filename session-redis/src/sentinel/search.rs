use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use redis::{ErrorKind, RedisError, Value};
use tokio::time::{Instant, sleep, timeout_at};

use super::sentinels::{Named, Sentinels};
use super::watch::watch;
use crate::address::Address;
use crate::connection::Connection;
use crate::connector::Connector;
use crate::deadline::{Deadline, PAUSE, Unconnected, too_late, worse};
use crate::error::Failure;

/// How long to wait before asking a successor again whether it is the master.
const STEP: Duration = Duration::from_millis(10);

/// What came of asking one Sentinel.
enum Search {
    Found(Connection, Named),
    /// It names a master that another one has named already.
    Again,
    /// The master that it names is none, or cannot be reached.
    Missed(Failure),
    /// It names no master.
    Silent(Failure),
}

impl Sentinels {
    /// A connection to the master, which is given up as soon as a Sentinel tells of another one.
    pub(crate) async fn connect(
        self: &Arc<Self>,
        connector: &Connector,
    ) -> Result<Connection, Failure> {
        let (connection, named) = self.search(connector).await?;
        let watch = watch(Arc::clone(self), connector, named, connection.lost());
        Ok(connection.watched(watch))
    }

    /// While a failover is under way, this waits for the new master, within the time for
    /// connecting.
    async fn search(&self, connector: &Connector) -> Result<(Connection, Named), Failure> {
        let deadline = Deadline::new(connector.limits.connect);
        let mut last = None;
        loop {
            if let Some(found) = self.succeed(connector, &deadline).await {
                return Ok(found);
            }
            match self
                .round(connector, Instant::now() + deadline.round())
                .await
            {
                Ok(found) => return Ok(found),
                Err(Unconnected::Final(failure)) => return Err(failure),
                Err(Unconnected::Retryable(failure)) => last = Some(worse(last, failure)),
            }
            sleep(PAUSE.min(deadline.round())).await;
            if deadline.is_over() {
                return Err(last.unwrap_or_else(too_late));
            }
        }
    }

    /// The successor of whom a Sentinel has told, once it is the master. The Sentinels may name the
    /// old one for another second, and the old one does not know yet.
    async fn succeed(
        &self,
        connector: &Connector,
        deadline: &Deadline,
    ) -> Option<(Connection, Named)> {
        while let Some((named, end)) = self.successor()
            && !deadline.is_over()
        {
            if let Ok(Ok(connection)) =
                timeout_at(end, self.master(&named.address, connector)).await
            {
                return Some((connection, named));
            }
            sleep(STEP).await;
        }
        None
    }

    /// Asks all Sentinels at once, and takes the first master that says that it is one. The
    /// masters that they name are tried at once, too: one that is gone, as its Sentinel has yet to
    /// notice, must not keep anybody from the one that took over.
    async fn round(
        &self,
        connector: &Connector,
        end: Instant,
    ) -> Result<(Connection, Named), Unconnected> {
        let tried = Mutex::new(Vec::new());
        let searches = self.clients.iter().map(|client| async {
            let named = async { self.ask(&mut connector.connect(client, None).await?).await };
            let named = match named.await {
                Ok(named) => named,
                Err(failure) => return Search::Silent(failure),
            };
            {
                let mut tried = tried.lock().unwrap_or_else(PoisonError::into_inner);
                if tried.contains(&named.address) {
                    return Search::Again;
                }
                tried.push(named.address.clone());
            }
            match self.master(&named.address, connector).await {
                Ok(connection) => Search::Found(connection, named),
                Err(failure) => Search::Missed(failure),
            }
        });
        let mut searches = searches.collect::<FuturesUnordered<_>>();
        let (mut missed, mut silent) = (None, None);
        loop {
            match timeout_at(end, searches.next()).await {
                Ok(Some(Search::Found(connection, named))) => return Ok((connection, named)),
                Ok(Some(Search::Again)) => {}
                Ok(Some(Search::Missed(failure))) => missed = Some(worse(missed, failure)),
                Ok(Some(Search::Silent(failure))) => silent = Some(worse(silent, failure)),
                Ok(None) => break,
                // Whoever is silent still may know better than those who have answered.
                Err(_) => {
                    return Err(Unconnected::Retryable(
                        missed.or(silent).unwrap_or_else(too_late),
                    ));
                }
            }
        }
        Err(match missed {
            Some(failure) => Unconnected::of(failure),
            // Nobody knows of a master: there is nothing to wait for.
            None => Unconnected::Final(silent.unwrap_or_else(too_late)),
        })
    }

    async fn master(
        &self,
        address: &Address,
        connector: &Connector,
    ) -> Result<Connection, Failure> {
        let client = address.client(&self.like).map_err(Failure::Connecting)?;
        let mut connection = connector.connect(&client, None).await?;
        let role = connection.command(&redis::cmd("ROLE")).await?;
        if let Value::Array(role) = role
            && let Some(Value::BulkString(role)) = role.first()
            && role == b"master"
        {
            return Ok(connection);
        }
        // A Sentinel that has not heard of a failover yet sends to the old one.
        Err(Failure::Connecting(RedisError::from((
            ErrorKind::MasterNameNotFoundBySentinel,
            "the server is not the master any more",
        ))))
    }
}
