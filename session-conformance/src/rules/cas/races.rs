//! Conditional writes at the same time as others.

use std::time::Duration;

use session_core::{Created, Record, Replaced};

use crate::context::{Context, data};
use crate::describe;
use crate::failure::{Failure, ensure};
use crate::parallel::{Span, race};

pub(super) const HOUR: Duration = Duration::from_secs(3_600);

fn number(record: &Record) -> Option<u64> {
    record.data().get::<String>("value").ok()??.parse().ok()
}

pub(super) async fn no_lost_update(ctx: &Context) -> Result<(), Failure> {
    const TASKS: usize = 8;
    const ROUNDS: usize = 25;
    const TRIES: usize = 2_000;
    let id = ctx.id("counter");
    ctx.h1.set(&id, &ctx.record("0")).await.ok()?;
    let numbers: Vec<_> = (0..=TASKS * ROUNDS)
        .map(|n| ctx.record(&n.to_string()))
        .collect();
    let numbers = std::sync::Arc::new(numbers);
    let handles = [ctx.h1.quiet(), ctx.h2.quiet()];
    let counter = id.clone();
    ctx.remark(format!(
        "{TASKS} tasks, through h1 and h2, read the counter and replace it by the next number, \
         {ROUNDS} times each"
    ));
    let conflicts = race(TASKS, move |task| {
        let (handle, id) = (handles[task % 2].clone(), counter.clone());
        let numbers = std::sync::Arc::clone(&numbers);
        async move {
            let mut conflicts = 0_usize;
            for _ in 0..ROUNDS {
                let before = conflicts;
                loop {
                    let read = handle.get(&id).await.some("nobody destroys the counter")?;
                    let value = number(&read).and_then(|value| usize::try_from(value).ok());
                    let Some(new) = value.and_then(|value| numbers.get(value + 1)) else {
                        return Err(Failure::new(
                            "a counter from 0 to 199 while increments are left",
                            describe::data(&read),
                        ));
                    };
                    // What a request does between reading and saving: others get their turn.
                    std::thread::yield_now();
                    let answer = handle.replace(&id, &read, new).await;
                    let call = answer.call.clone();
                    match answer.ok()? {
                        Replaced::Replaced => break,
                        Replaced::Conflict if conflicts - before < TRIES => conflicts += 1,
                        other => {
                            return Err(Failure::new(
                                format_args!(
                                    "`{call}` to be Replaced, or Conflict for a while: nobody \
                                     destroys the counter"
                                ),
                                format_args!("{other:?} after {} conflicts", conflicts - before),
                            ));
                        }
                    }
                }
            }
            Ok(conflicts)
        }
    })
    .await?;
    let met = conflicts.iter().sum::<usize>();
    ctx.remark(format!(
        "{} rounds of {TASKS} tasks met {} conflicts",
        ROUNDS, met
    ));
    let last = ctx.record(&(TASKS * ROUNDS).to_string());
    for handle in [&ctx.h1, &ctx.h2] {
        let because = "each increment was Replaced";
        handle.get(&id).await.record(&last, because)?;
    }
    if met == 0 {
        return Err(Failure::inconclusive(
            "no task came between another one's `get` and `replace`",
        ));
    }
    Ok(())
}

pub(super) async fn one_create_wins(ctx: &Context) -> Result<(), Failure> {
    const TASKS: usize = 8;
    const ROUNDS: usize = 10;
    for round in 0..ROUNDS {
        let id = ctx.id(&format!("round {round}"));
        let records: Vec<_> = (0..TASKS)
            .map(|task| ctx.record(&format!("of task {task}")))
            .collect();
        let (handles, own) = ([ctx.h1.quiet(), ctx.h2.quiet()], records.clone());
        let created_id = id.clone();
        let created = race(TASKS, move |task| {
            let (handle, id) = (handles[task % 2].clone(), created_id.clone());
            let record = own[task].clone();
            async move { handle.create(&id, &record).await.ok() }
        })
        .await?;
        ctx.remark(format!(
            "round {round}: {TASKS} tasks create one id -> {created:?}"
        ));
        let winners: Vec<_> = (0..TASKS)
            .filter(|task| created[*task] == Created::Created)
            .collect();
        let [winner] = winners[..] else {
            return Err(Failure::new(
                "exactly one of the `create`s to be Created",
                format_args!("{}: tasks {winners:?}", winners.len()),
            ));
        };
        let because = format!("the create of task {winner} was the one that was Created");
        for handle in [&ctx.h1, &ctx.h2] {
            handle.get(&id).await.record(&records[winner], &because)?;
        }
    }
    Ok(())
}

