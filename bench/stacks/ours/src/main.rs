//! This project, measured: `session-tower` over its stores.

mod memory;

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use bench_shared::{Args, MAX_AGE, SECRET, Store, contents, measure, serve};
use session_memory::MemoryStore;
use session_redis::RedisStore;
use session_sled::SledStore;
use session_sqlx::SqlxStore;
use session_tower::{
    CookieOptions, Secrets, Session, SessionLayer, SessionOptions, SessionRejection,
};

fn main() {
    let args = Args::parse();
    if let Some(micro) = &args.micro {
        return measure(micro, &memory::Memory::new(micro));
    }
    serve(async move || app(&args).await);
}

async fn app(args: &Args) -> Router {
    let routes = Router::new()
        .route("/none", get(async || "0"))
        .route("/new", get(new))
        .route("/read", get(read))
        .route("/edit", get(edit));
    let secrets = Secrets::new(SECRET).expect("a secret");
    let options = match args.store {
        Store::None => return Router::new().route("/none", get(async || "0")),
        Store::Memory => SessionOptions::new(MemoryStore::new(), secrets),
        Store::Redis => {
            let store = RedisStore::connect(&args.url).await.expect("a Redis");
            SessionOptions::new(store, secrets)
        }
        Store::Postgres => {
            let store = SqlxStore::connect(&args.url).await.expect("a PostgreSQL");
            store.migrate().await.expect("a table");
            SessionOptions::new(store, secrets)
        }
        Store::Sled => {
            let store = SledStore::open(&args.url).await.expect("a directory");
            SessionOptions::new(store, secrets)
        }
        _ => args.unknown_store(),
    };
    let touch_after = if args.extend { Duration::ZERO } else { MAX_AGE };
    let options = options
        .cookie(CookieOptions::new().max_age(MAX_AGE))
        .touch_after(touch_after)
        .lazy(true);
    routes.layer(SessionLayer::new(options).expect("options that work"))
}

async fn new(session: Session) -> Result<String, SessionRejection> {
    session.insert("views", &1)?;
    for (key, value) in &contents() {
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
