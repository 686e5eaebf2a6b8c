use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt};
use redis::{ConnectionInfo, ErrorKind, RedisError};
use tokio::time::timeout;

use super::slots::Slots;
use crate::address::Address;
use crate::connector::Connector;
use crate::deadline::{Deadline, ROUND, Unconnected, too_late, worse};
use crate::error::Failure;
use crate::manager::{Manager, Target};

/// How many nodes are asked for the map at the same time: enough that one that is silent holds
/// nobody up.
const AT_ONCE: usize = 3;

/// How old a map must be to be read again because of a single slot that has moved.
const MAP_AGE: Duration = Duration::from_secs(1);

/// What is known of a cluster: its nodes, and who has which slots.
pub(crate) struct Topology {
    /// The nodes of the URL.
    seeds: Vec<Address>,
    /// The login, the TLS and the protocol of each node.
    like: ConnectionInfo,
    connector: Connector,
    known: Mutex<Known>,
    /// Held while the map is read, so that many who need it read it once.
    reading: tokio::sync::Mutex<()>,
    /// Something did not work as the map says.
    doubtful: AtomicBool,
    /// How often the map was asked for without an answer; others are asked then.
    unanswered: AtomicUsize,
}

/// The map is being read: what was doubted before is doubted again if nothing comes of it, or if
/// nobody waits for that any more.
struct Unread<'a>(Option<&'a AtomicBool>);

impl<'a> Unread<'a> {
    fn begin(doubtful: &'a AtomicBool) -> Self {
        doubtful.store(false, Ordering::SeqCst);
        Self(Some(doubtful))
    }

    fn end(&mut self) {
        self.0 = None;
    }
}

impl Drop for Unread<'_> {
    fn drop(&mut self) {
        if let Some(doubtful) = self.0 {
            doubtful.store(true, Ordering::SeqCst);
        }
    }
}

#[derive(Default)]
struct Known {
    slots: Option<Arc<Slots>>,
    /// Counts the maps.
    version: u64,
    read: Option<Instant>,
    managers: HashMap<Address, Arc<Manager>>,
}

impl Topology {
    pub(crate) fn new(seeds: Vec<Address>, like: ConnectionInfo, connector: Connector) -> Self {
        Self {
            seeds,
            like,
            connector,
            known: Mutex::default(),
            reading: tokio::sync::Mutex::default(),
            doubtful: AtomicBool::new(false),
            unanswered: AtomicUsize::new(0),
        }
    }

