//! How long a method keeps the thread that polls it.

use std::pin::pin;
use std::time::{Duration, Instant};

use super::{HOUR, Made, make, prepare};
use crate::Method;
use crate::context::Context;
use crate::describe;
use crate::failure::{Failure, ensure};
use crate::property::property;

property! {
    group: "BLK", title: "not blocking its thread", name: "gives_its_thread_back",
    says: [
        "No poll of ",
        " keeps its thread for 5 ms, in the best of many attempts with a small record."
    ],
    why: "A call that waits for a disk, a lock or a server on the executor's thread stops all \
          requests of that thread, also those without a session.",
    hint: "Put blocking work into `tokio::task::spawn_blocking`; hold no lock for longer than it \
           takes to look something up.",
    needs: [],
    run: gives_its_thread_back,
    of: [all clear create destroy get ids length replace set sweep touch],
    without: [],
    catches: [
        HoldsItsThread [all clear create destroy get ids length replace set sweep touch],
        HoldsItLater [all clear create destroy get ids length replace set sweep touch],
    ],
}

/// As long may a poll take: less than a disk needs for a write, more than any small record does.
const LIMIT: Duration = Duration::from_millis(5);
/// One attempt in which the machine stood still proves nothing; so many do.
const TRIES: usize = 25;

async fn gives_its_thread_back(ctx: &Context, method: Method) -> Result<(), Failure> {
    let (old, new) = (
        ctx.record("old"),
        ctx.record_until("new", Some(ctx.late() + HOUR)),
    );
    let id = ctx.id("polled");
    let mut best = Duration::MAX;
    for _ in 0..TRIES {
        prepare(&ctx.h2, method, &id, &old).await?;
        let mut longest = Duration::ZERO;
        let mut call = pin!(make(&ctx.h1, method, &id, &old, &new));
        let made = std::future::poll_fn(|context| {
            let began = Instant::now();
            let polled = call.as_mut().poll(context);
            longest = longest.max(began.elapsed());
            polled
        })
        .await;
        if let Made::Failed(error) = made {
            return Err(Failure::new(
                format_args!("`h1.{method}` to succeed"),
                describe::error(&error),
            ));
        }
        best = best.min(longest);
        if best < LIMIT {
            break;
        }
    }
    ensure(
        best < LIMIT,
        format_args!(
            "each poll of `h1.{method}` to give its thread back within {}",
            describe::duration(LIMIT)
        ),
        format_args!(
            "one of each call's polls kept it for {} or more, in {TRIES} calls",
            describe::duration(best)
        ),
    )
}
