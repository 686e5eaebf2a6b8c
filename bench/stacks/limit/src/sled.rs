//! On sled: a tree, `compare_and_swap`, and a flush every half second, as this project's store has it
//! by default. What may wait for the disk is done on another thread.

use std::time::{SystemTime, UNIX_EPOCH};

use bench_shared::MAX_AGE;
use sled::Tree;

use crate::cookie::Id;
use crate::site::Sessions;

pub(crate) struct Pages(Tree);

pub(crate) fn open(path: &str) -> Pages {
    let config = sled::Config::new()
        .path(path)
        .cache_capacity(64 << 20)
        .flush_every_ms(Some(500));
    let db = config.open().expect("a directory");
    Pages(db.open_tree("by hand").expect("a tree"))
}

/// Seconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("a clock that is set").as_secs()
}

/// When the session ends, and its text.
fn value(text: &str) -> Vec<u8> {
    let ends = now() + MAX_AGE.as_secs();
    [&ends.to_be_bytes(), text.as_bytes()].concat()
}

async fn write<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("no panic")
}

impl Sessions for Pages {
    type Text = Found;

    async fn get(&self, id: &Id) -> Found {
        let value = self.0.get(id).expect("read").expect("a session");
        let ends = u64::from_be_bytes(value[..8].try_into().expect("eight bytes"));
        assert!(ends > now(), "a live session");
        let text = String::from_utf8(value[8..].to_vec()).expect("text");
        Found { value, text }
    }

    async fn get_and_extend(&self, id: &Id) -> Found {
        loop {
            let found = self.get(id).await;
            if self.replace(id, &found, found.text.clone()).await {
                return found;
            }
        }
    }

    async fn create(&self, id: &Id, text: String) {
        let (tree, id) = (self.0.clone(), *id);
        write(move || tree.insert(id, value(&text)).expect("stored")).await;
    }

    async fn replace(&self, id: &Id, old: &Found, new: String) -> bool {
        let (tree, id, old) = (self.0.clone(), *id, old.value.clone());
        let swap = move || tree.compare_and_swap(id, Some(old), Some(value(&new)));
        write(swap).await.expect("stored").is_ok()
    }
}

/// A session's text, and the bytes that it was in.
pub(crate) struct Found {
    value: sled::IVec,
    text: String,
}

impl std::ops::Deref for Found {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}
