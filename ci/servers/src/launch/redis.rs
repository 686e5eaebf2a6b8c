//! One Redis or Valkey server, and what those of a cluster have in common with it.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Failure, Launched, Ready, find, free_ports, stand_ins, stands_in, version, word};
use crate::Kind;
use crate::guard::Guard;
use crate::place::Place;
use crate::server::Node;

/// Servers that share a password and a directory.
pub(crate) struct Group {
    pub(crate) guard: Arc<Guard>,
    pub(crate) password: String,
    program: PathBuf,
    version: String,
}

impl Group {
    pub(crate) fn new(program: &str) -> Result<Self, Failure> {
        let Some(program) = find(program, &[]) else {
            return Err(Failure::Missing(format!("there is no {program}")));
        };
        Ok(Self {
            version: version(&program)?,
            guard: Arc::new(Guard::new(None, "KILL")?),
            password: word(24)?,
            program,
        })
    }

    /// Starts a server with these lines in its configuration.
    pub(crate) fn start(&self, name: &str, port: u16, lines: &[String]) -> Result<Node, Failure> {
        let node = self.define(name, port, lines, &[])?;
        node.wait(self.guard.start(name)?)?;
        Ok(node)
    }

    pub(crate) fn define(
        &self,
        name: &str,
        port: u16,
        lines: &[String],
        arguments: &[&str],
    ) -> Result<Node, Failure> {
        let directory = self.guard.make_directory(name)?;
        let socket = self.socket(name);
        let mut configuration = format!(
            "bind 127.0.0.1\ndaemonize no\ndir {}\nunixsocket {}\nunixsocketperm 700\nrequirepass {}\n",
            directory.display(),
            socket.display(),
            self.password,
        );
        for line in lines {
            configuration.push_str(line);
            configuration.push('\n');
        }
        let path = self.guard.write(&format!("{name}.conf"), &configuration)?;
        let path = path.to_string_lossy();
        let arguments: Vec<&str> = [&*path]
            .into_iter()
            .chain(arguments.iter().copied())
            .collect();
        self.guard.define(name, &self.program, &arguments)?;
        Ok(Node {
            name: name.into(),
            address: ([127, 0, 0, 1], port).into(),
            ready: Ready::Redis {
                socket,
                password: self.password.clone(),
            },
            guard: Arc::clone(&self.guard),
        })
    }

    pub(crate) fn socket(&self, name: &str) -> PathBuf {
        self.guard.directory().join(format!("{name}.socket"))
    }

    /// The server that these nodes are, entered through the addresses of the first `entries`.
    pub(crate) fn launched(self, kind: Kind, nodes: Vec<Node>, entries: usize) -> Launched {
        let mut addresses = nodes.iter().map(|node| node.address);
        let path = if kind == Kind::RedisCluster { "" } else { "/0" };
        let first = addresses
            .next()
            .unwrap_or_else(|| ([127, 0, 0, 1], 0).into());
        let mut place = Place::new(kind.scheme(), "", &self.password, first, path);
        place.others = addresses.take(entries.saturating_sub(1)).collect();
        Launched {
            place,
            nodes,
            socket: None,
            ca: None,
            version: self.version,
            guard: self.guard,
        }
    }
}

/// Nothing is written to the disk: what a test stored ends with it.
pub(crate) const IN_MEMORY: [&str; 2] = ["save \"\"", "appendonly no"];

/// The lines of a configuration: the usual ones, and what a caller asks for.
pub(crate) fn lines(usual: &[&str], settings: &[(&str, &str)]) -> Vec<String> {
    let settings = settings
        .iter()
        .map(|(name, value)| format!("{name} {value}"));
    let usual = usual.iter().map(|&line| line.to_owned());
    usual.chain(settings).collect()
}

pub(crate) fn launch(kind: Kind, settings: &[(&str, &str)]) -> Result<Launched, Failure> {
    let group = match kind {
        Kind::Valkey => Group::new("valkey-server").or_else(|why| {
            if !stand_ins() {
                return Err(why);
            }
            let mut group = Group::new("redis-server")?;
            group.version = stands_in(kind, &group.version);
            Ok(group)
        }),
        _ => Group::new("redis-server"),
    }?;
    let [port] = free_ports()?;
    let mut lines = lines(&IN_MEMORY, settings);
    lines.push(format!("port {port}"));
    let node = group.start("server", port, &lines)?;
    let socket = group.socket("server");
    Ok(Launched {
        socket: Some(socket),
        ..group.launched(kind, vec![node], 1)
    })
}
