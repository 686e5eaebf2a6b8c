//! Filling a store, behind its back where that is quicker.

use std::ops::Range;
use std::sync::Arc;

use bench_shared::{Args, Store as Kind, resident};
use redis::aio::MultiplexedConnection;
use session_core::{Record, Store};
use session_memory::MemoryStore;
use session_redis::RedisStore;

use super::id;
#[cfg(feature = "sql")]
use super::rows::Rows;
#[cfg(feature = "sled")]
use super::trees::Trees;

/// A store, and the way into what is behind it.
pub(crate) struct Bulk {
    store: Arc<dyn Store>,
    behind: Behind,
}

enum Behind {
    /// The store alone.
    Memory,
    #[cfg(feature = "sled")]
    Trees(Trees),
    Redis(MultiplexedConnection),
    #[cfg(feature = "sql")]
    Rows(Rows),
}

/// How many keys one pipeline writes.
const PIPELINE: usize = 1_000;

impl Bulk {
    pub(crate) async fn open(args: &Args) -> Self {
        let (store, behind): (Arc<dyn Store>, _) = match args.store {
            Kind::None => args.unknown_store(),
            Kind::Memory => (
                Arc::new(MemoryStore::builder().max_sessions(None).build()),
                Behind::Memory,
            ),
            Kind::Redis => {
                let store = RedisStore::connect(&args.url).await.expect("a Redis");
                let client = redis::Client::open(&*args.url).expect("a URL");
                let connection = client.get_multiplexed_async_connection().await;
                (Arc::new(store), Behind::Redis(connection.expect("a Redis")))
            }
            #[cfg(feature = "sql")]
            Kind::Postgres | Kind::MySql | Kind::Sqlite => {
                let (store, rows) = Rows::open(args).await;
                (Arc::new(store), Behind::Rows(rows))
            }
            #[cfg(feature = "sled")]
            Kind::Sled => {
                let (store, trees) = Trees::open(&args.url);
                (Arc::new(store), Behind::Trees(trees))
            }
            #[cfg(not(all(feature = "sql", feature = "sled")))]
            _ => args.unknown_store(),
        };
        Self { store, behind }
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// The same, to hand to tasks.
    #[cfg(feature = "sql")]
    pub(crate) fn shared(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    /// Writes a record under many ids.
    pub(crate) async fn fill(&self, numbers: Range<usize>, record: &Record) {
        match &self.behind {
            #[cfg(feature = "sled")]
            Behind::Trees(trees) => trees.fill(numbers, record).await,
            Behind::Redis(connection) => keys(connection.clone(), numbers, record).await,
            #[cfg(feature = "sql")]
            Behind::Rows(rows) => rows.fill(numbers, record).await,
            Behind::Memory => records(self.store(), numbers, record).await,
        }
    }

    /// What the sessions take: memory of this process or of the server, or room on the disk.
    pub(crate) async fn bytes(&self) -> f64 {
        match &self.behind {
            Behind::Memory => resident(),
            #[cfg(feature = "sled")]
            Behind::Trees(trees) => trees.bytes(),
            Behind::Redis(connection) => used_memory(connection.clone()).await,
            #[cfg(feature = "sql")]
            Behind::Rows(rows) => rows.bytes().await,
        }
    }
}

/// By the store itself, each with a text of its own: one that is shared would take no room.
async fn records(store: &dyn Store, numbers: Range<usize>, record: &Record) {
    let data = record.data();
    for number in numbers {
        let record = Record::new(record.cookie().clone(), &data);
        store.set(&id(number), &record).await.expect("stored");
    }
}

async fn keys(mut connection: MultiplexedConnection, numbers: Range<usize>, record: &Record) {
    let ends = record.expires().expect("it ends");
    let millis = session_core::Clock::to_millis(ends);
    let mut from = numbers.start;
    while from < numbers.end {
        let until = numbers.end.min(from + PIPELINE);
        let mut pipeline = redis::pipe();
        for number in from..until {
            let key = format!("sess:{}", id(number).as_str());
            let set = pipeline.cmd("SET").arg(key).arg(record.json());
            set.arg("PXAT").arg(millis).ignore();
        }
        let () = pipeline.query_async(&mut connection).await.expect("stored");
        from = until;
    }
}

async fn used_memory(mut connection: MultiplexedConnection) -> f64 {
    let asked = redis::cmd("INFO").arg("memory").to_owned();
    let text: String = asked.query_async(&mut connection).await.expect("told");
    let mut lines = text.lines();
    let used = lines.find_map(|line| line.strip_prefix("used_memory:")?.trim().parse().ok());
    used.expect("Redis says what it uses")
}
