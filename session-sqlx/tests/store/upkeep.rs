//! Pages by the real lifecycle, each of which is to extend its session, while the database lets
//! nobody write.

use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use session_core::{Clock, ErrorKind, Store};
use session_sqlx::{Database, Schema, SqlxStore};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _};
use test_servers::{Kind, Server};

use crate::support::rows::Rows;
use crate::support::visitor::{MAX_AGE, Visitor, lifecycle};
use crate::{EVERY, builder, rows};

/// Longer than any test: whatever waits so long has not been answered.
const LONG: Duration = Duration::from_secs(3_600);

/// How long a page waits for what cannot be.
const LIMIT: Duration = Duration::from_millis(20);

const MINUTE: Duration = Duration::from_secs(60);

/// 2026-01-02T03:04:05Z: some columns hold no more than seconds.
fn clock() -> Clock {
    Clock::manual(SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_323_045))
}

/// A store that itself gives up no lock, with one connection to read over and one to write.
async fn patient(rows: &Rows, clock: &Clock) -> SqlxStore {
    let builder = builder(rows)
        .max_connections(2)
        .connect_timeout(LONG)
        .response_timeout(LONG)
        .clock(clock.clone());
    let store = match rows.database {
        Database::Sqlite => {
            let options: SqliteConnectOptions = rows.url.parse().unwrap();
            let options = options.pragma("journal_mode", "wal").busy_timeout(LONG);
            builder.connect_with(options).unwrap()
        }
        _ => builder.connect(&rows.url).await.unwrap(),
    };
    store.migrate().await.unwrap();
    store
}

async fn end(store: &SqlxStore, visitor: &Visitor) -> SystemTime {
    let record = store.get(&visitor.id()).await.unwrap().unwrap();
    record.expires().unwrap()
}

#[tokio::test]
async fn a_page_that_changes_nothing_waits_for_no_lock() {
    for (database, schema) in EVERY {
        let case = format!("{schema:?} on {database:?}");
        let (rows, clock) = (rows(database, schema), clock());
        let store = patient(&rows, &clock).await;
        let hasty = lifecycle(store.clone(), &clock, LIMIT);
        let calm = lifecycle(store.clone(), &clock, LONG);
        let visitor = Visitor::with_session(&calm).await;
        let made = clock.now();
        assert_eq!(end(&store, &visitor).await, made + MAX_AGE, "{case}");

        let table = rows.table();
        let lock = match database {
            Database::Sqlite => "BEGIN IMMEDIATE".into(),
            Database::MySql => format!("LOCK TABLES {table} READ"),
            _ => format!("BEGIN; LOCK TABLE {table} IN SHARE MODE"),
        };
        let locked = rows.hold(&lock).await.unwrap();
        clock.advance(MINUTE);
        for _ in 0..10 {
            assert_eq!(visitor.reads(&hasty).await.unwrap(), 1, "{case}");
            visitor.passes_by(&hasty).await.unwrap();
        }
        for page in join_all((0..10).map(|_| visitor.reads(&hasty))).await {
            assert_eq!(page.unwrap(), 1, "{case}");
        }
        assert_eq!(hasty.counts().not_extended, 30, "{case}");
        assert_eq!(end(&store, &visitor).await, made + MAX_AGE, "{case}");

        locked.close().await.unwrap();
        clock.advance(MINUTE);
        assert_eq!(visitor.reads(&calm).await.unwrap(), 1, "{case}");
        assert_eq!(
            end(&store, &visitor).await,
            made + 2 * MINUTE + MAX_AGE,
            "{case}"
        );
        // All that were given up have left their places.
        for page in join_all((0..4).map(|_| visitor.counts(&calm))).await {
            page.unwrap();
        }
        assert_eq!(visitor.reads(&calm).await.unwrap(), 5, "{case}");
        assert_eq!(calm.counts().not_extended, 0, "{case}");
        rows.drop_table().await;
    }
}

/// A server of our own that can be made one that can only be read.
struct Standby {
    database: Database,
    /// Of a user who may then write no more.
    url: String,
    admin: AnyConnection,
    /// Kept, because it ends with this.
    _server: Server,
}

