//! Expiry, on a clock that is moved or on one that runs: see `Context::wait_until`.

use crate::Rule;
use crate::context::Context;
use crate::failure::Failure;

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "EXP-01",
        name: "expired_means_expires_is_not_after_now",
        sentence: "Just before its expiry a record is there; at its expiry it is gone.",
        why: "Two processes that disagree about the last moment disagree about who is logged in.",
        hint: "Live means `expires > now`, with milliseconds, in each query.",
        catches: &["OffByOne", "EndsEarly", "NeverExpires"],
        run: |ctx| Box::pin(expired_means_expires_is_not_after_now(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "EXP-02",
        name: "expired_is_none_before_any_sweep",
        sentence: "`get` of an expired record is `None`, although nobody has swept.",
        why: "OWASP ASVS 3.3.2: the timeout counts, not when the clean-up happens to run.",
        hint: "Check the expiry when reading; the sweep only frees space.",
        catches: &["SweepOnly", "NeverExpires"],
        run: |ctx| Box::pin(expired_is_none_before_any_sweep(ctx)),
        ..Rule::MUST
    },
];

async fn expired_means_expires_is_not_after_now(ctx: &Context) -> Result<(), Failure> {
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

async fn expired_is_none_before_any_sweep(ctx: &Context) -> Result<(), Failure> {
    let (over, live) = (ctx.id("over"), ctx.id("live"));
    let (soon, late) = (ctx.ticks(1), ctx.ticks(10));
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
