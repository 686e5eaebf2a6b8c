//! The application of MIGRATION.md after its move to Rust.

use std::time::Duration;

use axum::extract::Path;
use axum::response::Redirect;
use axum::routing::{get, post};
use axum::{Router, serve};
use session_redis::RedisStore;
use session_tower::{
    CookieOptions, SameSite, Secrets, Session, SessionLayer, SessionOptions, SessionRejection,
};
use tokio::net::TcpListener;

async fn home(session: Session) -> Result<String, SessionRejection> {
    let views = session.update("views", |views: Option<u64>| views.unwrap_or(0) + 1)?;
    let user: Option<String> = session.get("user")?;
    Ok(format!(
        "{views} views, {}\n",
        user.as_deref().unwrap_or("nobody")
    ))
}

async fn login(session: Session, Path(user): Path<String>) -> Result<Redirect, SessionRejection> {
    session.regenerate();
    session.insert("user", &user)?;
    Ok(Redirect::to("/"))
}

async fn logout(session: Session) -> Result<Redirect, SessionRejection> {
    session.destroy().await?;
    Ok(Redirect::to("/"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = RedisStore::connect(&std::env::var("REDIS_URL")?).await?;
    let secrets = Secrets::rotating(std::env::var("SESSION_SECRETS")?.split(' '))?;
    let cookie = CookieOptions::new()
        .max_age(Duration::from_secs(3600))
        .same_site(SameSite::Lax);
    let options = SessionOptions::new(store, secrets)
        .cookie(cookie)
        .rolling(true);
    let sessions = SessionLayer::new(options)?;
    let app = Router::new()
        .route("/", get(home))
        .route("/login/{user}", post(login))
        .route("/logout", post(logout))
        .layer(sessions);
    let port: u16 = std::env::var("PORT")?.parse()?;
    serve(TcpListener::bind(("127.0.0.1", port)).await?, app).await?;
    Ok(())
}
