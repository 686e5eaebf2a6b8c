//! The connection: made when it is needed, made again when it is lost, waited for within bounds.

use std::net::{SocketAddr, TcpListener};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use redis::aio::ConnectionManager;
use redis::io::AsyncDNSResolver;
use redis::{Client, RedisFuture};
use session_conformance::Proxy;
use session_core::{ErrorKind, Store};
use session_redis::RedisStore;

use crate::{HOUR, builder, id, private, record, server};
use test_servers::Kind;
use tokio::runtime::Runtime;

async fn through_proxy(protocol: &str) -> (Proxy, RedisStore) {
    let proxy = Proxy::start(server().address()).unwrap();
    let url = server().url_at(proxy.address()) + protocol;
    let store = builder()
        .response_timeout(Duration::from_millis(300))
        .connect(&url)
        .await
        .unwrap();
    (proxy, store)
}

/// The proxy closes connections on a thread of its own; the store notices on its next turn.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

#[tokio::test]
async fn the_first_operation_after_an_outage_works() {
    let (proxy, store) = through_proxy("").await;
    store.set(&id("a"), &record("a", HOUR)).await.unwrap();
    proxy.cut();
    for _ in 0..3 {
        let error = store.get(&id("a")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    }
    proxy.heal();
    assert!(store.get(&id("a")).await.unwrap().is_some());
}

#[tokio::test]
async fn a_connection_that_was_lost_while_nobody_used_it_costs_no_operation() {
    let (proxy, store) = through_proxy("").await;
    for number in 0..3 {
        proxy.cut();
        proxy.heal();
        settle().await;
        store.set(&id("a"), &record("a", HOUR)).await.unwrap();
        assert_eq!(proxy.connections(), number + 2);
    }
}

#[tokio::test]
async fn the_old_protocol_recovers_after_one_operation() {
    let (proxy, store) = through_proxy("?protocol=2").await;
    store.set(&id("a"), &record("a", HOUR)).await.unwrap();
    proxy.cut();
    proxy.heal();
    settle().await;
    let error = store.get(&id("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(store.get(&id("a")).await.unwrap().is_some());
}

#[tokio::test]
async fn a_server_that_vanished_without_a_word_is_waited_for_once() {
    let (proxy, store) = through_proxy("").await;
    store.set(&id("a"), &record("a", HOUR)).await.unwrap();
    proxy.freeze();
    let started = Instant::now();
    let error = store.get(&id("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(store.get(&id("a")).await.unwrap().is_some());
    assert_eq!(proxy.connections(), 2);
}

#[tokio::test]
async fn many_operations_share_one_connection_and_one_attempt_to_make_it() {
    let proxy = Proxy::start(server().address()).unwrap();
    let url = server().url_at(proxy.address());
    let store = builder().connect_lazily(&url).unwrap();
    assert_eq!(proxy.connections(), 0);
    let tasks: Vec<_> = (0..64)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move {
                let id = id(&number.to_string());
                store.set(&id, &record("a", HOUR)).await.unwrap();
                store.get(&id).await.unwrap().unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(proxy.connections(), 1);
}

#[tokio::test]
async fn an_attempt_that_everybody_gave_up_leaves_no_trace() {
    let proxy = Proxy::start(server().address()).unwrap();
    let limited = builder().connect_timeout(Duration::from_millis(100));
    let store = limited
        .connect_lazily(&server().url_at(proxy.address()))
        .unwrap();
    // Dropped as soon as it has begun to connect.
    let wanted = id("a");
    let cancelled = tokio::time::timeout(Duration::ZERO, store.get(&wanted)).await;
    assert!(cancelled.is_err());
    // Beyond the connect timeout of the abandoned attempt, which runs on the machine's own clock.
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert!(store.get(&wanted).await.unwrap().is_none());
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn a_store_outlives_the_runtime_that_it_was_made_on() {
    let store = runtime().block_on(async { builder().connect(&server().url()).await.unwrap() });
    for _ in 0..3 {
        runtime().block_on(async {
            store.set(&id("a"), &record("a", HOUR)).await.unwrap();
            assert!(store.get(&id("a")).await.unwrap().is_some());
        });
    }
}

/// Two runtimes, as of two cores, which are driven at the same time.
fn on_two_runtimes(operation: impl Fn(&Runtime) + Sync) {
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| operation(&runtime()));
        }
    });
}

#[test]
fn each_of_several_runtimes_has_one_attempt_under_way() {
    // Takes connections, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Proxy::start(silent.local_addr().unwrap()).unwrap();
    let limited = builder().connect_timeout(Duration::from_secs(60));
    let store = limited
        .connect_lazily(&server().url_at(proxy.address()))
        .unwrap();
    let turn = Barrier::new(2);
    on_two_runtimes(|runtime| {
        for _ in 0..20 {
            turn.wait();
            let wanted = id("a");
            let short = Duration::from_millis(20);
            let cancelled =
                runtime.block_on(async { tokio::time::timeout(short, store.get(&wanted)).await });
            assert!(cancelled.is_err());
        }
    });
    assert_eq!(proxy.connections(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_several_runtimes_has_one_connection() {
    let (proxy, store) = through_proxy("").await;
    tokio::task::block_in_place(|| {
        on_two_runtimes(|runtime| {
            for _ in 0..20 {
                let (id, record) = (id("a"), record("a", HOUR));
                runtime.block_on(store.set(&id, &record)).unwrap();
            }
        });
    });
    // The first one is that of the test's own runtime.
    assert_eq!(proxy.connections(), 3);
}

#[tokio::test]
async fn a_connection_of_the_callers_own_will_do() {
    let client = Client::open(server().url()).unwrap();
    let plain = client.get_multiplexed_async_connection().await.unwrap();
    let manager = ConnectionManager::new(client).await.unwrap();
    let prefix = crate::prefix();
    let on = || RedisStore::builder().prefix(&prefix);
    let (first, second) = (on().build_on(plain), on().build_on(manager));
    let old = record("a", HOUR);
    first.set(&id("a"), &old).await.unwrap();
    assert!(second.get(&id("a")).await.unwrap().is_some());
    let new = record("b", HOUR);
    let replaced = second.replace(&id("a"), &old, &new).await.unwrap();
    assert_eq!(replaced, session_core::Replaced::Replaced);
    assert_eq!(first.length().await.unwrap(), 1);
}

#[tokio::test]
async fn a_unix_socket_will_do() {
    let private = private(Kind::Redis);
    let url = format!(
        "unix://{}?pass={}",
        private.socket().unwrap().display(),
        private.password()
    );
    let store = RedisStore::connect(&url).await.unwrap();
    store.set(&id("a"), &record("a", HOUR)).await.unwrap();
    assert_eq!(store.length().await.unwrap(), 1);
}

/// Finds the server only when it is asked again.
struct AtLast {
    asked: AtomicUsize,
    first: fn() -> RedisFuture<'static, ()>,
}

impl AsyncDNSResolver for AtLast {
    fn resolve<'a, 'b: 'a>(
        &'a self,
        _: &'b str,
        _: u16,
    ) -> RedisFuture<'a, Box<dyn Iterator<Item = SocketAddr> + Send + 'a>> {
        let first = self.asked.fetch_add(1, Ordering::SeqCst) == 0;
        Box::pin(async move {
            if first {
                (self.first)().await?;
            }
            Ok(Box::new([server().address()].into_iter()) as Box<dyn Iterator<Item = _> + Send>)
        })
    }
}

fn found_at_last(first: fn() -> RedisFuture<'static, ()>) -> RedisStore {
    let address = server().address().to_string();
    let asked = AtomicUsize::new(0);
    builder()
        .resolver(AtLast { asked, first })
        .connect_lazily(&server().url().replace(&address, "redis.example:6379"))
        .unwrap()
}

/// Waits on the clock of the runtime that asks first, for longer than any test lasts.
fn an_hour() -> RedisFuture<'static, ()> {
    Box::pin(async {
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        Ok(())
    })
}

#[test]
fn an_attempt_that_a_runtime_left_behind_is_nobodys_any_more() {
    for stays in [true, false] {
        let store = found_at_last(an_hour);
        let first = runtime();
        first.block_on(async {
            let wanted = id("a");
            let cancelled = tokio::time::timeout(Duration::ZERO, store.get(&wanted)).await;
            assert!(cancelled.is_err());
        });
        // Whether the runtime is gone or merely at rest, its timers have stopped.
        let first = stays.then_some(first);
        for _ in 0..2 {
            runtime().block_on(async {
                store.set(&id("a"), &record("a", HOUR)).await.unwrap();
                assert!(store.get(&id("a")).await.unwrap().is_some());
            });
        }
        drop(first);
    }
}

#[tokio::test]
async fn a_resolver_that_panics_costs_the_operations_that_wait_for_it() {
    let store = found_at_last(|| Box::pin(async { panic!("the resolver's own mistake") }));
    let error = store.get(&id("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(store.get(&id("a")).await.unwrap().is_none());
}

/// Each runs only while somebody waits for something on it.
#[test]
fn runtimes_that_rest_between_their_turns_keep_nobody_waiting() {
    let runtimes = [runtime(), runtime()];
    let store = builder()
        .response_timeout(Duration::from_secs(1))
        .connect_lazily(&server().url())
        .unwrap();
    let mut failed = Vec::new();
    for turn in 0..3 {
        for (n, runtime) in runtimes.iter().enumerate() {
            let done = runtime.block_on(store.set(&id("a"), &record("a", HOUR)));
            if let Err(error) = done {
                failed.push((turn, n, error.kind()));
            }
        }
    }
    assert_eq!(failed, []);
}

/// The attempt that somebody else began has less time left.
#[tokio::test]
async fn an_operation_has_its_own_time_to_connect() {
    // Busy for a while: the system takes connections, and nobody looks at them before that.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let real = server().address();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(2_300));
        for client in listener.incoming() {
            let (Ok(mut client), Ok(mut upstream)) = (client, std::net::TcpStream::connect(real))
            else {
                return;
            };
            let (mut from, mut to) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            std::thread::spawn(move || std::io::copy(&mut upstream, &mut client));
        }
    });
    let limit = Duration::from_secs(2);
    let store = builder()
        .connect_timeout(limit)
        .connect_lazily(&server().url_at(address))
        .unwrap();
    // A visitor who went away.
    let x = id("a");
    let cancelled = tokio::time::timeout(limit / 10, store.get(&x)).await;
    assert!(cancelled.is_err());
    tokio::time::sleep(limit * 7 / 10).await;
    let started = Instant::now();
    let found = store.get(&x).await;
    let waited = started.elapsed();
    assert!(
        found.is_ok() || waited > limit * 9 / 10,
        "{found:?} after {waited:?}"
    );
}
