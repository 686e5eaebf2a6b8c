//! Which of several expiries counts.

use std::time::SystemTime;

use session_core::Touched;

use super::HOUR;
use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::handle::Handle;
use crate::need::Need;

pub(super) async fn expired_id_can_be_set_again(ctx: &Context) -> Result<(), Failure> {
    let (soon, late) = (ctx.ticks(1), ctx.late());
    let data = crate::context::data;
    let old = ctx.record_of(&data(&[("user", "alice"), ("admin", "yes")]), Some(soon));
    let new = |expires| ctx.record_of(&data(&[("user", "bob")]), expires);
    let cases = [("later", Some(late)), ("endless", None)];
    for (name, _) in cases {
        ctx.h1.set(&ctx.id(name), &old).await.ok()?;
    }
    ctx.wait_until_gone(soon).await;
    for (name, expires) in cases {
        let (id, new) = (ctx.id(name), new(expires));
        ctx.h1.set(&id, &new).await.ok()?;
        for handle in [&ctx.h1, &ctx.h2] {
            let because = "the record before it has expired; this is all that was written since";
            handle.get(&id).await.record(&new, because)?;
        }
    }
    Ok(())
}

pub(super) async fn overwriting_outlives_the_old_expiry(ctx: &Context) -> Result<(), Failure> {
    let (soon, late) = (ctx.ticks(1), ctx.late());
    let ids = [
        ctx.id("once"),
        ctx.id("through h2"),
        ctx.id("destroyed between"),
    ];
    for id in &ids {
        let ending = ctx.record_until("ending", Some(soon));
        ctx.h1.set(id, &ending).await.ok()?;
    }
    ctx.h1.destroy(&ids[2]).await.ok()?;
    let lasting = ctx.record_until("lasting", Some(late));
    for (id, writer) in ids.iter().zip([&ctx.h1, &ctx.h2, &ctx.h1]) {
        writer.set(id, &lasting).await.ok()?;
    }
    ctx.wait_until_gone(soon).await;
    for id in &ids {
        for handle in [&ctx.h1, &ctx.h2] {
            let because = "it was overwritten, and its new expiry is yet to come";
            handle.get(id).await.record(&lasting, because)?;
        }
    }
    Ok(())
}

pub(super) async fn max_age_and_expiry_are_two_things(ctx: &Context) -> Result<(), Failure> {
    let id = ctx.id("rolling");
    let mut cookie = ctx.cookie(None);
    cookie.set_max_age(Some(2 * HOUR), ctx.now());
    // Half an hour later, as a rolling session does.
    cookie.touch(ctx.now() + HOUR / 2);
    let expires = cookie.expires();
    let rolling = session_core::Record::new(cookie, &crate::context::data(&[("value", "rolling")]));
    ctx.h1.set(&id, &rolling).await.ok()?;
    let look = async |handle: &Handle, expires: Option<SystemTime>| {
        let because = "max-age and expiry were written as two things";
        let found = handle.get(&id).await;
        found.record_until(&rolling, expires, because)?;
        let found = handle.get(&id).await.some(because)?;
        let max_age = found.cookie().original_max_age();
        ensure(
            max_age == Some(2 * HOUR),
            format_args!("an `originalMaxAge` of 7200 s: {because}"),
            format_args!("{max_age:?}"),
        )
    };
    for handle in [&ctx.h1, &ctx.h2] {
        look(handle, expires).await?;
    }
    if ctx.has(Need::Touch) {
        let mut cookie = rolling.cookie().clone();
        cookie.touch(ctx.now() + HOUR);
        ctx.h1
            .touch(&id, &cookie)
            .await
            .is(Touched::Touched, "it is live")?;
        look(&ctx.h2, cookie.expires()).await?;
    }
    Ok(())
}

pub(super) async fn last_expiry_wins(ctx: &Context) -> Result<(), Failure> {
    let in_hours = |hours| Some(ctx.now() + hours * HOUR);
    for (name, touched, written) in [
        ("longer", in_hours(5), in_hours(2)),
        ("shorter", in_hours(2), in_hours(5)),
        ("none", None, in_hours(3)),
        ("to none", in_hours(3), None),
    ] {
        for by in [Need::Touch, Need::Replace, Need::Create] {
            if !ctx.has(by) {
                continue;
            }
            let id = ctx.id(&format!("touched {name}, then written, {}", by.name()));
            let (old, new) = (ctx.record("old"), ctx.record_until("new", written));
            ctx.h1.set(&id, &old).await.ok()?;
            ctx.h1
                .touch(&id, &ctx.cookie(touched))
                .await
                .is(Touched::Touched, "it is live")?;
            match by {
                Need::Replace => ctx
                    .h2
                    .replace(&id, &old, &new)
                    .await
                    .is(session_core::Replaced::Replaced, "it holds the old text")?,
                Need::Create => {
                    ctx.h2.destroy(&id).await.ok()?;
                    ctx.h2
                        .create(&id, &new)
                        .await
                        .is(session_core::Created::Created, "it was destroyed")?;
                }
                _ => ctx.h2.set(&id, &new).await.ok()?,
            }
            for handle in [&ctx.h1, &ctx.h2] {
                let because = "it was written after the touch, with this expiry";
                handle.get(&id).await.record(&new, because)?;
            }
        }
    }
    Ok(())
}
