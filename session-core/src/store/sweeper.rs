use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::{Result, Swept};

/// How many sessions are removed between two looks at whether to stop.
const PER_TURN: usize = 1_024;

/// A thread that removes expired sessions, for stores that do so without waiting for a server.
///
/// It runs as long as this handle lives; dropping the handle stops it and waits for it, which takes
/// as long as one turn: a millisecond or so in memory. It does not keep the store alive, and ends
/// with it.
#[must_use = "the sweeper stops when its handle is dropped"]
pub struct Sweeper {
    orders: Arc<Orders>,
    thread: Option<JoinHandle<()>>,
}

impl Sweeper {
    /// Starts the thread. It calls `sweep` with the most that it may remove in one turn, every
    /// `interval` (at least a millisecond), and again at once as long as there is more. `sweep`
    /// returns `None` when its store is gone, which ends the thread: it holds a `Weak`.
    ///
    /// An error ends the pass, not the thread, and is logged as a warning.
    ///
    /// # Panics
    ///
    /// If the operating system refuses to start a thread.
    pub fn start(
        interval: Duration,
        sweep: impl FnMut(usize) -> Option<Result<Swept>> + Send + 'static,
    ) -> Self {
        let orders = Arc::new(Orders::default());
        // A thread that never rested would only take the locks from others.
        let interval = interval.max(Duration::from_millis(1));
        let thread = thread::Builder::new()
            .name("session-sweeper".into())
            .spawn({
                let orders = Arc::clone(&orders);
                move || run(sweep, &orders, interval)
            })
            .expect("the operating system has no thread for the sweeper");
        Self {
            orders,
            thread: Some(thread),
        }
    }

    /// Lets the thread go through the store at once, and waits until it has.
    ///
    /// Everything that had expired at the call is gone afterwards. This blocks the calling thread;
    /// it returns at once if the store is gone.
    pub fn sweep_now(&self) {
        let mut state = self.orders.lock();
        state.wanted += 1;
        let mine = state.wanted;
        self.orders.changed.notify_all();
        while state.done < mine && !state.ended {
            state = self.orders.wait(state);
        }
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        self.orders.lock().stop = true;
        self.orders.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // The thread's own panic has been reported by then, and a drop adds nothing to it.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Sweeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sweeper").finish_non_exhaustive()
    }
}

/// What the handle and the thread tell each other.
#[derive(Default)]
struct Orders {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The number of passes asked for, and of those done.
    wanted: u64,
    done: u64,
    stop: bool,
    ended: bool,
}

impl Orders {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for an order or for the interval; returns how many passes are wanted, or `None` to
    /// stop.
    fn next(&self, interval: Duration) -> Option<u64> {
        let idle = |state: &mut State| state.wanted == state.done && !state.stop;
        let (state, _) = self
            .changed
            .wait_timeout_while(self.lock(), interval, idle)
            .unwrap_or_else(PoisonError::into_inner);
        (!state.stop).then_some(state.wanted)
    }
}

/// Tells waiting callers that no pass will come any more, however the thread ends.
struct Ended<'a>(&'a Orders);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.changed.notify_all();
    }
}

fn run(mut sweep: impl FnMut(usize) -> Option<Result<Swept>>, orders: &Orders, interval: Duration) {
    let _ended = Ended(orders);
    while let Some(wanted) = orders.next(interval) {
        loop {
            match sweep(PER_TURN) {
                None => return,
                Some(Ok(swept)) if swept.more => {}
                Some(Ok(_)) => break,
                Some(Err(error)) => {
                    tracing::warn!(%error, "expired sessions could not be removed");
                    break;
                }
            }
            if orders.lock().stop {
                return;
            }
        }
        orders.lock().done = wanted;
        orders.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Error, ErrorKind};
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn an_error_ends_the_pass_and_not_the_thread() {
        let turns = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&turns);
        let sweeper = Sweeper::start(Duration::from_secs(3_600), move |_| {
            Some(match counted.fetch_add(1, Ordering::SeqCst) {
                0 => Err(Error::new(ErrorKind::Unavailable, "sweep")),
                turn => Ok(Swept {
                    removed: 1,
                    more: turn == 1,
                }),
            })
        });
        sweeper.sweep_now();
        assert_eq!(turns.load(Ordering::SeqCst), 1);
        sweeper.sweep_now();
        assert_eq!(turns.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn it_ends_with_its_store() {
        let store = Arc::new(());
        let weak = Arc::downgrade(&store);
        let sweeper = Sweeper::start(Duration::from_secs(3_600), move |_| {
            weak.upgrade().map(|_store| {
                Ok(Swept {
                    removed: 0,
                    more: false,
                })
            })
        });
        sweeper.sweep_now();
        drop(store);
        // Nobody is left to answer: it must not wait.
        sweeper.sweep_now();
        sweeper.sweep_now();
    }
}
