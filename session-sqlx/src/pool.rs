//! Connections that are used again.
//!
//! sqlx's own pool asks each connection that comes back whether it is still there, which makes two
//! round trips of each operation. Here a connection comes back when its answer is complete, and is
//! asked only before it is used again after a rest. A look at its socket would tell without a round
//! trip whether the server has closed it, but sqlx 0.9 lets nobody at the socket, nor reads from it
//! before it has written.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sqlx::{ConnectOptions, Connection};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::checked_out::{CheckedOut, Permits};
use crate::dialect::Reason;
use crate::driver::Driver;
use crate::failure::Failure;
use crate::finish::Finishing;
use crate::idle::{Idle, Open, runtime};
use crate::template::Effect;

/// How long a connection may take to say that it is still there: as long as it took to be made, which
/// is several times as far, within these.
const PING: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// How much sooner a connection is asked before a write, which cannot be sent a second time.
const WRITES_TRUST: u32 = 20;

/// How soon to try again where the server has no room: somebody else may have made some.
const NO_ROOM: Duration = Duration::from_millis(50);

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

pub(crate) struct Pool<DB: Driver>(Arc<Shared<DB>>);

struct Shared<DB: Driver> {
    options: Options<DB>,
    /// What the options leave open is ours to choose.
    ours: bool,
    limits: Limits,
    idle: Arc<Idle<DB>>,
    /// One for each connection.
    permits: Arc<Semaphore>,
    /// One for each that may write: those who wait for a lock leave some to readers.
    writers: Arc<Semaphore>,
    /// The largest message that the server takes, once it was asked; zero until then.
    packet: AtomicUsize,
}

impl<DB: Driver> fmt::Debug for Pool<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("limits", &self.0.limits)
            .finish_non_exhaustive()
    }
}

impl<DB: Driver> Pool<DB> {
    pub(crate) fn new(options: Options<DB>, ours: bool, limits: Limits) -> Self {
        let connections = limits.connections.max(1) as usize;
        let writers = DB::WRITERS.min(connections - connections.div_ceil(4).min(connections - 1));
        Self(Arc::new(Shared {
            options,
            ours,
            limits,
            idle: Arc::new(Idle::new(limits.idle)),
            permits: Arc::new(Semaphore::new(connections)),
            writers: Arc::new(Semaphore::new(writers)),
            packet: AtomicUsize::new(0),
        }))
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    pub(crate) fn packet(&self) -> Option<usize> {
        let packet = self.0.packet.load(Ordering::Relaxed);
        (packet > 0).then_some(packet)
    }

    /// A connection that works as far as is known, for a statement of this effect.
    pub(crate) async fn check_out(&self, effect: Effect) -> Result<CheckedOut<DB>, Failure> {
        let mut no_room = None;
        let taking = self.0.check_out(effect, &mut no_room);
        match timeout(self.0.limits.connect, taking).await {
            Ok(taken) => taken,
            Err(_) => Err(no_room.unwrap_or(Failure::NoConnection)),
        }
    }

    /// Closes the connections that nobody is using.
    pub(crate) fn forget_idle(&self) {
        self.0.idle.forget(|_| true);
    }
}

impl<DB: Driver> Shared<DB> {
    async fn check_out(
        self: &Arc<Self>,
        effect: Effect,
        no_room: &mut Option<Failure>,
    ) -> Result<CheckedOut<DB>, Failure> {
        let mut permits = self.permits(effect).await;
        loop {
            if let Some(open) = self.idle.pop() {
                let idle = open.since.elapsed();
                let checked_out = CheckedOut::new(open, Arc::clone(&self.idle), permits, false);
                let trust = match effect {
                    Effect::Reads => self.limits.trust,
                    Effect::Writes => self.limits.trust / WRITES_TRUST,
                };
                if idle < trust {
                    return Ok(checked_out);
                }
                match ping(checked_out).await {
                    Ok(checked_out) => return Ok(checked_out),
                    Err(kept) => permits = kept.ok_or(Failure::NoConnection)?,
                }
                // What became of one that nobody used has become of the others.
                self.idle.forget(|_| true);
            }
            // There may be too many only because several runtimes have some.
            self.idle.keep(self.permits.available_permits());
            let connecting = Arc::clone(self).connect(permits);
            match Finishing::new(connecting, self.limits.connect).await {
                Ok(checked_out) => return Ok(checked_out),
                Err((failure, kept)) if failure.reason() == Some(Reason::NoRoom) => {
                    permits = kept;
                    *no_room = Some(failure);
                }
                Err((failure, _)) => return Err(failure),
            }
            // Those of other runtimes are of no use here, and take up room.
            let here = runtime::<DB>();
            self.idle.forget(|open| open.runtime != here);
            // One of ours may come back, or somebody else's go.
            self.idle.returned(NO_ROOM).await;
        }
    }

    async fn permits(&self, effect: Effect) -> Permits {
        let permit = async |from: &Arc<Semaphore>| match Arc::clone(from).acquire_owned().await {
            Ok(permit) => permit,
            Err(_) => unreachable!("the semaphore is never closed"),
        };
        let writer = match effect {
            Effect::Reads => None,
            Effect::Writes => Some(permit(&self.writers).await),
        };
        Permits {
            _any: permit(&self.permits).await,
            _writer: writer,
        }
    }

    async fn connect(
        self: Arc<Self>,
        permits: Permits,
    ) -> Result<CheckedOut<DB>, (Failure, Permits)> {
        let started = Instant::now();
        let connected: sqlx::Result<_> = async {
            DB::before(&self.options);
            let mut connection = self.options.connect().await?;
            let packet = DB::prepare(&mut connection, self.ours).await?;
            Ok((connection, packet))
        }
        .await;
        let (connection, packet) = match connected {
            Ok(connected) => connected,
            Err(error) => return Err((Failure::connecting(&error, DB::reason), permits)),
        };
        if let Some(packet) = packet {
            self.packet.store(packet, Ordering::Relaxed);
        }
        let open = Open {
            connection,
            runtime: runtime::<DB>(),
            made_in: started.elapsed(),
            since: Instant::now(),
        };
        let idle = Arc::clone(&self.idle);
        Ok(CheckedOut::new(open, idle, permits, true))
    }
}

/// The connection, if it is still there; otherwise the right to another one.
async fn ping<DB: Driver>(
    mut checked_out: CheckedOut<DB>,
) -> Result<CheckedOut<DB>, Option<Permits>> {
    let limit = checked_out.made_in().clamp(PING.0, PING.1);
    let asking = async move {
        match timeout(limit, checked_out.ask().ping()).await {
            Ok(Ok(())) => {
                checked_out.answered();
                Ok(checked_out)
            }
            _ => Err(checked_out.close()),
        }
    };
    Finishing::new(asking, limit).await
}
