//! Connections that are used again.
//!
//! sqlx's own pool asks each connection that comes back whether it is still there, which makes two
//! round trips of each operation. Here a connection comes back only from a statement that has
//! ended well; one whose caller went away in between is closed, and counts until the server is done
//! with what it was asked.

use std::fmt;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::{ConnectOptions, Connection};
use tokio::runtime::{Handle, Id};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::driver::Driver;
use crate::failure::Failure;

/// How long to wait for a connection to say that it is still there.
const PING_LIMIT: Duration = Duration::from_secs(1);

/// The options of a [`Pool`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) connections: u32,
    /// To wait for a free connection, or to make one.
    pub(crate) connect: Duration,
    /// To wait for an answer; and again, for the end of what nobody waits for any more.
    pub(crate) response: Duration,
    /// A connection that was idle for longer is asked first whether it is still there.
    pub(crate) trust: Duration,
    /// One that was idle for longer is not used again. No task closes it: it stays open until the
    /// store is asked for something.
    pub(crate) idle: Duration,
}

type Options<DB> = <<DB as sqlx::Database>::Connection as Connection>::Options;

pub(crate) struct Pool<DB: Driver> {
    options: Options<DB>,
    limits: Limits,
    idle: Mutex<Vec<Idle<DB::Connection>>>,
    permits: Arc<Semaphore>,
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
            permits: Arc::new(Semaphore::new(limits.connections.max(1) as usize)),
        }
    }

    /// A connection that works as far as is known.
    pub(crate) async fn take(&self) -> Result<Taken<'_, DB>, Failure> {
        let taking = async {
            let Ok(permit) = Arc::clone(&self.permits).acquire_owned().await else {
                unreachable!("the semaphore is never closed");
            };
            if let Some(idle) = self.pop() {
                let mut connection = idle.connection;
                if idle.since.elapsed() < self.limits.trust
                    || matches!(timeout(PING_LIMIT, connection.ping()).await, Ok(Ok(())))
                {
                    return Ok(Taken::new(self, permit, connection, false));
                }
                // What became of one that nobody used has become of the others.
                self.forget_idle();
            }
            self.make_room();
            let connected: sqlx::Result<DB::Connection> = async {
                let mut connection = self.options.connect().await?;
                DB::prepare(&mut connection).await?;
                Ok(connection)
            }
            .await;
            let connection = connected.map_err(|error| Failure::connecting::<DB>(&error))?;
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
            Ok(answer) => answer.map_err(|error| Failure::talking::<DB>(&error)),
            Err(_) => Err(Failure::Late),
        }
    }

    /// Closes the connections that nobody is using.
    pub(crate) fn forget_idle(&self) {
        let idle = std::mem::take(&mut *self.lock());
        drop(idle);
    }

    /// The connection that was used last and can be used here. Those of other runtimes are left
    /// to them.
    fn pop(&self) -> Option<Idle<DB::Connection>> {
        let here = runtime::<DB>();
        let mut idle = self.lock();
        let place = idle.iter().rposition(|idle| idle.runtime == here)?;
        let found = idle.remove(place);
        drop(idle);
        (found.since.elapsed() < self.limits.idle).then_some(found)
    }

    /// Closes as many idle connections as it takes for one more; those that were used least lately,
    /// if there are too many only because several runtimes have some.
    fn make_room(&self) {
        let most = self.limits.connections.max(1) as usize;
        let used = most.saturating_sub(self.permits.available_permits());
        let mut idle = self.lock();
        let kept = most.saturating_sub(used).min(idle.len());
        let surplus = idle.len() - kept;
        let closed: Vec<_> = idle.drain(..surplus).collect();
        drop(idle);
        drop(closed);
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

/// A connection in use. Whoever goes away in the middle of an answer leaves the rest of it behind,
/// and the server at work: unless it is given back or closed, the connection keeps its permit until
/// the server is done.
pub(crate) struct Taken<'a, DB: Driver> {
    pool: &'a Pool<DB>,
    connection: Option<DB::Connection>,
    fresh: bool,
    permit: Option<OwnedSemaphorePermit>,
}

impl<'a, DB: Driver> Taken<'a, DB> {
    fn new(
        pool: &'a Pool<DB>,
        permit: OwnedSemaphorePermit,
        connection: DB::Connection,
        fresh: bool,
    ) -> Self {
        Self {
            pool,
            connection: Some(connection),
            fresh,
            permit: Some(permit),
        }
    }

    /// It was made for this use.
    pub(crate) fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Closes it at once: the server has answered, or is gone.
    pub(crate) fn close(mut self) {
        drop(self.connection.take());
    }

    pub(crate) fn give_back(mut self) {
        if let Some(connection) = self.connection.take() {
            let now = Instant::now();
            let mut idle = self.pool.lock();
            idle.push(Idle {
                connection,
                since: now,
                runtime: runtime::<DB>(),
            });
            // They lie in the order in which they were given back.
            let limit = self.pool.limits.idle;
            let old = idle.partition_point(|idle| now.duration_since(idle.since) >= limit);
            let closed: Vec<_> = idle.drain(..old).collect();
            drop(idle);
            drop(closed);
        }
    }
}

impl<DB: Driver> Drop for Taken<'_, DB> {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        // Without a runtime, nobody could wait.
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let (permit, limit) = (self.permit.take(), self.pool.limits.response);
        runtime.spawn(async move {
            // The ping is answered after everything that was asked before it.
            let ending = async move {
                connection.ping().await?;
                connection.close().await
            };
            let _ = timeout(limit, ending).await;
            drop(permit);
        });
    }
}

impl<DB: Driver> Deref for Taken<'_, DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &DB::Connection {
        self.connection.as_ref().expect("given up once, at the end")
    }
}

impl<DB: Driver> DerefMut for Taken<'_, DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        self.connection.as_mut().expect("given up once, at the end")
    }
}
