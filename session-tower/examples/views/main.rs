//! The view counter of express-session's manual, as a page to play with: `cargo run --example views`.
//!
//! | variable | default | meaning |
//! |---|---|---|
//! | `PORT` | 3000 | where to listen on 127.0.0.1; 0 is any free port |
//! | `STORE` | `sled:views.sled` | where the sessions live: `memory:`, `sled:DIRECTORY`, `sqlite:FILE`, `redis://..`, `postgres://..`, `mysql://..` |
//! | `SECRET` | the one in `views.secret`, made at first | signs the cookies |
//! | `MAX_AGE` | 60 | seconds until an unused session expires |
//!
//! Both files are in the working directory. The counter survives a restart, `kill -9` included.

mod app;
mod config;
mod guard;
mod page;
mod proud;
mod secret;
#[path = "../store/mod.rs"]
mod store;

use std::io;
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::config::Config;

/// How long open connections may take to finish after the demo was told to stop.
const PATIENCE: Duration = Duration::from_secs(2);

#[tokio::main(flavor = "current_thread")]
#[expect(
    clippy::print_stderr,
    reason = "this is where a program says why it ends"
)]
async fn main() -> ExitCode {
    let config = match Config::from_env().await {
        Ok(config) => config,
        Err(wrong) => {
            eprintln!("views: {wrong}");
            return ExitCode::from(2);
        }
    };
    match serve(config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("views: {problem}");
            ExitCode::FAILURE
        }
    }
}

#[expect(
    clippy::print_stdout,
    reason = "the address is what the program is started for"
)]
async fn serve(config: Config) -> Result<(), String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, config.port))
        .await
        .map_err(|error| no_port(config.port, &error))?;
    let address = listener
        .local_addr()
        .map_err(|error| format!("no address to listen on: {error}."))?;
    let stop = Stop::listen().map_err(|error| format!("cannot wait for Ctrl-C: {error}."))?;
    let app = app::router(&config).map_err(|error| format!("{error}."))?;

    println!(
        "The view counter is at http://{address} (sessions: {}; Ctrl-C stops it)",
        config.opened.name
    );

    let (stopping, stopped) = oneshot::channel();
    let server = axum::serve(listener, app).with_graceful_shutdown(async move {
        stop.requested().await;
        let _ = stopping.send(());
    });
    // A browser may hold a connection open for as long as it likes.
    let out_of_patience = async {
        let _ = stopped.await;
        tokio::time::sleep(PATIENCE).await;
    };
    tokio::select! {
        ended = server => ended.map_err(|error| format!("the server failed: {error}.")),
        () = out_of_patience => Ok(()),
    }
}

fn no_port(port: u16, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "port {port} is taken by another program: stop that one, or set PORT to another port (PORT=0 takes any free one)."
        ),
        io::ErrorKind::PermissionDenied => {
            format!("port {port} is not open to this user: set PORT to one above 1023.")
        }
        _ => format!("cannot listen on port {port}: {error}."),
    }
}

/// Ctrl-C, and what service managers send.
struct Stop {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Stop {
    #[cfg(unix)]
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    #[cfg(unix)]
    async fn requested(mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    #[cfg(not(unix))]
    fn listen() -> io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    async fn requested(self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}
