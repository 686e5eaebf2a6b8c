use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

use async_lock::Semaphore;
use session_core::{Error, ErrorKind, Result};

/// How many threads of the whole process are at work at the same time, for all stores together.
/// sled has one lock for all transactions: more of them would only wait for each other. (The pool has a
/// few threads more for a moment, while some that are done have not come to rest.)
const SHORT: usize = 16;
const LONG: usize = 4;

/// Where work waits for its turn. What takes its time has threads of its own, so that nothing else has
/// to wait for it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lane {
    /// A session is read or written.
    Short,
    /// All of them are walked over, or what they have written is flushed, or a database is opened.
    Long,
}

impl Lane {
    fn turns(self) -> &'static Arc<Semaphore> {
        static TURNS: LazyLock<[Arc<Semaphore>; 2]> =
            LazyLock::new(|| [SHORT, LONG].map(|threads| Arc::new(Semaphore::new(threads))));
        match self {
            Self::Short => &TURNS[0],
            Self::Long => &TURNS[1],
        }
    }
}

/// Does what may wait for the disk on a thread of a pool, which belongs to no runtime. A future that
/// is dropped either never began it, or lets it come to its end.
pub(crate) async fn offload<T: Send + 'static>(
    lane: Lane,
    operation: &'static str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let turn = lane.turns().acquire_arc().await;
    blocking::unblock(move || {
        let done = contained(operation, work);
        drop(turn);
        done
    })
    .await
}

/// Makes an error of a panic of sled's, which has some where it could not go on. It holds no lock
/// that a panic would leave behind.
pub(crate) fn contained<T>(operation: &'static str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(Error::new(ErrorKind::Other, operation).with_message(
            "sled panicked; its message is on standard error. Open the database again",
        ))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc;
    use std::task::{Context, Waker};

    use futures_util::future::join_all;

    use super::*;

    #[test]
    fn a_panic_becomes_an_error() {
        let work = || -> Result<()> { panic!("on purpose") };
        let failed = pollster::block_on(offload(Lane::Short, "set", work));
        let error = failed.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Other);
        assert!(error.to_string().starts_with("set: "), "{error}");
    }

    /// However many there are of either.
    #[test]
    fn neither_lane_waits_for_the_other_and_neither_is_left_by_who_goes_away() {
        for (slow, other) in [(Lane::Long, Lane::Short), (Lane::Short, Lane::Long)] {
            let (end, ended) = mpsc::channel::<()>();
            let ended = Arc::new(Mutex::new(ended));
            let mut waiting: Vec<_> = (0..100)
                .map(|_| {
                    let ended = Arc::clone(&ended);
                    Box::pin(offload(slow, "sweep", move || {
                        let _ = ended.lock().unwrap().recv();
                        Ok(())
                    }))
                })
                .collect();
            for call in &mut waiting {
                let mut context = Context::from_waker(Waker::noop());
                assert!(call.as_mut().poll(&mut context).is_pending());
            }
            for _ in 0..100 {
                pollster::block_on(offload(other, "set", || Ok(()))).unwrap();
            }
            // Some have begun, some wait for their turn.
            waiting.truncate(50);
            waiting.drain(..5);
            drop(end);
            for done in pollster::block_on(join_all(waiting)) {
                done.unwrap();
            }
            pollster::block_on(offload(slow, "sweep", || Ok(()))).unwrap();
        }
    }
}
