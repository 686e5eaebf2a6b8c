//! The limit: the same requests with the same safety (a signed cookie, a conditional write, an
//! expiry), written by hand in axum handlers on the raw client.
//!
//! What is general in a session library is fixed here: one cookie, one type of contents, one store.

mod cookie;
mod map;
mod memory;
mod postgres;
mod redis;
mod row;

use axum::Router;
use axum::routing::get;
use bench_shared::{Args, Store, measure, serve};

fn main() {
    let args = Args::parse();
    if let Some(micro) = &args.micro {
        return measure(micro, &map::Map::new(micro.sessions));
    }
    serve(async move || match args.store {
        Store::None => Router::new().route("/none", get(async || "0")),
        Store::Memory => memory::app(args.extend),
        Store::Redis => redis::app(&args.url, args.extend).await,
        Store::Postgres => postgres::app(&args.url, args.extend).await,
        _ => args.unknown_store(),
    });
}
