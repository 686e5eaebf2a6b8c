//! Opens a store by its URL: for the examples, which take theirs from the environment.
//!
//! | URL | store |
//! |---|---|
//! | `memory:` | in this process |
//! | `sled:DIRECTORY` | in a local directory, which is made if it is not there |
//! | `redis://HOST:PORT/DATABASE` | Redis or Valkey, `redis://USER:PASSWORD@..` with a login |
//! | `postgres://USER:PASSWORD@HOST:PORT/DATABASE` | PostgreSQL, with connect-pg-simple's table |
//! | `postgres://..?time_zone=ZONE` | the same where Node's connections are on that zone, not on UTC |
//! | `mysql://USER:PASSWORD@HOST:PORT/DATABASE` | MySQL or MariaDB, with express-mysql-session's table |
//! | `sqlite:PATH` | a SQLite file with connect-sqlite3's table |
//! | `sqlite:PATH?preset=better-sqlite3-session-store` | one with that store's table |

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use session_memory::MemoryStore;
use session_redis::RedisStore;
use session_sled::{Flush, SledStore};
use session_sqlx::{Schema, SqlxStore, SqlxStoreBuilder};
use session_tower::{Error, Store};

/// What a store's URL may look like, for messages.
pub(crate) const URLS: &str = "memory:, sled:DIRECTORY, redis://HOST:PORT, \
     postgres://USER:PASSWORD@HOST:PORT/DATABASE, mysql://USER:PASSWORD@HOST:PORT/DATABASE, \
     sqlite:PATH";
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// A store that is ready for use.
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn Store>,
    /// What the store is called towards people.
    pub(crate) name: String,
    /// Expired sessions are removed for as long as this lives; `None` where the server does it.
    pub(crate) _sweeper: Option<Box<dyn Any + Send + Sync>>,
}

/// Opens the store of `url`; a server is connected to now.
///
/// # Errors
///
/// One sentence on what is wrong. The URL itself is never part of it: it may hold a password.
pub(crate) async fn open(url: &str) -> Result<Opened, String> {
    match url.split_once(':') {
        Some(("memory", "")) => {
            let store = MemoryStore::new();
            Ok(Opened {
                _sweeper: Some(Box::new(store.sweeper(SWEEP_INTERVAL))),
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
                _sweeper: Some(Box::new(store.sweeper(SWEEP_INTERVAL))),
                store: Arc::new(store),
                name: format!("in the directory {directory}"),
            })
        }
        Some(("redis" | "valkey" | "unix", _)) => Ok(Opened {
            store: Arc::new(connected(RedisStore::connect(url).await)?),
            name: "on a Redis server".to_owned(),
            _sweeper: None,
        }),
        Some(("postgres" | "postgresql", _)) => {
            let (url, zone) = url.split_once("time_zone=").unwrap_or((url, "UTC"));
            let url = url.trim_end_matches(['?', '&']);
            let builder = SqlxStore::builder().time_zone(zone);
            sql(url, builder, "PostgreSQL").await
        }
        Some(("mysql" | "mariadb", _)) => sql(url, SqlxStore::builder(), "MySQL").await,
        Some(("sqlite", rest)) => {
            let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
            let schema = match query {
                "" | "preset=connect-sqlite3" => Schema::ConnectSqlite3,
                "preset=better-sqlite3-session-store" => Schema::BetterSqlite3,
                _ => {
                    return Err("the presets of sqlite: are connect-sqlite3 and \
                                better-sqlite3-session-store"
                        .to_owned());
                }
            };
            let builder = SqlxStore::builder().schema(schema);
            sql(&format!("sqlite:{path}?mode=rwc"), builder, "SQLite").await
        }
        Some((scheme, _)) => Err(format!(
            "there is no {scheme:?} store; the stores are: {URLS}"
        )),
        None => Err(format!("that is not a URL; the stores are: {URLS}")),
    }
}

async fn sql(url: &str, builder: SqlxStoreBuilder, database: &str) -> Result<Opened, String> {
    let store = connected(builder.connect(url).await)?;
    connected(store.migrate().await)?;
    Ok(Opened {
        _sweeper: Some(Box::new(store.sweeper(SWEEP_INTERVAL))),
        store: Arc::new(store),
        name: format!("in {database}"),
    })
}

fn connected<S>(result: Result<S, Error>) -> Result<S, String> {
    result.map_err(|error| error.to_string())
}
