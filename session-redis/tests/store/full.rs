//! A server whose disk is full.

use std::time::{Duration, Instant};

use session_core::{ErrorKind, Store};
use test_servers::{Kind, Server, SmallDisk};

use crate::{HOUR, builder, id, record};

/// How long the server may take to notice that it can write again; it looks once a second.
const NOTICE: Duration = Duration::from_secs(60);

#[test]
fn a_full_disk_is_an_error_and_loses_nothing() {
    SmallDisk::with(16, |disk| {
        tokio::runtime::Runtime::new().unwrap().block_on(fill(disk));
    });
}

async fn fill(disk: &SmallDisk) {
    let server = Server::start_with(Kind::Redis, &[("appendonly", "yes")]).unwrap();
    let store = builder().connect(&server.url()).await.unwrap();
    let numbered = |n: u32| id(&n.to_string());
    let text = |n: u32| format!("{n} {}", "x".repeat(20_000));
    let record = |n: u32| record(&text(n), HOUR);
    disk.leave(8);
    let mut written = 0;
    let error = loop {
        match store.set(&numbered(written), &record(written)).await {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 10_000, "the disk never was full");
    };
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.to_string().contains("its disk"), "{error}");
    assert!(written > 100, "only {written}");

    disk.make_room();
    let started = Instant::now();
    while let Err(error) = store.set(&numbered(written), &record(written)).await {
        assert!(started.elapsed() < NOTICE, "{error:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // What it holds in memory, and what it has on its disk.
    for _ in 0..2 {
        for n in 0..=written {
            let found = store.get(&numbered(n)).await.unwrap().unwrap();
            let value: String = found.data().get("value").unwrap().unwrap();
            assert!(value == text(n), "{n}");
        }
        server.nodes()[0].restart().unwrap();
        // The connection was lost with the old process.
        let _ = store.length().await;
    }
}
