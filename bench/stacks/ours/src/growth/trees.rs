//! The trees of sled: filled by repeating what the store has written for one session.

use std::ops::Range;
use std::path::{Path, PathBuf};

use session_core::{Record, Store};
use session_sled::SledStore;
use sled::{Db, Tree};

use super::{id, scattered};

/// As [`SledStore::open`] has them.
const CACHE_BYTES: u64 = 64 << 20;
const FLUSH_EVERY_MS: u64 = 500;
/// Where the tree of expiries counts its entries.
const COUNT: &[u8] = &[0];

pub(super) struct Trees {
    store: SledStore,
    records: Tree,
    expiries: Tree,
    path: PathBuf,
}

impl Trees {
    /// A store in a new directory, and the way behind it.
    pub(super) fn open(path: &str) -> (SledStore, Self) {
        let config = sled::Config::new()
            .path(path)
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(Some(FLUSH_EVERY_MS));
        let db: Db = config.open().expect("a directory");
        let store = SledStore::builder().build_on(&db).expect("its trees");
        let tree = |name: &str| db.open_tree(format!("sessions/{name}")).expect("a tree");
        let trees = Self {
            store: store.clone(),
            records: tree("records"),
            expiries: tree("expiries"),
            path: path.into(),
        };
        (store, trees)
    }

    /// In the order of the ids: a tree that is larger than its cache takes them many times faster
    /// so. The count has no way to be wrong unseen: `length` is compared with it.
    pub(super) async fn fill(&self, numbers: Range<usize>, record: &Record) {
        let sessions = numbers.len() as u64;
        let mut sorted: Vec<_> = numbers.collect();
        sorted.sort_unstable_by_key(|&number| scattered(number));
        let first = id(sorted[0]);
        self.store.set(&first, record).await.expect("stored");
        let value = self.records.get(first.as_str()).expect("read");
        let value = value.expect("a record");
        let mut keys = self.expiries.iter().keys().map(|key| key.expect("read"));
        let key = keys.find(|key| key.ends_with(first.as_str().as_bytes()));
        let key = key.expect("an entry for the record");
        let time = &key[..key.len() - first.as_str().len()];
        for number in &sorted[1..] {
            let id = id(*number);
            let id = id.as_str().as_bytes();
            self.records.insert(id, &value).expect("stored");
            let key = [time, id].concat();
            self.expiries.insert(key, &[]).expect("stored");
        }
        let count = self.expiries.get(COUNT).expect("read").expect("a count");
        let count = u64::from_be_bytes(count[..].try_into().expect("eight bytes"));
        let count = (count + sessions - 1).to_be_bytes();
        self.expiries.insert(COUNT, &count).expect("stored");
    }

    /// The bytes of the files.
    pub(super) fn bytes(&self) -> f64 {
        self.expiries.flush().expect("flushed");
        on_disk(&self.path)
    }
}

/// The bytes of the files below a directory.
fn on_disk(path: &Path) -> f64 {
    let files = std::fs::read_dir(path).into_iter().flatten().flatten();
    let sizes = files.map(|file| match file.metadata() {
        Ok(data) if data.is_dir() => on_disk(&file.path()),
        Ok(data) => data.len() as f64,
        Err(_) => 0.0,
    });
    sizes.sum()
}
