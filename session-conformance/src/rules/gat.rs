//! Reading and touching in one step.

use std::time::{Duration, SystemTime};

use session_core::{Record, Renewal, Renewed, Replaced, SessionCookie};

use crate::Rule;
use crate::context::{Context, data};
use crate::failure::{Failure, ensure};
use crate::need::Need;

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "GAT-01",
        name: "get_and_touch_finds_what_get_finds",
        needs: &[Need::GetAndTouch],
        sentence: "`get_and_touch` of an unknown, a destroyed or an expired record is None, and \
                   creates and revives nothing.",
        why: "It stands where `get` and `touch` stood: a session that has timed out is over.",
        hint: "Put the live check into the condition of the statement that moves the expiry.",
        catches: &["GatCreates", "GatRevives"],
        run: |ctx| Box::pin(finds_what_get_finds(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "GAT-02",
        name: "get_and_touch_moves_the_expiry",
        needs: &[Need::GetAndTouch],
        sentence: "`get_and_touch` of a session with the renewal's max age moves its expiry and \
                   says so; the record that it returns, and every later one, shows the new expiry.",
        why: "A visitor who clicks every minute would be logged out in the middle of it.",
        hint: "Return the record as it is after the touch (RETURNING, or the script's own end).",
        catches: &["GatNoop", "GatNeverTouches", "GatShowsOld"],
        run: |ctx| Box::pin(moves_the_expiry(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "GAT-03",
        name: "get_and_touch_leaves_other_max_ages",
        needs: &[Need::GetAndTouch],
        sentence: "`get_and_touch` leaves a session with another max age alone, and says so.",
        why: "`Remember me` gives a visitor a max age of his own; the application's would cut \
              thirty days down to an hour, or make an hour of a minute.",
        hint: "Compare the whole number at the very beginning of the JSON, up to its comma.",
        catches: &["GatTouchesAll", "GatComparesDigits", "GatSearchesText"],
        run: |ctx| Box::pin(leaves_other_max_ages(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "GAT-04",
        name: "get_and_touch_keeps_to_touch_after",
        needs: &[Need::GetAndTouch],
        sentence: "`get_and_touch` leaves a session alone that was touched less than the renewal's \
                   `touch_after` ago, and touches one for which it is due.",
        why: "`touch_after` is there to save writes; a session that is never touched ends.",
        hint: "Due is what ends at or before `Renewal::latest_due`.",
        catches: &["GatIgnoresTouchAfter", "GatComparesBackwards"],
        run: |ctx| Box::pin(keeps_to_touch_after(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "GAT-05",
        name: "get_and_touch_changes_no_data",
        needs: &[Need::GetAndTouch],
        sentence: "`get_and_touch` changes no data: the text stays byte for byte, and a `replace` \
                   that is under way does not conflict with it.",
        why: "Each reader would make every writer's save fail.",
        hint: "Move the expiry alone; never write the JSON.",
        catches: &["GatRewrites"],
        run: |ctx| Box::pin(changes_no_data(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "GAT-06",
        name: "get_and_touch_of_browser_sessions",
        needs: &[Need::GetAndTouch],
        sentence: "`get_and_touch` for sessions that end with the browser touches those, gives \
                   them the store's default time to live again, and no expiry of their own.",
        why: "Their cookie has no end; a store that gives them one logs their visitors out.",
        hint: "`Renewal::end` has the default time to live in it.",
        catches: &["GatEndsBrowserSessions"],
        run: |ctx| Box::pin(browser_sessions(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "GAT-07",
        name: "get_and_touch_is_one_round_trip",
        needs: &[Need::GetAndTouch, Need::RoundTrips],
        sentence: "`get_and_touch` costs one round trip to the backend.",
        why: "That is what it is for: a store that needs two declares `touch` alone.",
        hint: "A script, or UPDATE .. RETURNING in a statement that falls back to SELECT.",
        catches: &["TwoStepGat"],
        run: |ctx| Box::pin(one_round_trip(ctx)),
        ..Rule::SHOULD
    },
];

const HOUR: Duration = Duration::from_secs(3_600);

/// A session of this max age that was last touched at `touched`.
fn aged(value: &str, max_age: Option<Duration>, touched: SystemTime) -> Record {
    let mut cookie = SessionCookie::new();
    cookie.set_max_age(max_age, touched);
    Record::new(cookie, &data(&[("value", value)]))
}

async fn finds_what_get_finds(ctx: &Context) -> Result<(), Failure> {
    let (unknown, destroyed, over) = (ctx.id("unknown"), ctx.id("destroyed"), ctx.id("over"));
    let age = ctx.timing.tick();
    ctx.h1
        .set(&destroyed, &ctx.record("destroyed"))
        .await
        .ok()?;
    ctx.h2.destroy(&destroyed).await.ok()?;
    let record = aged("over", Some(age), ctx.now());
    ctx.h1.set(&over, &record).await.ok()?;
    if let Some(expires) = record.expires() {
        ctx.wait_until_gone(expires).await;
    }
    let renewal = Renewal::new(Some(age), ctx.now());
    for (id, because) in [
        (&unknown, "nobody wrote it"),
        (&destroyed, "the other handle destroyed it"),
        (&over, "it has expired"),
    ] {
        let found = ctx.h1.get_and_touch(id, &renewal).await;
        found.record_if(Renewed::Left)?.none(because)?;
        for handle in [&ctx.h1, &ctx.h2] {
            let because = format!("{because}, and a read creates and revives nothing");
            handle.get(id).await.none(because)?;
        }
    }
    Ok(())
}

async fn moves_the_expiry(ctx: &Context) -> Result<(), Failure> {
    let id = ctx.id("read");
    let age = ctx.timing.tick() * 2;
    let written = ctx.now();
    let record = aged("read", Some(age), written);
    ctx.h1.set(&id, &record).await.ok()?;
    ctx.wait_until(written + ctx.timing.tick()).await;
    let (soon, renewal) = (written + age, Renewal::new(Some(age), ctx.now()));
    let late = renewal.cookie().expires();
    let end = late.unwrap_or(soon);
    let found = ctx.h1.get_and_touch(&id, &renewal).await;
    let found = found
        .record_if(Renewed::Touched)
        .and_then(|found| found.record_until(&record, late, "it was touched as it was read"));
    ctx.before(soon, found)?;
    for handle in [&ctx.h1, &ctx.h2] {
        let found = handle.get(&id).await;
        let because = "it was touched as it was read";
        ctx.before(end, found.record_until(&record, late, because))?;
    }
    ctx.wait_until_gone(soon).await;
    let found = ctx.h2.get(&id).await.some("its expiry moved beyond now");
    ctx.before(end, found)?;
    ctx.wait_until_gone(end).await;
    ctx.h2.get(&id).await.none("its new expiry has passed")
}

async fn leaves_other_max_ages(ctx: &Context) -> Result<(), Failure> {
    let renewal = Renewal::new(Some(HOUR), ctx.now() + HOUR / 2);
    let others = [
        ("ten times the max age", Some(HOUR * 10)),
        ("a tenth of it", Some(HOUR / 10)),
        ("a millisecond more", Some(HOUR + Duration::from_millis(1))),
        ("none", None),
    ];
    let mut rows: Vec<_> = others
        .into_iter()
        .map(|(label, max_age)| (ctx.id(label), aged(label, max_age, ctx.now())))
        .collect();
    // The text that a careless search finds is this visitor's data.
    let lookalike = aged(&renewal.json_start(), Some(HOUR * 2), ctx.now());
    rows.push((ctx.id("data like a cookie"), lookalike));
    for (id, record) in &rows {
        ctx.h1.set(id, record).await.ok()?;
        let because = "its max age is another one";
        let found = ctx.h1.get_and_touch(id, &renewal).await;
        found.record_if(Renewed::Left)?.record(record, because)?;
        ctx.h2.get(id).await.record(record, because)?;
    }
    Ok(())
}

async fn keeps_to_touch_after(ctx: &Context) -> Result<(), Failure> {
    let (fresh, stale) = (ctx.id("touched just now"), ctx.id("touched long ago"));
    let now = ctx.now();
    let renewal = Renewal::new(Some(HOUR), now).touch_after(HOUR / 2);
    let fresh_record = aged("fresh", Some(HOUR), now);
    let stale_record = aged("stale", Some(HOUR), now - HOUR / 3 * 2);
    ctx.h1.set(&fresh, &fresh_record).await.ok()?;
    ctx.h1.set(&stale, &stale_record).await.ok()?;

    let because = "less than `touch_after` has passed since it was written";
    let found = ctx.h1.get_and_touch(&fresh, &renewal).await;
    found
        .record_if(Renewed::Left)?
        .record(&fresh_record, because)?;
    ctx.h2.get(&fresh).await.record(&fresh_record, because)?;

    let because = "more than `touch_after` has passed since it was last touched";
    let expires = renewal.cookie().expires();
    let found = ctx.h1.get_and_touch(&stale, &renewal).await;
    let found = found.record_if(Renewed::Touched)?;
    found.record_until(&stale_record, expires, because)?;
    let found = ctx.h2.get(&stale).await;
    found.record_until(&stale_record, expires, because)
}

async fn changes_no_data(ctx: &Context) -> Result<(), Failure> {
    let id = ctx.id("read");
    let record = aged("old", Some(HOUR), ctx.now() - HOUR / 2);
    ctx.h1.set(&id, &record).await.ok()?;
    let read = ctx.h1.get(&id).await.some("it was written")?;
    let renewal = Renewal::new(Some(HOUR), ctx.now());
    let found = ctx.h2.get_and_touch(&id, &renewal).await;
    found
        .record_if(Renewed::Touched)?
        .text(&record, "a touch writes no data")?;
    ctx.h2
        .get(&id)
        .await
        .text(&record, "a touch writes no data")?;
    if ctx.has(Need::Replace) {
        let new = ctx.record("new");
        ctx.h1
            .replace(&id, &read, &new)
            .await
            .is(Replaced::Replaced, "a touch in between is no conflict")?;
    }
    Ok(())
}

async fn browser_sessions(ctx: &Context) -> Result<(), Failure> {
    let id = ctx.id("ends with the browser");
    let record = aged("browser", None, ctx.now());
    ctx.h1.set(&id, &record).await.ok()?;
    let renewal = Renewal::new(None, ctx.now());
    let because = "its cookie has no expiry";
    let found = ctx.h1.get_and_touch(&id, &renewal).await;
    let found = found.record_if(Renewed::Touched)?;
    found.record_until(&record, None, because)?;
    let found = ctx.h2.get(&id).await.some(because)?;
    ensure(
        found.same_json(&record) && !found.is_expired(ctx.now()) && found.expires().is_none(),
        format_args!("a live record without an expiry: {because}"),
        crate::describe::record(&found, ctx.now()),
    )
}

async fn one_round_trip(ctx: &Context) -> Result<(), Failure> {
    let id = ctx.id("read");
    ctx.h1
        .set(&id, &aged("read", Some(HOUR), ctx.now()))
        .await
        .ok()?;
    for max_age in [Some(HOUR), Some(HOUR * 2)] {
        let renewal = Renewal::new(max_age, ctx.now());
        // The first one may prepare a statement or load a script.
        ctx.h1.get_and_touch(&id, &renewal).await.ok()?;
        let trips = ctx
            .round_trips(|| async { ctx.h1.get_and_touch(&id, &renewal).await.ok().map(drop) })
            .await?;
        ensure(
            trips == 1,
            "one round trip",
            format_args!("{trips} round trips"),
        )?;
    }
    Ok(())
}