    /// How long to wait for a master that is not there.
    pub(crate) fn limit(&self) -> Duration {
        self.connector.limits.connect
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What makes the connection to a node.
    pub(crate) fn manager(&self, address: &Address) -> Result<Arc<Manager>, Failure> {
        if let Some(manager) = self.known().managers.get(address) {
            return Ok(Arc::clone(manager));
        }
        let client = address.client(&self.like).map_err(Failure::Connecting)?;
        let manager = Manager::new(Target::Server(Box::new(client)), self.connector.clone());
        let mut known = self.known();
        let manager = known
            .managers
            .entry(address.clone())
            .or_insert(Arc::new(manager));
        Ok(Arc::clone(manager))
    }

    /// The next operation looks at the cluster again before it relies on the map.
    pub(crate) fn doubt(&self) {
        self.doubtful.store(true, Ordering::SeqCst);
    }

    /// A node says that a slot has another master than the map says.
    pub(crate) fn moved(&self, slot: usize, owner: Address) {
        let mut known = self.known();
        if let Some(slots) = &mut known.slots {
            Arc::make_mut(slots).set_owner(slot, owner);
        }
        // Others will have moved as well. But the node that is asked next may not have heard of it
        // yet, so that asking for every slot that moves would not help.
        if known.read.is_none_or(|read| read.elapsed() > MAP_AGE) {
            self.doubt();
        }
    }

    /// The master of a slot.
    pub(crate) async fn owner(&self, slot: usize) -> Result<Address, Unconnected> {
        let (slots, version) = {
            let known = self.known();
            (known.slots.clone(), known.version)
        };
        let slots = match slots {
            Some(slots) if !self.doubtful.load(Ordering::SeqCst) => slots,
            _ => self.read(version).await.map_err(Unconnected::Final)?,
        };
        slots.owner(slot).cloned().ok_or_else(|| {
            self.doubt();
            Unconnected::Retryable(Failure::Connecting(RedisError::from((
                ErrorKind::ClusterConnectionNotFound,
                "no node has the slot of the key",
            ))))
        })
    }

    /// A map that was read after this call.
    pub(crate) async fn fresh(&self) -> Result<Arc<Slots>, Failure> {
        let version = self.known().version;
        let deadline = Deadline::new(self.limit());
        loop {
            // Those that were asked may say nothing; the next ones are others.
            match timeout(deadline.round(), self.read(version)).await {
                Ok(slots) => return slots,
                Err(_) if deadline.is_over() => return Err(too_late()),
                Err(_) => {}
            }
        }
    }

    /// Reads the map, unless somebody has read one that is newer than `version`.
    async fn read(&self, version: u64) -> Result<Arc<Slots>, Failure> {
        // Whoever holds it may be on a runtime that nobody drives any more. Sooner than a search
        // asks again, which would begin this wait again as well.
        let _reading = timeout(ROUND / 2, self.reading.lock()).await;
        if let Some(slots) = self.newer_than(version) {
            return Ok(slots);
        }
        let mut unread = Unread::begin(&self.doubtful);
        let skipped = self.unanswered.fetch_add(1, Ordering::SeqCst);
        let mut nodes = self.nodes();
        if !nodes.is_empty() {
            let skipped = (skipped * AT_ONCE) % nodes.len();
            nodes.rotate_left(skipped);
        }
        let mut answers = stream::iter(nodes)
            .map(|node| self.ask(node))
            .buffer_unordered(AT_ONCE);
        let mut failed = None;
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(slots) => {
                    self.unanswered.store(0, Ordering::SeqCst);
                    unread.end();
                    return Ok(self.learn(slots));
                }
                Err(failure) => failed = Some(worse(failed, failure)),
            }
        }
        Err(failed.unwrap_or_else(too_late))
    }

    fn newer_than(&self, version: u64) -> Option<Arc<Slots>> {
        let known = self.known();
        known.slots.clone().filter(|_| known.version > version)
    }

    /// All nodes that may know the map: the masters first, the nodes of the URL last.
    fn nodes(&self) -> Vec<Address> {
        let slots = self.known().slots.clone();
        let mut nodes: Vec<_> = slots
            .iter()
            .flat_map(|slots| slots.nodes())
            .cloned()
            .collect();
        for seed in &self.seeds {
            if !nodes.contains(seed) {
                nodes.push(seed.clone());
            }
        }
        nodes
    }

    async fn ask(&self, node: Address) -> Result<Slots, Failure> {
        let mut command = redis::cmd("CLUSTER");
        command.arg("SLOTS");
        let mut connection = self.manager(&node)?.connection().await?;
        let answer = match connection.command(&command).await {
            Err(Failure::Talking(error))
                if error.kind() == ErrorKind::Server(redis::ServerErrorKind::ResponseError) =>
            {
                return Err(Failure::Unfit(
                    "the server is not a node of a cluster: connect with redis:// instead of \
                     redis+cluster://",
                ));
            }
            answer => answer?,
        };
        match Slots::parse(answer, &node) {
            Some(slots) if !slots.is_empty() => Ok(slots),
            _ => Err(Failure::Connecting(RedisError::from((
                ErrorKind::ClusterConnectionNotFound,
                "the node knows no slots",
            )))),
        }
    }

    fn learn(&self, slots: Slots) -> Arc<Slots> {
        let slots = Arc::new(slots);
        let mut known = self.known();
        known.slots = Some(Arc::clone(&slots));
        known.version += 1;
        known.read = Some(Instant::now());
        // Connections to nodes that have gone, or have no slots any more, end here.
        known
            .managers
            .retain(|node, _| slots.masters().contains(node));
        slots
    }
}
