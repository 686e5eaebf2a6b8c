//! A connection that goes on after its response, as a websocket's does, and uses the session.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::Method;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use session_tower::{ErrorKind, Session};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use crate::support::{Probe, Server};
use crate::visit::{count, layer, session};

/// Answers each line: `views` after a reload, `save` after an edit.
async fn converse(session: Session, upgraded: Upgraded) {
    let mut lines = BufReader::new(TokioIo::new(upgraded));
    let mut line = String::new();
    while lines.read_line(&mut line).await.is_ok_and(|read| read > 0) {
        let done = match line.trim() {
            "views" => session.reload().await,
            _ => {
                session.insert("said", line.trim()).expect("a text");
                session.save().await
            }
        };
        let answer = match done {
            Ok(()) => format!("{:?}\n", session.get::<u32>("views").expect("a number")),
            Err(error) if error.kind() == ErrorKind::Missing => "signed out\n".to_owned(),
            Err(error) => format!("{error}\n"),
        };
        lines
            .get_mut()
            .write_all(answer.as_bytes())
            .await
            .expect("the client listens");
        line.clear();
    }
}

async fn handle(mut request: Request) -> Response {
    let session = session(&request).await;
    match request.uri().path() {
        "/talk" => {
            let upgrade = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                converse(session, upgrade.await.expect("the connection goes on")).await;
            });
            Response::builder()
                .status(101)
                .header("connection", "upgrade")
                .header("upgrade", "talk")
                .body(Body::empty())
                .expect("a response")
        }
        "/logout" => {
            session.destroy().await.expect("memory does not fail");
            Response::default()
        }
        _ => Response::new(count(&session).to_string().into()),
    }
}

#[tokio::test]
async fn a_task_behind_an_upgrade_reloads_and_saves_and_cannot_undo_a_logout() {
    let store = Probe::new();
    let app = Router::new().fallback(handle).layer(layer(store.options()));
    let server = Server::http(app, store.clock()).await;
    let mut browser = server.browser();
    browser.get("/").await;
    let id = browser.id();

    let upgrade = [("connection", "upgrade"), ("upgrade", "talk")];
    let response = browser.open(Method::GET, "/talk", upgrade).await;
    assert_eq!(response.status(), 101);
    let upgraded = hyper::upgrade::on(response).await.expect("it goes on");
    let mut talk = BufReader::new(TokioIo::new(upgraded));
    let mut say = async |line: &str| {
        let line = format!("{line}\n");
        talk.get_mut()
            .write_all(line.as_bytes())
            .await
            .expect("the server listens");
        let mut answer = String::new();
        talk.read_line(&mut answer)
            .await
            .expect("the server answers");
        answer.trim().to_owned()
    };

    assert_eq!(say("views").await, "Some(1)");
    assert_eq!(browser.get("/").await.text(), "2");
    assert_eq!(say("views").await, "Some(2)");
    // Another request's count and the task's own edit both stay.
    assert_eq!(browser.get("/").await.text(), "3");
    assert_eq!(say("hello").await, "Some(3)");
    let json = store.json(&id).await;
    assert!(json.ends_with(r#""views":3,"said":"hello"}"#), "{json}");

    browser.get("/logout").await;
    assert_eq!(say("still here").await, "signed out");
    assert_eq!(say("views").await, "signed out");
    assert_eq!(store.len().await, 0);
}
