//! Behind the store's back.

use std::sync::Arc;

use async_trait::async_trait;
use session_conformance::{Backend, Hooks, Need, NotRun, Write, crash};
use session_core::{Clock, Record, SessionId, StoredExpiry};
use session_sled::{Flush, SledStore, sled};

use super::database::Database;

/// What every harness here offers.
pub(crate) const BACKEND: Backend = Backend::EMBEDDED
    .offers(Need::Undecodable)
    .offers(Need::Foreign)
    .offers(Need::Count)
    .offers(Need::Fixture)
    .lacks(Need::Schema, "a tree has no schema");

/// Rows of layout 2, as they lie in the trees: the id, the end in milliseconds since 1970, and the
/// bytes of the value. The first one was extended by an hour after it was filed.
pub(crate) const ROWS: [(&str, Option<i64>, &[u8]); 2] = [
    (
        "an end of its own",
        Some(4_000_000_000_000),
        b"\x02\x80\x00\x03\xa3\x52\x94\x40\x00\x80\x00\x03\xa3\x52\x5d\x51\x80{\"cookie\":{\"originalMaxAge\":60000,\
          \"expires\":\"2026-11-22T17:46:41.287Z\",\"httpOnly\":true,\"path\":\"/\"},\"n\":1}",
    ),
    (
        "no end",
        None,
        b"\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff{\"cookie\":{\"originalMaxAge\":null,\
          \"expires\":null,\"httpOnly\":true,\"path\":\"/\"},\"n\":1.0}",
    ),
];

pub(crate) struct Behind {
    pub(crate) database: Arc<Database>,
    pub(crate) namespace: String,
    pub(crate) clock: Clock,
    /// Whether the database has no other namespaces than the rule's.
    pub(crate) alone: bool,
}

impl Behind {
    pub(crate) fn tree(&self, suffix: &str) -> sled::Result<sled::Tree> {
        let name = format!("{}/{suffix}", self.namespace);
        self.database.db().open_tree(name)
    }

    /// Trees and keys that a careless clear takes along.
    fn foreign(&self) -> sled::Result<Vec<(sled::Tree, String)>> {
        let (db, name) = (self.database.db(), &self.namespace);
        let trees = [
            format!("{name}/other"),
            format!("{name}x/records"),
            name.clone(),
        ];
        let mut foreign = vec![((*db).clone(), format!("{name}/records"))];
        for tree in trees {
            foreign.push((db.open_tree(tree)?, "foreign".into()));
        }
        Ok(foreign)
    }
}

#[async_trait]
impl Hooks for Behind {
    async fn write_undecodable(&self, id: &SessionId) -> Result<(), NotRun> {
        let half = [&ROWS[1].2[..17], b"{\"cookie\":{\"orig"].concat();
        self.tree("records")?.insert(id.as_str(), half)?;
        Ok(())
    }

    async fn write_foreign(&self) -> Result<(), NotRun> {
        for (tree, key) in self.foreign()? {
            tree.insert(key, b"foreign")?;
        }
        Ok(())
    }

    async fn foreign_intact(&self) -> Result<bool, NotRun> {
        let foreign = self.foreign()?.into_iter();
        let mut found = foreign.map(|(tree, key)| tree.get(key));
        Ok(found.try_fold(true, |all, value| {
            Ok::<_, sled::Error>(all && value?.as_deref() == Some(b"foreign"))
        })?)
    }

    /// Records, and what the index has beside them.
    async fn count(&self) -> Result<u64, NotRun> {
        let records = self.tree("records")?;
        let mut count = records.len();
        for key in self.tree("expiries")?.iter().keys() {
            let key = key?;
            if key.len() > 8 && !records.contains_key(&key[8..])? {
                count += 1;
            }
        }
        Ok(count as u64)
    }

    async fn write_and_crash(&self, writes: Vec<Write>) -> Result<(), NotRun> {
        self.database.close();
        let killed = crash::Child::test("support::hooks::writes_and_is_killed")
            .argument(self.database.path().to_string_lossy())
            .argument(&self.namespace)
            .argument(self.clock.now_millis().to_string())
            .write(&writes);
        self.database.open()?;
        killed
    }

    async fn load_fixture(&self) -> Result<Vec<(SessionId, Record)>, NotRun> {
        let (records, expiries) = (self.tree("records")?, self.tree("expiries")?);
        let mut written = Vec::new();
        for (id, end, value) in ROWS {
            records.insert(id, value)?;
            expiries.insert([&value[9..17], id.as_bytes()].concat(), &[])?;
            let json = String::from_utf8(value[17..].to_vec())?;
            let expiry = StoredExpiry::from(end.map(Clock::from_millis));
            written.push((SessionId::new(id)?, Record::decode(json, expiry)?));
        }
        expiries.insert([0], &2_u64.to_be_bytes())?;
        Ok(written)
    }

    async fn remove(&self) -> Result<(), NotRun> {
        if self.alone {
            return Ok(std::fs::remove_dir_all(self.database.path())?);
        }
        let db = self.database.db();
        let ours = db.tree_names().into_iter();
        for name in ours.filter(|name| name.starts_with(self.namespace.as_bytes())) {
            db.drop_tree(name)?;
        }
        Ok(())
    }

    async fn leftovers(&self) -> Result<Vec<String>, NotRun> {
        Ok(vec![self.database.path().display().to_string()])
    }
}

/// Not a test of its own: where the process of [`Hooks::write_and_crash`] begins.
#[test]
fn writes_and_is_killed() {
    crash::child(async |arguments| {
        let [path, namespace, millis] = &arguments[..] else {
            panic!("a path, a namespace and the time");
        };
        // The suite's clock stands elsewhere than the system's.
        let clock = Clock::manual(Clock::from_millis(millis.parse().unwrap()));
        let builder = SledStore::builder().namespace(namespace).clock(clock);
        builder.flush(Flush::EveryWrite).open(path).await
    });
}
