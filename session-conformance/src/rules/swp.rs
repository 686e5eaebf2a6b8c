//! Sweeping.

mod given_back;

use std::sync::Arc;
use std::time::{Duration, Instant};

use session_core::{ErrorKind, Touched};

use super::all::listed;
use super::des::stored;
use super::err::Recovery;
use super::len::counted;
use crate::Rule;
use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::handle::Id;
use crate::need::Need;
use crate::parallel::{Span, race};

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "SWP-01",
        name: "sweep_removes_expired_only",
        needs: &[Need::Sweep],
        sentence: "`sweep` removes every expired record, whichever handle wrote it, and no live \
                   one: none without an expiry, none that ends the next moment.",
        why: "A sweep that takes NULL for 0, or seconds for milliseconds, logs people out.",
        hint: "DELETE where `expires <= now`, in the same unit as everywhere else.",
        catches: &[
            "SweepLive",
            "SweepNull",
            "SweepBySecond",
            "SweepNoop",
            "SweepOwnOnly",
            "SweepLiesAboutRemoved",
        ],
        run: |ctx| Box::pin(sweep_removes_expired_only(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "SWP-02",
        name: "sweep_keeps_its_limit",
        needs: &[Need::Sweep],
        sentence: "`sweep(limit)` removes at most `limit` records, and says truthfully how many \
                   and whether more are left; any number is a limit.",
        why: "A sweep of millions of rows in one statement locks the table that every request \
              needs; one that says that it is done too early never comes to the rest.",
        hint: "LIMIT with an order by expiry; `more` if the limit was reached. `usize::MAX` is no \
               negative number.",
        catches: &[
            "UnboundedSweep",
            "SweepNeverMore",
            "SweepAlwaysMore",
            "SweepStuck",
            "SweepLimitOverflow",
            "SweepZeroIsAll",
        ],
        run: |ctx| Box::pin(sweep_keeps_its_limit(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "SWP-03",
        name: "sweeps_in_parallel",
        needs: &[Need::Sweep],
        probabilistic: true,
        sentence: "Several sweeps at the same time make no error, lose no live record, and leave \
                   no expired one.",
        why: "Each process sweeps; they start together, and wake up together.",
        hint: "A row that is gone already is no error; no lock that another sweep must have.",
        catches: &["SweepRace", "SweepExclusive"],
        run: |ctx| Box::pin(sweeps_in_parallel(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "SWP-04",
        name: "sweep_spares_what_comes_alive",
        needs: &[Need::Sweep],
        probabilistic: true,
        sentence: "A record that is written over an expired one while `sweep` runs survives it.",
        why: "spring-session#93: the sweep removed by id what it had found expired a moment \
              before, and a fresh session was gone.",
        hint: "Put the live check into the DELETE's own condition; no SELECT before it.",
        catches: &["SweepTOCTOU"],
        run: |ctx| Box::pin(sweep_spares_what_comes_alive(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "SWP-05",
        name: "sweep_works_after_an_error",
        level: crate::Level::Should,
        needs: &[Need::Sweep, Need::Fault],
        sentence: "A sweep while the backend is down is an error; the next one after that works.",
        why: "tower-sessions' loop ended with the first error, and nobody swept any more.",
        hint: "Hold no state between two sweeps.",
        catches: &["DieOnError", "SweepHidesError"],
        run: |ctx| Box::pin(sweep_works_after_an_error(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "SWP-06",
        name: "sweep_goes_by_the_stored_expiry",
        needs: &[Need::Sweep, Need::Touch],
        sentence: "`sweep` goes by the expiry that `touch` moved: it spares what was prolonged, \
                   and removes what was cut short.",
        why: "The JSON keeps the expiry of the last full write; by it, the most active sessions \
              are swept first.",
        hint: "Sweep by the column or index that `touch` writes.",
        catches: &["SweepByJson", "SweepStaleIndex"],
        run: |ctx| Box::pin(sweep_goes_by_the_stored_expiry(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "SWP-07",
        name: "sweep_leaves_nothing_behind",
        needs: &[Need::Sweep],
        sentence: "What was swept is gone in each respect, and its id can be used again at once.",
        why: "Index entries and timers that a sweep forgets stay for ever, or end the next \
              session of that id.",
        hint: "Remove data and index in one transaction.",
        catches: &["SweepTombstones", "SweepKeepsIndex"],
        run: |ctx| Box::pin(sweep_leaves_nothing_behind(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "SWP-08",
        name: "ended_records_do_not_stay",
        needs: &[Need::Count],
        sentence: "What has ended is given back at some time: by `sweep`, by the backend, or by the \
                   store's own work while others are read and written.",
        why: "A store with neither `sweep` nor a backend that expires grows with each visitor for \
              ever, and with it what a leak of it gives away.",
        hint: "Offer `sweep`, and say who calls it; or remove what has ended while you write.",
        catches: &["KeepsForEver"],
        run: |ctx| Box::pin(given_back::ended_records_do_not_stay(ctx)),
        ..Rule::SHOULD
    },
];

/// Whether each expired record is there for `sweep` to remove.
fn waits_for_a_sweep(ctx: &Context) -> bool {
    !ctx.capabilities().server_ttl
}

/// Writes records that end at the same moment, and waits until they have.
async fn expired(ctx: &Context, n: usize) -> Result<Vec<Id>, Failure> {
    let soon = ctx.ticks(1);
    let record = ctx.record_until("over", Some(soon));
    let ids: Vec<_> = (0..n).map(|n| ctx.id(&format!("over {n}"))).collect();
    for (n, id) in ids.iter().enumerate() {
        let writer = if n % 2 == 0 { &ctx.h1 } else { &ctx.h2 };
        writer.set(id, &record).await.ok()?;
    }
    ctx.wait_until_gone(soon).await;
    Ok(ids)
}

/// Sweeps until there is no more; how many were removed.
async fn sweep_all(ctx: &Context, limit: usize, expired: usize) -> Result<usize, Failure> {
    sweep_all_after(ctx, &Recovery::none(ctx), limit, expired).await
}

/// The same after an outage.
async fn sweep_all_after(
    ctx: &Context,
    recovery: &Recovery<'_>,
    limit: usize,
    expired: usize,
) -> Result<usize, Failure> {
    let mut removed = 0;
    let mut more_was_said = false;
    for _ in 0..=expired + 1 {
        let swept = recovery.call(|| ctx.h1.sweep(limit)).await.ok()?;
        // The backend itself may have been quicker.
        ensure(
            swept.removed > 0 || !more_was_said || !waits_for_a_sweep(ctx),
            format_args!(
                "`h1.sweep({limit})` to remove some: the one before said that more are left"
            ),
            format_args!("{swept:?}"),
        )?;
        more_was_said = swept.more;
        ensure(
            swept.removed <= limit,
            format_args!("`h1.sweep({limit})` to remove at most {limit} records"),
            format_args!("{swept:?}"),
        )?;
        removed += swept.removed;
        if !swept.more {
            return Ok(removed);
        }
    }
    Err(Failure::new(
        format_args!("sweeping {expired} expired records to come to an end"),
        "`more` after as many sweeps",
    ))
}

async fn nothing_to_sweep(ctx: &Context, because: &str) -> Result<(), Failure> {
    nothing_to_sweep_after(ctx, &Recovery::none(ctx), because).await
}

async fn nothing_to_sweep_after(
    ctx: &Context,
    recovery: &Recovery<'_>,
    because: &str,
) -> Result<(), Failure> {
    let swept = recovery.call(|| ctx.h2.sweep(100)).await.ok()?;
    ensure(
        swept.removed == 0 && !swept.more,
        format_args!("nothing left for `h2.sweep(100)`: {because}"),
        format_args!("{swept:?}"),
    )
}

async fn removed_all(ctx: &Context, removed: usize, expired: usize) -> Result<(), Failure> {
    ensure(
        if waits_for_a_sweep(ctx) {
            removed == expired
        } else {
            removed <= expired
        },
        format_args!("the sweeps to say that they removed {expired} records"),
        format_args!("{removed}"),
    )
}

async fn sweep_removes_expired_only(ctx: &Context) -> Result<(), Failure> {
    let (soon, late) = (ctx.ticks(1), ctx.late());
    let forever = ctx.lives_without_expiry(ctx.timing.gone_at(ctx.ticks(2)));
    let over = [ctx.id("over"), ctx.id("over, of h2")];
    for (id, writer) in over.iter().zip([&ctx.h1, &ctx.h2]) {
        let ending = ctx.record_until("over", Some(soon));
        writer.set(id, &ending).await.ok()?;
    }
    let mut live = vec![(ctx.id("late"), ctx.record_until("late", Some(late)), late)];
    if forever {
        live.push((ctx.id("endless"), ctx.record_until("endless", None), late));
    }
    if ctx.timing.is_manual() {
        // It ends the moment after the sweep.
        let next = ctx.timing.gone_at(soon) + Duration::from_millis(1);
        live.push((ctx.id("next"), ctx.record_until("next", Some(next)), next));
    }
    for (id, record, _) in &live {
        ctx.h2.set(id, record).await.ok()?;
    }
    ctx.wait_until_gone(soon).await;
    let removed = sweep_all(ctx, 100, over.len()).await?;
    for (id, record, expires) in &live {
        let found = ctx.h2.get(id).await;
        ctx.before(*expires, found.record(record, "it has not expired"))?;
    }
    removed_all(ctx, removed, over.len()).await?;
    for id in &over {
        ctx.h1.get(id).await.none("it has expired")?;
    }
    let left = u64::try_from(live.len()).unwrap_or(u64::MAX);
    if ctx.has(Need::Count) {
        stored(ctx, left).await?;
    }
    nothing_to_sweep(ctx, "what has expired was swept").await?;
    counted(ctx, left, "sweep removes no live record").await
}

async fn sweep_keeps_its_limit(ctx: &Context) -> Result<(), Failure> {
    const EXPIRED: usize = 10;
    // More than the limit: who looks at live ones only must look further.
    const KEPT: usize = 12;
    let kept: Vec<_> = (0..KEPT).map(|n| ctx.id(&format!("kept {n}"))).collect();
    for id in &kept {
        ctx.h1.set(id, &ctx.record("kept")).await.ok()?;
    }
    nothing_to_sweep(ctx, "nothing has expired").await?;
    expired(ctx, EXPIRED).await?;
    let none = ctx.h1.sweep(0).await.ok()?;
    ensure(
        none.removed == 0,
        "`h1.sweep(0)` to remove nothing",
        format_args!("{none:?}"),
    )?;
    let first = ctx.h1.sweep(4).await.ok()?;
    ensure(
        first.removed <= 4 && (!waits_for_a_sweep(ctx) || (first.removed > 0 && first.more)),
        "`h1.sweep(4)` to remove one to four of ten expired records, and to say that more are \
         left",
        format_args!("{first:?}"),
    )?;
    if ctx.has(Need::Count) && waits_for_a_sweep(ctx) {
        let left = EXPIRED + KEPT - first.removed;
        stored(ctx, u64::try_from(left).unwrap_or(u64::MAX)).await?;
    }
    let rest = sweep_all(ctx, 3, EXPIRED).await?;
    removed_all(ctx, first.removed + rest, EXPIRED).await?;
    if ctx.has(Need::Count) {
        stored(ctx, u64::try_from(KEPT).unwrap_or(u64::MAX)).await?;
    }
    nothing_to_sweep(ctx, "the last sweep said that no more are left").await?;
    // The largest number there is, as those who want all of them write it.
    expired(ctx, EXPIRED).await?;
    let all = sweep_all(ctx, usize::MAX, EXPIRED).await?;
    removed_all(ctx, all, EXPIRED).await?;
    nothing_to_sweep(ctx, "all was swept").await?;
    for id in &kept {
        let because = "it has not expired";
        ctx.h2.get(id).await.record(&ctx.record("kept"), because)?;
    }
    Ok(())
}

async fn sweeps_in_parallel(ctx: &Context) -> Result<(), Failure> {
    const EXPIRED: usize = 40;
    const ROUNDS: usize = 5;
    let kept: Vec<_> = (0..5).map(|n| ctx.id(&format!("kept {n}"))).collect();
    for id in &kept {
        ctx.h1.set(id, &ctx.record("kept")).await.ok()?;
    }
    let soon = ctx.ticks(1);
    let ending = ctx.record_until("over", Some(soon));
    let writer = ctx.h1.quiet();
    ctx.remark(format!("{EXPIRED} sets of records that end soon"));
    for n in 0..EXPIRED {
        let id = ctx.id(&format!("over {n}"));
        writer.set(&id, &ending).await.ok()?;
    }
    ctx.wait_until_gone(soon).await;
    let handles = [ctx.h1.quiet(), ctx.h2.quiet()];
    race(4, move |thread| {
        let handle = handles[thread % 2].clone();
        async move {
            for _ in 0..ROUNDS {
                let _: session_core::Swept = handle.sweep(8).await.ok()?;
            }
            Ok(())
        }
    })
    .await?;
    ctx.remark(format!("4 threads swept {ROUNDS} times with a limit of 8"));
    sweep_all(ctx, 8, EXPIRED).await?;
    nothing_to_sweep(ctx, "the last sweep said that no more are left").await?;
    if ctx.has(Need::Count) {
        stored(ctx, 5).await?;
    }
    for id in &kept {
        let because = "it has not expired";
        ctx.h2.get(id).await.record(&ctx.record("kept"), because)?;
    }
    Ok(())
}

async fn sweep_spares_what_comes_alive(ctx: &Context) -> Result<(), Failure> {
    const ROUNDS: usize = 80;
    /// So many rounds in which both were at it are enough.
    const CLOSE: usize = 12;
    const BATCH: usize = 24;
    /// As many rounds as even a store that waits for its disk has time for.
    const LEAST: usize = 4;
    const BUDGET: Duration = Duration::from_secs(3);
    let fresh = ctx.record_until("fresh", Some(ctx.late() + Duration::from_secs(86_400)));
    let quiet = ctx.h1.quiet();
    let (mut met, mut close, mut rounds, mut meetings) = (0, 0, 0, 0);
    let began = Instant::now();
    while rounds < ROUNDS && close < CLOSE && (rounds < LEAST || began.elapsed() < BUDGET) {
        let round = rounds;
        rounds += 1;
        let ids: Arc<Vec<_>> = Arc::new(
            (0..BATCH)
                .map(|n| ctx.id(&format!("{n} of round {round}")))
                .collect(),
        );
        // They end while they are there. On a clock that runs only those of the first round do;
        // later ones are written expired, which some stores do not keep at all.
        let lives = round == 0 || ctx.timing.is_manual();
        let soon = if lives {
            ctx.ticks(1)
        } else {
            ctx.now() - Duration::from_secs(3_600)
        };
        let ending = ctx.record_until("over", Some(soon));
        for id in ids.iter() {
            quiet.set(id, &ending).await.ok()?;
        }
        if lives {
            ctx.wait_until_gone(soon).await;
        }
        let (sweeper, writer) = (ctx.h1.quiet(), ctx.h2.quiet());
        let (shared, record) = (Arc::clone(&ids), fresh.clone());
        let removed = race(2, move |thread| {
            let (sweeper, writer) = (sweeper.clone(), writer.clone());
            let (ids, record) = (Arc::clone(&shared), record.clone());
            async move {
                // The thread that was made last starts first: they take turns.
                if thread == round % 2 {
                    let (swept, span) = Span::of(sweeper.sweep(2 * BATCH)).await;
                    return Ok((swept.ok()?.removed, span));
                }
                let writes = async {
                    for id in ids.iter() {
                        writer.set(id, &record).await.ok()?;
                    }
                    Ok::<_, Failure>(0)
                };
                let (written, span) = Span::of(writes).await;
                Ok((written?, span))
            }
        })
        .await?;
        meetings += usize::from(removed[0].1.meets(removed[1].1));
        let removed: usize = removed.iter().map(|(removed, _)| removed).sum();
        met += removed;
        close += usize::from((1..BATCH).contains(&removed));
        ctx.remark(format!(
            "round {round}: h1.sweep removed {removed}, while h2.set wrote {BATCH} records"
        ));
        for id in ids.iter() {
            ctx.h2.quiet().get(id).await.record(
                &fresh,
                format_args!(
                    "h2.set wrote it over an expired one while h1.sweep ran, in round {round}"
                ),
            )?;
            quiet.destroy(id).await.ok()?;
        }
    }
    ctx.remark(format!(
        "{rounds} rounds of a sweep and {BATCH} sets, {meetings} of them at the same time; the \
         sweeps removed {met}"
    ));
    if meetings == 0 {
        return Err(Failure::inconclusive("no sweep met a set"));
    }
    Ok(())
}

async fn sweep_works_after_an_error(ctx: &Context) -> Result<(), Failure> {
    let over = expired(ctx, 3).await?;
    ctx.space.hooks.break_backend().await?;
    ctx.remark("the harness breaks the backend");
    let answer = ctx.h1.sweep(10).await;
    ctx.space.hooks.heal_backend().await?;
    ctx.remark("the harness heals the backend");
    let recovery = Recovery::of(ctx);
    ensure(
        answer.result.as_ref().is_err_and(|error| {
            matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout)
        }),
        "`h1.sweep(10)` to be refused with Unavailable while the backend is down",
        format_args!("{:?}", answer.result),
    )?;
    let removed = sweep_all_after(ctx, &recovery, 10, over.len()).await?;
    removed_all(ctx, removed, over.len()).await?;
    nothing_to_sweep_after(ctx, &recovery, "what has expired was swept").await
}

async fn sweep_goes_by_the_stored_expiry(ctx: &Context) -> Result<(), Failure> {
    let (soon, late) = (ctx.ticks(1), ctx.late());
    let (longer, shorter) = (ctx.id("prolonged"), ctx.id("cut short"));
    let ending = ctx.record_until("prolonged", Some(soon));
    ctx.h1.set(&longer, &ending).await.ok()?;
    ctx.h1.set(&shorter, &ctx.record("cut short")).await.ok()?;
    let touched = ctx.h1.touch(&longer, &ctx.cookie(Some(late))).await;
    ctx.before(soon, touched.is(Touched::Touched, "it is live"))?;
    let touched = ctx.h2.touch(&shorter, &ctx.cookie(Some(soon))).await;
    ctx.before(soon, touched.is(Touched::Touched, "it is live"))?;
    ctx.wait_until_gone(soon).await;
    let removed = sweep_all(ctx, 10, 1).await?;
    let because = "touch moved its expiry beyond now";
    ctx.h2
        .get(&longer)
        .await
        .record_until(&ending, Some(late), because)?;
    removed_all(ctx, removed, 1).await?;
    if ctx.has(Need::Count) {
        stored(ctx, 1).await?;
    }
    Ok(())
}

async fn sweep_leaves_nothing_behind(ctx: &Context) -> Result<(), Failure> {
    let over = expired(ctx, 3).await?;
    sweep_all(ctx, 10, over.len()).await?;
    counted(ctx, 0, "all was swept").await?;
    if ctx.has(Need::All) {
        listed(ctx, []).await?;
    }
    if ctx.has(Need::Count) {
        stored(ctx, 0).await?;
    }
    let again = ctx.record("again");
    for id in &over {
        ctx.h1.set(id, &again).await.ok()?;
    }
    counted(ctx, 3, "three were written after the sweep").await?;
    if ctx.has(Need::All) {
        listed(ctx, &over).await?;
    }
    nothing_to_sweep(ctx, "what was written after the sweep is live").await?;
    for id in &over {
        let because = "it was written after the sweep";
        ctx.h2.get(id).await.record(&again, because)?;
    }
    Ok(())
}
