//! In memory: 64 maps behind a lock each, with shared text.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::SET_COOKIE;
use axum::response::{AppendHeaders, IntoResponse};
use axum::routing::get;
use bench_shared::MAX_AGE;
use foldhash::fast::RandomState;

use crate::cookie::{Id, Signer, new_id};
use crate::row;

struct Entry {
    text: Arc<str>,
    ends: Instant,
}

type Shard = HashMap<Id, Entry, RandomState>;

pub(crate) struct Sessions {
    hasher: RandomState,
    shards: [Mutex<Shard>; 64],
}

impl Sessions {
    pub(crate) fn new() -> Self {
        Self {
            hasher: RandomState::default(),
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }

    fn shard(&self, id: &Id) -> MutexGuard<'_, Shard> {
        let shard = (self.hasher.hash_one(id) >> 32) as usize % self.shards.len();
        self.shards[shard].lock().expect("nobody panics with it")
    }

    pub(crate) fn get(&self, id: &Id) -> Option<Arc<str>> {
        let shard = self.shard(id);
        let entry = shard.get(id)?;
        (entry.ends > Instant::now()).then(|| entry.text.clone())
    }

    pub(crate) fn set(&self, id: Id, text: Arc<str>) {
        let entry = Entry {
            text,
            ends: Instant::now() + MAX_AGE,
        };
        self.shard(&id).insert(id, entry);
    }

    pub(crate) fn touch(&self, id: &Id, max_age: Duration) {
        if let Some(entry) = self.shard(id).get_mut(id) {
            entry.ends = Instant::now() + max_age;
        }
    }

    /// Whether `old` was still there, and `new` is now.
    fn replace(&self, id: &Id, old: &Arc<str>, new: &str) -> bool {
        let (now, new) = (Instant::now(), new.into());
        let mut shard = self.shard(id);
        match shard.get_mut(id) {
            Some(entry) if Arc::ptr_eq(&entry.text, old) && entry.ends > now => {
                entry.text = new;
                entry.ends = now + MAX_AGE;
                true
            }
            _ => false,
        }
    }
}

struct App {
    signer: Signer,
    sessions: Sessions,
    extend: bool,
}

pub(crate) fn app(extend: bool) -> Router {
    Router::new()
        .route("/none", get(async || "0"))
        .route("/new", get(new))
        .route("/read", get(read))
        .route("/edit", get(edit))
        .with_state(Arc::new(App {
            signer: Signer::new(),
            sessions: Sessions::new(),
            extend,
        }))
}

async fn new(State(app): State<Arc<App>>) -> impl IntoResponse {
    let id = new_id();
    app.sessions.set(id, row::first().into());
    (AppendHeaders([(SET_COOKIE, app.signer.cookie(&id))]), "1")
}

async fn read(State(app): State<Arc<App>>, request: Request) -> String {
    let id = app.signer.id(request.headers()).expect("a signed cookie");
    let text = app.sessions.get(&id).expect("a live session");
    if app.extend {
        app.sessions.touch(&id, MAX_AGE);
    }
    row::parse(&text).views.to_string()
}

async fn edit(State(app): State<Arc<App>>, request: Request) -> impl IntoResponse {
    let id = app.signer.id(request.headers()).expect("a signed cookie");
    let views = loop {
        let text = app.sessions.get(&id).expect("a live session");
        let mut row = row::parse(&text);
        row.views += 1;
        if app.sessions.replace(&id, &text, &row.write()) {
            break row.views;
        }
    };
    let cookie = AppendHeaders([(SET_COOKIE, app.signer.cookie(&id))]);
    (cookie, views.to_string())
}
