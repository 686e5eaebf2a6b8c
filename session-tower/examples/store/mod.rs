//! Opens a store by its URL: for the examples, which take theirs from the environment.
//!
//! | URL | store |
//! |---|---|
//! | `memory:` | in this process |
//! | `sled:DIRECTORY` | in a local directory, which is made if it is not there |
//! | `redis://HOST:PORT/DATABASE` | Redis or Valkey, `redis://USER:PASSWORD@..` with a login |

use std::sync::Arc;
use std::time::Duration;

use session_memory::{MemoryStore, Sweeper};
use session_redis::RedisStore;
use session_sled::{Flush, SledStore};
use session_tower::{Error, Store};

/// What a store's URL may look like, for messages.
pub(crate) const URLS: &str = "memory:, sled:DIRECTORY, redis://HOST:PORT";
/// Enough for an example, and an end to what a loop of requests without cookies can fill.
const MAX_SESSIONS: usize = 100_000;
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// A store that is ready for use.
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn Store>,
    /// What the store is called towards people.
    pub(crate) name: String,
    /// Expired sessions are removed for as long as this lives; `None` where the server does it.
    pub(crate) _sweeper: Option<Sweeper>,
}

/// Opens the store of `url`; a server is connected to now.
///
/// # Errors
///
/// One sentence on what is wrong. The URL itself is never part of it: it may hold a password.
pub(crate) async fn open(url: &str) -> Result<Opened, String> {
    match url.split_once(':') {
        Some(("memory", "")) => {
            let store = MemoryStore::builder().max_sessions(MAX_SESSIONS).build();
            Ok(Opened {
                _sweeper: Some(store.sweeper(SWEEP_INTERVAL)),
                store: Arc::new(store),
                name: "in memory".to_owned(),
            })
        }
        Some(("memory", _)) => Err("memory: takes nothing behind the colon".to_owned()),
        Some(("sled", "")) => {
            Err("sled: takes a directory behind the colon, as in sled:views.sled".to_owned())
        }
        Some(("sled", directory)) => {
            // A visitor who was told something is to find it so after a crash.
            let builder = SledStore::builder().flush(Flush::EveryWrite);
            let store = connected(builder.open(directory).await)?;
            Ok(Opened {
                _sweeper: Some(store.sweeper(SWEEP_INTERVAL)),
                store: Arc::new(store),
                name: format!("in the directory {directory}"),
            })
        }
        Some(("redis" | "valkey" | "unix", _)) => Ok(Opened {
            store: Arc::new(connected(RedisStore::connect(url).await)?),
            name: "on a Redis server".to_owned(),
            _sweeper: None,
        }),
        Some((scheme, _)) => Err(format!(
            "there is no {scheme:?} store; the stores are: {URLS}"
        )),
        None => Err(format!("that is not a URL; the stores are: {URLS}")),
    }
}

fn connected<S>(result: Result<S, Error>) -> Result<S, String> {
    result.map_err(|error| error.to_string())
}
