mod slots;
mod topology;

use redis::{Cmd, ErrorKind, Pipeline, RedisError, ServerErrorKind, Value};
use tokio::time::{sleep, timeout};

use self::slots::slot_of;
pub(crate) use self::topology::Topology;
use crate::address::Address;
use crate::connection::{Answers, Connection, is_answer, pipeline};
use crate::deadline::{Deadline, PAUSE, Unconnected, too_late};
use crate::error::Failure;
use crate::node::Node;

/// The masters of a cluster, each with a connection. Replicas are never read from: one may not have
/// heard yet that a session was destroyed.
///
/// This is not the redis crate's `ClusterConnection`, because that one (in 1.8)
/// - sends a command again when its answer was lost, also one that may not be done twice, and
///   follows no redirection when it is told to try once only;
/// - is driven by a task that ends with the runtime that it was made on, and does not come back;
/// - waits for answers without giving up the connection that they do not come from.
///
/// Here a command is sent again only when it certainly was not carried out: there was no
/// connection, or the server refused it because the key, or the slot, is not there or not ready.
pub(crate) struct Cluster {
    topology: Topology,
}

/// How often to follow redirections at once, before it looks like nodes that contradict each other.
const HASTY: u32 = 4;

/// What is sent at once.
#[derive(Clone, Copy)]
enum Batch<'a> {
    One(&'a Cmd),
    Many(&'a Pipeline),
}

/// A server's word that it has done nothing, and why.
enum Refusal {
    /// Its slot has gone to another node.
    Moved(Option<Address>),
    /// Its slot is just going there.
    Ask(Option<Address>),
    /// It will do in a moment.
    NotNow,
}

impl Cluster {
    pub(crate) fn new(topology: Topology) -> Self {
        Self { topology }
    }

    /// Connects to all masters, so that the first sessions need not wait for it.
    pub(crate) async fn connect(&self) -> Result<(), Failure> {
        let slots = self.topology.fresh().await?;
        let connections = slots.masters().iter().map(async |master| {
            match self.topology.manager(master)?.connection().await {
                Err(failure) if failure.is_config() => Err(failure),
                // One master that is away does not stop the others.
                _ => Ok(()),
            }
        });
        let connections: Result<Vec<()>, _> = futures_util::future::join_all(connections)
            .await
            .into_iter()
            .collect();
        connections.map(drop)
    }

    /// Sends the same to all masters. What comes back of a slot that is another master's is no
    /// answer to what was asked.
    pub(crate) async fn probe(&self, probes: &Pipeline) -> Result<Answers, Failure> {
        let slots = self.topology.fresh().await?;
        let mut all = pipeline();
        all.cmd("ASKING");
        for probe in probes.cmd_iter() {
            all.add_command(probe.clone());
        }
        let answers = slots
            .masters()
            .iter()
            .map(|master| self.pipeline_at(master, &all));
        let answers = futures_util::future::join_all(answers).await;
        Ok(answers.into_iter().flatten().flatten().collect())
    }

    pub(crate) async fn command(&self, key: &[u8], command: &Cmd) -> Result<Value, Failure> {
        let answers = self.send(key, Batch::One(command)).await?;
        match answers.into_iter().next() {
            Some(answer) => answer.map_err(Failure::Talking),
            None => Ok(Value::Nil),
        }
    }

    pub(crate) async fn pipeline(
        &self,
        key: &[u8],
        pipeline: &Pipeline,
    ) -> Result<Answers, Failure> {
        self.send(key, Batch::Many(pipeline)).await
    }

    pub(crate) async fn nodes(&self) -> Result<Vec<Node>, Failure> {
        let slots = self.topology.fresh().await?;
        Ok(slots.masters().iter().cloned().map(Node::At).collect())
    }

    pub(crate) async fn pipeline_at(
        &self,
        address: &Address,
        pipeline: &Pipeline,
    ) -> Result<Answers, Failure> {
        let connection = self.topology.manager(address)?.connection().await;
        let answers = match connection {
            Ok(mut connection) => connection.pipeline(pipeline).await,
            Err(failure) => Err(failure),
        };
        answers.inspect_err(|_| self.topology.doubt())
    }

    /// Sends to the master of the key, wherever that is by now. It waits for a master that is not
    /// there no longer than for a connection.
    async fn send(&self, key: &[u8], batch: Batch<'_>) -> Result<Answers, Failure> {
        let slot = slot_of(key);
        let deadline = Deadline::new(self.topology.limit());
        let mut towards = None;
        let mut last = None;
        for round in 0.. {
            if round > 0 && (last.is_some() || round > HASTY) {
                sleep(PAUSE).await;
            }
            if round > 0 && deadline.is_over() {
                break;
            }
            let (goal, asking) = match towards.take() {
                Some((goal, asking)) => (Some(goal), asking),
                None => (None, false),
            };
            let connection = match timeout(deadline.round(), self.connection(slot, goal)).await {
                Ok(Ok(connection)) => connection,
                Ok(Err(Unconnected::Final(failure))) => return Err(failure),
                Ok(Err(Unconnected::Retryable(failure))) => {
                    last = Some(failure);
                    continue;
                }
                // The attempt to connect goes on; the map may know of another master by now.
                Err(_) => {
                    self.topology.doubt();
                    last = last.or_else(|| Some(too_late()));
                    continue;
                }
            };
            let (mut connection, from) = connection;
            let answers = batch.send(&mut connection, asking).await;
            let answers = answers.inspect_err(|_| self.topology.doubt())?;
            let Some((refusal, error)) = refusal(&answers, &from) else {
                return Ok(answers);
            };
            last = None;
            match refusal {
                Refusal::Moved(Some(owner)) => {
                    self.topology.moved(slot, owner.clone());
                    towards = Some((owner, false));
                }
                Refusal::Ask(Some(other)) => towards = Some((other, true)),
                Refusal::Moved(None) | Refusal::Ask(None) | Refusal::NotNow => {
                    self.topology.doubt();
                    last = Some(Failure::Talking(error));
                }
            }
        }
        Err(last.unwrap_or_else(too_late))
    }

    /// A connection to the node at `goal`, or to the master of the slot; with where it leads.
    async fn connection(
        &self,
        slot: usize,
        goal: Option<Address>,
    ) -> Result<(Connection, Address), Unconnected> {
        let address = match goal {
            Some(goal) => goal,
            None => self.topology.owner(slot).await?,
        };
        let manager = self
            .topology
            .manager(&address)
            .map_err(Unconnected::Final)?;
        match manager.connection().await {
            Ok(connection) => Ok((connection, address)),
            Err(failure) => {
                self.topology.doubt();
                Err(Unconnected::of(failure))
            }
        }
    }
}

impl Batch<'_> {
    /// The answer of each command is its own, an error of the server too.
    async fn send(self, connection: &mut Connection, asking: bool) -> Result<Answers, Failure> {
        match self {
            Self::One(command) if !asking => match connection.command(command).await {
                Err(Failure::Talking(error)) if is_answer(&error) => Ok(vec![Err(error)]),
                answer => answer.map(|answer| vec![Ok(answer)]),
            },
            Self::Many(pipeline) if !asking => connection.pipeline(pipeline).await,
            // A node that only just gets a slot has to be told before each command that this is
            // no mistake.
            Self::One(command) => ask(connection, std::iter::once(command)).await,
            Self::Many(pipeline) => ask(connection, pipeline.cmd_iter()).await,
        }
    }
}

