//! What cannot be opened or read, and what is said about it.
#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::path::Path;

use session_core::{Data, Error, ErrorKind, Record, SessionCookie, SessionId, Store, Touched};
use session_sled::{Flush, SledStore, sled};
#[cfg(target_os = "linux")]
use test_servers::SmallDisk;

fn id() -> SessionId {
    SessionId::new("a session's id").unwrap()
}

fn record(text: &str) -> Record {
    let mut data = Data::new();
    data.insert("text", text).unwrap();
    Record::new(SessionCookie::new(), &data)
}

async fn not_opened(path: &Path) -> Error {
    SledStore::open(path).await.unwrap_err()
}

#[tokio::test]
async fn a_database_that_is_open_already_is_said_to_be() {
    let directory = tempfile::tempdir().unwrap();
    let store = SledStore::open(directory.path()).await.unwrap();
    let error = not_opened(directory.path()).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let text = error.to_string();
    assert!(text.contains("is open already"), "{text}");
    assert!(text.contains(directory.path().to_str().unwrap()), "{text}");
    store.set(&id(), &record("still works")).await.unwrap();
    // It is waited for while it closes.
    let (dropped, opened) = (async { drop(store) }, SledStore::open(directory.path()));
    let ((), store) = tokio::join!(dropped, opened);
    assert!(store.unwrap().get(&id()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_path_that_is_no_directory_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("below")] {
        let error = not_opened(&path).await;
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        let text = error.to_string();
        assert!(text.contains("cannot be opened"), "{text}");
        assert!(text.contains(path.to_str().unwrap()), "{text}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_directory_of_our_own_making_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deep").join("sessions");
    drop(SledStore::open(&path).await.unwrap());
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn a_layout_of_the_future_is_an_error_that_destroy_ends() {
    let directory = tempfile::tempdir().unwrap();
    let db = sled::open(directory.path()).unwrap();
    let store = SledStore::builder().build_on(&db).unwrap();
    let records = db.open_tree("sessions/records").unwrap();
    records
        .insert(id().as_str(), &b"\x03hunter2 hunter2"[..])
        .unwrap();
    let failures = [
        store.get(&id()).await.map(drop),
        store.touch(&id(), &SessionCookie::new()).await.map(drop),
        store.create(&id(), &record("new")).await.map(drop),
        store
            .replace(&id(), &record("old"), &record("new"))
            .await
            .map(drop),
    ];
    for failure in failures {
        let error = failure.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
        let text = format!("{error} {error:?}");
        assert!(text.contains("layout 3"), "{text}");
        assert!(
            !text.contains("hunter2") && !text.contains(id().as_str()),
            "{text}"
        );
    }
    assert!(records.contains_key(id().as_str()).unwrap());
    store.destroy(&id()).await.unwrap();
    assert_eq!(store.get(&id()).await.unwrap(), None);
    assert_eq!(store.length().await.unwrap(), 0);
    // And `set` writes over one, which is a record like any other then.
    records
        .insert(id().as_str(), &b"\x03hunter2 hunter2"[..])
        .unwrap();
    store.set(&id(), &record("new")).await.unwrap();
    assert_eq!(store.length().await.unwrap(), 1);
}

#[tokio::test]
async fn a_touch_leaves_the_data_of_another_write() {
    let directory = tempfile::tempdir().unwrap();
    let store = SledStore::open(directory.path()).await.unwrap();
    store.set(&id(), &record("new")).await.unwrap();
    let stale = record("old");
    let touched = store.touch(&id(), stale.cookie()).await.unwrap();
    assert_eq!(touched, Touched::Touched);
    let found = store.get(&id()).await.unwrap().unwrap();
    assert_eq!(found.json(), record("new").json());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_and_loses_nothing() {
    SmallDisk::with(16, |disk| pollster::block_on(fill(disk)));
}

#[cfg(target_os = "linux")]
async fn fill(disk: &SmallDisk) {
    let directory = disk.path().join("sessions");
    let builder = SledStore::builder().flush(Flush::EveryWrite);
    let store = builder.clone().open(&directory).await.unwrap();
    let numbered = |n: u32| SessionId::new(n.to_string()).unwrap();
    let text = |n: u32| format!("{n} {}", "x".repeat(5_000));
    disk.leave(8);
    let mut written = 0;
    let error = loop {
        match store.set(&numbered(written), &record(&text(written))).await {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 10_000, "the disk never was full");
    };
    assert!(written > 100, "only {written}: {error}");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.to_string().contains("the disk is full"), "{error:?}");
    // Nothing works by accident: each further write says so, and does not hang or panic.
    for n in 0..3 {
        let again = store.set(&numbered(n), &record("again")).await;
        assert_eq!(again.unwrap_err().kind(), ErrorKind::Unavailable);
    }
    drop(store);
    // With room, everything that had returned is there.
    disk.make_room();
    let store = builder.open(&directory).await.unwrap();
    for n in 0..written {
        let found = store.get(&numbered(n)).await.unwrap();
        assert_eq!(found.unwrap().json(), record(&text(n)).json(), "{n}");
    }
    assert!(store.length().await.unwrap() >= u64::from(written));
    store.set(&numbered(0), &record("new")).await.unwrap();
}
