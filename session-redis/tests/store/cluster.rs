//! A cluster: round trips, pages over all masters, slots that move, masters that die, bad input.

use std::collections::HashSet;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use redis::cluster::ClusterClient;
use redis::io::AsyncDNSResolver;
use redis::{Client, RedisFuture, cmd, pipe};
use session_conformance::Proxy;
use session_core::{Created, ErrorKind, Replaced, Store, Touched};
use session_redis::RedisStore;
use test_servers::{Kind, Server};

use crate::support::site::Through;
use crate::{HOUR, builder, cookie, id, prefix, private, record, shared, site, texts};

fn cluster() -> &'static Server {
    shared(Kind::RedisCluster)
}

/// Asks one node behind the store's back.
async fn ask_node<T: redis::FromRedisValue>(server: &Server, node: SocketAddr, words: &str) -> T {
    let client = Client::open(server.url_at(node)).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let command = site::words(words);
    command.query_async(&mut connection).await.unwrap()
}

/// A store whose every connection goes through a proxy.
async fn through_proxy(server: &Server) -> (Arc<Proxy>, RedisStore) {
    let doors = site::doors(server).await.unwrap();
    let proxy = Arc::new(Proxy::start_all(doors).unwrap());
    let through = builder().ttl(None).trust_idle(HOUR);
    let through = through.resolver(Through(vec![Arc::clone(&proxy)]));
    let store = through.connect(&site::url(server)).await.unwrap();
    (proxy, store)
}

#[tokio::test]
async fn every_operation_is_one_round_trip_on_whichever_master() {
    let (proxy, store) = through_proxy(cluster()).await;
    let (a, b) = (record("a", HOUR), record("b", None));
    // Once to make every master know the scripts, once to count.
    for counted in [false, true] {
        for number in 0..30 {
            let x = id(&number.to_string());
            let mut before = proxy.round_trips();
            let mut check = |operation: &str| {
                let trips = proxy.round_trips() - before;
                assert!(trips == 1 || !counted, "{operation}: {trips} round trips");
                before = proxy.round_trips();
            };
            let _ = store.create(&x, &a).await.unwrap();
            check("create");
            store.set(&x, &a).await.unwrap();
            check("set");
            store.get(&x).await.unwrap();
            check("get");
            let _ = store.replace(&x, &a, &b).await.unwrap();
            check("replace");
            let _ = store.touch(&x, &cookie(HOUR)).await.unwrap();
            check("touch");
            let _ = store.touch(&x, &cookie(None)).await.unwrap();
            check("touch without an expiry");
            store.destroy(&x).await.unwrap();
            check("destroy");
        }
    }
}

#[tokio::test]
async fn the_sessions_of_all_masters_are_seen_once_and_cleared() {
    let prefix = prefix();
    let store = RedisStore::builder().prefix(&prefix).scan_count(50);
    let store = store.connect(&site::url(cluster())).await.unwrap();
    let text = record("a", HOUR);
    let mut fill = pipe();
    for number in 0..300 {
        fill.cmd("SET").arg(format!("{prefix}{number}"));
        fill.arg(text.json()).arg("PX").arg(3_600_000);
    }
    let mut admin = site::admin(cluster()).await.unwrap();
    let _: Vec<String> = admin.ask_all(&fill).await.unwrap();

    assert_eq!(store.length().await.unwrap(), 300);
    let ids: Vec<_> = store.ids().map(Result::unwrap).collect().await;
    assert_eq!(ids.len(), 300);
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 300);
    let all: Vec<_> = store.all().map(Result::unwrap).collect().await;
    assert_eq!(all.len(), 300);
    assert!(all.iter().all(|(_, found)| found.json() == text.json()));
    store.clear().await.unwrap();
    assert_eq!(store.length().await.unwrap(), 0);
    let left: Vec<String> = admin
        .ask(cmd("KEYS").arg(format!("{prefix}*")))
        .await
        .unwrap();
    assert_eq!(left, Vec::<String>::new());
}

