//! How long a rule has been at work, and its place among those that work at the same time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use session_core::Clock;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A rule's working time. It holds one of the run's places while it works and gives it up while
/// it waits for a record to expire: so all rules of a run share one wait.
#[derive(Debug)]
pub(crate) struct Pace {
    places: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    place: Option<OwnedSemaphorePermit>,
    working_since: Option<Instant>,
    worked: Duration,
}

impl Pace {
    pub(crate) fn new(places: Arc<Semaphore>) -> Self {
        Self {
            places,
            state: Mutex::default(),
        }
    }

    pub(crate) async fn work(&self) {
        // The semaphore is never closed.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        self.resume(place);
    }

    fn resume(&self, place: Option<OwnedSemaphorePermit>) {
        let mut state = self.lock();
        state.place = place;
        state.working_since = Some(Instant::now());
    }

    pub(crate) fn rest(&self) {
        let mut state = self.lock();
        if let Some(since) = state.working_since.take() {
            state.worked += since.elapsed();
        }
        state.place = None;
    }

    pub(crate) fn worked(&self) -> Duration {
        let state = self.lock();
        state.worked
            + state
                .working_since
                .map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Sleeps until the system's clock shows `until`.
    pub(crate) async fn sleep_until(&self, until: SystemTime) {
        let clock = Clock::system();
        self.rest();
        while let Ok(left) = until.duration_since(clock.now()) {
            if left.is_zero() {
                break;
            }
            // Rounded up: a timer that fires a moment early must not end the wait.
            tokio::time::sleep(left + Duration::from_millis(1)).await;
        }
        // Without a place: the record that it comes back for may be about to end, too.
        self.resume(None);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
