//! What this store has beside the contract: the sweeper, the flush, and calls without a runtime.
#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::time::Duration;

use session_core::{Clock, Data, Record, SessionCookie, SessionId, Store};
use session_sled::{Flush, SledStore, sled};

fn id(n: u32) -> SessionId {
    SessionId::new(n.to_string()).unwrap()
}

fn record() -> Record {
    Record::new(SessionCookie::new(), &Data::new())
}

#[tokio::test]
async fn a_sweeper_removes_what_has_ended_and_does_not_keep_the_database_open() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Clock::manual(Clock::system().now());
    let builder = SledStore::builder().clock(clock.clone());
    let store = builder
        .ttl(Duration::from_secs(60))
        .open(directory.path())
        .await
        .unwrap();
    let sweeper = store.sweeper(Duration::from_secs(3_600));
    for n in 0..1_500 {
        store.set(&id(n), &record()).await.unwrap();
    }
    clock.advance(Duration::from_secs(59));
    store.set(&id(0), &record()).await.unwrap();
    clock.advance(Duration::from_secs(1));
    sweeper.sweep_now();
    assert_eq!(store.length().await.unwrap(), 1);
    assert_eq!(store.sweep(1).await.unwrap().removed, 0, "they are gone");
    drop(store);
    SledStore::open(directory.path()).await.unwrap();
    // Its store is gone: this returns.
    sweeper.sweep_now();
}

#[test]
fn it_works_without_a_runtime() {
    let directory = tempfile::tempdir().unwrap();
    pollster::block_on(async {
        let store = SledStore::open(directory.path()).await.unwrap();
        store.set(&id(1), &record()).await.unwrap();
        assert!(store.get(&id(1)).await.unwrap().is_some());
        store.flush().await.unwrap();
    });
}

/// What `flush` has written is in the files: a copy of them, taken while the database is open, is
/// what a killed process would leave.
#[tokio::test]
async fn what_was_flushed_is_in_the_files() {
    let directory = tempfile::tempdir().unwrap();
    let (live, copy) = (directory.path().join("live"), directory.path().join("copy"));
    let builder = SledStore::builder().flush(Flush::ByCaller);
    let store = builder.clone().open(&live).await.unwrap();
    store.set(&id(1), &record()).await.unwrap();
    store.flush().await.unwrap();
    store.set(&id(2), &record()).await.unwrap();
    std::fs::create_dir_all(copy.join("blobs")).unwrap();
    for file in ["conf", "db"] {
        std::fs::copy(live.join(file), copy.join(file)).unwrap();
    }
    let copied = builder.open(&copy).await.unwrap();
    assert!(copied.get(&id(1)).await.unwrap().is_some());
    assert!(copied.get(&id(2)).await.unwrap().is_none());
    assert_eq!(copied.length().await.unwrap(), 1);
}

#[tokio::test]
async fn stores_of_one_database_share_by_name_alone() {
    let directory = tempfile::tempdir().unwrap();
    let db = sled::open(directory.path()).unwrap();
    let store = |name: &str| SledStore::builder().namespace(name).build_on(&db).unwrap();
    store("a").set(&id(1), &record()).await.unwrap();
    assert_eq!(store("a").length().await.unwrap(), 1);
    for other in ["b", "", "a/records", "A", "a/"] {
        assert_eq!(store(other).length().await.unwrap(), 0, "{other:?}");
        store(other).clear().await.unwrap();
    }
    assert!(store("a").get(&id(1)).await.unwrap().is_some());
}

/// Of the pool, for all that many clients want at once.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn many_clients_start_few_threads() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// Those 20 that may be at work, as the README says, and those that are about to rest.
    const MOST: usize = 40;

    fn threads() -> usize {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let names = tasks.flatten().filter_map(|task| {
            // One that has ended meanwhile has no name.
            std::fs::read_to_string(task.path().join("comm")).ok()
        });
        names.filter(|name| name.starts_with("blocking-")).count()
    }

    let directory = tempfile::tempdir().unwrap();
    let builder = SledStore::builder().flush(Flush::EveryWrite);
    let store = builder.open(directory.path()).await.unwrap();
    let ended = Arc::new(AtomicBool::new(false));
    let watching = {
        let ended = Arc::clone(&ended);
        std::thread::spawn(move || {
            let mut most = 0;
            while !ended.load(Ordering::Relaxed) {
                most = most.max(threads());
            }
            most
        })
    };
    let clients: Vec<_> = (0..400)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                for _ in 0..3 {
                    store.set(&id(n), &record()).await.unwrap();
                    store.length().await.unwrap();
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    ended.store(true, Ordering::Relaxed);
    let most = watching.join().unwrap();
    assert!((2..=MOST).contains(&most), "{most} threads");
    assert_eq!(store.length().await.unwrap(), 400);
}