#[tokio::test]
async fn a_connection_of_the_callers_own_will_do() {
    let client = ClusterClient::builder(cluster().urls());
    let client = client.response_timeout(HOUR).build().unwrap();
    let connection = client.get_async_connection().await.unwrap();
    let store = builder().build_on_cluster(connection);
    let (a, b) = (record("a", HOUR), record("b", HOUR));
    for number in 0..20 {
        let x = id(&number.to_string());
        assert_eq!(store.create(&x, &a).await.unwrap(), Created::Created);
        assert_eq!(store.create(&x, &a).await.unwrap(), Created::Exists);
        let replaced = store.replace(&x, &a, &b).await.unwrap();
        assert_eq!(replaced, Replaced::Replaced);
        let touched = store.touch(&x, &cookie(None)).await.unwrap();
        assert_eq!(touched, Touched::Touched);
        let found = store.get(&x).await.unwrap().unwrap();
        assert_eq!(found.json(), b.json());
    }
    assert_eq!(store.length().await.unwrap(), 20);
    assert_eq!(store.all().map(Result::unwrap).count().await, 20);
    store.destroy(&id("0")).await.unwrap();
    assert_eq!(store.ids().map(Result::unwrap).count().await, 19);
    store.clear().await.unwrap();
    assert_eq!(store.length().await.unwrap(), 0);
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_sent_once() {
    let server = private(Kind::RedisCluster);
    let (proxy, store) = through_proxy(&server).await;
    let doors = site::doors(&server).await.unwrap();
    let sets = async || {
        let mut calls = 0;
        for door in &doors {
            let info: String = ask_node(&server, *door, "INFO commandstats").await;
            let role: Vec<redis::Value> = ask_node(&server, *door, "ROLE").await;
            let master = role[0] == redis::Value::BulkString(b"master".to_vec());
            let line = info
                .lines()
                .find_map(|line| line.strip_prefix("cmdstat_set:calls="));
            if let (true, Some(line)) = (master, line) {
                calls += line.split(',').next().unwrap().parse::<u64>().unwrap();
            }
        }
        calls
    };
    let before = sets().await;
    proxy.lose_next_answer();
    let error = store
        .create(&id("a"), &record("a", HOUR))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert_eq!(sets().await, before + 1);
    assert!(store.get(&id("a")).await.unwrap().is_some());
}

/// Moves a slot from one node to another in steps, with all keys in it or none.
struct Move<'a> {
    server: &'a Server,
    slot: u16,
    from: (SocketAddr, String),
    to: (SocketAddr, String),
}

impl<'a> Move<'a> {
    async fn of(server: &'a Server, key: &str) -> Self {
        let masters: Vec<_> = server.nodes()[..3]
            .iter()
            .map(|node| node.address())
            .collect();
        let slot: u16 = ask_node(server, masters[0], &format!("CLUSTER KEYSLOT {key}")).await;
        let (mut owner, mut others) = (None, Vec::new());
        for master in masters {
            let name: String = ask_node(server, master, "CLUSTER MYID").await;
            let nodes: String = ask_node(server, master, "CLUSTER NODES").await;
            let line = nodes.lines().find(|line| line.contains("myself")).unwrap();
            // Ranges, and single slots that came from elsewhere.
            let has_slot = line.split(' ').skip(8).any(|slots| {
                let (first, last) = slots.split_once('-').unwrap_or((slots, slots));
                (first.parse::<u16>().unwrap()..=last.parse().unwrap()).contains(&slot)
            });
            match has_slot {
                true => owner = Some((master, name)),
                false => others.push((master, name)),
            }
        }
        let (from, to) = (owner.unwrap(), others.remove(0));
        Self {
            server,
            slot,
            from,
            to,
        }
    }

    async fn ask(&self, node: &(SocketAddr, String), words: &str) {
        let _: redis::Value = ask_node(self.server, node.0, words).await;
    }

