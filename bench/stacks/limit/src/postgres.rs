//! On PostgreSQL: sqlx's pool without its question whether the connection still lives, and one
//! statement for each step.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::SET_COOKIE;
use axum::response::{AppendHeaders, IntoResponse};
use axum::routing::get;
use sqlx::postgres::{PgPool, PgPoolOptions};

use crate::cookie::{Id, Signer, new_id};
use crate::row;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS by_hand (
    sid text PRIMARY KEY, sess text NOT NULL, expire timestamptz NOT NULL)";
const GET: &str = "SELECT sess FROM by_hand WHERE sid = $1 AND expire > now()";
const GET_AND_EXTEND: &str = "UPDATE by_hand SET expire = now() + interval '1 day'
    WHERE sid = $1 AND expire > now() RETURNING sess";
const CREATE: &str = "INSERT INTO by_hand VALUES ($1, $2, now() + interval '1 day')";
const REPLACE: &str = "UPDATE by_hand SET sess = $3, expire = now() + interval '1 day'
    WHERE sid = $1 AND sess = $2 AND expire > now()";

struct App {
    signer: Signer,
    pool: PgPool,
    extend: bool,
}

pub(crate) async fn app(url: &str, extend: bool) -> Router {
    let pool = PgPoolOptions::new()
        .max_connections(10)
        .test_before_acquire(false)
        .connect(url)
        .await
        .expect("a PostgreSQL");
    sqlx::query(TABLE).execute(&pool).await.expect("a table");
    Router::new()
        .route("/none", get(async || "0"))
        .route("/new", get(new))
        .route("/read", get(read))
        .route("/edit", get(edit))
        .with_state(Arc::new(App {
            signer: Signer::new(),
            pool,
            extend,
        }))
}

impl App {
    async fn get(&self, statement: &'static str, id: &str) -> String {
        let row = sqlx::query_scalar(statement).bind(id);
        row.fetch_one(&self.pool).await.expect("a live session")
    }

    async fn replace(&self, id: &str, old: &str, new: &str) -> bool {
        let update = sqlx::query(REPLACE).bind(id).bind(old).bind(new);
        let done = update.execute(&self.pool).await.expect("stored");
        done.rows_affected() == 1
    }
}

fn text(id: &Id) -> &str {
    std::str::from_utf8(id).expect("base64 is ASCII")
}

async fn new(State(app): State<Arc<App>>) -> impl IntoResponse {
    let id = new_id();
    let insert = sqlx::query(CREATE).bind(text(&id)).bind(row::first());
    insert.execute(&app.pool).await.expect("stored");
    (AppendHeaders([(SET_COOKIE, app.signer.cookie(&id))]), "1")
}

async fn read(State(app): State<Arc<App>>, request: Request) -> String {
    let id = app.signer.id(request.headers()).expect("a signed cookie");
    let statement = if app.extend { GET_AND_EXTEND } else { GET };
    let text = app.get(statement, text(&id)).await;
    row::parse(&text).views.to_string()
}

async fn edit(State(app): State<Arc<App>>, request: Request) -> impl IntoResponse {
    let id = app.signer.id(request.headers()).expect("a signed cookie");
    let views = loop {
        let old = app.get(GET, text(&id)).await;
        let mut row = row::parse(&old);
        row.views += 1;
        if app.replace(text(&id), &old, &row.write()).await {
            break row.views;
        }
    };
    let cookie = AppendHeaders([(SET_COOKIE, app.signer.cookie(&id))]);
    (cookie, views.to_string())
}
