//! Nothing outlives its owner, however that ends.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use test_servers::Kind;

use crate::support::{listens, start, until};

const OWNER: &str = "TEST_SERVERS_OWNER";

const ALL: [Kind; 3] = [Kind::Redis, Kind::Postgres, Kind::MariaDb];

#[test]
fn a_panic_takes_the_servers_along() {
    for kind in ALL {
        let server = start(kind);
        let address = server.address();
        let directory = server.directory().unwrap().to_owned();
        assert!(listens(address));
        let panicked = std::panic::catch_unwind(AssertUnwindSafe(move || {
            let _server = server;
            std::panic::resume_unwind(Box::new("on purpose"));
        }));
        assert!(panicked.is_err());
        assert!(!listens(address), "{kind}");
        assert!(!directory.exists(), "{kind}");
    }
}

#[test]
fn a_kill_takes_the_servers_along() {
    end(|owner| owner.kill().unwrap());
}

#[test]
fn ctrl_c_takes_the_servers_along() {
    end(|owner| {
        let group = Pid::from_raw(owner.id().try_into().unwrap()).unwrap();
        kill_process_group(group, Signal::INT).unwrap();
    });
}

#[test]
fn the_usual_end_takes_along_what_the_process_shares() {
    // Its standard input is what it waits for.
    end(|owner| drop(owner.stdin.take()));
}

/// Starts a process which owns servers, and ends it.
fn end(by: impl Fn(&mut Child)) {
    let mut owner = Command::new(std::env::current_exe().unwrap());
    // Its servers are its own, whatever this test's environment names.
    for kind in ALL {
        owner.env_remove(kind.variable());
    }
    let mut owner = owner
        .args(["ends::owner", "--exact", "--nocapture"])
        .env(OWNER, "yes")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap();
    let lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    let servers: Vec<(SocketAddr, PathBuf)> = lines
        .map_while(Result::ok)
        .filter_map(|line| {
            let (_, server) = line.split_once("server ")?;
            let (address, directory) = server.split_once(' ')?;
            Some((address.parse().unwrap(), directory.into()))
        })
        .take(ALL.len())
        .collect();
    assert_eq!(servers.len(), ALL.len());
    assert!(servers.iter().all(|(address, _)| listens(*address)));
    by(&mut owner);
    owner.wait().unwrap();
    for (address, directory) in servers {
        until("the server goes", || !listens(address));
        until("its directory goes", || !directory.exists());
    }
}

/// Not a test of its own: the process that owns servers.
#[test]
fn owner() {
    if std::env::var_os(OWNER).is_none() {
        return;
    }
    for kind in ALL {
        // Shared ones: nobody drops them.
        let server = test_servers::Server::shared(kind).unwrap();
        let directory = server.directory().unwrap().display();
        println!("server {} {directory}", server.address());
    }
    let _ = std::io::stdin().read(&mut [0]);
}
