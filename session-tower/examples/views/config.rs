//! What the environment says, or one sentence on what is wrong with it.

use std::env::{self, VarError};
use std::time::Duration;

use session_tower::{Secrets, SessionId};

use crate::secret;
use crate::store::{self, Opened};

/// Where the sessions live unless `STORE` says otherwise.
const STORE: &str = "sled:views.sled";
/// As long as browsers keep any cookie.
const LONGEST_MAX_AGE: u64 = 400 * 86_400;

pub(crate) struct Config {
    pub(crate) port: u16,
    pub(crate) opened: Opened,
    pub(crate) secrets: Secrets,
    pub(crate) max_age: Duration,
}

impl Config {
    pub(crate) async fn from_env() -> Result<Self, String> {
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
        let url = variable("STORE")?;
        let opened = store::open(url.as_deref().unwrap_or(STORE))
            .await
            .map_err(|error| format!("STORE cannot be used: {error}."))?;
        let secrets = match variable("SECRET")? {
            Some(text) => Secrets::new(text),
            None if opened.store.capabilities().durable => Secrets::new(secret::kept()?),
            // Sessions in memory end with the process, so nothing is lost with its secret.
            None => Secrets::new(SessionId::random().as_str()),
        }
        .map_err(|error| format!("SECRET cannot sign cookies: {error}."))?;
        Ok(Self {
            port,
            secrets,
            max_age: Duration::from_secs(max_age),
            opened,
        })
    }
}

/// A variable that is set to nothing counts as not set.
fn variable(name: &str) -> Result<Option<String>, String> {
    match env::var(name) {
        Ok(text) => Ok(Some(text).filter(|text| !text.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(format!("{name} is not valid UTF-8.")),
    }
}
