use std::sync::{Mutex, PoisonError};

use futures_util::stream::{FuturesUnordered, StreamExt};
use redis::{Client, ConnectionInfo, ErrorKind, RedisError, ServerErrorKind, Value};
use tokio::time::{Instant, sleep, timeout_at};

use crate::address::Address;
use crate::connection::Failure;
use crate::dial::{Dialer, Line};
use crate::patience::{Miss, PAUSE, Patience, too_late, worse};

/// Finds the master that some Sentinels watch.
///
/// This is not the redis crate's `Sentinel`, because that one lends itself to one caller at a time,
/// waits for answers as long as it likes, and checks a master over another connection than the one
/// that it gives out.
pub(crate) struct Sentinels {
    clients: Vec<Client>,
    /// What the Sentinels call the master.
    service: String,
    /// The login, the TLS, the database and the protocol of the master, whoever it is.
    like: ConnectionInfo,
}

/// What came of asking one Sentinel.
enum Search {
    Found(Line),
    /// It names a master that another one has named already.
    Again,
    /// The master that it names is none, or cannot be reached.
    Missed(Failure),
    /// It names no master.
    Silent(Failure),
}

impl Sentinels {
    pub(crate) fn new(clients: Vec<Client>, service: String, like: ConnectionInfo) -> Self {
        Self {
            clients,
            service,
            like,
        }
    }

    /// A connection to the master. While a failover is under way, it waits for the new one, within
    /// the time for connecting.
    pub(crate) async fn dial(&self, dialer: &Dialer) -> Result<Line, Failure> {
        let patience = Patience::new(dialer.limits.connect);
        let mut last = None;
        loop {
            match self.round(dialer, Instant::now() + patience.round()).await {
                Ok(line) => return Ok(line),
                Err(Miss::Final(failure)) => return Err(failure),
                Err(Miss::Soon(failure)) => last = Some(worse(last, failure)),
            }
            sleep(PAUSE.min(patience.round())).await;
            if patience.is_over() {
                return Err(last.unwrap_or_else(too_late));
            }
        }
    }

    /// Asks all Sentinels at once, and takes the first master that says that it is one. The
    /// masters that they name are tried at once, too: one that is gone, as its Sentinel has yet to
    /// notice, must not keep anybody from the one that took over.
    async fn round(&self, dialer: &Dialer, end: Instant) -> Result<Line, Miss> {
        let tried = Mutex::new(Vec::new());
        let searches = self.clients.iter().map(|client| async {
            let address = match self.ask(client, dialer).await {
                Ok(address) => address,
                Err(failure) => return Search::Silent(failure),
            };
            {
                let mut tried = tried.lock().unwrap_or_else(PoisonError::into_inner);
                if tried.contains(&address) {
                    return Search::Again;
                }
                tried.push(address.clone());
            }
            match self.master(&address, dialer).await {
                Ok(line) => Search::Found(line),
                Err(failure) => Search::Missed(failure),
            }
        });
        let mut searches = searches.collect::<FuturesUnordered<_>>();
        let (mut missed, mut silent) = (None, None);
        loop {
            match timeout_at(end, searches.next()).await {
                Ok(Some(Search::Found(line))) => return Ok(line),
                Ok(Some(Search::Again)) => {}
                Ok(Some(Search::Missed(failure))) => missed = Some(worse(missed, failure)),
                Ok(Some(Search::Silent(failure))) => silent = Some(worse(silent, failure)),
                Ok(None) => break,
                // Whoever is silent still may know better than those who have answered.
                Err(_) => return Err(Miss::Soon(missed.or(silent).unwrap_or_else(too_late))),
            }
        }
        Err(match missed {
            Some(failure) => Miss::of(failure),
            // Nobody knows of a master: there is nothing to wait for.
            None => Miss::Final(silent.unwrap_or_else(too_late)),
        })
    }

    async fn ask(&self, client: &Client, dialer: &Dialer) -> Result<Address, Failure> {
        let mut command = redis::cmd("SENTINEL");
        command.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.service);
        let answer = dialer.dial(client).await?.command(&command).await;
        let answer = match answer {
            Err(Failure::Talking(error))
                if error.kind() == ErrorKind::Server(ServerErrorKind::ResponseError) =>
            {
                return Err(Failure::Unfit("the server is not a Sentinel"));
            }
            answer => answer?,
        };
        if answer == Value::Nil {
            return Err(Failure::Unfit(
                "the Sentinels watch no master of this name; it is the path of the URL, as in \
                 redis+sentinel://host:26379/mymaster",
            ));
        }
        let (host, port): (String, u16) =
            redis::from_redis_value(answer).map_err(|error| Failure::Talking(error.into()))?;
        Ok(Address::new(&host, port))
    }

    async fn master(&self, address: &Address, dialer: &Dialer) -> Result<Line, Failure> {
        let client = address.client(&self.like).map_err(Failure::Connecting)?;
        let mut line = dialer.dial(&client).await?;
        let role = line.command(&redis::cmd("ROLE")).await?;
        if let Value::Array(role) = role
            && let Some(Value::BulkString(role)) = role.first()
            && role == b"master"
        {
            return Ok(line);
        }
        // A Sentinel that has not heard of a failover yet sends to the old one.
        Err(Failure::Connecting(RedisError::from((
            ErrorKind::MasterNameNotFoundBySentinel,
            "the server is not the master any more",
        ))))
    }
}
