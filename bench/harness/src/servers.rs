//! Where the stores of the stacks are: a server, a file or a directory.

use std::net::SocketAddr;

use tempfile::TempDir;
use test_servers::{Kind, Server};

use crate::stack::Store;

/// The servers of the tests forget what they were told when the machine does. These do not, as in
/// use.
const POSTGRES: [(&str, &str); 4] = [
    ("fsync", "on"),
    ("full_page_writes", "on"),
    ("synchronous_commit", "on"),
    ("shared_buffers", "256MB"),
];
const MARIADB: [(&str, &str); 3] = [
    ("innodb_flush_log_at_trx_commit", "1"),
    ("innodb_doublewrite", "ON"),
    ("innodb_buffer_pool_size", "256M"),
];

/// A place for one program's sessions, empty, and gone with this.
pub(crate) struct Place {
    kind: Kept,
}

enum Kept {
    InProcess,
    /// Started for this program, so that no stack finds what another one has left behind.
    Server(Box<Server>),
    /// One that the environment names.
    Shared(&'static Server),
    Directory(Store, TempDir),
}

impl Place {
    pub(crate) fn new(store: Store) -> Result<Self, String> {
        let start = |kind: Kind, settings| {
            if std::env::var_os(kind.variable()).is_some() {
                return Server::shared(kind).map(Kept::Shared);
            }
            let started = Server::start_with(kind, settings);
            started.map(|server| Kept::Server(Box::new(server)))
        };
        let kind = match store {
            Store::None | Store::Memory => Kept::InProcess,
            Store::Redis => start(Kind::Redis, &[])?,
            Store::Postgres => start(Kind::Postgres, &POSTGRES)?,
            Store::MySql => start(Kind::MariaDb, &MARIADB)?,
            Store::Sqlite | Store::Sled => {
                let directory = TempDir::new().map_err(|error| error.to_string())?;
                Kept::Directory(store, directory)
            }
        };
        Ok(Self { kind })
    }

    fn server(&self) -> Option<&Server> {
        match &self.kind {
            Kept::Server(server) => Some(server),
            Kept::Shared(server) => Some(server),
            Kept::InProcess | Kept::Directory(..) => None,
        }
    }

    /// What to tell a program; empty where it needs nothing.
    pub(crate) fn url(&self) -> String {
        match (&self.kind, self.server()) {
            (_, Some(server)) => server.url(),
            (Kept::Directory(Store::Sqlite, directory), _) => {
                let file = directory.path().join("sessions.db");
                format!("sqlite:{}?mode=rwc", file.display())
            }
            (Kept::Directory(_, directory), _) => {
                directory.path().join("sessions").display().to_string()
            }
            _ => String::new(),
        }
    }

    /// Where a server listens.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.server().map(Server::address)
    }

    /// What to tell a program that is to go through a proxy.
    pub(crate) fn url_at(&self, proxy: SocketAddr) -> String {
        let through = |server: &Server| server.url_at(proxy);
        self.server().map_or_else(|| self.url(), through)
    }
}