pub(super) async fn one_replace_wins(ctx: &Context) -> Result<(), Failure> {
    const TASKS: usize = 8;
    const ROUNDS: usize = 10;
    let old = ctx.record("old");
    for round in 0..ROUNDS {
        let id = ctx.id(&format!("round {round}"));
        ctx.h1.quiet().set(&id, &old).await.ok()?;
        let records: Vec<_> = (0..TASKS)
            .map(|task| ctx.record(&format!("of task {task}")))
            .collect();
        let (handles, own) = ([ctx.h1.quiet(), ctx.h2.quiet()], records.clone());
        let (shared_id, shared_old) = (id.clone(), old.clone());
        let replaced = race(TASKS, move |task| {
            let (handle, id) = (handles[task % 2].clone(), shared_id.clone());
            let (old, new) = (shared_old.clone(), own[task].clone());
            async move { handle.replace(&id, &old, &new).await.ok() }
        })
        .await?;
        ctx.remark(format!(
            "round {round}: {TASKS} tasks replace one record -> {replaced:?}"
        ));
        let winners: Vec<_> = (0..TASKS)
            .filter(|task| replaced[*task] == Replaced::Replaced)
            .collect();
        let [winner] = winners[..] else {
            return Err(Failure::new(
                "exactly one of the `replace`s to be Replaced",
                format_args!("{}: tasks {winners:?}", winners.len()),
            ));
        };
        ensure(
            !replaced.contains(&Replaced::Missing),
            "the other `replace`s to be Conflict: the record was there all the time",
            format_args!("{replaced:?}"),
        )?;
        let because = format!("the replace of task {winner} was the one that was Replaced");
        for handle in [&ctx.h1, &ctx.h2] {
            handle.get(&id).await.record(&records[winner], &because)?;
        }
    }
    Ok(())
}

/// How often two calls are let loose on each other at least.
const ROUNDS: usize = 40;

/// How often, if they never meet.
const MOST: usize = 400;

pub(super) async fn replace_undoes_no_concurrent_write(ctx: &Context) -> Result<(), Failure> {
    let (old, late, set) = (
        ctx.record("old"),
        ctx.record("saved late"),
        ctx.record("set"),
    );
    let mut random = ctx.random("delays");
    for destroys in [true, false] {
        let (mut replaced, other) = (0, if destroys { "destroy" } else { "set" });
        let (mut rounds, mut met) = (0, 0);
        while rounds < ROUNDS || (met == 0 && rounds < MOST) {
            let round = rounds;
            rounds += 1;
            let id = ctx.id(&format!("{other}, round {round}"));
            let [h1, h2] = [ctx.h1.quiet(), ctx.h2.quiet()];
            h1.set(&id, &old).await.ok()?;
            let (shared_id, old, late, set) = (id.clone(), old.clone(), late.clone(), set.clone());
            let written = set.clone();
            // The thread that is made last starts first: take turns.
            let conditional = round % 2;
            let delays = [0; 2].map(|_: usize| random.below(widest(round)));
            let answers = race(2, move |task| {
                let (h1, h2, id) = (h1.clone(), h2.clone(), shared_id.clone());
                let (old, late, set) = (old.clone(), late.clone(), set.clone());
                async move {
                    for _ in 0..delays[task] {
                        std::hint::spin_loop();
                    }
                    if task == conditional {
                        let (answer, span) = Span::of(h1.replace(&id, &old, &late)).await;
                        return Ok((Some(answer.ok()?), span));
                    }
                    let (answer, span) = if destroys {
                        Span::of(h2.destroy(&id)).await
                    } else {
                        Span::of(h2.set(&id, &set)).await
                    };
                    answer.ok()?;
                    Ok((None, span))
                }
            })
            .await?;
            met += usize::from(answers[0].1.meets(answers[1].1));
            let answers = [answers[0].0, answers[1].0];
            ctx.remark(format!(
                "round {round}: h1.replace -> {:?}, while h2.{other} -> Ok",
                answers[conditional]
            ));
            replaced += usize::from(answers.contains(&Some(Replaced::Replaced)));
            let because = format!(
                "{other} has the last word, whether `replace` came before it or after; it was \
                 {:?} in round {round}",
                answers[conditional]
            );
            for handle in [&ctx.h1, &ctx.h2] {
                let found = handle.quiet().get(&id).await;
                if destroys {
                    found.none(&because)?;
                } else {
                    found.record(&written, &because)?;
                }
            }
        }
        ctx.remark(format!(
            "{rounds} rounds of h1.replace and h2.{other}, {met} of them at the same time; \
             replace came first in {replaced}"
        ));
        if met == 0 {
            return Err(never_met("replace", other));
        }
    }
    Ok(())
}

