//! PostgreSQL on few connections that never wait: each request is sent at once, behind those that have
//! not been answered yet, so that several share a system call on either side.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Statement};

use super::postgres::{CREATE, GET, GET_AND_EXTEND, REPLACE, TABLE};
use super::text;
use crate::cookie::Id;
use crate::site::Sessions;

/// A server works off a connection in order, and one commit waits for the disk at a time there: with
/// a single connection writes would queue, with many there is less to send at once.
const CONNECTIONS: usize = 4;

/// A connection, and the statements that it has prepared.
struct Prepared {
    client: Client,
    get: Statement,
    get_and_extend: Statement,
    create: Statement,
    replace: Statement,
}

impl Prepared {
    async fn open(url: &str) -> Self {
        let connected = tokio_postgres::connect(url, NoTls).await;
        let (client, connection) = connected.expect("a database");
        tokio::spawn(connection);
        client.batch_execute(TABLE).await.expect("a table");
        let prepare = async |statement| client.prepare(statement).await.expect("a statement");
        Self {
            get: prepare(GET).await,
            get_and_extend: prepare(GET_AND_EXTEND).await,
            create: prepare(CREATE).await,
            replace: prepare(REPLACE).await,
            client,
        }
    }

    async fn text(&self, statement: &Statement, id: &Id) -> String {
        let row = self.client.query_one(statement, &[&text(id)]).await;
        row.expect("a live session").get(0)
    }
}

pub(crate) struct PipelinedRows {
    connections: Vec<Prepared>,
    turn: AtomicUsize,
}

impl PipelinedRows {
    pub(crate) async fn open(url: &str) -> Self {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(Prepared::open(url).await);
        }
        Self {
            connections,
            turn: AtomicUsize::new(0),
        }
    }

    /// The connections in turn.
    fn next(&self) -> &Prepared {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        &self.connections[turn % CONNECTIONS]
    }
}

impl Sessions for PipelinedRows {
    type Text = String;

    async fn get(&self, id: &Id) -> String {
        let connection = self.next();
        connection.text(&connection.get, id).await
    }

    async fn get_and_extend(&self, id: &Id) -> String {
        let connection = self.next();
        connection.text(&connection.get_and_extend, id).await
    }

    async fn create(&self, id: &Id, new: String) {
        let connection = self.next();
        let insert: [&(dyn ToSql + Sync); 2] = [&text(id), &new];
        let done = connection.client.execute(&connection.create, &insert);
        done.await.expect("stored");
    }

    async fn replace(&self, id: &Id, old: &String, new: String) -> bool {
        let connection = self.next();
        let update: [&(dyn ToSql + Sync); 3] = [&text(id), old, &new];
        let done = connection.client.execute(&connection.replace, &update);
        done.await.expect("stored") == 1
    }
}
