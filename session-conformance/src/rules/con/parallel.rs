//! Many calls at the same time, and what the reads among them may find.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use session_core::Record;

use super::demands::succeed;
use crate::answer::too_slow;
use crate::context::Context;
use crate::describe;
use crate::failure::{Failure, ensure};
use crate::handle::{Handle, Id};
use crate::parallel::race;
use crate::register::{History, Op, Register};
use crate::rules::siz::record_of_size;
use crate::timing::{Fit, Timing};

pub(super) async fn parallel_ids_do_not_mix(ctx: &Context) -> Result<(), Failure> {
    const TASKS: usize = 32;
    const ROUNDS: usize = 6;
    let handles = [ctx.h1.quiet(), ctx.h2.quiet()];
    let work: Arc<Vec<(Id, Vec<Record>)>> = Arc::new(
        (0..TASKS)
            .map(|task| {
                let records = (0..ROUNDS)
                    .map(|round| ctx.record(&format!("{round} of thread {task}")))
                    .collect();
                (ctx.id(&format!("of thread {task}")), records)
            })
            .collect(),
    );
    ctx.remark(format!(
        "{TASKS} threads at once, {ROUNDS} rounds: each sets an id of its own, gets it from both \
         handles, and destroys it every other time"
    ));
    race(TASKS, move |task| {
        let (handles, work) = (handles.clone(), Arc::clone(&work));
        async move {
            let (id, records) = &work[task];
            for (round, record) in records.iter().enumerate() {
                handles[round % 2].set(id, record).await.ok()?;
                for handle in &handles {
                    let found = handle.get(id).await;
                    found.record(record, "no other thread writes this id")?;
                }
                if round % 2 == 1 {
                    handles[0].destroy(id).await.ok()?;
                    let found = handles[1].get(id).await;
                    found.none("no other thread writes this id")?;
                }
            }
            Ok(())
        }
    })
    .await
    .map(drop)
}

pub(super) async fn parallel_writes_are_whole(ctx: &Context) -> Result<(), Failure> {
    const WRITERS: usize = 4;
    const READERS: usize = 2;
    const WRITES: usize = 12;
    let id = ctx.id("contended");
    let size = ctx.fitting(64 * 1024);
    // Every value differs from every other one everywhere, and has an expiry of its own.
    let values: Arc<Vec<Record>> = Arc::new(
        (0..WRITERS * WRITES)
            .map(|n| {
                let seconds = 3_600 + 60 * u64::try_from(n).unwrap_or(0);
                let expires = ctx.now() + Duration::from_secs(seconds);
                record_of_size(ctx, size, &format!("{n:04}-"), Some(expires))
            })
            .collect(),
    );
    ctx.h1.set(&id, &values[0]).await.ok()?;
    ctx.remark(format!(
        "{WRITERS} threads set {WRITES} records of {size} bytes each, {READERS} threads get"
    ));
    let texts: HashSet<Arc<str>> = values.iter().map(|v| Arc::clone(v.shared_json())).collect();
    let texts = Arc::new(texts);
    let handles = [ctx.h1.quiet(), ctx.h2.quiet()];
    let writing = Arc::new(AtomicU64::new(WRITERS as u64));
    let (timing, changes) = (ctx.timing.clone(), Arc::new(AtomicU64::new(0)));
    let contended = id.clone();
    let seen = Arc::clone(&changes);
    race(WRITERS + READERS, move |task| {
        let (handle, id, values) = (
            handles[task % 2].clone(),
            contended.clone(),
            Arc::clone(&values),
        );
        let (texts, writing, seen) = (Arc::clone(&texts), Arc::clone(&writing), Arc::clone(&seen));
        let timing = timing.clone();
        async move {
            if task < WRITERS {
                let mut result = Ok(());
                for write in 0..WRITES {
                    let set = handle.set(&id, &values[task * WRITES + write]);
                    result = set.await.ok();
                    if result.is_err() {
                        break;
                    }
                }
                writing.fetch_sub(1, Ordering::SeqCst);
                return result;
            }
            // What was there before the race: the last read is sure to differ.
            let mut last = Some(values[0].clone());
            loop {
                let done = writing.load(Ordering::SeqCst) == 0;
                let found = handle.get(&id).await.some("nobody destroys it")?;
                whole(&handle, &id, &found, &texts, &values, &timing)?;
                if last.as_ref().is_some_and(|last| !last.same_json(&found)) {
                    seen.fetch_add(1, Ordering::SeqCst);
                }
                last = Some(found);
                if done {
                    return Ok(());
                }
                tokio::task::yield_now().await;
            }
        }
    })
    .await?;
    ctx.remark(format!(
        "the readers saw {} changes",
        changes.load(Ordering::SeqCst)
    ));
    if changes.load(Ordering::SeqCst) == 0 {
        return Err(Failure::inconclusive(
            "no reader came between two writes: the machine is too busy",
        ));
    }
    Ok(())
}