    async fn set(&self, node: &(SocketAddr, String), state: &str, other: &str) {
        let words = format!("CLUSTER SETSLOT {} {state} {other}", self.slot);
        self.ask(node, &words).await;
    }

    async fn open(&self) {
        self.set(&self.to, "IMPORTING", &self.from.1).await;
        self.set(&self.from, "MIGRATING", &self.to.1).await;
    }

    async fn migrate(&self, key: &str) {
        let port = self.to.0.port();
        let password = self.server.password();
        let migrate = format!("MIGRATE 127.0.0.1 {port} {key} 0 5000 AUTH {password}");
        self.ask(&self.from, &migrate).await;
    }

    async fn close(&self) {
        for node in [&self.to, &self.from] {
            self.set(node, "NODE", &self.to.1).await;
        }
    }
}

#[tokio::test]
async fn operations_work_while_a_slot_moves_and_after_it() {
    let server = private(Kind::RedisCluster);
    let store = RedisStore::builder().prefix("test:").scan_count(2);
    let store = store.connect(&site::url(&server)).await.unwrap();
    let (a, b) = (record("a", HOUR), record("b", HOUR));
    // Ids whose keys share a slot: the braces are a part of the id.
    let [there, moved, new] = ["{x}there", "{x}moved", "{x}new"].map(id);
    store.set(&there, &a).await.unwrap();
    store.set(&moved, &a).await.unwrap();
    let slot = Move::of(&server, "test:{x}").await;
    slot.open().await;

    // A walk that has seen the key where it was finds it where it is by then.
    let mut items = store.all();
    slot.migrate("test:{x}moved").await;
    let mut seen = HashSet::new();
    while let Some(item) = items.next().await {
        seen.insert(item.unwrap().0);
    }
    drop(items);
    assert!(
        seen.contains(&there) && seen.contains(&moved),
        "{}",
        seen.len()
    );

    for x in [&there, &moved] {
        assert_eq!(store.get(x).await.unwrap().unwrap().json(), a.json());
        assert_eq!(store.create(x, &b).await.unwrap(), Created::Exists);
        assert_eq!(store.replace(x, &a, &b).await.unwrap(), Replaced::Replaced);
        assert_eq!(store.replace(x, &a, &b).await.unwrap(), Replaced::Conflict);
        let touched = store.touch(x, &cookie(None)).await.unwrap();
        assert_eq!(touched, Touched::Touched);
    }
    assert!(store.get(&new).await.unwrap().is_none());
    assert_eq!(store.create(&new, &a).await.unwrap(), Created::Created);
    store.destroy(&new).await.unwrap();
    assert_eq!(
        store.replace(&new, &a, &b).await.unwrap(),
        Replaced::Missing
    );

    slot.migrate("test:{x}there").await;
    slot.close().await;
    for x in [&there, &moved] {
        assert_eq!(store.get(x).await.unwrap().unwrap().json(), b.json());
    }
    store.clear().await.unwrap();
    assert_eq!(store.length().await.unwrap(), 0);
}

/// Whichever way a slot goes, and wherever the walk is when it does.
#[tokio::test]
async fn clear_misses_no_session_that_moves_meanwhile() {
    let server = private(Kind::RedisCluster);
    let store = RedisStore::builder().prefix("test:").scan_count(1);
    let store = store.connect(&site::url(&server)).await.unwrap();
    // The slots of these are of different masters.
    for tag in ["{a}", "{b}", "{c}", "{d}"] {
        for number in 0..300 {
            store
                .set(&id(&number.to_string()), &record("a", HOUR))
                .await
                .unwrap();
        }
        let names: Vec<_> = (0..20).map(|number| format!("{tag}{number}")).collect();
        for name in &names {
            store.set(&id(name), &record("a", HOUR)).await.unwrap();
        }
        let slot = Move::of(&server, &format!("test:{tag}")).await;
        let moving = async {
            slot.open().await;
            for name in &names {
                slot.migrate(&format!("test:{name}")).await;
            }
            slot.close().await;
        };
        let (cleared, ()) = tokio::join!(store.clear(), moving);
        cleared.unwrap();
        let left: Vec<_> = store.ids().map(Result::unwrap).collect().await;
        assert_eq!(left.len(), 0, "{tag}");
    }
}

