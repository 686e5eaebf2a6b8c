use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use redis::{Client, ConnectionInfo, ErrorKind, ServerErrorKind, Value};
use tokio::time::Instant;

use crate::address::Address;
use crate::connection::{Connection, pipeline};
use crate::error::Failure;

/// Finds the master that some Sentinels watch.
///
/// This is not the redis crate's `Sentinel`, because that one (in 1.8) lends itself to one caller at a
/// time, asks one Sentinel after the other with time limits of its own, checks a master over another
/// connection than the one that it gives out, and does not listen.
pub(crate) struct Sentinels {
    pub(super) clients: Vec<Client>,
    /// What the Sentinels call the master.
    pub(super) service: String,
    /// The login, the TLS, the database and the protocol of the master, whoever it is.
    pub(super) like: ConnectionInfo,
    successor: Mutex<Option<Successor>>,
}

/// A master as a Sentinel names it.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) address: Address,
    /// Counts the failovers; a Sentinel that does not tell says 0.
    pub(super) epoch: u64,
}

/// Who was heard to become the master.
struct Successor {
    named: Named,
    heard: Instant,
}

/// How long to wait for a successor to take over before asking again who the master is. A Sentinel
/// tells of a failover when it sends the word for it, which takes as long as a message.
const SUCCESSION: Duration = Duration::from_secs(2);

impl Sentinels {
    pub(crate) fn new(clients: Vec<Client>, service: String, like: ConnectionInfo) -> Self {
        Self {
            clients,
            service,
            like,
            successor: Mutex::default(),
        }
    }

    /// Who was heard of last, and until when he is waited for.
    pub(super) fn successor(&self) -> Option<(Named, Instant)> {
        let successor = self.successor.lock();
        let successor = successor.unwrap_or_else(PoisonError::into_inner);
        let successor = successor.as_ref()?;
        let end = successor.heard + SUCCESSION;
        (Instant::now() < end).then(|| (successor.named.clone(), end))
    }

    /// Whoever looks for the master looks here first.
    pub(super) fn announce(&self, named: Named) {
        let heard = Instant::now();
        let successor = Some(Successor { named, heard });
        *self
            .successor
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = successor;
    }

    /// Whom a Sentinel names as the master.
    pub(super) async fn ask(&self, sentinel: &mut Connection) -> Result<Named, Failure> {
        let mut questions = pipeline();
        for question in ["GET-MASTER-ADDR-BY-NAME", "MASTER"] {
            let question = questions.cmd("SENTINEL").arg(question);
            question.arg(&self.service);
        }
        let mut answers = sentinel.pipeline(&questions).await?.into_iter();
        let address = match answers.next().unwrap_or(Ok(Value::Nil)) {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::ResponseError) => {
                return Err(Failure::Unfit("the server is not a Sentinel"));
            }
            Ok(Value::Nil) => {
                return Err(Failure::Unfit(
                    "the Sentinels watch no master of this name; it is the path of the URL, as in \
                     redis+sentinel://host:26379/mymaster",
                ));
            }
            answer => answer.map_err(Failure::Talking)?,
        };
        let (host, port): (String, u16) =
            redis::from_redis_value(address).map_err(|error| Failure::Talking(error.into()))?;
        // Not everybody may ask for this.
        let details = answers.next().and_then(Result::ok).unwrap_or(Value::Nil);
        let details: HashMap<String, String> = redis::from_redis_value(details).unwrap_or_default();
        let epoch = details.get("config-epoch").map(|epoch| epoch.parse());
        Ok(Named {
            address: Address::new(&host, port),
            epoch: epoch.and_then(Result::ok).unwrap_or(0),
        })
    }
}
