//! The routes: what the demo does with a session.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Form, Router, middleware};
use serde::Deserialize;
use session_tower::{
    CookieOptions, Error, SameSite, Session, SessionFailure, SessionLayer, SessionOptions,
    SessionRejection, Store,
};

use crate::config::Config;
use crate::page::{LONGEST_NAME, REMEMBER, View, plain};
use crate::{guard, proud};

const COOKIE_NAME: &str = "connect.sid";
const LARGEST_FORM: usize = 4096;

#[derive(Clone)]
pub(crate) struct Demo {
    pub(crate) store: Arc<dyn Store>,
    place: String,
    max_age: Duration,
    /// Keyed anew with every start: a fingerprint tells sessions apart and says nothing of an id.
    fingerprints: RandomState,
}

pub(crate) fn router(config: &Config) -> Result<Router, Error> {
    let cookie = CookieOptions::new()
        .max_age(config.max_age)
        .same_site(SameSite::Lax);
    let sessions = SessionLayer::new(
        SessionOptions::new(config.opened.store.clone(), config.secrets.clone())
            .name(COOKIE_NAME)
            .cookie(cookie)
            // Every visit puts the cookie's end back, not only one that changes something.
            .rolling(true),
    )?;
    let demo = Demo {
        store: config.opened.store.clone(),
        place: config.opened.name.clone(),
        max_age: config.max_age,
        fingerprints: RandomState::new(),
    };
    Ok(Router::new()
        .route("/", get(index))
        // Whoever opens one of these as a page is taken to the one there is.
        .route("/sign-in", get(to_start).post(sign_in))
        .route("/sign-out", get(to_start).post(sign_out))
        .route("/count", get(to_start).post(proud::count))
        .route("/late", get(to_start).post(proud::late))
        .route("/row", get(proud::row))
        .with_state(demo)
        .layer(sessions)
        // What has no session in it stays outside of the layer.
        .route("/style.css", file("text/css", include_str!("style.css")))
        .route(
            "/script.js",
            file("text/javascript", include_str!("script.js")),
        )
        .route("/icon.svg", file("image/svg+xml", include_str!("icon.svg")))
        .fallback(|| async { refusal(StatusCode::NOT_FOUND, "There is no such page.") })
        .method_not_allowed_fallback(|| async {
            refusal(StatusCode::METHOD_NOT_ALLOWED, "Nothing can be sent here.")
        })
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
        .layer(middleware::map_response(explain))
        .layer(middleware::from_fn(guard::own_posts_only))
        .layer(middleware::map_response(guard::headers)))
}

fn file(kind: &'static str, text: &'static str) -> axum::routing::MethodRouter {
    get(move || async move { ([(header::CONTENT_TYPE, kind)], text) })
}

async fn to_start() -> Redirect {
    Redirect::to("/")
}

/// A failure of the sessions, the layer's or a handler's, as a page.
async fn explain(response: Response) -> Response {
    let Some(failure) = response.extensions().get::<SessionFailure>() else {
        return response;
    };
    let status = failure.status();
    let text = match status {
        StatusCode::SERVICE_UNAVAILABLE => "The store does not answer. Please try again.",
        _ => "Your session cannot be used at the moment. Please try again.",
    };
    let mut explained = refusal(status, text);
    for cookie in response.headers().get_all(header::SET_COOKIE) {
        explained
            .headers_mut()
            .append(header::SET_COOKIE, cookie.clone());
    }
    explained
}

fn refusal(status: StatusCode, text: &str) -> Response {
    let title = status.canonical_reason().unwrap_or("Sorry");
    (status, Html(plain(title, text))).into_response()
}

async fn index(State(demo): State<Demo>, session: Session) -> Result<Response, SessionRejection> {
    let views = session.update("views", |views: Option<u64>| views.unwrap_or(0) + 1)?;
    Ok(demo.page(&session, views, None)?)
}

#[derive(Deserialize)]
struct SignIn {
    #[serde(default)]
    name: String,
    remember: Option<String>,
}

async fn sign_in(
    State(demo): State<Demo>,
    session: Session,
    Form(form): Form<SignIn>,
) -> Result<Response, SessionRejection> {
    let name = form.name.trim();
    if let Some(problem) = problem_with(name) {
        let views = session.get("views")?.unwrap_or(0);
        let page = demo.page(&session, views, Some((name, problem)))?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    }
    // The id that the visitor came with may be known to somebody else.
    session.cycle_id();
    session.insert("user", name)?;
    session.set_max_age(Some(if form.remember.is_some() {
        REMEMBER
    } else {
        demo.max_age
    }));
    Ok(Redirect::to("/").into_response())
}

async fn sign_out(session: Session) -> Result<Redirect, SessionRejection> {
    session.destroy().await?;
    Ok(Redirect::to("/"))
}

fn problem_with(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        Some("Please give a name.")
    } else if name.chars().count() > LONGEST_NAME {
        Some("Please give a shorter name.")
    } else if name.chars().any(char::is_control) {
        Some("Please give a name of plain text.")
    } else {
        None
    }
}

impl Demo {
    fn page(
        &self,
        session: &Session,
        views: u64,
        refused: Option<(&str, &str)>,
    ) -> Result<Response, Error> {
        let arrived_with = if session.is_new() {
            None
        } else {
            session.max_age()
        };
        // The layer does this when the response ends; the page shows what comes of it.
        session.touch();
        let user: Option<String> = session.get("user")?;
        let set_cookie = session.cookie().to_header(COOKIE_NAME, "hidden")?;
        let html = View {
            views,
            user: user.as_deref(),
            remembered: session.original_max_age() == Some(REMEMBER),
            remaining: session.max_age(),
            arrived_with,
            fingerprint: self.fingerprint(session),
            set_cookie: set_cookie.to_str().unwrap_or_default(),
            refused,
            place: &self.place,
            durable: self.store.capabilities().durable,
        }
        .to_html();
        Ok(Html(html).into_response())
    }

    fn fingerprint(&self, session: &Session) -> u32 {
        let [a, b, c, d, ..] = self
            .fingerprints
            .hash_one(session.id().as_str())
            .to_be_bytes();
        u32::from_be_bytes([a, b, c, d])
    }
}
