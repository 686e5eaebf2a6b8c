//! Behind the store's back.

use std::sync::Arc;

use async_trait::async_trait;
use session_conformance::{Hooks, NotRun, Proxy, Write, crash};
use session_core::{Clock, Record, SessionId, StoredExpiry};
use test_servers::Server;

use super::site::{self, Admin};

pub(crate) struct Behind {
    pub(crate) server: &'static Server,
    pub(crate) proxy: Arc<Proxy>,
    /// That of the Sentinels, whom the store asks as time goes by: no round trips of operations.
    pub(crate) sentinels: Option<Arc<Proxy>>,
    pub(crate) namespace: String,
    pub(crate) prefix: String,
}

/// A row that connect-redis 9 wrote, with the number of seconds of its `EX`.
pub(crate) const NODE_ROWS: [(&str, &str, u64); 2] = [
    (
        "SID1",
        r#"{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"},"n":1}"#,
        86_400,
    ),
    (
        "SID2",
        r#"{"cookie":{"originalMaxAge":60000,"expires":"2026-11-22T17:46:41.287Z","httpOnly":true,"path":"/"},"n":1}"#,
        60,
    ),
];

impl Behind {
    fn proxies(&self) -> impl Iterator<Item = &Arc<Proxy>> {
        [&self.proxy].into_iter().chain(&self.sentinels)
    }

    async fn admin(&self) -> Result<Admin, NotRun> {
        Ok(site::admin(self.server).await?)
    }

    /// Every key that begins with the namespace's name, whosever it is.
    async fn keys(&self) -> Result<Vec<Vec<u8>>, NotRun> {
        let mut keys = redis::cmd("KEYS");
        // The name has no characters that mean something in a pattern.
        keys.arg(format!("{}*", self.namespace));
        Ok(self.admin().await?.ask(&keys).await?)
    }

    /// The keys of the namespace's sessions.
    async fn sessions(&self) -> Result<Vec<Vec<u8>>, NotRun> {
        let foreign = self.foreign();
        let mut keys = self.keys().await?;
        keys.retain(|key| {
            key.starts_with(self.prefix.as_bytes())
                && !foreign.iter().any(|(name, _)| name.as_bytes() == key)
        });
        Ok(keys)
    }

    /// Keys that a careless pattern matches, or a careless clear takes along, with their types.
    fn foreign(&self) -> [(String, &'static str); 5] {
        let (name, prefix) = (&self.namespace, &self.prefix);
        [
            (format!("{name}abc:other"), "string"),
            (format!("{name}[a-c]*x:other"), "string"),
            (format!("{name}:other"), "string"),
            // The prefix without an id, and a list: no sessions, although they begin alike.
            (prefix.clone(), "string"),
            (format!("{prefix}jobs"), "list"),
        ]
    }
}

#[async_trait]
impl Hooks for Behind {
    async fn write_undecodable(&self, id: &SessionId) -> Result<(), NotRun> {
        let mut set = redis::cmd("SET");
        set.arg(format!("{}{}", self.prefix, id.as_str()))
            .arg(r#"{"cookie":{"originalMaxAge":nu"#);
        Ok(self.admin().await?.ask(&set).await?)
    }

    async fn break_backend(&self) -> Result<(), NotRun> {
        self.proxies().for_each(|proxy| proxy.cut());
        Ok(())
    }

    async fn heal_backend(&self) -> Result<(), NotRun> {
        self.proxies().for_each(|proxy| proxy.heal());
        Ok(())
    }

    async fn lose_next_answer(&self) -> Result<(), NotRun> {
        self.proxy.lose_next_answer();
        Ok(())
    }

    async fn round_trips(&self) -> Result<u64, NotRun> {
        Ok(self.proxy.round_trips())
    }

    async fn write_foreign(&self) -> Result<(), NotRun> {
        let mut admin = self.admin().await?;
        for (key, kind) in self.foreign() {
            let mut write = redis::cmd(if kind == "list" { "RPUSH" } else { "SET" });
            let _: redis::Value = admin.ask(write.arg(key).arg("foreign")).await?;
        }
        Ok(())
    }

    async fn foreign_intact(&self) -> Result<bool, NotRun> {
        let mut admin = self.admin().await?;
        for (key, kind) in self.foreign() {
            let found: String = admin.ask(redis::cmd("TYPE").arg(&key)).await?;
            if found != kind {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn count(&self) -> Result<u64, NotRun> {
        Ok(self.sessions().await?.len() as u64)
    }

    async fn write_and_crash(&self, writes: Vec<Write>) -> Result<(), NotRun> {
        crash::Child::test("support::hooks::writes_and_is_killed")
            .argument(site::url(self.server))
            .argument(&self.prefix)
            .argument(site::ca_file(self.server).unwrap_or_default())
            .write(&writes)
    }

    async fn load_fixture(&self) -> Result<Vec<(SessionId, Record)>, NotRun> {
        let mut admin = self.admin().await?;
        let mut records = Vec::new();
        for (id, row, seconds) in NODE_ROWS {
            let mut set = redis::cmd("SET");
            set.arg(format!("{}{id}", self.prefix)).arg(row);
            let _: String = admin.ask(set.arg("EX").arg(seconds)).await?;
            let ends = Clock::system().now() + std::time::Duration::from_secs(seconds);
            let record = Record::decode(row, StoredExpiry::At(ends))?;
            records.push((SessionId::new(id)?, record));
        }
        Ok(records)
    }

    async fn remove(&self) -> Result<(), NotRun> {
        let mut admin = self.admin().await?;
        let foreign = self.foreign();
        let foreign = foreign.iter().map(|(key, _)| key.clone().into_bytes());
        for key in self.sessions().await?.into_iter().chain(foreign) {
            let _: u64 = admin.ask(redis::cmd("UNLINK").arg(key)).await?;
        }
        Ok(())
    }

    async fn leftovers(&self) -> Result<Vec<String>, NotRun> {
        let keys = self.sessions().await?.into_iter();
        Ok(keys
            .map(|key| String::from_utf8_lossy(&key).into_owned())
            .collect())
    }
}

/// Not a test of its own: where the process of [`Hooks::write_and_crash`] begins.
#[test]
fn writes_and_is_killed() {
    crash::child(async |arguments| {
        let [url, prefix, ca_file] = &arguments[..] else {
            panic!("a URL, a prefix and a certificate");
        };
        let ca_file = Some(ca_file.as_str()).filter(|file| !file.is_empty());
        site::builder(ca_file).prefix(prefix).connect(url).await
    });
}
