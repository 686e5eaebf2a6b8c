//! The moment at which a record ends, and what is to be seen of it before and after.

use std::time::Duration;

use session_core::Touched;

use super::{DAY, HOUR, MILLISECOND};
use crate::context::Context;
use crate::failure::Failure;
use crate::need::Need;
use crate::rules::all::listed;
use crate::rules::len::counted;

pub(super) async fn expired_means_expires_is_not_after_now(ctx: &Context) -> Result<(), Failure> {
    let (id, expires) = (ctx.id("ending"), ctx.ticks(2));
    let record = ctx.record_until("ending", Some(expires));
    ctx.h1.set(&id, &record).await.ok()?;
    ctx.wait_until_last(expires).await;
    for handle in [&ctx.h1, &ctx.h2] {
        let found = handle.get(&id).await.some("its expiry is yet to come");
        ctx.before(expires, found)?;
    }
    ctx.wait_until_gone(expires).await;
    for handle in [&ctx.h1, &ctx.h2] {
        handle.get(&id).await.none("its expiry has come")?;
    }
    Ok(())
}

pub(super) async fn expired_is_none_before_any_sweep(ctx: &Context) -> Result<(), Failure> {
    let (over, live) = (ctx.id("over"), ctx.id("live"));
    let (soon, late) = (ctx.ticks(1), ctx.late());
    let lasting = ctx.record_until("live", Some(late));
    ctx.h1
        .set(&over, &ctx.record_until("over", Some(soon)))
        .await
        .ok()?;
    ctx.h1.set(&live, &lasting).await.ok()?;
    ctx.wait_until_gone(soon).await;
    for _ in 0..2 {
        for handle in [&ctx.h1, &ctx.h2] {
            handle.get(&over).await.none("it has expired")?;
        }
    }
    ctx.h1
        .get(&live)
        .await
        .record(&lasting, "its own expiry is yet to come")
}

pub(super) async fn expired_can_be_written(ctx: &Context) -> Result<(), Failure> {
    let now = ctx.now();
    let times = [
        ("now", now),
        ("a millisecond ago", now - MILLISECOND),
        ("an hour ago", now - HOUR),
        ("a year ago", now - 365 * DAY),
    ];
    for (name, expires) in times {
        let (fresh, there) = (ctx.id(name), ctx.id(&format!("{name}, over a live one")));
        ctx.h1.set(&there, &ctx.record("live")).await.ok()?;
        for id in [&fresh, &there] {
            let over = ctx.record_until("over", Some(expires));
            ctx.h1.set(id, &over).await.ok()?;
        }
    }
    // A store that keeps whole seconds may round up.
    ctx.wait_until_gone(now).await;
    let look = async || {
        for (name, _) in times {
            for id in [ctx.id(name), ctx.id(&format!("{name}, over a live one"))] {
                for handle in [&ctx.h1, &ctx.h2] {
                    let because = "what was written last had expired";
                    handle.get(&id).await.none(because)?;
                }
            }
        }
        counted(ctx, 0, "all that was written last had expired").await?;
        if ctx.has(Need::All) {
            listed(ctx, []).await?;
        }
        Ok::<_, Failure>(())
    };
    look().await?;
    ctx.wait_until_gone(ctx.ticks(1)).await;
    look().await
}

pub(super) async fn parts_of_a_second_count(ctx: &Context) -> Result<(), Failure> {
    let start = ctx.now();
    let mut ends = Vec::new();
    for millis in [1_u64, 300, 999, 1_001, 1_500] {
        let expires = start + Duration::from_millis(millis);
        let id = ctx.id(&format!("{millis} ms"));
        let record = ctx.record_until("short", Some(expires));
        ctx.h1.set(&id, &record).await.ok()?;
        ends.push((expires, id, record));
    }
    // Long enough to be seen on a clock that runs, and on no whole second.
    let long = ctx.ticks(1) + Duration::from_millis(357);
    let (id, record) = (ctx.id("odd"), ctx.record_until("odd", Some(long)));
    ctx.h1.set(&id, &record).await.ok()?;
    let found = ctx.h2.get(&id).await;
    let because = "its expiry is on no whole second";
    ctx.before(long, found.record(&record, because))?;
    ends.push((long, id, record));
    ends.sort_by_key(|(expires, ..)| *expires);
    for (expires, id, record) in &ends {
        // A store that keeps whole seconds ends several of them at once.
        if ctx.timing.is_manual() && ctx.now() <= ctx.timing.last_of(*expires) {
            ctx.wait_until_last(*expires).await;
            let because = "its expiry is yet to come";
            ctx.h1.get(id).await.record(record, because)?;
        }
        ctx.wait_until_gone(*expires).await;
        ctx.h2.get(id).await.none("its expiry has come")?;
    }
    Ok(())
}

