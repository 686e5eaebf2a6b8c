//! Touching.

use session_core::Touched;

use crate::Rule;
use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::need::Need;

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "TCH-01",
        name: "touch_moves_the_expiry",
        needs: &[Need::Touch],
        sentence: "`touch` moves the expiry: `get` shows the new one, and the record outlives the \
                   old one and ends with the new one.",
        why: "A visitor who clicks every minute would be logged out in the middle of it.",
        hint: "Write the cookie's `expires` to the place that `get` reads the expiry from.",
        catches: &["TouchNoop", "TouchShowsOld", "TouchForever"],
        run: |ctx| Box::pin(touch_moves_the_expiry(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "TCH-02",
        name: "touch_changes_no_data",
        needs: &[Need::Touch],
        sentence: "`touch` changes no data, also when the caller's copy is stale.",
        why: "session-file-store#55: a touch wrote back what it had read, and a concurrent \
              request's changes were gone.",
        hint: "Move the expiry alone (PEXPIRE, UPDATE of one column); never write the record.",
        catches: &["TouchRewrites", "TouchRewritesCookie"],
        run: |ctx| Box::pin(touch_changes_no_data(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "TCH-03",
        name: "touch_creates_nothing",
        needs: &[Need::Touch],
        sentence: "`touch` of an unknown id is `Missing` and creates nothing.",
        why: "An empty record under a made-up id is a session that nobody started.",
        hint: "UPDATE, not upsert; HSET on a missing key creates it.",
        catches: &["TouchCreates", "TouchSaysTouched", "TouchErrsOnMissing"],
        run: |ctx| Box::pin(touch_creates_nothing(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "TCH-04",
        name: "touch_does_not_revive_expired",
        needs: &[Need::Touch],
        sentence: "`touch` of an expired record is `Missing` and does not revive it.",
        why: "OWASP ASVS 3.3.2: a session that has timed out is over; swept or not is chance.",
        hint: "Add the live check to the UPDATE's condition.",
        catches: &["TouchRevives"],
        run: |ctx| Box::pin(touch_does_not_revive_expired(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "TCH-05",
        name: "touch_does_not_revive_destroyed",
        needs: &[Need::Touch],
        sentence: "`touch` of a destroyed record is `Missing` and does not revive it.",
        why: "A request that was under way while the visitor logged out would log him in again.",
        hint: "Touch what the backend holds, not what this process remembers.",
        catches: &["TouchResurrects"],
        run: |ctx| Box::pin(touch_does_not_revive_destroyed(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "TCH-06",
        name: "touch_shortens_and_removes",
        needs: &[Need::Touch],
        sentence: "`touch` can bring the expiry forward, to the past even, and can take it away.",
        why: "An application that shortens a session for security must be obeyed.",
        hint: "No GT condition, no `max(old, new)`; handle a cookie without expiry.",
        catches: &[
            "TouchOnlyExtends",
            "TouchCannotRemove",
            "TouchPastIsForever",
        ],
        run: |ctx| Box::pin(touch_shortens_and_removes(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "TCH-07",
        name: "touch_is_one_round_trip",
        needs: &[Need::Touch, Need::RoundTrips],
        sentence: "`touch` costs one round trip to the backend.",
        why: "It happens on nearly every request.",
        hint: "One conditional statement instead of a read and a write; no ping before it.",
        catches: &["TwoStepTouch"],
        run: |ctx| Box::pin(touch_is_one_round_trip(ctx)),
        ..Rule::SHOULD
    },
];

async fn touch_moves_the_expiry(ctx: &Context) -> Result<(), Failure> {
    let id = ctx.id("touched");
    let (soon, late) = (ctx.ticks(1), ctx.ticks(3));
    let record = ctx.record_until("touched", Some(soon));
    ctx.h1.set(&id, &record).await.ok()?;
    let touched = ctx.h1.touch(&id, &ctx.cookie(Some(late))).await;
    ctx.before(soon, touched.is(Touched::Touched, "it is live"))?;
    for handle in [&ctx.h1, &ctx.h2] {
        let because = "touch moved its expiry and nothing else";
        let found = handle.get(&id).await;
        ctx.before(late, found.record_until(&record, Some(late), because))?;
    }
    ctx.wait_until_gone(soon).await;
    let found = ctx
        .h2
        .get(&id)
        .await
        .some("touch moved its expiry beyond now");
    ctx.before(late, found)?;
    ctx.wait_until_gone(late).await;
    ctx.h2
        .get(&id)
        .await
        .none("the expiry that touch gave it has passed")
}

async fn touch_changes_no_data(ctx: &Context) -> Result<(), Failure> {
    let id = ctx.id("shared");
    let late = ctx.now() + std::time::Duration::from_secs(7_200);
    ctx.h1.set(&id, &ctx.record("old")).await.ok()?;
    let stale = ctx.h1.get(&id).await.some("it was written")?;
    let new = ctx.record("new");
    ctx.h2.set(&id, &new).await.ok()?;
    // What a lifecycle does: it sends the cookie of the record that it read.
    let mut cookie = stale.cookie().clone();
    cookie.set_path("/elsewhere");
    cookie.set_expires(Some(late), ctx.now());
    ctx.h1
        .touch(&id, &cookie)
        .await
        .is(Touched::Touched, "it is live")?;
    for handle in [&ctx.h1, &ctx.h2] {
        let because = "h2 wrote it after h1's copy was read, and touch writes no data";
        handle
            .get(&id)
            .await
            .record_until(&new, Some(late), because)?;
    }
    Ok(())
}

async fn touch_creates_nothing(ctx: &Context) -> Result<(), Failure> {
    let unknown = ctx.id("unknown");
    for expires in [Some(ctx.late()), None] {
        let cookie = ctx.cookie(expires);
        ctx.h1
            .touch(&unknown, &cookie)
            .await
            .is(Touched::Missing, "nobody wrote it")?;
        for handle in [&ctx.h1, &ctx.h2] {
            handle.get(&unknown).await.none("touch creates nothing")?;
        }
    }
    if ctx.has(Need::Length) {
        ctx.h1.length().await.is(0, "touch creates nothing")?;
    }
    Ok(())
}

async fn touch_does_not_revive_expired(ctx: &Context) -> Result<(), Failure> {
    let (early, late) = (ctx.id("touched to an expiry"), ctx.id("touched to none"));
    let expires = ctx.ticks(1);
    for id in [&early, &late] {
        ctx.h1
            .set(id, &ctx.record_until("over", Some(expires)))
            .await
            .ok()?;
    }
    ctx.wait_until_gone(expires).await;
    for (id, new) in [(&early, Some(ctx.late())), (&late, None)] {
        let cookie = ctx.cookie(new);
        ctx.h1
            .touch(id, &cookie)
            .await
            .is(Touched::Missing, "it has expired")?;
        for handle in [&ctx.h1, &ctx.h2] {
            handle
                .get(id)
                .await
                .none("it has expired, and touch does not revive")?;
        }
    }
    Ok(())
}

async fn touch_does_not_revive_destroyed(ctx: &Context) -> Result<(), Failure> {
    let id = ctx.id("destroyed");
    ctx.h1.set(&id, &ctx.record("destroyed")).await.ok()?;
    let read = ctx.h1.get(&id).await.some("it was written")?;
    ctx.h2.destroy(&id).await.ok()?;
    let mut cookie = read.cookie().clone();
    cookie.touch(ctx.now());
    ctx.h1
        .touch(&id, &cookie)
        .await
        .is(Touched::Missing, "the other handle destroyed it")?;
    for handle in [&ctx.h1, &ctx.h2] {
        handle
            .get(&id)
            .await
            .none("it was destroyed, and touch does not revive")?;
    }
    Ok(())
}

async fn touch_shortens_and_removes(ctx: &Context) -> Result<(), Failure> {
    let (shorter, endless, over) = (ctx.id("shortened"), ctx.id("endless"), ctx.id("over"));
    let (soon, late) = (ctx.ticks(1), ctx.late());
    let forever = ctx.lives_without_expiry(ctx.timing.gone_at(soon));
    let endless_record = ctx.record_until("endless", Some(soon));
    ctx.h1
        .set(&shorter, &ctx.record_until("shortened", Some(late)))
        .await
        .ok()?;
    ctx.h1.set(&endless, &endless_record).await.ok()?;
    ctx.h1.set(&over, &ctx.record("over")).await.ok()?;
    for (id, expires) in [(&shorter, Some(soon)), (&endless, None)] {
        let cookie = ctx.cookie(expires);
        let touched = ctx.h1.touch(id, &cookie).await;
        ctx.before(soon, touched.is(Touched::Touched, "it is live"))?;
    } // Whether it was there to be touched or is gone already is a matter of taste.
    let past = ctx.cookie(Some(ctx.now() - ctx.timing.tick()));
    let _: Touched = ctx.h1.touch(&over, &past).await.ok()?;
    ctx.h2
        .get(&over)
        .await
        .none("touch moved its expiry to the past")?;
    ctx.wait_until_gone(soon).await;
    ctx.h2
        .get(&shorter)
        .await
        .none("touch brought its expiry forward")?;
    if forever {
        let because = "touch took its expiry away";
        let found = ctx.h2.get(&endless).await.some(because)?;
        ensure(
            found.same_json(&endless_record) && !found.is_expired(ctx.now()),
            format_args!("a live record with the data that was written: {because}"),
            crate::describe::record(&found, ctx.now()),
        )?;
    }
    Ok(())
}

async fn touch_is_one_round_trip(ctx: &Context) -> Result<(), Failure> {
    let (id, cookie) = (ctx.id("touched"), ctx.cookie(Some(ctx.late())));
    ctx.h1.set(&id, &ctx.record("touched")).await.ok()?;
    // The first one may prepare a statement or load a script.
    let _: Touched = ctx.h1.touch(&id, &cookie).await.ok()?;
    let trips = ctx
        .round_trips(|| async { ctx.h1.touch(&id, &cookie).await.ok().map(|_: Touched| ()) })
        .await?;
    ensure(
        trips == 1,
        "one round trip",
        format_args!("{trips} round trips"),
    )
}
