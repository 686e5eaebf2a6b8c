//! A running stack with sessions in it.

use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::child::Server;
use crate::load::{self, Connection, Load, request};
use crate::scenario::Scenario;
use crate::stack::{Stack, Store};

/// How many sessions the load goes round.
pub(crate) const SESSIONS: usize = 1_000;

/// Where the load runs. Proxies have a thread of their own: they have to work while this one waits
/// for a server to start.
pub(crate) fn runtime() -> Result<Runtime, String> {
    let mut builder = Builder::new_multi_thread();
    let built = builder.worker_threads(1).enable_all().build();
    built.map_err(|error| error.to_string())
}

/// A server, and the cookies of its sessions.
pub(crate) struct Site {
    pub(crate) server: Server,
    pub(crate) cookies: Vec<String>,
    stack: Stack,
}

impl Site {
    /// Asks a server for new sessions, and checks that it keeps them.
    pub(crate) async fn open(
        server: Server,
        stack: Stack,
        sessions: usize,
    ) -> Result<Self, String> {
        let mut site = Self {
            server,
            cookies: Vec::new(),
            stack,
        };
        if stack.store != Store::None {
            let opened = site.fill(sessions).await;
            opened.map_err(|error| format!("{}: {error}", stack.name()))?;
        }
        Ok(site)
    }

    async fn fill(&mut self, sessions: usize) -> Result<(), String> {
        let mut connection = self.connect().await?;
        for _ in 0..sessions {
            let answer = ask(&mut connection, &request("/new", None)).await?;
            let cookie = answer.cookie.ok_or("a new session came without a cookie")?;
            self.cookies.push(cookie);
        }
        // A session whose answers are not those of one that is kept is not measured.
        for (path, expected) in [("/read", 1), ("/edit", 2), ("/read", 2), ("/none", 0)] {
            let wanted = request(path, Some(&self.cookies[0]));
            let views = ask(&mut connection, &wanted).await?.views;
            if views != Some(expected) {
                return Err(format!("{path} answered {views:?}, not {expected}"));
            }
        }
        Ok(())
    }

    pub(crate) async fn connect(&self) -> Result<Connection, String> {
        let opened = Connection::open(self.server.port).await;
        opened.map_err(|error| format!("{}: {error}", self.stack.name()))
    }

    /// The requests of a scenario, one for each session.
    pub(crate) fn requests(&self, scenario: Scenario) -> Vec<Vec<u8>> {
        if !scenario.has_cookie() || self.cookies.is_empty() {
            return vec![request(scenario.path(), None)];
        }
        let cookies = self.cookies.iter();
        cookies
            .map(|cookie| request(scenario.path(), Some(cookie)))
            .collect()
    }

    /// Puts the scenario's load on the server; every answer must be right.
    pub(crate) async fn load(
        &self,
        scenario: Scenario,
        connections: usize,
        duration: Duration,
    ) -> Result<Load, String> {
        let requests = self.requests(scenario);
        let least = scenario.least_views();
        let load = load::run(self.server.port, &requests, least, connections, duration).await;
        let what = || format!("{}, {}", self.stack.name(), scenario.name());
        let load = load.map_err(|error| format!("{}: {error}", what()))?;
        if load.wrong > 0 {
            return Err(format!(
                "{}: {} of {} answers were wrong on {connections} connections",
                what(),
                load.wrong,
                load.requests
            ));
        }
        Ok(load)
    }
}

pub(crate) async fn ask(
    connection: &mut Connection,
    request: &[u8],
) -> Result<load::Answer, String> {
    let answer = connection
        .ask(request)
        .await
        .map_err(|error| error.to_string())?;
    if answer.status != 200 {
        return Err(format!("status {}", answer.status));
    }
    Ok(answer)
}
