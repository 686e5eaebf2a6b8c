//! Concurrent requests of one visitor, on the memory store and real threads.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use session_core::Store;
use session_memory::MemoryStore;
use session_tower::{ErrorKind, Secrets, SessionOptions};
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tower::{Layer, Service, service_fn};

use crate::support::{Gate, SECRET};
use crate::visit::{Visitor, count, layer, session, session_cookies};

fn options(store: &MemoryStore) -> SessionOptions {
    let secrets = Secrets::new(SECRET).expect("not empty");
    SessionOptions::new(store.clone(), secrets)
}

fn seeding(
    store: &MemoryStore,
) -> impl Service<Request<()>, Response = Response<()>, Error = Infallible> + Clone {
    layer(options(store)).layer(service_fn(|request: Request<()>| async move {
        session(&request)
            .await
            .insert("seed", &1)
            .expect("a number");
        Ok::<_, Infallible>(Response::new(()))
    }))
}

/// A visitor with a session that holds `seed: 1`.
async fn visitor(store: &MemoryStore) -> Visitor {
    let mut visitor = Visitor::default();
    visitor.visit(&seeding(store), "/").await;
    visitor
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_requests_count_to_a_thousand() {
    const REQUESTS: usize = 1000;
    let store = MemoryStore::new();
    let visitor = visitor(&store).await;
    // All have loaded the session before the first one writes it.
    let loaded = Arc::new(Barrier::new(REQUESTS));
    let service = layer(options(&store)).layer(service_fn(move |request: Request<()>| {
        let loaded = Arc::clone(&loaded);
        async move {
            let session = session(&request).await;
            loaded.wait().await;
            count(&session);
            Ok::<_, Infallible>(Response::new(()))
        }
    }));
    let mut requests = JoinSet::new();
    for _ in 0..REQUESTS {
        let (mut visitor, service) = (visitor.clone(), service.clone());
        requests.spawn(async move { visitor.visit(&service, "/").await.status() });
    }
    for status in requests.join_all().await {
        assert_eq!(status, 200);
    }
    let record = store.get(&visitor.id()).await.unwrap().unwrap();
    assert!(
        record.json().ends_with(r#""seed":1,"views":1000}"#),
        "{}",
        record.json()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_requests_that_insert_different_keys_both_survive() {
    let store = MemoryStore::new();
    let visitor = visitor(&store).await;
    let both = Arc::new(Barrier::new(2));
    let service = layer(options(&store)).layer(service_fn(move |request: Request<()>| {
        let both = Arc::clone(&both);
        async move {
            let session = session(&request).await;
            let key = request.uri().path().trim_start_matches('/');
            session.insert(key, &true).unwrap();
            both.wait().await;
            Ok::<_, Infallible>(Response::new(()))
        }
    }));
    let mut requests = JoinSet::new();
    for path in ["/cart", "/language"] {
        let (mut visitor, service) = (visitor.clone(), service.clone());
        requests.spawn(async move { visitor.visit(&service, path).await.status() });
    }
    requests.join_all().await;
    let data = store.get(&visitor.id()).await.unwrap().unwrap().data();
    for key in ["cart", "language"] {
        assert_eq!(data.get(key).unwrap(), Some(true), "{key} was lost");
    }
}

/// Changes the session in the way of the path, after having waited at the gate.
fn slowly(
    store: &MemoryStore,
    gate: &Gate,
) -> impl Service<Request<()>, Response = Response<()>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ use<> {
    let gate = gate.clone();
    layer(options(store)).layer(service_fn(move |request: Request<()>| {
        let gate = gate.clone();
        async move {
            let session = session(&request).await;
            count(&session);
            match request.uri().path() {
                "/logout" => session.destroy().await.expect("memory does not fail"),
                path => {
                    gate.pass().await;
                    match path {
                        "/cycle-id" => session.cycle_id(),
                        "/keep" => session.regenerate_keeping(["seed"]),
                        "/save" => {
                            let error = session.save().await.expect_err("it is gone");
                            assert_eq!(error.kind(), ErrorKind::Missing);
                        }
                        "/reload" => {
                            let error = session.reload().await.expect_err("it is gone");
                            assert_eq!(error.kind(), ErrorKind::Missing);
                        }
                        _ => session.insert("late", &true).expect("a boolean"),
                    }
                }
            }
            Ok::<_, Infallible>(Response::new(()))
        }
    }))
}

#[tokio::test]
async fn a_slow_writer_cannot_bring_a_session_back_after_a_logout() {
    for path in ["/insert", "/save", "/reload", "/cycle-id", "/keep"] {
        let store = MemoryStore::new();
        let mut visitor = visitor(&store).await;
        let gate = Gate::new();
        let service = slowly(&store, &gate);
        let slow = tokio::spawn({
            let (mut visitor, service) = (visitor.clone(), service.clone());
            async move { visitor.visit(&service, path).await }
        });
        gate.reached().await;
        visitor.visit(&service, "/logout").await;
        assert_eq!(visitor.cookie, None);
        gate.open();
        let late = slow.await.expect("it is answered");
        assert_eq!(late.status(), 200, "{path}");
        assert!(session_cookies(late.headers()).is_empty(), "{path}");
        assert_eq!(store.length().await.unwrap(), 0, "{path}");
    }
}

/// The same without an order, many times over: whoever comes first, nobody is signed in after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_logout_wins_over_writers_at_the_same_time() {
    const WRITERS: usize = 4;
    for _ in 0..100 {
        let store = MemoryStore::new();
        let visitor = visitor(&store).await;
        let all = Arc::new(Barrier::new(WRITERS + 1));
        let service = layer(options(&store)).layer(service_fn(move |request: Request<()>| {
            let all = Arc::clone(&all);
            async move {
                let session = session(&request).await;
                all.wait().await;
                match request.uri().path() {
                    "/logout" => session.destroy().await.expect("memory does not fail"),
                    _ => _ = count(&session),
                }
                Ok::<_, Infallible>(Response::new(()))
            }
        }));
        let mut requests = JoinSet::new();
        for path in ["/logout", "/count", "/count", "/count", "/count"] {
            let (mut visitor, service) = (visitor.clone(), service.clone());
            requests.spawn(async move { visitor.visit(&service, path).await.status() });
        }
        for status in requests.join_all().await {
            assert_eq!(status, 200);
        }
        assert_eq!(store.length().await.unwrap(), 0);
    }
}

/// `Session::update` promises that its closure may call the session's methods; also when it runs
/// again because another request was faster. On a thread of its own, since a closure that waits
/// for a lock which its own caller holds waits for ever.
#[test]
fn an_update_that_is_run_again_may_use_the_session() {
    let (done, answered) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        let json = runtime.block_on(async {
            let store = MemoryStore::new();
            let visitor = visitor(&store).await;
            let both = Arc::new(Barrier::new(2));
            let service = layer(options(&store)).layer(service_fn(move |request: Request<()>| {
                let both = Arc::clone(&both);
                async move {
                    let session = session(&request).await;
                    let own = session.clone();
                    session
                        .update("views", move |views: Option<i32>| {
                            let seed: Option<i32> = own.get("seed").expect("a number");
                            views.unwrap_or(0) + seed.expect("it is there")
                        })
                        .expect("a number");
                    both.wait().await;
                    Ok::<_, Infallible>(Response::new(()))
                }
            }));
            let (mut one, mut two) = (visitor.clone(), visitor.clone());
            tokio::join!(one.visit(&service, "/"), two.visit(&service, "/"));
            let record = store.get(&visitor.id()).await;
            record.expect("memory does not fail").expect("it is stored")
        });
        done.send(json).expect("the test waits");
    });
    // The one limit on time in these tests: it is reached by nothing but the deadlock.
    let record = answered.recv_timeout(Duration::from_secs(20));
    let record = record.expect("the update that ran again got stuck");
    assert_eq!(record.data().get("views").unwrap(), Some(2));
}
