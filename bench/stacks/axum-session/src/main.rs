//! `axum_session`, measured, with signed cookies.
//!
//! By default it keeps each session in memory for an hour, in front of its store: with `--cached` here.
//! A process does not see there what another one wrote, so that without the cache it does what the
//! others do.

#[cfg(feature = "sql")]
mod sql;

use axum::Router;
use axum::routing::get;
use axum_session::{
    DatabasePool, Key, Session, SessionConfig, SessionLayer, SessionNullPool, SessionStore,
};
use axum_session_redispool::SessionRedisPool;
use bench_shared::{Args, MAX_AGE, SECRET, Store, contents, serve};
use redis_pool::SingleRedisPool;

fn main() {
    let args = Args::parse();
    serve(async move || match args.store {
        Store::Memory => app::<SessionNullPool>(None, &args).await,
        Store::Redis => {
            let client = redis::Client::open(args.url.as_str()).expect("a URL");
            let pool = SessionRedisPool::from(SingleRedisPool::from(client));
            app(Some(pool), &args).await
        }
        #[cfg(feature = "sql")]
        Store::Postgres => app(Some(sql::postgres(&args.url).await), &args).await,
        #[cfg(feature = "sql")]
        Store::MySql => app(Some(sql::mysql(&args.url).await), &args).await,
        #[cfg(feature = "sql")]
        Store::Sqlite => app(Some(sql::sqlite(&args.url).await), &args).await,
        _ => args.unknown_store(),
    });
}

async fn app<P>(pool: Option<P>, args: &Args) -> Router
where
    P: DatabasePool + Clone + std::fmt::Debug + Sync + Send + 'static,
{
    let max_age = time::Duration::try_from(MAX_AGE).expect("a max age");
    let mut config = SessionConfig::default()
        .with_key(Key::from(SECRET.as_bytes()))
        .with_lifetime(max_age)
        .with_max_age(Some(max_age))
        .with_always_save(args.extend);
    if pool.is_some() && !args.cached {
        config = config.with_memory_lifetime(time::Duration::ZERO);
    }
    let store = SessionStore::new(pool, config).await.expect("a store");
    Router::new()
        .route("/none", get(async || "0"))
        .route("/new", get(new::<P>))
        .route("/read", get(read::<P>))
        .route("/edit", get(edit::<P>))
        .layer(SessionLayer::new(store))
}

async fn new<P>(session: Session<P>) -> String
where
    P: DatabasePool + Clone + std::fmt::Debug + Sync + Send + 'static,
{
    session.set("views", 1);
    for (key, value) in contents() {
        session.set(key, value);
    }
    "1".to_owned()
}

async fn read<P>(session: Session<P>) -> String
where
    P: DatabasePool + Clone + std::fmt::Debug + Sync + Send + 'static,
{
    let views: Option<u64> = session.get("views");
    views.unwrap_or(0).to_string()
}

async fn edit<P>(session: Session<P>) -> String
where
    P: DatabasePool + Clone + std::fmt::Debug + Sync + Send + 'static,
{
    let views: Option<u64> = session.get("views");
    let views = views.unwrap_or(0) + 1;
    session.set("views", views);
    views.to_string()
}
