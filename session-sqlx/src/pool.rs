//! Connections that are used again.
//!
//! sqlx's own pool asks each connection that comes back whether it is still there, which makes two
//! round trips of each operation. Here a connection comes back only from a statement that has
//! ended well; one whose caller went away in between is closed.

use std::fmt;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::{ConnectOptions, Connection};
use tokio::runtime::{Handle, Id};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::driver::Driver;
use crate::failure::Failure;

/// The options of a [`Pool`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) connections: u32,
    /// To wait for a free connection, or to make one.
    pub(crate) connect: Duration,
    /// To wait for an answer.
    pub(crate) response: Duration,
    /// A connection that was idle for longer is asked first whether it is still there.
    pub(crate) trust: Duration,
    /// One that was idle for longer is closed.
    pub(crate) idle: Duration,
}

type Options<DB> = <<DB as sqlx::Database>::Connection as Connection>::Options;

pub(crate) struct Pool<DB: Driver> {
    options: Options<DB>,
    limits: Limits,
    idle: Mutex<Vec<Idle<DB::Connection>>>,
    permits: Semaphore,
}

struct Idle<C> {
    connection: C,
    since: Instant,
    runtime: Option<Id>,
}

impl<DB: Driver> fmt::Debug for Pool<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl<DB: Driver> Pool<DB> {
    pub(crate) fn new(options: Options<DB>, limits: Limits) -> Self {
        Self {
            options,
            limits,
            idle: Mutex::default(),
            permits: Semaphore::new(limits.connections.max(1) as usize),
        }
    }

    /// A connection that works as far as is known.
    pub(crate) async fn take(&self) -> Result<Taken<'_, DB>, Failure> {
        let taking = async {
            let Ok(permit) = self.permits.acquire().await else {
                unreachable!("the semaphore is never closed");
            };
            while let Some(idle) = self.pop() {
                let mut connection = idle.connection;
                if idle.since.elapsed() < self.limits.trust || connection.ping().await.is_ok() {
                    return Ok(Taken::new(self, permit, connection, false));
                }
            }
            let connected: sqlx::Result<DB::Connection> = async {
                let mut connection = self.options.connect().await?;
                DB::prepare(&mut connection).await?;
                Ok(connection)
            }
            .await;
            let connection = connected.map_err(Failure::connecting::<DB>)?;
            Ok(Taken::new(self, permit, connection, true))
        };
        match timeout(self.limits.connect, taking).await {
            Ok(taken) => taken,
            Err(_) => Err(Failure::NoConnection),
        }
    }

    /// The answer to what was asked over a connection, unless it is late.
    pub(crate) async fn in_time<T>(
        &self,
        asking: impl Future<Output = sqlx::Result<T>>,
    ) -> Result<T, Failure> {
        match timeout(self.limits.response, asking).await {
            Ok(answer) => answer.map_err(Failure::talking::<DB>),
            Err(_) => Err(Failure::Late),
        }
    }

    /// Closes the connections that nobody is using.
    pub(crate) fn forget_idle(&self) {
        let idle = std::mem::take(&mut *self.lock());
        drop(idle);
    }

    /// The connection that was used last and can be used here.
    fn pop(&self) -> Option<Idle<DB::Connection>> {
        let here = runtime::<DB>();
        loop {
            // Closed, if it is to be, when the lock is free again.
            let idle = self.lock().pop()?;
            if idle.runtime == here && idle.since.elapsed() < self.limits.idle {
                return Some(idle);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Idle<DB::Connection>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The runtime to which connections made now are bound.
fn runtime<DB: Driver>() -> Option<Id> {
    Handle::try_current()
        .ok()
        .filter(|_| DB::BOUND_TO_RUNTIME)
        .map(|handle| handle.id())
}

/// A connection in use. It is closed unless it is given back: whoever went away in the middle of
/// an answer leaves the rest of it behind.
pub(crate) struct Taken<'a, DB: Driver> {
    pool: &'a Pool<DB>,
    connection: Option<DB::Connection>,
    fresh: bool,
    _permit: SemaphorePermit<'a>,
}

impl<'a, DB: Driver> Taken<'a, DB> {
    fn new(
        pool: &'a Pool<DB>,
        permit: SemaphorePermit<'a>,
        connection: DB::Connection,
        fresh: bool,
    ) -> Self {
        Self {
            pool,
            connection: Some(connection),
            fresh,
            _permit: permit,
        }
    }

    /// It was made for this use.
    pub(crate) fn is_fresh(&self) -> bool {
        self.fresh
    }

    pub(crate) fn give_back(mut self) {
        if let Some(connection) = self.connection.take() {
            self.pool.lock().push(Idle {
                connection,
                since: Instant::now(),
                runtime: runtime::<DB>(),
            });
        }
    }
}

impl<DB: Driver> Deref for Taken<'_, DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &DB::Connection {
        self.connection
            .as_ref()
            .expect("given back once, at the end")
    }
}

impl<DB: Driver> DerefMut for Taken<'_, DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        self.connection
            .as_mut()
            .expect("given back once, at the end")
    }
}
