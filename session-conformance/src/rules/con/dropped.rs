//! Calls that are dropped half way, by cancellation or by a panic.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use session_core::Record;

use super::demands::{one_of_for_both, works};
use crate::context::Context;
use crate::failure::Failure;
use crate::need::Need;
use crate::parallel::{Polled, poll_n};

/// How often a call is polled before it counts as one that cannot be dropped half way.
const POLLS: usize = 40;

pub(super) async fn a_dropped_call_leaves_old_or_new(ctx: &Context) -> Result<(), Failure> {
    let until = |hours: u64| Some(ctx.now() + Duration::from_secs(hours * 3_600));
    let old = ctx.record_until("old", until(1));
    let new = ctx.record_until("new", until(2));
    let touched = ctx.cookie(until(3));
    // The same text: made anew, it could name the next millisecond.
    let moved = old.clone().with_stored_expires(until(3).into());
    let all_of = [
        ("get", true),
        ("set", true),
        ("destroy", true),
        ("touch", ctx.has(Need::Touch)),
        ("create", ctx.has(Need::Create)),
        ("replace", ctx.has(Need::Replace)),
        ("length", ctx.has(Need::Length)),
        ("all", ctx.has(Need::All)),
        ("ids", ctx.has(Need::All)),
        ("sweep", ctx.has(Need::Sweep)),
        ("clear", ctx.has(Need::Clear)),
    ];
    let mut dropped = 0;
    // A `clear` that went out late must not meet the other calls.
    let apart = ctx.open_other("cleared").await?;
    for (call, _) in all_of.iter().filter(|(_, declared)| *declared) {
        for polls in 1..=POLLS {
            // A call that went out may still take effect: each attempt has an id of its own.
            let id = ctx.id(&format!("of {call} dropped after {polls}"));
            let [h1, h2] = match *call {
                "clear" => [&apart.h1, &apart.h2],
                _ => [&ctx.h1, &ctx.h2],
            };
            if *call != "create" {
                h1.set(&id, &old).await.ok()?;
            }
            let ended = match *call {
                "get" => is_done(poll_n(polls, h1.get(&id)).await)?,
                "set" => is_done(poll_n(polls, h1.set(&id, &new)).await)?,
                "destroy" => is_done(poll_n(polls, h1.destroy(&id)).await)?,
                "touch" => is_done(poll_n(polls, h1.touch(&id, &touched)).await)?,
                "create" => is_done(poll_n(polls, h1.create(&id, &new)).await)?,
                "replace" => is_done(poll_n(polls, h1.replace(&id, &old, &new)).await)?,
                "length" => is_done(poll_n(polls, h1.length()).await)?,
                "all" => is_done(poll_n(polls, h1.all()).await)?,
                "ids" => is_done(poll_n(polls, h1.ids()).await)?,
                "sweep" => is_done(poll_n(polls, h1.sweep(100)).await)?,
                _ => is_done(poll_n(polls, h1.clear()).await)?,
            };
            if !ended {
                dropped += 1;
                ctx.remark(format!(
                    "that {call} was dropped at its await number {polls}"
                ));
            }
            let wanted: &[Option<&Record>] = match *call {
                "set" | "replace" => &[Some(&old), Some(&new)],
                "destroy" | "clear" => &[Some(&old), None],
                "touch" => &[Some(&old), Some(&moved)],
                "create" => &[None, Some(&new)],
                _ => &[Some(&old)],
            };
            let because = format!("{call} was dropped after {polls} polls");
            one_of_for_both(ctx, [h2, h1], &id, wanted, &because).await?;
            works(ctx, &ctx.h1, &format!("after {call} dropped after {polls}")).await?;
            if ended {
                break;
            }
        }
    }
    ctx.remark(format!("{dropped} calls were dropped half way"));
    works(ctx, &ctx.h2, "at last").await
}

/// Whether the call ended; an error of one that ended is a failure.
fn is_done<T>(polled: Polled<crate::answer::Answer<T>>) -> Result<bool, Failure> {
    match polled {
        Polled::Dropped => Ok(false),
        Polled::Done(answer) => answer.ok().map(|_| true),
    }
}

pub(super) async fn a_panicking_caller_poisons_nothing(ctx: &Context) -> Result<(), Failure> {
    let (id, record) = (ctx.id("shared"), ctx.record("shared"));
    ctx.h1.set(&id, &record).await.ok()?;
    let calls = ["get", "set", "destroy", "all"];
    for call in calls
        .into_iter()
        .filter(|call| *call != "all" || ctx.has(Need::All))
    {
        for polls in 1..=3 {
            ctx.remark(format!(
                "a task panics while its {call} has been polled {polls} times"
            ));
            let (handle, record) = (ctx.h1.quiet(), record.clone());
            let own = ctx.id(&format!("of the task that panics in {call}"));
            let runtime = tokio::runtime::Handle::current();
            let task = std::thread::spawn(move || {
                runtime.block_on(async {
                    match call {
                        "get" => dies_within(polls, handle.get(&own)).await,
                        "set" => dies_within(polls, handle.set(&own, &record)).await,
                        "destroy" => dies_within(polls, handle.destroy(&own)).await,
                        _ => dies_within(polls, handle.all()).await,
                    }
                });
            });
            // That it panicked is what was asked of it.
            let _ = task.join();
        }
        for handle in [&ctx.h1, &ctx.h2] {
            let found = handle.get(&id).await;
            found.record(&record, "another task's panic is no concern of this one")?;
        }
    }
    for (handle, name) in [(&ctx.h1, "after, h1"), (&ctx.h2, "after, h2")] {
        works(ctx, handle, name).await?;
    }
    Ok(())
}

/// Polls a call a few times and unwinds with it still there, as a panicking task does. Nothing is
/// printed.
pub(in crate::rules) async fn dies_within<T>(polls: usize, call: impl Future<Output = T>) {
    let mut call = pin!(call);
    let mut polled = 0;
    poll_fn(|context| {
        polled += 1;
        let ended = call.as_mut().poll(context).is_ready();
        if ended || polled == polls {
            std::panic::resume_unwind(Box::new("a handler's bug"));
        }
        Poll::<()>::Pending
    })
    .await;
}
