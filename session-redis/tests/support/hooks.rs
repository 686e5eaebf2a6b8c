//! Behind the store's back.

use async_trait::async_trait;
use redis::aio::MultiplexedConnection;
use session_conformance::{Hooks, NotRun, Proxy, Write, crash};
use session_core::{Clock, Record, SessionId, StoredExpiry};
use session_redis::RedisStore;

use super::server::Server;

pub(crate) struct Behind {
    pub(crate) server: &'static Server,
    pub(crate) proxy: Proxy,
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
    async fn admin(&self) -> Result<MultiplexedConnection, NotRun> {
        Ok(self.server.admin().await?)
    }

    /// Every key that begins with the namespace's name, whosever it is.
    async fn keys(&self) -> Result<Vec<Vec<u8>>, NotRun> {
        let mut keys = redis::cmd("KEYS");
        // The name has no characters that mean something in a pattern.
        keys.arg(format!("{}*", self.namespace));
        Ok(keys.query_async(&mut self.admin().await?).await?)
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
        Ok(set.exec_async(&mut self.admin().await?).await?)
    }

    async fn break_backend(&self) -> Result<(), NotRun> {
        self.proxy.cut();
        Ok(())
    }

    async fn heal_backend(&self) -> Result<(), NotRun> {
        self.proxy.heal();
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
        let mut pipe = redis::pipe();
        for (key, kind) in self.foreign() {
            match kind {
                "list" => pipe.cmd("RPUSH").arg(key).arg("foreign"),
                _ => pipe.cmd("SET").arg(key).arg("foreign"),
            };
        }
        Ok(pipe.exec_async(&mut self.admin().await?).await?)
    }

    async fn foreign_intact(&self) -> Result<bool, NotRun> {
        let mut admin = self.admin().await?;
        for (key, kind) in self.foreign() {
            let found: String = redis::cmd("TYPE").arg(&key).query_async(&mut admin).await?;
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
            .argument(self.server.url())
            .argument(&self.prefix)
            .write(&writes)
    }

    async fn load_fixture(&self) -> Result<Vec<(SessionId, Record)>, NotRun> {
        let mut admin = self.admin().await?;
        let mut records = Vec::new();
        for (id, row, seconds) in NODE_ROWS {
            let mut set = redis::cmd("SET");
            set.arg(format!("{}{id}", self.prefix)).arg(row);
            set.arg("EX").arg(seconds).exec_async(&mut admin).await?;
            let ends = Clock::system().now() + std::time::Duration::from_secs(seconds);
            let record = Record::decode(row, StoredExpiry::At(ends))?;
            records.push((SessionId::new(id)?, record));
        }
        Ok(records)
    }

    async fn remove(&self) -> Result<(), NotRun> {
        let mut unlink = redis::pipe();
        for key in self.sessions().await? {
            unlink.cmd("UNLINK").arg(key);
        }
        for (key, _) in self.foreign() {
            unlink.cmd("UNLINK").arg(key);
        }
        Ok(unlink.exec_async(&mut self.admin().await?).await?)
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
        let [url, prefix] = &arguments[..] else {
            panic!("a URL and a prefix");
        };
        RedisStore::builder().prefix(prefix).connect(url).await
    });
}
