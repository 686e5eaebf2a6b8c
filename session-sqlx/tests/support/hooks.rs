//! Behind the store's back.

use async_trait::async_trait;
use session_conformance::{Hooks, NotRun, Proxy, Write, crash};
use session_core::{Clock, Record, SessionId, StoredExpiry};
use session_sqlx::{Schema, SqlxStore};

use super::rows::Rows;

pub(crate) struct Behind {
    pub(crate) rows: Rows,
    pub(crate) proxy: Option<Proxy>,
    /// A table whose name begins as that of the sessions does.
    pub(crate) foreign: String,
    pub(crate) clock: Clock,
}

/// What Node wrote, to the byte.
pub(crate) const NODE_ROWS: [(&str, &str); 2] = [
    (
        "SID1",
        r#"{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"},"n":1}"#,
    ),
    (
        "SID2",
        r#"{"cookie":{"originalMaxAge":60000,"expires":"2026-11-22T17:46:41.287Z","httpOnly":true,"path":"/"},"n":1}"#,
    ),
];

const FAR: i64 = 4_102_444_800_000;

impl Behind {
    fn foreign(&self) -> Rows {
        Rows {
            table: self.foreign.clone(),
            ..self.rows.clone()
        }
    }

    fn proxy(&self) -> Result<&Proxy, NotRun> {
        self.proxy
            .as_ref()
            .ok_or_else(|| NotRun::because("there is no server"))
    }
}

/// The store of a process of its own.
pub(crate) async fn open(rows: &Rows) -> session_core::Result<SqlxStore> {
    SqlxStore::builder()
        .schema(rows.schema)
        .table(&rows.table)
        .connect(&rows.url)
        .await
}

#[async_trait]
impl Hooks for Behind {
    /// A column of type `json` takes no half of a text.
    async fn write_undecodable(&self, id: &SessionId) -> Result<(), NotRun> {
        let data = match self.rows.schema {
            Schema::ConnectPgSimple => r#"{"cookie":"gone"}"#,
            _ => r#"{"cookie":{"originalMaxAge":nu"#,
        };
        Ok(self.rows.insert(id.as_str(), data, FAR).await?)
    }

    async fn break_backend(&self) -> Result<(), NotRun> {
        self.proxy()?.cut();
        Ok(())
    }

    async fn heal_backend(&self) -> Result<(), NotRun> {
        self.proxy()?.heal();
        Ok(())
    }

    async fn lose_next_answer(&self) -> Result<(), NotRun> {
        self.proxy()?.lose_next_answer();
        Ok(())
    }

    async fn round_trips(&self) -> Result<u64, NotRun> {
        Ok(self.proxy()?.round_trips())
    }

    async fn write_foreign(&self) -> Result<(), NotRun> {
        let foreign = self.foreign();
        open(&foreign).await?.migrate().await?;
        for (id, data) in NODE_ROWS {
            foreign.insert(id, data, FAR).await?;
        }
        Ok(())
    }

    async fn foreign_intact(&self) -> Result<bool, NotRun> {
        Ok(self.foreign().count().await? == 2)
    }

    async fn count(&self) -> Result<u64, NotRun> {
        Ok(self.rows.count().await?.unsigned_abs())
    }

    async fn migrate(&self) -> Result<session_core::Result<()>, NotRun> {
        let store = open(&self.rows).await?;
        Ok(store.migrate().await)
    }

    async fn write_and_crash(&self, writes: Vec<Write>) -> Result<(), NotRun> {
        crash::Child::test("support::hooks::writes_and_is_killed")
            .argument(&self.rows.url)
            .argument(format!("{:?}", self.rows.schema))
            .argument(&self.rows.table)
            .write(&writes)
    }

    async fn load_fixture(&self) -> Result<Vec<(SessionId, Record)>, NotRun> {
        let mut records = Vec::new();
        for (id, data) in NODE_ROWS {
            let ends = (self.clock.now_millis() / 1_000 + 86_400) * 1_000;
            self.rows.insert(id, data, ends).await?;
            let ends = std::time::Duration::from_millis(ends.unsigned_abs());
            let ends = StoredExpiry::At(std::time::SystemTime::UNIX_EPOCH + ends);
            records.push((SessionId::new(id)?, Record::decode(data, ends)?));
        }
        Ok(records)
    }

    async fn remove(&self) -> Result<(), NotRun> {
        for table in [self.rows.table(), self.foreign().table()] {
            let drop = format!("DROP TABLE IF EXISTS {table}");
            self.rows.execute(&drop).await?;
        }
        Ok(())
    }

    async fn leftovers(&self) -> Result<Vec<String>, NotRun> {
        Ok(vec![format!("the table {}", self.rows.table())])
    }
}

/// Not a test of its own: where the process of [`Hooks::write_and_crash`] begins.
#[test]
fn writes_and_is_killed() {
    crash::child(async |arguments| {
        let [url, schema, table] = &arguments[..] else {
            panic!("a URL, a schema and a table");
        };
        let schemas = [
            Schema::Native,
            Schema::ConnectPgSimple,
            Schema::ExpressMysqlSession,
            Schema::ConnectSqlite3,
            Schema::BetterSqlite3,
        ];
        let named = |known: &Schema| format!("{known:?}") == *schema;
        let schema = schemas.into_iter().find(named).unwrap();
        let builder = SqlxStore::builder().schema(schema).table(table);
        builder.connect(url).await
    });
}