#[tokio::test]
async fn a_master_that_dies_is_waited_for_within_bounds_and_replaced() {
    let server = private(Kind::RedisCluster);
    let url = site::url(&server);
    let patient = builder().connect_timeout(Duration::from_secs(60));
    let patient = patient.connect(&url).await.unwrap();
    let hasty = builder().connect_timeout(Duration::from_secs(1));
    let hasty = hasty.connect(&url).await.unwrap();
    let old = record("old", HOUR);
    let ids: Vec<_> = (0..30).map(|number| id(&number.to_string())).collect();
    for x in &ids {
        patient.set(x, &old).await.unwrap();
    }
    for master in &server.nodes()[..3] {
        let copies: u64 = ask_node(&server, master.address(), "WAIT 1 10000").await;
        assert!(copies >= 1);
    }
    server.nodes()[0].kill().unwrap();

    // Whoever has little time is told so soon; no session is taken for one that is not there.
    for x in &ids {
        let started = Instant::now();
        if let Err(error) = hasty.get(x).await {
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        }
        assert!(started.elapsed() < Duration::from_secs(5));
    }
    for x in &ids {
        let found = patient.get(x).await.unwrap().unwrap();
        assert_eq!(found.json(), old.json());
        let new = record("new", HOUR);
        let replaced = patient.replace(x, &old, &new).await.unwrap();
        assert_eq!(replaced, Replaced::Replaced);
        patient.destroy(x).await.unwrap();
    }
    assert_eq!(patient.length().await.unwrap(), 0);

    // The old master comes back empty, as a replica, and brings nothing back.
    server.nodes()[0].restart().unwrap();
    for x in &ids {
        assert!(patient.get(x).await.unwrap().is_none());
    }
}

/// Its host vanishes without a word: whoever connects to it waits for an answer in vain.
#[tokio::test]
async fn a_master_that_falls_silent_is_replaced_long_before_the_time_is_over() {
    let server = private(Kind::RedisCluster);
    let url = site::url(&server);
    let patient = || {
        builder()
            .connect_timeout(Duration::from_secs(60))
            .response_timeout(Duration::from_millis(500))
    };
    let store = patient().connect(&url).await.unwrap();
    let lazy = patient().connect_lazily(&url).unwrap();
    let ids: Vec<_> = (0..30).map(|number| id(&number.to_string())).collect();
    server.nodes()[0].pause().unwrap();

    let started = Instant::now();
    let mut failed = 0;
    for x in &ids {
        // The connection that there was is given up with the answer that does not come.
        if let Err(error) = store.set(x, &record("a", HOUR)).await {
            assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
            failed += 1;
            store.set(x, &record("a", HOUR)).await.unwrap();
        }
        lazy.set(x, &record("a", HOUR)).await.unwrap();
    }
    assert_eq!(failed, 1);
    assert!(started.elapsed() < Duration::from_secs(30));
    server.nodes()[0].resume().unwrap();
}

/// Waits on the clock of the runtime that asks first, for longer than any test lasts.
struct Stuck(AtomicBool);

impl AsyncDNSResolver for Stuck {
    fn resolve<'a, 'b: 'a>(
        &'a self,
        host: &'b str,
        port: u16,
    ) -> RedisFuture<'a, Box<dyn Iterator<Item = SocketAddr> + Send + 'a>> {
        let stuck = self.0.swap(false, Ordering::SeqCst);
        let address = SocketAddr::new(host.parse().unwrap(), port);
        Box::pin(async move {
            if stuck {
                tokio::time::sleep(HOUR).await;
            }
            Ok(Box::new([address].into_iter()) as Box<dyn Iterator<Item = _> + Send>)
        })
    }
}

