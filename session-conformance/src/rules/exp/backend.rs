//! Backends that drop what has expired, and clocks that are wrong.

use std::time::Duration;

use session_core::{Clock, Touched};

use super::HOUR;
use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::need::Need;

pub(super) async fn backend_drops_expired(ctx: &Context) -> Result<(), Failure> {
    let (soon, late) = (ctx.ticks(1), HOUR);
    let ending = ctx.record_until("ending", Some(soon));
    let mut expired = vec![ctx.id("set"), ctx.id("overwritten")];
    ctx.h1.set(&expired[1], &ctx.record("lasting")).await.ok()?;
    for id in &expired {
        ctx.h1.set(id, &ending).await.ok()?;
    }
    if ctx.has(Need::Touch) {
        let id = ctx.id("touched");
        ctx.h1.set(&id, &ctx.record("touched")).await.ok()?;
        ctx.h1
            .touch(&id, &ctx.cookie(Some(soon)))
            .await
            .is(Touched::Touched, "it is live")?;
        expired.push(id);
    }
    if ctx.has(Need::Create) {
        let id = ctx.id("created");
        let _: session_core::Created = ctx.h1.create(&id, &ending).await.ok()?;
        expired.push(id);
    }
    if ctx.has(Need::Replace) {
        let (id, old) = (ctx.id("replaced"), ctx.record("old"));
        ctx.h1.set(&id, &old).await.ok()?;
        let _: session_core::Replaced = ctx.h1.replace(&id, &old, &ending).await.ok()?;
        expired.push(id);
    }
    let kept = ctx.id("kept");
    let lasting = ctx.record_until("kept", Some(ctx.now() + late));
    ctx.h1.set(&kept, &lasting).await.ok()?;
    ctx.wait_until_gone(soon).await;
    let mut left = ctx.space.hooks.count().await?;
    // A server that looks for expired records once a minute is right, too.
    let mut pause = Duration::from_millis(50);
    while left != 1 && pause < Duration::from_secs(60) {
        if ctx.timing.is_manual() {
            if pause > Duration::from_secs(1) {
                break;
            }
            tokio::time::sleep(pause).await;
        } else {
            ctx.wait_until(ctx.now() + pause).await;
        }
        left = ctx.space.hooks.count().await?;
        pause *= 2;
    }
    ctx.remark(format!("the harness counts {left} stored records"));
    ensure(
        left == 1,
        format_args!(
            "one physically stored record: {} have expired, and nobody has swept or asked for them",
            expired.len()
        ),
        left,
    )?;
    ctx.h2
        .get(&kept)
        .await
        .record(&lasting, "its own expiry is yet to come")
}

pub(super) async fn wrong_clock(ctx: &Context) -> Result<(), Failure> {
    let tick = ctx.timing.tick();
    let wrong = 2 * tick;
    let (ahead_clock, behind_clock) = (
        Clock::manual(ctx.now() + wrong),
        Clock::manual(ctx.now() - wrong),
    );
    let ahead = ctx.open_with_clock("ahead", ahead_clock.clone()).await?;
    let behind = ctx.open_with_clock("behind", behind_clock.clone()).await?;
    // The clocks of the harness are wrong, but they run.
    let run = || {
        ahead_clock.set(ctx.now() + wrong);
        behind_clock.set(ctx.now() - wrong);
    };
    run();
    // An hour is an hour, wrong by no more than the clock.
    for (space, name) in [(&ahead, "ahead"), (&behind, "behind")] {
        let id = ctx.id(&format!("an hour, {name}"));
        run();
        let written = ctx.record_until("hour", Some(ctx.now() + HOUR));
        space.h1.set(&id, &written).await.ok()?;
        for reader in [&space.h2, &ctx.h1] {
            run();
            let because = "it ends in an hour, and the clock is wrong by less";
            let found = reader.get(&id).await.some(because)?;
            let distance = found.expires().map(|expires| {
                expires
                    .duration_since(ctx.now() + HOUR)
                    .unwrap_or_else(|error| error.duration())
            });
            ensure(
                distance.is_some_and(|distance| distance <= wrong + tick),
                "an expiry that is wrong by no more than the clock",
                crate::describe::expiry(found.expires(), ctx.now()),
            )?;
        }
    }
    // Seen by the clock that is right: a time to live of one tick that was written by the clock
    // that is ahead ends after one tick or after three, by the one that is behind after two of
    // four ticks or after four.
    run();
    let start = ctx.now();
    let (early, late) = (ctx.id("ahead"), ctx.id("behind"));
    let ending =
        |clock: &Clock, ticks: u32| ctx.record_until("ending", Some(clock.now() + tick * ticks));
    ahead.h1.set(&early, &ending(&ahead_clock, 1)).await.ok()?;
    behind.h1.set(&late, &ending(&behind_clock, 4)).await.ok()?;
    // A time to live may count from when it arrived.
    let written = ctx.now();
    run();
    let found = ahead.h2.get(&early).await;
    let because = "its time to live has not passed, and its expiry has not come on any clock";
    ctx.before(start + tick, found.some(because))?;
    let found = behind.h2.get(&late).await;
    ctx.before(start + tick, found.some(because))?;
    ctx.wait_until_gone(written + 4 * tick).await;
    run();
    for (space, id) in [(&ahead, &early), (&behind, &late)] {
        let because = "its time to live has passed, and its expiry has come on each clock";
        space.h2.get(id).await.none(because)?;
    }
    Ok(())
}
