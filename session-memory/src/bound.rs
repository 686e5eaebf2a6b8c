//! The optional limit on the number of sessions.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts the sessions of the whole store, those among them that have expired included.
#[derive(Debug)]
pub(crate) struct Bound {
    max: usize,
    count: AtomicUsize,
}

impl Bound {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            max,
            count: AtomicUsize::new(0),
        }
    }

    pub(crate) fn max(&self) -> usize {
        self.max
    }

    /// Takes the place of one more session, if there is one.
    pub(crate) fn admit(&self) -> bool {
        // No memory is published through the count, so its own order is all that matters.
        self.count
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
                (count < self.max).then_some(count + 1)
            })
            .is_ok()
    }

    /// Gives the places of removed sessions back.
    pub(crate) fn release(&self, sessions: usize) {
        self.count.fetch_sub(sessions, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admits_as_many_as_there_are_places() {
        let bound = Bound::new(2);
        assert_eq!(
            [bound.admit(), bound.admit(), bound.admit()],
            [true, true, false]
        );
        bound.release(1);
        assert_eq!([bound.admit(), bound.admit()], [true, false]);
    }
}
