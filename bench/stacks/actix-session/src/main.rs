//! actix-session, measured, with signed cookies, and actix-web without sessions.

use actix_session::config::{CookieContentSecurity, PersistentSession, TtlExtensionPolicy};
use actix_session::storage::RedisSessionStore;
use actix_session::{Session, SessionMiddleware};
use actix_web::cookie::Key;
use actix_web::{App, HttpServer, web};
use bench_shared::{Args, MAX_AGE, SECRET, Store, announce, contents, end_with_input};

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let args = Args::parse();
    match args.store {
        Store::None => {
            let app = || App::new().route("/none", web::get().to(none));
            let server = HttpServer::new(app).workers(1).bind(("127.0.0.1", 0))?;
            end_with_input();
            announce(server.addrs()[0].port());
            server.run().await
        }
        Store::Redis => {
            let store = RedisSessionStore::new(args.url.as_str())
                .await
                .expect("a Redis");
            let app = move || {
                App::new()
                    .wrap(middleware(store.clone(), args.extend))
                    .route("/none", web::get().to(none))
                    .route("/new", web::get().to(new))
                    .route("/read", web::get().to(read))
                    .route("/edit", web::get().to(edit))
            };
            let server = HttpServer::new(app).workers(1).bind(("127.0.0.1", 0))?;
            end_with_input();
            announce(server.addrs()[0].port());
            server.run().await
        }
        _ => args.unknown_store(),
    }
}

fn middleware(store: RedisSessionStore, extend: bool) -> SessionMiddleware<RedisSessionStore> {
    let policy = if extend {
        TtlExtensionPolicy::OnEveryRequest
    } else {
        TtlExtensionPolicy::OnStateChanges
    };
    let max_age = i64::try_from(MAX_AGE.as_secs()).expect("a max age");
    let lifecycle = PersistentSession::default()
        .session_ttl(actix_web::cookie::time::Duration::seconds(max_age))
        .session_ttl_extension_policy(policy);
    SessionMiddleware::builder(store, Key::from(SECRET.as_bytes()))
        .cookie_secure(false)
        .cookie_content_security(CookieContentSecurity::Signed)
        .session_lifecycle(lifecycle)
        .build()
}

async fn none() -> &'static str {
    "0"
}

async fn new(session: Session) -> actix_web::Result<String> {
    session.insert("views", 1)?;
    for (key, value) in contents() {
        session.insert(key, value)?;
    }
    Ok("1".to_owned())
}

async fn read(session: Session) -> actix_web::Result<String> {
    let views: Option<u64> = session.get("views")?;
    Ok(views.unwrap_or(0).to_string())
}

async fn edit(session: Session) -> actix_web::Result<String> {
    let views: Option<u64> = session.get("views")?;
    let views = views.unwrap_or(0) + 1;
    session.insert("views", views)?;
    Ok(views.to_string())
}
