//! The limit: the same requests with the same safety (a signed cookie, a conditional write, an
//! expiry), written by hand in axum handlers on the raw client.
//!
//! What is general in a session library is fixed here: one cookie, one type of contents, one store.

mod cookie;
mod map;
mod memory;
mod redis;
mod row;
mod site;
#[cfg(feature = "sled")]
mod sled;
#[cfg(feature = "sql")]
mod sql;

use axum::Router;
use axum::routing::get;
use bench_shared::{Args, Store, measure, serve};

fn main() {
    let args = Args::parse();
    if let Some(micro) = &args.micro {
        return measure(micro, &map::Map::new(micro.sessions, args.boxed));
    }
    serve(async move || match args.store {
        Store::None => Router::new().route("/none", get(async || "0")),
        Store::Memory => site::app(memory::Shards::new(), args.extend),
        Store::Redis => site::app(redis::open(&args.url).await, args.extend),
        #[cfg(feature = "sql")]
        Store::Postgres if args.pipelining => {
            site::app(sql::PipelinedRows::open(&args.url).await, args.extend)
        }
        #[cfg(feature = "sql")]
        Store::Postgres => site::app(sql::PostgresRows::open(&args.url).await, args.extend),
        #[cfg(feature = "sql")]
        Store::MySql => site::app(sql::MySqlRows::open(&args.url).await, args.extend),
        #[cfg(feature = "sql")]
        Store::Sqlite => site::app(sql::SqliteRows::open(&args.url).await, args.extend),
        #[cfg(feature = "sled")]
        Store::Sled => site::app(sled::open(&args.url), args.extend),
        #[cfg(not(all(feature = "sql", feature = "sled")))]
        _ => args.unknown_store(),
    });
}
