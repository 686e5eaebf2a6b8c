//! Connections that end in the middle of an answer, at each of its bytes.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use session_core::{ErrorKind, Result, Store};
use session_redis::RedisStore;
use test_servers::Kind;

#[cfg(feature = "tls")]
use crate::site;
use crate::{HOUR, builder, cookie, id, private, record};

/// Passes on so many bytes of the answers on each connection, and closes it then.
struct Cutter {
    address: SocketAddr,
    allowed: Arc<AtomicUsize>,
    /// Of the answers on the latest connection.
    passed: Arc<AtomicUsize>,
}

impl Cutter {
    fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let cutter = Self {
            address: listener.local_addr().unwrap(),
            allowed: Arc::new(AtomicUsize::new(usize::MAX)),
            passed: Arc::default(),
        };
        let (allowed, passed) = (Arc::clone(&cutter.allowed), Arc::clone(&cutter.passed));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                let server = TcpStream::connect(upstream).unwrap();
                client.set_nodelay(true).unwrap();
                passed.store(0, Ordering::SeqCst);
                let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                std::thread::spawn(move || std::io::copy(&mut from, &mut to));
                let (allowed, passed) = (Arc::clone(&allowed), Arc::clone(&passed));
                std::thread::spawn(move || pass(server, client, &allowed, &passed));
            }
        });
        cutter
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, allowed: &AtomicUsize, passed: &AtomicUsize) {
    let mut byte = [0];
    while passed.load(Ordering::SeqCst) < allowed.load(Ordering::SeqCst)
        && from.read_exact(&mut byte).is_ok()
    {
        // Counted first: whoever has the answer finds it counted.
        passed.fetch_add(1, Ordering::SeqCst);
        if to.write_all(&byte).is_err() {
            break;
        }
    }
    for side in [from, to] {
        let _ = side.shutdown(Shutdown::Both);
    }
}

async fn operate(store: &RedisStore, operation: &str) -> Result<()> {
    let (a, old, new) = (id("a"), record("old", HOUR), record("new", HOUR));
    match operation {
        "get" => store.get(&a).await.map(drop),
        "set" => store.set(&a, &old).await,
        "create" => store.create(&a, &old).await.map(|_| ()),
        "replace" => store.replace(&a, &old, &new).await.map(|_| ()),
        "touch" => store.touch(&a, &cookie(HOUR)).await.map(|_| ()),
        "touch without an end" => store.touch(&a, &cookie(None)).await.map(|_| ()),
        "length" => store.length().await.map(drop),
        _ => store.destroy(&a).await,
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_anywhere_is_an_outage() {
    // Those of one round trip: between two, a connection that has ended is made again.
    let operations = [
        "set",
        "get",
        "create",
        "replace",
        "touch",
        "touch without an end",
        "length",
        "destroy",
    ];
    // Alone on its server, so that SCAN ends with its first page.
    let server = private(Kind::Redis);
    for protocol in ["?protocol=2", ""] {
        let cutter = Cutter::start(server.address());
        let url = server.url_at(cutter.address) + protocol;
        let builder = builder().ttl(None);
        let direct = builder.clone().connect(&server.url()).await.unwrap();
        // What it takes to connect is cut for the first operation alone.
        let mut connected = 0;
        let through = || builder.clone().connect_lazily(&url).unwrap();
        for operation in operations {
            // Once to make the server know the scripts, once to count.
            for _ in 0..2 {
                direct.set(&id("a"), &record("old", HOUR)).await.unwrap();
                cutter.allowed.store(usize::MAX, Ordering::SeqCst);
                operate(&through(), operation).await.unwrap();
            }
            let length = cutter.passed.load(Ordering::SeqCst);
            for allowed in connected..length {
                direct.set(&id("a"), &record("old", HOUR)).await.unwrap();
                cutter.allowed.store(allowed, Ordering::SeqCst);
                let done = operate(&through(), operation).await;
                let kind = done.as_ref().err().map(session_core::Error::kind);
                let what = format!("{operation}{protocol} after {allowed} of {length}: {done:?}");
                assert_eq!(kind, Some(ErrorKind::Unavailable), "{what}");
            }
            if operation == "set" {
                connected = length - "+OK\r\n".len();
            }
        }
    }
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn so_is_one_by_tls() {
    let server = private(Kind::RedisTls);
    let cutter = Cutter::start(server.address());
    let url = server.url_at(cutter.address);
    let through = || {
        let builder = site::builder(site::ca_file(&server));
        builder.connect_lazily(&url).unwrap()
    };
    operate(&through(), "get").await.unwrap();
    let length = cutter.passed.load(Ordering::SeqCst);
    // The handshake is not always as long: the last bytes are more than the answer in its envelope.
    for allowed in (0..length - 16).step_by(13) {
        cutter.allowed.store(allowed, Ordering::SeqCst);
        let error = operate(&through(), "get").await.unwrap_err();
        let what = format!("after {allowed} of {length}: {error:?}");
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{what}");
    }
}