impl Standby {
    async fn new(database: Database, kind: Kind) -> Self {
        let server = Server::start(kind).unwrap_or_else(|why| panic!("{why}"));
        let mut url = server.url();
        let admin = Rows {
            url: url.clone(),
            ..rows(database, Schema::Native)
        };
        if database == Database::MySql {
            let grant = "GRANT ALL ON session.* TO 'shop'@'%' IDENTIFIED BY 'hunter2'";
            admin.execute(grant).await.unwrap();
            let login = format!("{}:{}@", server.user(), server.password());
            url = url.replace(&login, "shop:hunter2@");
        }
        Self {
            database,
            url,
            admin: admin.hold("SELECT 1").await.unwrap(),
            _server: server,
        }
    }

    async fn read_only(&mut self, on: bool) {
        let set = match self.database {
            Database::MySql => format!("SET GLOBAL read_only = {on}"),
            // For those that connect from now on, which all but this one have to.
            _ => format!(
                "ALTER DATABASE session SET default_transaction_read_only = {on}; \
                 SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity \
                 WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            ),
        };
        let set = sqlx::raw_sql(AssertSqlSafe(set));
        self.admin.execute(set).await.unwrap();
    }
}

#[tokio::test]
async fn a_page_that_changes_nothing_is_answered_by_a_server_that_can_only_be_read() {
    for (database, kind) in [
        (Database::Postgres, Kind::Postgres),
        (Database::MySql, Kind::MariaDb),
    ] {
        let mut standby = Standby::new(database, kind).await;
        for (_, schema) in EVERY.into_iter().filter(|(on, _)| *on == database) {
            let rows = Rows {
                url: standby.url.clone(),
                ..rows(database, schema)
            };
            pages_of_a_standby(&rows, &mut standby).await;
        }
    }
}

async fn pages_of_a_standby(rows: &Rows, standby: &mut Standby) {
    let case = format!("{:?} on {:?}", rows.schema, rows.database);
    let clock = clock();
    let store = patient(rows, &clock).await;
    let pages = lifecycle(store.clone(), &clock, LONG);
    let visitor = Visitor::with_session(&pages).await;
    let made = clock.now();

    standby.read_only(true).await;
    clock.advance(MINUTE);
    for _ in 0..10 {
        assert_eq!(visitor.reads(&pages).await.unwrap(), 1, "{case}");
        visitor.passes_by(&pages).await.unwrap();
    }
    assert_eq!(pages.counts().not_extended, 20, "{case}");
    let error = visitor.counts(&pages).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{case}: {error:?}");
    assert_eq!(end(&store, &visitor).await, made + MAX_AGE, "{case}");

    standby.read_only(false).await;
    assert_eq!(visitor.reads(&pages).await.unwrap(), 1, "{case}");
    assert_eq!(pages.counts().not_extended, 20, "{case}");
    let extended = made + MINUTE + MAX_AGE;
    assert_eq!(end(&store, &visitor).await, extended, "{case}");
    visitor.counts(&pages).await.unwrap();
    assert_eq!(visitor.reads(&pages).await.unwrap(), 2, "{case}");
}

#[tokio::test]
async fn a_page_that_changes_nothing_is_answered_from_a_file_that_can_only_be_read() {
    for (database, schema) in EVERY {
        if database != Database::Sqlite {
            continue;
        }
        let (rows, clock) = (rows(database, schema), clock());
        let store = patient(&rows, &clock).await;
        let pages = lifecycle(store.clone(), &clock, LONG);
        let visitor = Visitor::with_session(&pages).await;
        let made = clock.now();

        let url = rows.url.replace("mode=rwc", "mode=ro");
        let reader = builder(&rows).max_connections(2).clock(clock.clone());
        let reader = reader.connect(&url).await.unwrap();
        let reading = lifecycle(reader, &clock, LONG);
        clock.advance(MINUTE);
        for _ in 0..10 {
            assert_eq!(visitor.reads(&reading).await.unwrap(), 1, "{schema:?}");
            visitor.passes_by(&reading).await.unwrap();
        }
        assert_eq!(reading.counts().not_extended, 20, "{schema:?}");
        let error = visitor.counts(&reading).await.unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::Unavailable,
            "{schema:?}: {error:?}"
        );
        assert_eq!(end(&store, &visitor).await, made + MAX_AGE, "{schema:?}");
        assert_eq!(visitor.reads(&pages).await.unwrap(), 1, "{schema:?}");
        let extended = made + MINUTE + MAX_AGE;
        assert_eq!(end(&store, &visitor).await, extended, "{schema:?}");
    }
}