pub(super) async fn each_record_has_its_own_expiry(ctx: &Context) -> Result<(), Failure> {
    let (count, step) = if ctx.timing.is_manual() {
        (40, Duration::from_millis(30_250))
    } else {
        (8, ctx.timing.tick() / 2)
    };
    // Written in another order than they end in.
    let mut order: Vec<u32> = (1..=count).collect();
    let mut random = ctx.random("order");
    for n in (1..order.len()).rev() {
        order.swap(n, random.below(n + 1));
    }
    let first = ctx.ticks(1);
    let ends = |n: u32| first + step * n;
    let record = |n: u32| ctx.record_until(&n.to_string(), Some(ends(n)));
    let id = |n: u32| ctx.id(&n.to_string());
    for n in &order {
        ctx.h1.set(&id(*n), &record(*n)).await.ok()?;
    }
    for n in 1..=count {
        ctx.wait_until_gone(ends(n)).await;
        let gone = ctx.h1.get(&id(n)).await;
        gone.none("its expiry has come")?;
        for later in n + 1..=count {
            if ctx.timing.last_of(ends(later)) > ctx.now() {
                let found = ctx.h2.quiet().get(&id(later)).await;
                let because = "its own expiry is yet to come";
                ctx.before(ends(later), found.record(&record(later), because))?;
            }
        }
    }
    counted(ctx, 0, "all have expired").await
}

pub(super) async fn all_methods_agree_on_the_last_moment(ctx: &Context) -> Result<(), Failure> {
    const NAMES: [&str; 4] = ["left alone", "touched", "replaced", "created over"];
    let expires = ctx.ticks(2);
    let record = ctx.record_until("ending", Some(expires));
    let ids = NAMES.map(|name| ctx.id(name));
    for id in &ids {
        ctx.h1.set(id, &record).await.ok()?;
    }
    if ctx.timing.is_manual() {
        ctx.wait_until_last(expires).await;
    } else {
        // Ten calls are to come, and a store may take its time for each.
        ctx.wait_until(expires - ctx.timing.tick()).await;
    }
    let because = "its expiry is yet to come";
    let four = counted(ctx, 4, because).await;
    ctx.before(expires, four)?;
    if ctx.has(Need::All) {
        let all = listed(ctx, &ids).await;
        ctx.before(expires, all)?;
    }
    if ctx.has(Need::Sweep) {
        let _: session_core::Swept = ctx.h1.sweep(10).await.ok()?;
    }
    let late = ctx.record_until("late", Some(ctx.late()));
    if ctx.has(Need::Touch) {
        let answer = ctx.h1.touch(&ids[1], late.cookie()).await;
        ctx.before(expires, answer.is(Touched::Touched, because))?;
    }
    if ctx.has(Need::Replace) {
        let answer = ctx.h1.replace(&ids[2], &record, &late).await;
        let replaced = answer.is(session_core::Replaced::Replaced, because);
        ctx.before(expires, replaced)?;
    }
    if ctx.has(Need::Create) {
        let answer = ctx.h1.create(&ids[3], &late).await;
        let exists = answer.is(session_core::Created::Exists, because);
        ctx.before(expires, exists)?;
    }
    let found = ctx.h2.get(&ids[0]).await;
    ctx.before(expires, found.record(&record, because))
}
