use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::sessions::Sessions;

/// How many sessions are removed between two looks at whether to stop.
const PER_TURN: usize = 1_024;

/// A thread that removes expired sessions, from [`MemoryStore::sweeper`](crate::MemoryStore::sweeper).
///
/// It runs as long as this handle lives; dropping the handle stops it and waits for it, which is a
/// matter of a millisecond. It does not keep the store alive, and ends with it.
#[must_use = "the sweeper stops when its handle is dropped"]
pub struct Sweeper {
    orders: Arc<Orders>,
    thread: Option<JoinHandle<()>>,
}

impl Sweeper {
    pub(crate) fn start(sessions: Weak<Sessions>, interval: Duration) -> Self {
        let orders = Arc::new(Orders::default());
        // A thread that never rested would only take the locks from others.
        let interval = interval.max(Duration::from_millis(1));
        let thread = thread::Builder::new()
            .name("session-sweeper".into())
            .spawn({
                let orders = Arc::clone(&orders);
                move || run(&sessions, &orders, interval)
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

fn run(sessions: &Weak<Sessions>, orders: &Orders, interval: Duration) {
    let _ended = Ended(orders);
    while let Some(wanted) = orders.next(interval) {
        let Some(sessions) = sessions.upgrade() else {
            return;
        };
        while sessions.sweep(PER_TURN).more {
            if orders.lock().stop {
                return;
            }
        }
        orders.lock().done = wanted;
        orders.changed.notify_all();
    }
}