/// How far apart two calls may begin, in turns of a loop: quick calls that have not met yet begin
/// nearer to each other, the longer that goes on.
fn widest(round: usize) -> usize {
    4_000 >> (round / 30).min(11)
}

fn never_met(one: &str, other: &str) -> Failure {
    Failure::inconclusive(format_args!(
        "`{one}` and `{other}` were never under way at the same time, in {MOST} rounds"
    ))
}

pub(super) async fn create_undoes_no_concurrent_set(ctx: &Context) -> Result<(), Failure> {
    let (empty, full) = (ctx.record_of(&data(&[]), None), ctx.record("set"));
    let mut random = ctx.random("delays");
    let (mut created, mut rounds, mut met) = (0, 0, 0);
    while rounds < ROUNDS || (met == 0 && rounds < MOST) {
        let round = rounds;
        rounds += 1;
        let id = ctx.id(&format!("round {round}"));
        let [h1, h2] = [ctx.h1.quiet(), ctx.h2.quiet()];
        let (shared_id, empty, set) = (id.clone(), empty.clone(), full.clone());
        let conditional = round % 2;
        let delays = [0; 2].map(|_: usize| random.below(widest(round)));
        let answers = race(2, move |task| {
            let (h1, h2, id) = (h1.clone(), h2.clone(), shared_id.clone());
            let (empty, set) = (empty.clone(), set.clone());
            async move {
                for _ in 0..delays[task] {
                    std::hint::spin_loop();
                }
                if task == conditional {
                    let (answer, span) = Span::of(h1.create(&id, &empty)).await;
                    return Ok((Some(answer.ok()?), span));
                }
                let (answer, span) = Span::of(h2.set(&id, &set)).await;
                answer.ok()?;
                Ok((None, span))
            }
        })
        .await?;
        met += usize::from(answers[0].1.meets(answers[1].1));
        let answers = [answers[0].0, answers[1].0];
        ctx.remark(format!(
            "round {round}: h1.create -> {:?}, while h2.set -> Ok",
            answers[conditional]
        ));
        created += usize::from(answers.contains(&Some(Created::Created)));
        let because = format!(
            "set has the last word, whether `create` came before it or after; it was {:?} in \
             round {round}",
            answers[conditional]
        );
        for handle in [&ctx.h1, &ctx.h2] {
            handle.quiet().get(&id).await.record(&full, &because)?;
        }
    }
    ctx.remark(format!(
        "{rounds} rounds of h1.create and h2.set, {met} of them at the same time; create came \
         first in {created}"
    ));
    if met == 0 {
        return Err(never_met("create", "set"));
    }
    Ok(())
}
