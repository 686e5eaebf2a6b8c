//! tower-sessions, measured, as its documentation sets it up: with signed cookies.

mod memory;
#[cfg(feature = "sql")]
mod sql;

use axum::Router;
use axum::routing::get;
use bench_shared::{Args, MAX_AGE, SECRET, Store, contents, measure, serve};
use tower_sessions::cookie::Key;
use tower_sessions::session_store::SessionStore;
use tower_sessions::{Expiry, MemoryStore, Session, SessionManagerLayer};
use tower_sessions_redis_store::RedisStore;
use tower_sessions_redis_store::fred::prelude::{ClientLike, Config, Pool};

fn main() {
    let args = Args::parse();
    if let Some(micro) = &args.micro {
        return measure(micro, &memory::Memory::new(micro.sessions));
    }
    serve(async move || app(&args).await);
}

async fn app(args: &Args) -> Router {
    let routes = Router::new()
        .route("/none", get(async || "0"))
        .route("/new", get(new))
        .route("/read", get(read))
        .route("/edit", get(edit));
    match args.store {
        Store::Memory => with(routes, MemoryStore::default(), args),
        Store::Redis => {
            // One connection: the pool of six in its documentation is slower (measured, see the
            // README).
            let config = Config::from_url(&args.url).expect("a URL");
            let pool = Pool::new(config, None, None, None, 1).expect("a pool");
            pool.connect();
            pool.wait_for_connect().await.expect("a Redis");
            with(routes, RedisStore::new(pool), args)
        }
        #[cfg(feature = "sql")]
        Store::Postgres => with(routes, sql::postgres(&args.url).await, args),
        #[cfg(feature = "sql")]
        Store::MySql => with(routes, sql::mysql(&args.url).await, args),
        #[cfg(feature = "sql")]
        Store::Sqlite => with(routes, sql::sqlite(&args.url).await, args),
        _ => args.unknown_store(),
    }
}

fn with(routes: Router, store: impl SessionStore + Clone, args: &Args) -> Router {
    let max_age = time::Duration::try_from(MAX_AGE).expect("a max age");
    let layer = SessionManagerLayer::new(store)
        .with_secure(false)
        .with_expiry(Expiry::OnInactivity(max_age))
        .with_always_save(args.extend)
        .with_signed(Key::from(SECRET.as_bytes()));
    routes.layer(layer)
}

async fn new(session: Session) -> String {
    session.insert("views", 1).await.expect("inserted");
    for (key, value) in contents() {
        session.insert(key, value).await.expect("inserted");
    }
    "1".to_owned()
}

async fn read(session: Session) -> String {
    let views: Option<u64> = session.get("views").await.expect("read");
    views.unwrap_or(0).to_string()
}

async fn edit(session: Session) -> String {
    let views: Option<u64> = session.get("views").await.expect("read");
    let views = views.unwrap_or(0) + 1;
    session.insert("views", views).await.expect("inserted");
    views.to_string()
}
