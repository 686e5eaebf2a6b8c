use std::sync::Mutex;

use sqlx::{ConnectOptions, Connection};
use tokio::sync::{Semaphore, SemaphorePermit};

/// As many as the libraries' pools have.
const CONNECTIONS: usize = 10;

/// sqlx's own pool asks each connection that comes back whether it is still there: a round trip.
pub(super) struct Pool<C: Connection> {
    options: C::Options,
    idle: Mutex<Vec<C>>,
    permits: Semaphore,
}

impl<C: Connection> Pool<C>
where
    C::Options: ConnectOptions<Connection = C>,
{
    pub(super) fn new(options: C::Options) -> Self {
        Self {
            options,
            idle: Mutex::default(),
            permits: Semaphore::new(CONNECTIONS),
        }
    }

    /// A connection, and the right to it.
    pub(super) async fn take(&self) -> (C, SemaphorePermit<'_>) {
        let permit = self.permits.acquire().await.expect("nobody closes it");
        let idle = self.idle.lock().expect("nobody panics with it").pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.options.connect().await.expect("a connection"),
        };
        (connection, permit)
    }

    /// Gives back a connection whose statement has ended.
    pub(super) fn give(&self, connection: C) {
        let mut idle = self.idle.lock().expect("nobody panics with it");
        idle.push(connection);
    }
}
