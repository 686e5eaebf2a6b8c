//! What the environment says, or one sentence on what is wrong with it.

use std::env::{self, VarError};
use std::sync::Arc;
use std::time::Duration;

use session_memory::{MemoryStore, Sweeper};
use session_tower::{Secrets, SessionId, Store};

/// The URLs that `STORE` knows.
const STORES: &str = "memory:";
/// Enough for a demo, and an end to what a loop of requests without cookies can fill.
const MAX_SESSIONS: usize = 100_000;
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);
/// As long as browsers keep any cookie.
const LONGEST_MAX_AGE: u64 = 400 * 86_400;

pub(crate) struct Config {
    pub(crate) port: u16,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) store_name: &'static str,
    pub(crate) secrets: Secrets,
    pub(crate) max_age: Duration,
    /// Expired sessions are removed for as long as this lives.
    _sweeper: Sweeper,
}

impl Config {
    pub(crate) fn from_env() -> Result<Self, String> {
        let port = match variable("PORT")? {
            None => 3000,
            Some(text) => text
                .parse()
                .map_err(|_| format!("PORT is a number from 0 to 65535, not {text:?}."))?,
        };
        let max_age = match variable("MAX_AGE")? {
            None => 60,
            Some(text) => text
                .parse()
                .ok()
                .filter(|seconds| (1..=LONGEST_MAX_AGE).contains(seconds))
                .ok_or_else(|| {
                    format!(
                        "MAX_AGE is a number of seconds from 1 to {LONGEST_MAX_AGE}, not {text:?}."
                    )
                })?,
        };
        let secrets = match variable("SECRET")? {
            // Sessions in memory end with the process, so nothing is lost with its secret.
            None => Secrets::new(SessionId::random().as_str()),
            Some(text) => Secrets::new(text),
        }
        .map_err(|error| format!("SECRET cannot sign cookies: {error}."))?;

        // The URL itself stays out of every message: it may hold a password.
        let store = match variable("STORE")? {
            None => memory(),
            Some(url) => match url.split_once(':') {
                Some(("memory", "")) => memory(),
                Some(("memory", _)) => {
                    return Err("STORE=memory: takes nothing behind the colon.".to_owned());
                }
                Some((scheme, _)) => {
                    return Err(format!(
                        "STORE names a {scheme:?} store, and this demo does not have that one; it has: {STORES}"
                    ));
                }
                None => return Err(format!("STORE is not a URL; this demo has: {STORES}")),
            },
        };
        Ok(Self {
            port,
            store_name: "in memory",
            secrets,
            max_age: Duration::from_secs(max_age),
            _sweeper: store.sweeper(SWEEP_INTERVAL),
            store: Arc::new(store),
        })
    }
}

fn memory() -> MemoryStore {
    MemoryStore::builder().max_sessions(MAX_SESSIONS).build()
}

/// A variable that is set to nothing counts as not set.
fn variable(name: &str) -> Result<Option<String>, String> {
    match env::var(name) {
        Ok(text) => Ok(Some(text).filter(|text| !text.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(format!("{name} is not valid UTF-8.")),
    }
}
