//! On which threads and runtimes the calls run, and what else runs there.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use session_core::Record;
use tokio::runtime::Builder;

use super::demands::{succeed, works};
use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::handle::Id;
use crate::need::Need;
use crate::rules::siz::record_of_size;

/// Runs `work` on a runtime of its own with one thread, which has ended when this returns.
pub(in crate::rules) fn on_own_runtime<T: Send>(
    work: impl Future<Output = Result<T, Failure>> + Send,
) -> Result<T, Failure> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let runtime = Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| Failure::NotRun(format!("no runtime: {error}")))?;
            runtime.block_on(work)
        });
        thread.join().unwrap_or_else(|payload| {
            Err(Failure::panicked(
                "on a runtime of one thread, the store",
                &*payload,
            ))
        })
    })
}

pub(super) async fn works_on_any_runtime(ctx: &Context) -> Result<(), Failure> {
    let (id, first) = (ctx.id("shared"), ctx.record("first"));
    ctx.remark("on a runtime with one thread, which then ends:");
    on_own_runtime(async {
        ctx.h1.set(&id, &first).await.ok()?;
        ctx.h1.get(&id).await.record(&first, "it was written")?;
        works(ctx, &ctx.h1, "on the first runtime").await?;
        if ctx.has(Need::Length) {
            ctx.h1.length().await.ok()?;
        }
        if ctx.has(Need::All) {
            ctx.h1.all().await.ok()?;
        }
        Ok(())
    })?;
    ctx.remark("on another runtime with one thread, which then ends:");
    on_own_runtime(async {
        again(ctx, &id, &first).await?;
        works(ctx, &ctx.h1, "on the second runtime").await
    })?;
    ctx.remark("back on the first one:");
    again(ctx, &id, &first).await?;
    works(ctx, &ctx.h1, "at last").await
}

/// Reads until it works: connections whose runtime has ended may be found dead first.
async fn again(ctx: &Context, id: &Id, record: &Record) -> Result<(), Failure> {
    const TRIES: usize = 12;
    for _ in 1..TRIES {
        let answer = ctx.h1.get(id).await;
        if answer.result.is_ok() {
            return answer.record(record, "it was written on another runtime");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let answer = ctx.h1.get(id).await;
    answer.record(
        record,
        "it was written on another runtime, and the store had time to connect anew",
    )
}

pub(super) async fn calls_do_not_block_the_executor(ctx: &Context) -> Result<(), Failure> {
    const CALLS: usize = 32;
    const LIMIT: Duration = Duration::from_millis(50);
    const TRIES: usize = 6;
    let ids: Vec<_> = (0..CALLS).map(|n| ctx.id(&format!("loaded {n}"))).collect();
    let record = record_of_size(ctx, ctx.fitting(4 * 1024), "load-", None);
    for id in &ids {
        ctx.h1.quiet().set(id, &record).await.ok()?;
    }
    ctx.remark(format!(
        "{CALLS} sets, then {CALLS} gets at once on a runtime with one thread"
    ));
    // All attempts on one runtime: with it, the connections would die that it has opened.
    let waits = on_own_runtime(async {
        let mut waits = Vec::new();
        for _ in 0..TRIES {
            let wait = longest_wait(ctx, &ids, &record).await?;
            waits.push(wait);
            if wait.task < LIMIT {
                break;
            }
        }
        Ok(waits)
    })?;
    let least = waits.iter().map(|wait| wait.task).min();
    let least = least.unwrap_or_default();
    ctx.remark(format!(
        "the longest wait of another task, the best of {} times: {} ms",
        waits.len(),
        least.as_millis()
    ));
    // A thread that has nothing to do with the store waits only where the machine stalls.
    if least >= LIMIT && waits.iter().any(|wait| wait.machine >= LIMIT / 2) {
        return Err(Failure::inconclusive(
            "the machine stood still itself: a thread of its own that only slept waited, too",
        ));
    }
    ensure(
        least < LIMIT,
        "other tasks of the thread to go on within 50 ms",
        format_args!(
            "they stood still for {} ms, and not less in {TRIES} attempts",
            least.as_millis()
        ),
    )
}

/// The longest time without a sign of life.
#[derive(Clone, Copy, Debug)]
struct Wait {
    /// Of a task beside the calls.
    task: Duration,
    /// Of a thread of its own, meanwhile.
    machine: Duration,
}

/// Makes many calls at once, and looks how long another task and another thread have to wait.
async fn longest_wait(ctx: &Context, ids: &[Id], record: &Record) -> Result<Wait, Failure> {
    const BEAT: Duration = Duration::from_millis(1);
    let new = || Arc::new(Mutex::new((Instant::now(), Duration::ZERO)));
    let (beat, machine, done) = (new(), new(), Arc::new(AtomicBool::new(false)));
    let (own, over) = (Arc::clone(&machine), Arc::clone(&done));
    let thread = std::thread::spawn(move || {
        while !over.load(Ordering::SeqCst) {
            std::thread::sleep(BEAT);
            note(&own);
        }
    });
    let own = Arc::clone(&beat);
    let heart = tokio::spawn(async move {
        loop {
            tokio::time::sleep(BEAT).await;
            note(&own);
        }
    });
    let store = ctx.h1.store();
    let calls = async {
        let sets = ids.iter().map(|id| store.set(&id.id, record));
        for result in join_all(sets).await {
            succeed("h1.set", result)?;
        }
        note(&beat);
        let gets = ids.iter().map(|id| store.get(&id.id));
        for result in join_all(gets).await {
            succeed("h1.get", result)?;
        }
        Ok(())
    };
    let called: Result<(), Failure> = calls.await;
    heart.abort();
    let task = note(&beat);
    done.store(true, Ordering::SeqCst);
    // It only sleeps and takes notes.
    let _ = thread.join();
    called?;
    let machine = note(&machine);
    Ok(Wait { task, machine })
}

/// A sign of life; the longest time without one so far.
fn note(beat: &Mutex<(Instant, Duration)>) -> Duration {
    let mut beat = beat
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    beat.1 = beat.1.max(beat.0.elapsed());
    beat.0 = Instant::now();
    beat.1
}
