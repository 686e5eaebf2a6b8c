//! On Redis: one multiplexed connection, `GET`, and a script that writes if nobody else did.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::SET_COOKIE;
use axum::response::{AppendHeaders, IntoResponse};
use axum::routing::get;
use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;

use crate::cookie::{Id, Signer, new_id};
use crate::row;

const TTL: usize = bench_shared::MAX_AGE.as_secs() as usize;

const PATIENCE: Duration = Duration::from_secs(60);

const REPLACE: &str = "\
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1";

struct App {
    signer: Signer,
    connection: MultiplexedConnection,
    script: String,
    extend: bool,
}

pub(crate) async fn app(url: &str, extend: bool) -> Router {
    let client = redis::Client::open(url).expect("a URL");
    // Under a profiler everything takes longer.
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE));
    let mut connection = client
        .get_multiplexed_async_connection_with_config(&config)
        .await
        .expect("a Redis");
    let script = redis::cmd("SCRIPT")
        .arg("LOAD")
        .arg(REPLACE)
        .query_async(&mut connection)
        .await
        .expect("a script");
    Router::new()
        .route("/none", get(async || "0"))
        .route("/new", get(new))
        .route("/read", get(read))
        .route("/edit", get(edit))
        .with_state(Arc::new(App {
            signer: Signer::new(),
            connection,
            script,
            extend,
        }))
}

impl App {
    async fn get(&self, key: &[u8]) -> String {
        let mut connection = self.connection.clone();
        let mut command = redis::cmd("GET");
        command.arg(key);
        command
            .query_async(&mut connection)
            .await
            .expect("a live session")
    }

    /// As [`get`](Self::get), and the session ends later.
    async fn get_and_extend(&self, key: &[u8]) -> String {
        let mut connection = self.connection.clone();
        let mut command = redis::cmd("GETEX");
        command.arg(key).arg("EX").arg(TTL);
        command
            .query_async(&mut connection)
            .await
            .expect("a live session")
    }

    async fn set(&self, key: &[u8], text: &str) {
        let mut connection = self.connection.clone();
        let mut command = redis::cmd("SET");
        command.arg(key).arg(text).arg("EX").arg(TTL).arg("NX");
        let () = command.query_async(&mut connection).await.expect("stored");
    }

    async fn replace(&self, key: &[u8], old: &str, new: &str) -> bool {
        let mut connection = self.connection.clone();
        let mut command = redis::cmd("EVALSHA");
        command.arg(&self.script).arg(1).arg(key);
        command.arg(old).arg(new).arg(TTL);
        command.query_async(&mut connection).await.expect("stored")
    }
}

fn key(id: &Id) -> [u8; 38] {
    let mut key = [0; 38];
    key[..6].copy_from_slice(b"limit:");
    key[6..].copy_from_slice(id);
    key
}

async fn new(State(app): State<Arc<App>>) -> impl IntoResponse {
    let id = new_id();
    app.set(&key(&id), &row::first()).await;
    (AppendHeaders([(SET_COOKIE, app.signer.cookie(&id))]), "1")
}

async fn read(State(app): State<Arc<App>>, request: Request) -> String {
    let id = app.signer.id(request.headers()).expect("a signed cookie");
    let text = if app.extend {
        app.get_and_extend(&key(&id)).await
    } else {
        app.get(&key(&id)).await
    };
    row::parse(&text).views.to_string()
}

async fn edit(State(app): State<Arc<App>>, request: Request) -> impl IntoResponse {
    let id = app.signer.id(request.headers()).expect("a signed cookie");
    let key = key(&id);
    let views = loop {
        let text = app.get(&key).await;
        let mut row = row::parse(&text);
        row.views += 1;
        if app.replace(&key, &text, &row.write()).await {
            break row.views;
        }
    };
    let cookie = AppendHeaders([(SET_COOKIE, app.signer.cookie(&id))]);
    (cookie, views.to_string())
}