fn whole(
    handle: &Handle,
    id: &Id,
    found: &Record,
    texts: &HashSet<Arc<str>>,
    values: &[Record],
    timing: &Timing,
) -> Result<(), Failure> {
    let call = format!("{}.get({})", handle.name, id.label);
    ensure(
        texts.contains(found.json()),
        format_args!("`{call}` to return one of the records that were written, whole"),
        format_args!(
            "{} bytes of JSON that nobody wrote: a mixture",
            found.json().len()
        ),
    )?;
    let written = values.iter().find(|value| value.same_json(found));
    let (wanted, found) = (written.and_then(Record::expires), found.expires());
    let fit = timing.fit(wanted, found);
    if fit == Fit::Late {
        return Err(too_slow());
    }
    ensure(
        fit == Fit::Close && wanted.is_some(),
        format_args!("`{call}` to return the data and the expiry of the same `set`"),
        format_args!(
            "the data of one that {}, with an expiry that {}",
            describe::expiry(wanted, timing.now()),
            describe::expiry(found, timing.now())
        ),
    )
}

pub(super) async fn a_session_is_a_register(ctx: &Context) -> Result<(), Failure> {
    const TASKS: usize = 6;
    const OPS: usize = 8;
    const ROUNDS: u32 = 200;
    const BUDGET: Duration = Duration::from_millis(1_500);
    let id = ctx.id("register");
    ctx.h1.set(&id, &ctx.record("before")).await.ok()?;
    ctx.remark(format!(
        "rounds of {TASKS} threads, {OPS} calls each of get, set and destroy on both handles"
    ));
    let values: Arc<Vec<Record>> = Arc::new(
        (0..TASKS * OPS)
            .map(|value| ctx.record(&format!("v{value}")))
            .collect(),
    );
    let mut random = ctx.random("register");
    let began = Instant::now();
    let (mut rounds, mut overlaps) = (0, 0);
    while rounds < ROUNDS && (rounds < 5 || began.elapsed() < BUDGET) {
        ctx.h1.quiet().destroy(&id).await.ok()?;
        // Half of the calls read, one in eight destroys.
        let plan: Arc<Vec<Vec<usize>>> = Arc::new(
            (0..TASKS)
                .map(|_| (0..OPS).map(|_| random.below(8)).collect())
                .collect(),
        );
        let clock = Arc::new(AtomicU64::new(0));
        let (handles, id) = ([ctx.h1.quiet(), ctx.h2.quiet()], id.clone());
        let values = Arc::clone(&values);
        let parts = race(TASKS, move |task| {
            let (handle, id) = (handles[task % 2].clone(), id.clone());
            let (plan, clock, values) =
                (Arc::clone(&plan), Arc::clone(&clock), Arc::clone(&values));
            async move {
                let mut done = Vec::with_capacity(OPS);
                for (n, choice) in plan[task].iter().enumerate() {
                    let value = task * OPS + n;
                    let began = clock.fetch_add(1, Ordering::SeqCst);
                    let what = match choice {
                        0..=3 => {
                            let found = handle.store().get(&id.id).await;
                            let found =
                                succeed(&format!("{}.get({})", handle.name, id.label), found)?;
                            Register::Read(found.map(|found| {
                                let known = values.iter().position(|v| v.same_json(&found));
                                known.unwrap_or(usize::MAX)
                            }))
                        }
                        4 => {
                            let result = handle.store().destroy(&id.id).await;
                            succeed(&format!("{}.destroy({})", handle.name, id.label), result)?;
                            Register::Write(None)
                        }
                        _ => {
                            let result = handle.store().set(&id.id, &values[value]).await;
                            succeed(&format!("{}.set({})", handle.name, id.label), result)?;
                            Register::Write(Some(value))
                        }
                    };
                    let ended = clock.fetch_add(1, Ordering::SeqCst);
                    done.push(Op {
                        task,
                        handle: task % 2,
                        what,
                        began,
                        ended,
                    });
                }
                Ok(done)
            }
        })
        .await?;
        let history = History::new(parts.into_iter().flatten().collect());
        rounds += 1;
        overlaps += u32::from(history.overlaps());
        if !history.is_linearizable() {
            let witness = history.shrunk();
            ctx.remark(format!(
                "round {rounds} has no order; these calls of it are enough:"
            ));
            for line in witness.lines() {
                ctx.remark(line);
            }
            return Err(Failure::new(
                "an order of the calls, each between its begin and its end, that explains every \
                 read",
                format_args!("no such order for these: {}", witness.lines().join("; ")),
            ));
        }
    }
    ctx.remark(format!(
        "{rounds} rounds, in {overlaps} of them calls overlapped"
    ));
    if overlaps == 0 {
        return Err(Failure::inconclusive("no two calls overlapped"));
    }
    Ok(())
}
