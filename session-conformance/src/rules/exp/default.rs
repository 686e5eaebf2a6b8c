//! Records without an expiry.

use std::time::Duration;

use session_core::Touched;

use super::{DAY, HOUR};
use crate::NotRun;
use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::need::Need;

pub(super) async fn without_expiry_lives_on(ctx: &Context) -> Result<(), Failure> {
    let (id, record) = (ctx.id("endless"), ctx.record_until("endless", None));
    let written = ctx.now();
    ctx.h1.set(&id, &record).await.ok()?;
    // Also one whose expiry was taken away.
    let renewed = ctx.id("renewed");
    let ending = ctx.record_until("renewed", Some(ctx.ticks(3)));
    let endless = ctx.record_until("renewed", None);
    ctx.h1.set(&renewed, &ending).await.ok()?;
    ctx.h1.set(&renewed, &endless).await.ok()?;
    let default_ttl = ctx.capabilities().default_ttl;
    let enough = if ctx.timing.is_manual() {
        written + 3_653 * DAY
    } else {
        ctx.timing.gone_at(ctx.ticks(3))
    };
    let end = default_ttl.map(|ttl| written + ttl);
    let until = end.map_or(enough, |end| ctx.timing.last_of(end).min(enough));
    for moment in [written + DAY, written + 31 * DAY, until] {
        if moment > until {
            continue;
        }
        ctx.wait_until(moment).await;
        for handle in [&ctx.h1, &ctx.h2] {
            let because = "it has no expiry";
            for (id, record) in [(&id, &record), (&renewed, &endless)] {
                let found = handle.get(id).await.text(record, because);
                ctx.before(end.unwrap_or(enough + HOUR), found)?;
            }
        }
    }
    Ok(())
}

/// A default that is too long to wait for can still be read where the backend tells it.
async fn default_ttl_is_shown(ctx: &Context, ttl: Duration) -> Result<(), Failure> {
    let (id, slack) = (ctx.id("endless"), 2 * ctx.timing.tick());
    let earliest = ctx.now() + ttl - slack;
    ctx.h1
        .set(&id, &ctx.record_until("endless", None))
        .await
        .ok()?;
    let found = ctx.h2.get(&id).await.some("it was just set")?;
    let latest = ctx.now() + ttl + slack;
    let Some(end) = found.stored_expires() else {
        return Err(NotRun::because(
            "the store's default time to live is too long to wait for, and its records do not say \
             when they end; let the harness open the store with one of a second",
        )
        .into());
    };
    ensure(
        (earliest..=latest).contains(&end),
        format_args!("`stored_expires` to be {ttl:?} after the write"),
        format_args!("{:?} after it", end.duration_since(earliest + slack - ttl)),
    )
}

/// A store that declares no default gives a record without an expiry none.
async fn without_default_it_stays(ctx: &Context) -> Result<(), Failure> {
    ctx.remark("the store declares no default time to live");
    let (set, touched) = (ctx.id("set"), ctx.id("touched"));
    let endless = ctx.record_until("endless", None);
    for id in [&set, &touched] {
        ctx.h1.set(id, &endless).await.ok()?;
    }
    if ctx.has(Need::Touch) {
        let answer = ctx.h1.touch(&touched, &ctx.cookie(None)).await;
        answer.is(Touched::Touched, "it is live")?;
    }
    ctx.wait_until_gone(ctx.ticks(1)).await;
    for id in [&set, &touched] {
        let found = ctx.h2.get(id).await;
        let because = "it was written without an expiry, and there is no default";
        found.record(&endless, because)?;
    }
    Ok(())
}

pub(super) async fn default_ttl_is_kept(ctx: &Context) -> Result<(), Failure> {
    let Some(ttl) = ctx.capabilities().default_ttl else {
        return without_default_it_stays(ctx).await;
    };
    if !ctx.timing.is_manual() && ttl > 4 * ctx.timing.tick() {
        return default_ttl_is_shown(ctx, ttl).await;
    }
    let endless = ctx.record_until("endless", None);
    let (id, renewed, touched) = (ctx.id("once"), ctx.id("renewed"), ctx.id("touched"));
    let written = ctx.now();
    for id in [&id, &renewed, &touched] {
        ctx.h1.set(id, &endless).await.ok()?;
    }
    // The backend may count from when the record arrived.
    let arrived = ctx.now();
    ctx.wait_until(written + ttl / 2).await;
    let again = ctx.now();
    let set = ctx.h1.set(&renewed, &endless).await.ok();
    ctx.before(written + ttl, set)?;
    if ctx.has(Need::Touch) {
        let answer = ctx.h1.touch(&touched, &ctx.cookie(None)).await;
        ctx.before(written + ttl, answer.is(Touched::Touched, "it is live"))?;
    }
    let arrived_again = ctx.now();
    ctx.wait_until_last(written + ttl).await;
    let found = ctx.h2.get(&id).await;
    let because = "the default time to live has not passed";
    ctx.before(written + ttl, found.text(&endless, because))?;
    ctx.wait_until_gone(arrived + ttl).await;
    ctx.h1
        .get(&id)
        .await
        .none("the default time to live has passed")?;
    let found = ctx.h1.get(&renewed).await;
    let because = "it was written again, and the default time to live counts from then";
    ctx.before(again + ttl, found.text(&endless, because))?;
    if ctx.has(Need::Touch) {
        let found = ctx.h1.get(&touched).await;
        let because = "it was touched, and the default time to live counts from then";
        ctx.before(again + ttl, found.text(&endless, because))?;
    }
    ctx.wait_until_gone(arrived_again + ttl).await;
    for id in [&renewed, &touched] {
        ctx.h2
            .get(id)
            .await
            .none("the default time to live has passed since it was last written or touched")?;
    }
    Ok(())
}
