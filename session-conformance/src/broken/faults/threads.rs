//! Threads that are held, runtimes that are not left, locks that a panic poisons.

use std::time::Duration;

use session_core::{Error, ErrorKind};
use tokio::runtime::Handle as Runtime;
use tokio::task::yield_now;

use crate::broken::mutant::{Fault, How, Mutant, Work};

pub(super) const FAULTS: &[Fault] = &[
    call(
        "HoldsItsThread",
        "holds its thread for 10 ms",
        |mutant, call| {
            Box::pin(async move {
                std::thread::sleep(Duration::from_millis(10));
                mutant.right(call).await
            })
        },
    ),
    call(
        "HoldsItLater",
        "holds its thread for 7 ms after an await",
        |mutant, call| {
            Box::pin(async move {
                let reply = mutant.right(call).await;
                yield_now().await;
                std::thread::sleep(Duration::from_millis(7));
                reply
            })
        },
    ),
    call(
        "BoundToRuntime",
        "does its work on the runtime of its first call",
        |mutant, call| {
            Box::pin(async move {
                let runtime = mutant
                    .state()
                    .runtime
                    .get_or_insert_with(Runtime::current)
                    .clone();
                let reference = mutant.reference.clone();
                let work = runtime.spawn(async move { call.on(&reference).await });
                work.await.unwrap_or_else(|error| {
                    Err(Error::new(ErrorKind::Other, "call").with_source(error))
                })
            })
        },
    ),
    call(
        "BlocksInPlace",
        "uses `block_in_place`, which a runtime of one thread does not have",
        |mutant, call| {
            Box::pin(async move {
                tokio::task::block_in_place(|| {});
                mutant.right(call).await
            })
        },
    ),
    call(
        "RefusesOtherRuntime",
        "is an error on another runtime than that of its first call",
        |mutant, call| {
            Box::pin(async move {
                let here = Runtime::current().id();
                let first = mutant
                    .state()
                    .runtime
                    .get_or_insert_with(Runtime::current)
                    .id();
                if here != first {
                    return Err(Error::new(ErrorKind::Other, "call"));
                }
                mutant.right(call).await
            })
        },
    ),
    Fault {
        name: "PoisonsItself",
        bug: "poisons its own lock when its caller panics",
        how: How::Call(|mutant, call| {
            Box::pin(async move {
                refuse_poisoned(mutant);
                let guard = Guard(mutant);
                yield_now().await;
                let reply = mutant.right(call).await;
                drop(guard);
                reply
            })
        }),
        shared: true,
    },
    Fault {
        name: "PoisonsAll",
        bug: "poisons the store's lock when its caller panics",
        how: How::Calls(
            |mutant, call| {
                Box::pin(async move {
                    let guard = Guard(mutant);
                    yield_now().await;
                    let reply = mutant.right(call).await;
                    drop(guard);
                    reply
                })
            },
            |mutant, call| {
                Box::pin(async move {
                    refuse_poisoned(mutant);
                    mutant.right(call).await
                })
            },
        ),
        shared: true,
    },
];

const fn call(name: &'static str, bug: &'static str, work: Work) -> Fault {
    Fault {
        name,
        bug,
        how: How::Call(work),
        shared: false,
    }
}

/// Held across an await; as a mutex's guard, it poisons when it is dropped by a panic.
struct Guard<'a>(&'a Mutant);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.state().flag = true;
        }
    }
}

fn refuse_poisoned(mutant: &Mutant) {
    let poisoned = mutant.state().flag;
    assert!(!poisoned, "the lock is poisoned: PoisonError {{ .. }}");
}