async fn ask(
    connection: &mut Connection,
    commands: impl Iterator<Item = &Cmd>,
) -> Result<Answers, Failure> {
    let mut asking = pipeline();
    for command in commands {
        asking.cmd("ASKING").add_command(command.clone());
    }
    let answers = connection.pipeline(&asking).await?;
    Ok(answers.into_iter().skip(1).step_by(2).collect())
}

/// The first answer of the node at `from` that says that nothing was done.
fn refusal(answers: &Answers, from: &Address) -> Option<(Refusal, RedisError)> {
    use ServerErrorKind as Server;
    answers.iter().find_map(|answer| {
        let error = answer.as_ref().err()?;
        let ErrorKind::Server(kind) = error.kind() else {
            return None;
        };
        let refusal = match kind {
            Server::Moved => Refusal::Moved(target(error, from)),
            Server::Ask => Refusal::Ask(target(error, from)),
            Server::TryAgain
            | Server::ClusterDown
            | Server::MasterDown
            | Server::BusyLoading
            | Server::ReadOnly => Refusal::NotNow,
            _ => return None,
        };
        Some((refusal, error.clone()))
    })
}

/// Where a redirection leads; a host that is left out is that of the node that sent it.
fn target(error: &RedisError, from: &Address) -> Option<Address> {
    let (address, _) = error.redirect_node()?;
    let (host, port) = address.rsplit_once(':')?;
    let port = port.parse().ok()?;
    Some(match host {
        "" => Address::new(&from.host, port),
        host => Address::new(host, port),
    })
}