#[test]
fn a_runtime_that_rests_while_it_reads_the_map_keeps_nobody_from_it() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap()
    };
    let url = site::url_of(Kind::RedisCluster, &[cluster().url()]);
    let limited = builder().connect_timeout(Duration::from_secs(10));
    let limited = limited.resolver(Stuck(AtomicBool::new(true)));
    let store = limited.connect_lazily(&url).unwrap();
    let resting = runtime();
    let reader = store.clone();
    let reader = resting.spawn(async move { reader.get(&id("a")).await.map(drop) });
    resting.block_on(tokio::task::yield_now());
    assert!(!reader.is_finished());
    runtime().block_on(async {
        store.set(&id("a"), &record("a", HOUR)).await.unwrap();
        assert!(store.get(&id("a")).await.unwrap().is_some());
    });
}

#[tokio::test]
async fn a_node_of_the_url_that_is_dead_does_no_harm() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let mut urls = vec![cluster().url_at(nobody.unwrap())];
    urls.extend(cluster().urls());
    let url = site::url_of(Kind::RedisCluster, &urls);
    let store = builder().connect(&url).await.unwrap();
    store.set(&id("a"), &record("a", HOUR)).await.unwrap();
    assert!(store.get(&id("a")).await.unwrap().is_some());
}

#[tokio::test]
async fn what_is_wrong_with_the_url_is_said_without_it() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let nobody = vec![cluster().url_with(nobody.unwrap(), "hunter2")];
    let single = vec![shared(Kind::Redis).url()];
    let wrong = vec![cluster().url_with(cluster().address(), "hunter2")];
    let of = |urls: &[String]| site::url_of(Kind::RedisCluster, urls);
    for (url, kind, word) in [
        (of(&nobody), ErrorKind::Unavailable, "connected"),
        (of(&wrong), ErrorKind::Config, "password"),
        (of(&single), ErrorKind::Config, "redis://"),
    ] {
        let started = Instant::now();
        let error = builder().connect(&url).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(started.elapsed() < Duration::from_secs(3));
        let texts = texts(&error);
        assert!(texts.contains(word), "{texts}");
        for secret in ["hunter2", "127.0.0.1", cluster().password()] {
            assert!(!texts.contains(secret), "{texts}");
        }
    }
}

#[tokio::test]
async fn a_node_taken_for_a_single_server_says_what_it_is() {
    let store = builder().connect(&cluster().url()).await.unwrap();
    let mut errors = Vec::new();
    for number in 0..30 {
        errors.extend(store.get(&id(&number.to_string())).await.err());
    }
    assert!(!errors.is_empty());
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
        assert!(error.to_string().contains("redis+cluster://"), "{error}");
    }
}

#[test]
fn a_store_outlives_the_runtime_that_it_was_made_on() {
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    let url = site::url(cluster());
    let store = runtime().block_on(builder().connect(&url)).unwrap();
    for number in 0..6 {
        let x = id(&number.to_string());
        runtime().block_on(async {
            store.set(&x, &record("a", HOUR)).await.unwrap();
            assert!(store.get(&x).await.unwrap().is_some());
        });
    }
}

/// Three of the URL's four hosts have vanished without a word.
#[tokio::test]
async fn hosts_that_are_silent_do_not_keep_the_store_from_one_that_answers() {
    let silent: Vec<_> = (0..3)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let real = cluster();
    let mut urls: Vec<_> = silent
        .iter()
        .map(|s| real.url_at(s.local_addr().unwrap()))
        .collect();
    urls.push(real.url());
    let url = site::url_of(Kind::RedisCluster, &urls);
    let limited = || builder().connect_timeout(Duration::from_secs(4));
    // An operation asks the others after a second.
    let lazy = limited().connect_lazily(&url).unwrap();
    lazy.set(&id("a"), &record("a", HOUR)).await.unwrap();
    // Whoever needs all nodes does not.
    let lazy = limited().connect_lazily(&url).unwrap();
    lazy.length().await.unwrap();
    limited().connect(&url).await.unwrap();
}
