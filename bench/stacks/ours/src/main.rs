//! This project, measured: `session-tower` over its stores.

mod growth;
mod memory;
mod writes;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use bench_shared::{Args, MAX_AGE, SECRET, Store as Kind, Writes, contents, measure, serve};
use session_core::Store;
use session_memory::MemoryStore;
use session_redis::RedisStore;
#[cfg(feature = "sled")]
use session_sled::SledStore;
#[cfg(feature = "sql")]
use session_sqlx::SqlxStore;
use session_tower::{
    CookieOptions, Secrets, Session, SessionLayer, SessionOptions, SessionRejection,
};

use crate::writes::Written;

fn main() {
    let args = Args::parse();
    if let Some(micro) = &args.micro {
        if !growth::measure(&args, micro) {
            measure(micro, &memory::Memory::new(micro));
        }
        return;
    }
    serve(async move || app(&args).await);
}

async fn app(args: &Args) -> Router {
    let routes = Router::new()
        .route("/none", get(async || "0"))
        .route("/new", get(new))
        .route("/read", get(read))
        .route("/edit", get(edit));
    let options = match args.store {
        Kind::None => return Router::new().route("/none", get(async || "0")),
        Kind::Memory => with(MemoryStore::builder().max_sessions(None).build(), args),
        Kind::Redis => with(RedisStore::connect(&args.url).await.expect("a Redis"), args),
        #[cfg(feature = "sql")]
        Kind::Postgres | Kind::MySql | Kind::Sqlite => {
            let store = SqlxStore::connect(&args.url).await.expect("a database");
            store.migrate().await.expect("a table");
            with(store, args)
        }
        #[cfg(feature = "sled")]
        Kind::Sled => with(SledStore::open(&args.url).await.expect("a directory"), args),
        #[cfg(not(all(feature = "sql", feature = "sled")))]
        _ => args.unknown_store(),
    };
    let touch_after = if args.extend { Duration::ZERO } else { MAX_AGE };
    let options = options
        .cookie(CookieOptions::new().max_age(MAX_AGE))
        .touch_after(touch_after)
        .lazy(true);
    routes.layer(SessionLayer::new(options).expect("options that work"))
}

fn with(store: impl Store, args: &Args) -> SessionOptions {
    let secrets = Secrets::new(SECRET).expect("a secret");
    match args.writes {
        Writes::Usual => SessionOptions::new(store, secrets),
        how => SessionOptions::new(Written::new(Arc::new(store), how), secrets),
    }
}

async fn new(session: Session) -> Result<String, SessionRejection> {
    session.insert("views", &1)?;
    for (key, value) in contents() {
        session.insert(key, value)?;
    }
    Ok("1".to_owned())
}

async fn read(session: Session) -> Result<String, SessionRejection> {
    let views: Option<u64> = session.get("views")?;
    Ok(views.unwrap_or(0).to_string())
}

async fn edit(session: Session) -> Result<String, SessionRejection> {
    let views = session.update("views", |views: Option<u64>| views.unwrap_or(0) + 1)?;
    Ok(views.to_string())
}
