//! Concurrency without conditional writes.

use std::collections::HashSet;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use session_core::{Created, ErrorKind, Record, Replaced, Touched};
use tokio::runtime::Builder;

use crate::Rule;
use crate::answer::too_slow;
use crate::context::Context;
use crate::describe;
use crate::failure::{Failure, ensure};
use crate::handle::{Handle, Id};
use crate::need::Need;
use crate::parallel::{Polled, poll_n, race};
use crate::register::{History, Op, Register};
use crate::space::Space;
use crate::timing::{Fit, Timing};

use super::siz::record_of_size;

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "CON-01",
        name: "parallel_ids_do_not_mix",
        sentence: "32 threads on 32 ids work at the same time: no error, and each reads what it \
                   wrote.",
        why: "redis-py#2624: under load, one visitor was shown another one's session.",
        hint: "Keep nothing that belongs to one call (a buffer, a statement, an answer) in a place \
               that calls share.",
        catches: &["GlobalBuffer", "BusyFails"],
        probabilistic: true,
        run: |ctx| Box::pin(parallel_ids_do_not_mix(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "CON-02",
        name: "parallel_writes_are_whole",
        sentence: "Of parallel sets of one id one wins as a whole: every read finds one of the \
                   records that were written, never a mixture.",
        why: "session-file-store#2: a reader met a half-written file and logged the visitor out.",
        hint: "Write a record in one statement; write a file beside its place and rename it.",
        catches: &["TornWrite", "TruncatesFirst", "TornExpiry"],
        probabilistic: true,
        run: |ctx| Box::pin(parallel_writes_are_whole(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "CON-03",
        name: "a_session_is_a_register",
        sentence: "Reads and writes of one id from two handles can be put in one order that \
                   explains every answer.",
        why: "A read that shows what was overwritten brings back a login that was ended.",
        hint: "Look at the calls below: no order of them explains the last reads. Caches that are \
               filled after a write, reads from a replica and writes in two steps do this.",
        catches: &[
            "StaleRead",
            "CacheFillRace",
            "DeleteThenInsert",
            "LateWrite",
        ],
        probabilistic: true,
        run: |ctx| Box::pin(a_session_is_a_register(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "CON-04",
        name: "a_dropped_call_leaves_old_or_new",
        sentence: "A call that is dropped at any of its awaits leaves the old record or the new \
                   one, expiry included, and a store that works.",
        why: "A visitor who closes the tab drops the request. In March 2023, connections whose \
              calls were dropped gave their late answers to other ChatGPT users (redis-py#2624).",
        hint: "One statement for a write; a connection whose call was dropped is closed, not \
               reused; no lock or flag that only the end of the call gives back.",
        catches: &[
            "CancelPoison",
            "StaleAnswers",
            "SetThenExpire",
            "CancelDestroys",
            "CancelledTouchUnsets",
        ],
        run: |ctx| Box::pin(a_dropped_call_leaves_old_or_new(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "CON-05",
        name: "one_connection_is_enough",
        sentence: "64 calls at the same time end on a pool of one connection.",
        why: "A call that takes a second connection while it holds one stops the whole process as \
              soon as the pool is used up.",
        hint: "Take one connection in each call, and pass it on.",
        catches: &["NestedAcquire", "ExpiredGetNests"],
        run: |ctx| Box::pin(one_connection_is_enough(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "CON-06",
        name: "a_panicking_caller_poisons_nothing",
        sentence: "A task that panics while its call is under way does not break the store for \
                   others.",
        why: "One handler's bug would become everybody's 500 until the next restart.",
        hint: "Take `PoisonError::into_inner`, and leave no state half changed across an await.",
        catches: &["PoisonedMutex"],
        run: |ctx| Box::pin(a_panicking_caller_poisons_nothing(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "CON-07",
        name: "works_on_any_runtime",
        sentence: "The store works on a runtime of one thread, and after the runtime of its first \
                   call has ended.",
        why: "Each `#[tokio::test]` has a runtime of its own, and small servers have one thread.",
        hint: "No `block_in_place`, no handle of the first runtime; a connection that is dead is \
               replaced.",
        catches: &["BlockInPlace", "RuntimeBound"],
        run: |ctx| Box::pin(works_on_any_runtime(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "CON-08",
        name: "calls_do_not_block_the_executor",
        sentence: "32 calls at the same time do not keep other tasks of their thread waiting for \
                   50 ms.",
        why: "A file or a database in the process that is used on the executor's thread stops all \
              requests of that thread, also those without a session.",
        hint: "Put blocking work into `tokio::task::spawn_blocking`.",
        catches: &["BlockingCall", "BlockingGet"],
        run: |ctx| Box::pin(calls_do_not_block_the_executor(ctx)),
        ..Rule::SHOULD
    },
    Rule {
        id: "CON-09",
        name: "migrations_may_meet",
        needs: &[Need::Schema],
        sentence: "Processes that migrate at the same time all succeed; once more changes nothing.",
        why: "A deployment starts several processes at once, and one of them would not come up.",
        hint: "`CREATE TABLE IF NOT EXISTS` is no lock in PostgreSQL: take an advisory lock, or \
               accept that somebody else was first.",
        catches: &["MigrateRace", "MigrateOnce", "MigrateDrops"],
        run: |ctx| Box::pin(migrations_may_meet(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "CON-10",
        name: "a_failed_call_gives_back_what_it_took",
        sentence: "Calls that find nothing, are refused or fail use nothing up: the one connection \
                   of the pool still works after 20 of each.",
        why: "An attacker who sends odd ids, or one broken row, would empty the pool.",
        hint: "Let a guard give back connections and permits, not the last line of the method.",
        catches: &["LeaksOnRefusal", "LeaksOnMiss", "LeaksOnDecode"],
        run: |ctx| Box::pin(a_failed_call_gives_back_what_it_took(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "CON-11",
        name: "conditional_writes_reach_other_handles",
        needs: &[Need::SecondHandle],
        sentence: "What one handle did by `create`, `replace`, `touch` or `clear`, another one \
                   that has read before sees at its next `get`.",
        why: "A cache that hears of `set` and `destroy` alone shows the session of before.",
        hint: "Invalidate in every method that writes, and in other processes, too.",
        catches: &[
            "HandleCacheMissesReplace",
            "CacheMissesTouch",
            "CacheMissesClear",
            "CacheKeepsNone",
        ],
        run: |ctx| Box::pin(conditional_writes_reach_other_handles(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "CON-12",
        name: "a_closed_handle_closes_no_other",
        sentence: "When the handles that another part of the process opened on another namespace \
                   are dropped, these go on working and nothing is lost.",
        why: "A second router in the same process goes down, and takes the sessions with it.",
        hint: "No clean-up in `Drop` that others depend on: no closed pool, no dropped table.",
        catches: &["DropClears", "DropCloses"],
        run: |ctx| Box::pin(a_closed_handle_closes_no_other(ctx)),
        ..Rule::MUST
    },
];

/// The answer of a call that must succeed, where it is not worth a line in the report.
fn succeed<T>(call: &str, result: session_core::Result<T>) -> Result<T, Failure> {
    result
        .map_err(|error| Failure::new(format_args!("`{call}` to succeed"), describe::error(&error)))
}

/// Whether a read found what this record leaves, expiry included.
fn leaves(ctx: &Context, found: Option<&Record>, wanted: Option<&Record>) -> Fit {
    match (found, wanted) {
        (None, None) => Fit::Close,
        (Some(found), Some(wanted)) if found.same_json(wanted) => {
            ctx.timing.fit(wanted.expires(), found.expires())
        }
        _ => Fit::Off,
    }
}

/// Demands that a read finds one of these, whole.
pub(super) async fn one_of(
    ctx: &Context,
    handle: &Handle,
    id: &Id,
    wanted: &[Option<&Record>],
    because: &str,
) -> Result<(), Failure> {
    let found = handle.get(id).await.ok()?;
    let now = ctx.now();
    let names: Vec<_> = wanted
        .iter()
        .map(|record| describe::optional_record(*record, now))
        .collect();
    let fits: Vec<_> = wanted
        .iter()
        .map(|wanted| leaves(ctx, found.as_ref(), *wanted))
        .collect();
    if fits.contains(&Fit::Late) && !fits.contains(&Fit::Close) {
        return Err(too_slow());
    }
    ensure(
        fits.contains(&Fit::Close),
        format_args!(
            "`{}.get({})` to return {}: {because}",
            handle.name,
            id.label,
            names.join(" or ")
        ),
        describe::optional_record(found.as_ref(), now),
    )
}

/// Demands that a handle writes, reads and destroys as if nothing had happened.
pub(super) async fn works(ctx: &Context, handle: &Handle, name: &str) -> Result<(), Failure> {
    let (id, record) = (ctx.id(name), ctx.record(name));
    handle.set(&id, &record).await.ok()?;
    handle
        .get(&id)
        .await
        .record(&record, "the store goes on working")?;
    handle.destroy(&id).await.ok()?;
    handle.get(&id).await.none("the store goes on working")
}

async fn parallel_ids_do_not_mix(ctx: &Context) -> Result<(), Failure> {
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

async fn parallel_writes_are_whole(ctx: &Context) -> Result<(), Failure> {
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

async fn a_session_is_a_register(ctx: &Context) -> Result<(), Failure> {
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
        let call = format!("h1.destroy({})", id.label);
        succeed(&call, ctx.h1.store().destroy(&id.id).await)?;
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

/// How often a call is polled before it counts as one that cannot be dropped half way.
const POLLS: usize = 40;

async fn a_dropped_call_leaves_old_or_new(ctx: &Context) -> Result<(), Failure> {
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
            for handle in [h1, h2] {
                one_of(ctx, handle, &id, wanted, &because).await?;
            }
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

async fn single_connection(ctx: &Context) -> Result<Space, Failure> {
    let mut opening = ctx.opening();
    opening.connections = Some(1);
    Ok(ctx.open_space("narrow", opening).await?)
}

async fn one_connection_is_enough(ctx: &Context) -> Result<(), Failure> {
    const CALLS: usize = 64;
    let space = single_connection(ctx).await?;
    let ids: Vec<_> = (0..8).map(|n| ctx.id(&format!("shared {n}"))).collect();
    let over = ctx.id("over");
    let soon = ctx.ticks(1);
    for id in &ids {
        space.h1.set(id, &ctx.record("first")).await.ok()?;
    }
    space
        .h1
        .set(&over, &ctx.record_until("over", Some(soon)))
        .await
        .ok()?;
    ctx.wait_until_gone(soon).await;
    ctx.remark(format!(
        "{CALLS} calls at once on handles of one connection: get, set, destroy, get of an expired \
         record, and what else is declared"
    ));
    let (old, new, cookie) = (ctx.record("first"), ctx.record("second"), ctx.cookie(None));
    let (h1, h2) = (space.h1.quiet(), space.h2.quiet());
    let calls = (0..CALLS).map(|n| {
        let (id, over) = (&ids[n % ids.len()], &over);
        let handle = if n % 3 == 0 { &h2 } else { &h1 };
        let (old, new, cookie) = (&old, &new, &cookie);
        async move {
            match n % 8 {
                0 | 1 => handle.get(id).await.ok().map(drop),
                2 | 3 => handle.set(id, new).await.ok(),
                4 => handle.destroy(id).await.ok(),
                5 => handle.get(over).await.none("it has expired"),
                6 if ctx.has(Need::Replace) => {
                    let _: Replaced = handle.replace(id, old, new).await.ok()?;
                    Ok(())
                }
                7 if ctx.has(Need::Touch) => {
                    let _: Touched = handle.touch(id, cookie).await.ok()?;
                    Ok(())
                }
                _ if ctx.has(Need::Length) => handle.length().await.ok().map(drop),
                _ => handle.get(id).await.ok().map(drop),
            }
        }
    });
    for result in join_all(calls).await {
        result?;
    }
    works(ctx, &space.h1, "afterwards").await
}

async fn a_panicking_caller_poisons_nothing(ctx: &Context) -> Result<(), Failure> {
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
async fn dies_within<T>(polls: usize, call: impl Future<Output = T>) {
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

/// Runs `work` on a runtime of its own with one thread, which has ended when this returns.
fn on_own_runtime<T: Send>(
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

async fn works_on_any_runtime(ctx: &Context) -> Result<(), Failure> {
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

async fn calls_do_not_block_the_executor(ctx: &Context) -> Result<(), Failure> {
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

async fn migrations_may_meet(ctx: &Context) -> Result<(), Failure> {
    const NAMESPACES: usize = 3;
    const PROCESSES: usize = 4;
    for _ in 0..NAMESPACES {
        let space = ctx.open_other("other").await?;
        ctx.remark(format!("{PROCESSES} processes migrate at once"));
        let hooks = Arc::clone(&space.hooks);
        race(PROCESSES, move |_| {
            let hooks = Arc::clone(&hooks);
            async move { succeed("migrate()", hooks.migrate().await?) }
        })
        .await?;
        let (id, record) = (ctx.id("kept"), ctx.record("kept"));
        space.h1.set(&id, &record).await.ok()?;
        ctx.remark("one more process migrates");
        succeed("migrate()", space.hooks.migrate().await?)?;
        for handle in [&space.h1, &space.h2] {
            let found = handle.get(&id).await;
            found.record(
                &record,
                "a migration that has nothing to do changes nothing",
            )?;
        }
        works(ctx, &space.h2, "after the migrations").await?;
    }
    Ok(())
}

async fn a_failed_call_gives_back_what_it_took(ctx: &Context) -> Result<(), Failure> {
    const TIMES: usize = 20;
    let space = single_connection(ctx).await?;
    let (kept, unknown) = (ctx.id("kept"), ctx.id("unknown"));
    let record = ctx.record("kept");
    space.h1.set(&kept, &record).await.ok()?;
    let quiet = space.h1.quiet();
    ctx.remark(format!(
        "{TIMES} times get and destroy of what is not there"
    ));
    for _ in 0..TIMES {
        quiet.get(&unknown).await.none("it was never written")?;
        quiet.destroy(&unknown).await.ok()?;
        if ctx.has(Need::Touch) {
            let touched = quiet.touch(&unknown, &ctx.cookie(None)).await;
            touched.is(Touched::Missing, "it was never written")?;
        }
        if ctx.has(Need::Replace) {
            let replaced = quiet.replace(&unknown, &record, &record).await;
            replaced.is(Replaced::Missing, "it was never written")?;
        }
        if ctx.has(Need::Create) {
            let created = quiet.create(&kept, &record).await;
            created.is(Created::Exists, "it is there")?;
        }
    }
    let capabilities = ctx.capabilities();
    if let Some(limit) = capabilities.max_id_bytes.filter(|limit| *limit < 1 << 20) {
        ctx.remark(format!(
            "{TIMES} times get, set and destroy of an id that is too long"
        ));
        let long = ctx.odd_id("too long", &"l".repeat(limit + 1));
        for _ in 0..TIMES {
            let because = "it is longer than the store declares";
            quiet
                .get(&long)
                .await
                .refused(ErrorKind::InvalidId, because)?;
            quiet
                .set(&long, &record)
                .await
                .refused(ErrorKind::InvalidId, because)?;
            quiet
                .destroy(&long)
                .await
                .refused(ErrorKind::InvalidId, because)?;
        }
    }
    if let Some(limit) = capabilities
        .max_record_bytes
        .filter(|limit| *limit < 16 << 20)
    {
        ctx.remark(format!("{TIMES} times set of a record that is too large"));
        let large = record_of_size(ctx, limit + 1, "large-", record.expires());
        for _ in 0..TIMES {
            let because = "it is larger than the store declares";
            quiet
                .set(&kept, &large)
                .await
                .refused(ErrorKind::TooLarge, because)?;
        }
    }
    if ctx.has(Need::Undecodable) {
        ctx.remark(format!("{TIMES} times get of what cannot be decoded"));
        let broken = ctx.id("undecodable");
        space.h1.wrote(&broken);
        space.hooks.write_undecodable(&broken.id).await?;
        for _ in 0..TIMES {
            let found = quiet.get(&broken).await;
            found.refused(ErrorKind::Decode, "these bytes are no record")?;
        }
        space.h1.destroy(&broken).await.ok()?;
    }
    let found = space.h1.get(&kept).await;
    found.record(&record, "none of these calls wrote it")?;
    works(ctx, &space.h1, "afterwards").await
}

async fn conditional_writes_reach_other_handles(ctx: &Context) -> Result<(), Failure> {
    for (turn, [writer, reader]) in [[&ctx.h1, &ctx.h2], [&ctx.h2, &ctx.h1]]
        .into_iter()
        .enumerate()
    {
        let id = ctx.id(&format!("cached {turn}"));
        let (old, new) = (ctx.record("old"), ctx.record("new"));
        reader.get(&id).await.none("it was never written")?;
        if ctx.has(Need::Create) {
            let created = writer.create(&id, &old).await;
            created.is(Created::Created, "nobody wrote it")?;
        } else {
            writer.set(&id, &old).await.ok()?;
        }
        reader
            .get(&id)
            .await
            .record(&old, "the other handle wrote it")?;
        if ctx.has(Need::Replace) {
            let replaced = writer.replace(&id, &old, &new).await;
            replaced.is(Replaced::Replaced, "the stored record is the old one")?;
            reader
                .get(&id)
                .await
                .record(&new, "the other handle replaced it")?;
        }
        let here = writer.get(&id).await.some("it is live")?;
        if ctx.has(Need::Touch) {
            let late = Some(ctx.now() + Duration::from_secs(7_200));
            let touched = writer.touch(&id, &ctx.cookie(late)).await;
            touched.is(Touched::Touched, "it is live")?;
            let found = reader.get(&id).await;
            found.record_until(&here, late, "the other handle moved its expiry")?;
            let soon = ctx.ticks(1);
            let touched = writer.touch(&id, &ctx.cookie(Some(soon))).await;
            ctx.before(soon, touched.is(Touched::Touched, "it is live"))?;
            ctx.wait_until_gone(soon).await;
            let found = reader.get(&id).await;
            found.none("the other handle brought its expiry forward, and it has passed")?;
        }
        writer.set(&id, &new).await.ok()?;
        reader
            .get(&id)
            .await
            .record(&new, "the other handle wrote it")?;
        if ctx.has(Need::Clear) {
            writer.clear().await.ok()?;
            reader
                .get(&id)
                .await
                .none("the other handle cleared the store")?;
        }
    }
    Ok(())
}

async fn a_closed_handle_closes_no_other(ctx: &Context) -> Result<(), Failure> {
    let (id, record) = (ctx.id("kept"), ctx.record("kept"));
    ctx.h1.set(&id, &record).await.ok()?;
    let other = ctx.open_other("other").await?;
    works(ctx, &other.h1, "elsewhere").await?;
    ctx.remark("other.h1 and other.h2 are dropped");
    ctx.close(other);
    for handle in [&ctx.h1, &ctx.h2] {
        let found = handle.get(&id).await;
        found.record(&record, "other handles were dropped, nothing was destroyed")?;
    }
    works(ctx, &ctx.h1, "after the other handles").await
}
