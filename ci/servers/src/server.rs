use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::Kind;
use crate::guard::Guard;
use crate::launch::{Ready, launch};
use crate::place::Place;
use crate::shared;

/// A server, or several that act as one.
///
/// One that was started here is stopped when it is dropped, and when this process ends. It listens
/// on 127.0.0.1 alone, behind a password that nobody else has.
#[derive(Debug)]
pub struct Server {
    pub(crate) kind: Kind,
    pub(crate) place: Place,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) own: Option<Own>,
    #[cfg(feature = "containers")]
    pub(crate) container: Option<crate::container::Running>,
}

/// What there is to say about a server of our own.
#[derive(Debug)]
pub(crate) struct Own {
    nodes: Vec<Node>,
    socket: Option<PathBuf>,
    version: String,
    guard: Arc<Guard>,
}

impl Server {
    /// What the sentinels call the master that they watch.
    pub const MASTER: &str = "mymaster";

    /// The server that the environment names, or one that this process shares among its tests.
    /// Several URLs of a cluster's nodes, or of sentinels, have commas between them.
    ///
    /// # Errors
    ///
    /// `NOT RUN:`, why there is none, and what to do about it.
    pub fn shared(kind: Kind) -> Result<&'static Self, String> {
        shared::server(kind)
    }

    /// Starts a server for the caller alone.
    ///
    /// # Errors
    ///
    /// `NOT RUN:`, why there is none, and what to do about it.
    pub fn start(kind: Kind) -> Result<Self, String> {
        Self::start_with(kind, &[])
    }

    /// Starts a server with these settings beside the usual ones, such as `timezone` for
    /// PostgreSQL or `maxmemory` for Redis; each server of several has them. With `ssl` `on`,
    /// PostgreSQL and MariaDB get a certificate; see [`ca_file`](Self::ca_file).
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_with(kind: Kind, settings: &[(&str, &str)]) -> Result<Self, String> {
        let launched = launch(kind, settings)?;
        let mut server = Self::at(kind, launched.place, launched.ca);
        server.own = Some(Own {
            nodes: launched.nodes,
            socket: launched.socket,
            version: launched.version,
            guard: launched.guard,
        });
        Ok(server)
    }

    /// The server that the environment names, or one in a container of its own, which goes with the
    /// value. `SESSION_TEST_REDIS_IMAGE` and the like name the image to start.
    ///
    /// # Errors
    ///
    /// `NOT RUN:`, why there is none, and what to do about it.
    #[cfg(feature = "containers")]
    pub fn contained(kind: Kind) -> Result<Self, String> {
        crate::container::server(kind)
    }

    /// Makes this the server that [`shared`](Self::shared) returns in this process, for as long as
    /// the caller keeps it.
    ///
    /// # Errors
    ///
    /// Where somebody has asked for the shared one before.
    pub fn share(&self) -> Result<(), String> {
        shared::set(Self::at(self.kind, self.place.clone(), self.ca.clone()))
    }

    /// One that somebody else started.
    pub(crate) fn at(kind: Kind, place: Place, ca: Option<PathBuf>) -> Self {
        Self {
            kind,
            place,
            ca,
            own: None,
            #[cfg(feature = "containers")]
            container: None,
        }
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The URL to connect to, the login included: of a cluster's first node, of the first sentinel.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_at(self.address())
    }

    /// The URLs of all nodes of a cluster, and of all sentinels; else the one URL.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.place.urls()
    }

    /// The URL with another address: that of a proxy, mostly.
    #[must_use]
    pub fn url_at(&self, address: SocketAddr) -> String {
        self.url_with(address, self.password())
    }

    /// The URL with another address and another password.
    #[must_use]
    pub fn url_with(&self, address: SocketAddr, password: &str) -> String {
        self.place.url_with(address, password)
    }

    /// Where it listens: a cluster's first node, the first sentinel.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.place.address
    }

    /// Who to log in as; empty where a password is enough.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.place.user
    }

    /// The password; sentinels have the same as the servers that they watch.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.place.password
    }

    /// The certificate to trust, a file in PEM, of a server that speaks TLS.
    #[must_use]
    pub fn ca_file(&self) -> Option<&Path> {
        self.ca.as_deref()
    }

    /// The Unix socket of a single server that was started here.
    #[must_use]
    pub fn socket(&self) -> Option<&Path> {
        self.own.as_ref()?.socket.as_deref()
    }

    /// The servers that were started here, to kill and to restart: the masters of a cluster, then
    /// their replicas in the same order; the sentinels, then the master and its replica. Without
    /// any where the environment named the server.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        self.own.as_ref().map_or(&[], |own| &own.nodes)
    }

    /// What a server that was started here says about its version.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.own.as_ref().map(|own| own.version.as_str())
    }

    /// The directory of a server that was started here; it goes with it.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        self.own.as_ref().map(|own| own.guard.directory())
    }

    /// The variables by which [`shared`](Self::shared) finds it in another process.
    #[must_use]
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let mut variables = vec![(self.kind.variable(), self.urls().join(","))];
        if let Some(ca) = self.ca_file() {
            variables.push((shared::CA, ca.to_string_lossy().into_owned()));
        }
        variables
    }
}

/// One server of those that were started together.
#[derive(Debug)]
pub struct Node {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    pub(crate) ready: Ready,
    pub(crate) guard: Arc<Guard>,
}

impl Node {
    /// What it is called, such as `node0`, `sentinel2` or `master`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Kills it with `SIGKILL`, and returns when it is gone.
    ///
    /// # Errors
    ///
    /// Where the shell that guards the servers is gone itself.
    pub fn kill(&self) -> Result<(), String> {
        let killed = self.guard.kill(&self.name);
        killed.map_err(|error| error.to_string())
    }

    /// Halts it with `SIGSTOP`: what there is of its host still takes connections, and nobody
    /// answers on them, as if the host had vanished without a word.
    ///
    /// # Errors
    ///
    /// As [`kill`](Self::kill).
    pub fn pause(&self) -> Result<(), String> {
        let paused = self.guard.pause(&self.name);
        paused.map_err(|error| error.to_string())
    }

    /// Lets it go on after [`pause`](Self::pause).
    ///
    /// # Errors
    ///
    /// As [`kill`](Self::kill).
    pub fn resume(&self) -> Result<(), String> {
        let resumed = self.guard.resume(&self.name);
        resumed.map_err(|error| error.to_string())
    }

    /// Starts it again where it was, and returns when it answers. What it held in memory is lost.
    ///
    /// # Errors
    ///
    /// What it said when it did not start.
    pub fn restart(&self) -> Result<(), String> {
        self.kill()?;
        let started = self.start_again();
        started.map_err(|failure| failure.to_string())
    }
}
