//! Expiries, to the millisecond, whichever method writes them or goes by them.

use std::time::{Duration, SystemTime};

use session_core::{Created, Record, Replaced, Touched};

use super::{HOUR, prepare, until, write, written};
use crate::Method;
use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::handle::Id;
use crate::need::Need;
use crate::property::property;
use crate::rules::all::{exactly, item};

property! {
    group: "END", title: "expiry exact", name: "keeps_expiries_exact",
    says: [
        "",
        " keeps to a record's expiry as exactly as the store declares: on whole seconds and beside \
         them, at midnight and at the end of a year, after 2^31 milliseconds and in 2038, earlier \
         or later than before, from an end to none and back; and what ended in the past is gone."
    ],
    why: "An expiry that one method cuts, rounds or wraps ends sessions too early, or never.",
    hint: "Write milliseconds since 1970 in 64 bits, in one place for all methods, and compare \
           numbers with numbers.",
    needs: [],
    run: keeps_expiries_exact,
    of: [all create get ids length replace set sweep touch],
    without: [
        clear: "goes by no expiry", destroy: "goes by no expiry",
    ],
    catches: [
        WholeSeconds [all create get replace set touch],
        WholeSecondsUp [all create get replace set touch],
        NearestSecond [all create get replace set touch],
        TenMilliseconds [all create get replace set touch],
        MillisecondLess [all create get ids length replace set sweep touch],
        MillisecondMore [all create get ids length replace set sweep touch],
        LateOnTheSecond [all create get ids length replace set sweep touch],
        LateAtHalf [all create get ids length replace set sweep touch],
        MinuteLess [all create get ids length replace set sweep touch],
        Wraps32Bits [all create get replace set touch],
        WrapsUnsigned32 [all create get replace set touch],
        StopsAtDays25 [all create get replace set touch],
        StopsAtDays30 [all create get replace set touch],
        StopsAtYear [all create get replace set touch],
        StopsAt2038 [all create get replace set touch],
        StopsAt2106 [all create get replace set],
        FloatSeconds [all create get replace set touch],
        DateOnly [all create get replace set touch],
        MidnightSlips [all create get replace set touch],
        NewYearSlips [all create get replace set touch],
        LeapDaySlips [all create get replace set touch],
        SummerTime [all create get replace set touch],
        NoneIsDay [create replace set touch],
        NoneIsZero [all create get ids length replace set sweep touch],
        PastIsNone [create replace set touch],
        EpochIsNever [create replace set touch],
        OnlyLater [replace set touch],
        OnlyEarlier [replace set touch],
        KeepsEnd [replace set touch],
        NoneKeepsEnd [replace set touch],
        NeverGetsEnd [replace set touch],
        SlidesOn [all get ids length sweep],
        FromNow [create replace set touch],
    ],
}

/// Where expiries go wrong, as moments after `now`.
fn moments(now: SystemTime) -> Vec<(&'static str, SystemTime)> {
    const DAY: u64 = 86_400_000;
    let millis = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis();
    let now = u64::try_from(millis).unwrap_or_default();
    let second = (now / 1_000 + 10) * 1_000;
    let midnight = (now / DAY + 1) * DAY;
    let new_year = first_of_year(now / DAY) * DAY;
    let mut all = vec![
        ("on a whole second", second),
        ("a millisecond after one", second + 2_001),
        ("in the middle of one", second + 4_500),
        ("a millisecond before one", second + 5_999),
        ("on the next one", second + 6_000),
        ("on no round number", second + 7_357),
        ("on a whole minute", (now / 60_000 + 2) * 60_000),
        ("at midnight", midnight),
        ("before midnight", midnight - 1),
        ("after midnight", midnight + 1),
        ("at the end of the year", new_year - 1),
        ("at new year", new_year),
        ("after new year", new_year + 86_399_999),
        ("in 24.8 days, less than 2^31 ms", now + (1 << 31) - 1),
        ("in 24.8 days, 2^31 ms", now + (1 << 31)),
        ("in 24.8 days, more than 2^31 ms", now + (1 << 31) + 1),
        ("in 30 days", now + 30 * DAY),
        ("in more than 30 days", now + 30 * DAY + 1),
        ("in 49.7 days, 2^32 ms", now + (1 << 32)),
        ("in 49.7 days, more than 2^32 ms", now + (1 << 32) + 1),
        ("in 400 days", now + 400 * DAY + 1),
        ("on a leap day", 1_835_395_200_000 + 43_200_123),
        ("before 2^31 seconds", (1 << 31) * 1_000 - 1),
        ("after 2^31 seconds", (1 << 31) * 1_000),
        ("after more than 2^31 seconds", (1 << 31) * 1_000 + 1_001),
        ("after 2^32 seconds", (1 << 32) * 1_000 + 1),
        ("in the year 9999", 253_402_300_799_000),
    ];
    // Half past each hour of a night in which the time changes somewhere.
    all.extend((0..4).map(|hour| {
        (
            "when summer time ends",
            new_year - 67 * DAY + hour * 3_600_000,
        )
    }));
    all.retain(|(_, at)| *at > now + 5_000);
    all.into_iter()
        .map(|(what, at)| (what, SystemTime::UNIX_EPOCH + Duration::from_millis(at)))
        .collect()
}

/// The day since 1970 with which the next year begins.
fn first_of_year(today: u64) -> u64 {
    let first = |day: &u64| crate::rules::exp::month_and_day(*day) == (1, 1);
    (today + 1..today + 367).find(first).unwrap_or(today + 366)
}

async fn keeps_expiries_exact(ctx: &Context, method: Method) -> Result<(), Failure> {
    match method {
        Method::Create | Method::Replace | Method::Set | Method::Touch => {
            writes_them(ctx, method).await?;
            takes_past_ones(ctx, method).await?;
            ends_on_time(ctx, method).await
        }
        Method::Get | Method::All => {
            shows_them(ctx, method).await?;
            goes_by_them(ctx, method).await
        }
        _ => goes_by_them(ctx, method).await,
    }
}

/// Each moment is written over the one before, over none, and followed by none.
async fn writes_them(ctx: &Context, method: Method) -> Result<(), Failure> {
    let (h1, h2) = (ctx.h1.quiet(), ctx.h2.quiet());
    let (chain, once) = (
        ctx.id("moved from end to end"),
        ctx.id("from none and back"),
    );
    let mut ends: Vec<_> = moments(ctx.now());
    if method == Method::Touch {
        // A touch need not rewrite the text, and a column of 32 bits, as express-mysql-session has
        // one, holds no later end.
        ends.retain(|(_, end)| *end < SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 32));
    }
    // Earlier and later, in turns.
    let half = ends.len() / 2;
    let later = ends.split_off(half);
    let mut order: Vec<_> = later
        .into_iter()
        .zip(ends)
        .flat_map(|(a, b)| [a, b])
        .collect();
    order.extend(order.clone().into_iter().rev());
    let mut last = ctx.record_until("text", Some(ctx.late()));
    h2.set(&chain, &last).await.ok()?;
    let lasting = last.clone();
    // A touch takes the end from a text that has one.
    let endless = match method {
        Method::Touch => until(&last, None),
        _ => ctx.record_until("text", None),
    };
    for (n, (what, end)) in order.into_iter().enumerate() {
        // In half of the rounds the text is the same.
        let new = ctx.record_until(if n % 2 == 0 { "text" } else { "other" }, Some(end));
        ctx.remark(format!("h1.{method} with an expiry {what}"));
        if method == Method::Create {
            h2.destroy(&chain).await.ok()?;
        }
        write(&h1, method, &chain, &last, &new).await?;
        last = written(method, &last, &new);
        h2.get(&chain).await.record(&last, what)?;
        match method {
            Method::Create => h2.destroy(&once).await.ok()?,
            Method::Touch => {
                h2.set(&once, &lasting).await.ok()?;
                write(&h2, method, &once, &lasting, &endless).await?;
            }
            _ => h2.set(&once, &endless).await.ok()?,
        }
        write(&h1, method, &once, &endless, &new).await?;
        let ending = written(method, &endless, &new);
        let because = format!("{what}, after none");
        h2.get(&once).await.record(&ending, because)?;
        if method == Method::Create {
            h2.destroy(&once).await.ok()?;
        }
        write(&h1, method, &once, &ending, &endless).await?;
        let because = format!("none, after one {what}");
        let left = written(method, &ending, &endless);
        h2.get(&once).await.record(&left, because)?;
    }
    Ok(())
}

/// What has ended when it is written is gone, whatever was there.
async fn takes_past_ones(ctx: &Context, method: Method) -> Result<(), Failure> {
    let (epoch, now) = (SystemTime::UNIX_EPOCH, ctx.now());
    let millisecond = Duration::from_millis(1);
    for (what, end) in [
        ("in 1970", epoch),
        ("a millisecond after 1970", epoch + millisecond),
        ("a second before 1970", epoch - Duration::from_secs(1)),
        ("in 2001", epoch + Duration::from_secs(1_000_000_000)),
        ("an hour ago", now - HOUR),
        ("a millisecond ago", now - millisecond),
        ("now", now),
    ] {
        let (id, old) = (ctx.id(&format!("ended {what}")), ctx.record("live"));
        let over = ctx.record_until("over", Some(end));
        prepare(&ctx.h2, method, &id, &old).await?;
        let h1 = &ctx.h1;
        match method {
            Method::Create => {
                let created = h1.create(&id, &over).await;
                created.is(Created::Created, "nothing was there")?;
            }
            Method::Replace => {
                let replaced = h1.replace(&id, &old, &over).await;
                replaced.is(Replaced::Replaced, "it had this text")?;
            }
            // It may find that there is none any more.
            Method::Touch => {
                let _: Touched = h1.touch(&id, over.cookie()).await.ok()?;
            }
            _ => h1.set(&id, &over).await.ok()?,
        }
        ctx.wait_until_gone(end).await;
        for handle in [&ctx.h1, &ctx.h2] {
            let because = format!("`{method}` gave it an expiry {what}");
            handle.get(&id).await.none(because)?;
        }
    }
    Ok(())
}

/// A record that the method wrote is there until its last millisecond, and no longer.
async fn ends_on_time(ctx: &Context, method: Method) -> Result<(), Failure> {
    let ends = ends_to_wait_for(ctx);
    let soon = ends.iter().min().copied().unwrap_or(ctx.ticks(1));
    let (kept, ending) = (ctx.id("to none"), ctx.record_until("ending", Some(soon)));
    let last = ends.iter().max().copied().unwrap_or(soon);
    let forever = ctx.lives_without_expiry(last + HOUR);
    let endless = ctx.record_until("endless", None);
    if method != Method::Create {
        ctx.h2.set(&kept, &ending).await.ok()?;
    }
    let to_none = write(&ctx.h1, method, &kept, &ending, &endless).await;
    ctx.before(soon, to_none)?;
    let mut records = Vec::new();
    for (n, end) in ends.into_iter().enumerate() {
        let (id, old) = (
            ctx.id(&format!("ending {n}")),
            ctx.record_until("old", Some(ctx.late())),
        );
        let new = ctx.record_until("new", Some(end));
        prepare(&ctx.h2, method, &id, &old).await?;
        write(&ctx.h1, method, &id, &old, &new).await?;
        records.push((id, written(method, &old, &new), end));
    }
    for (id, record, end) in records {
        ctx.wait_until_last(end).await;
        let found = ctx.h2.get(&id).await;
        ctx.before(end, found.record(&record, "its expiry is yet to come"))?;
        ctx.wait_until_gone(end).await;
        ctx.h1.get(&id).await.none("its expiry has come")?;
    }
    if forever {
        let left = written(method, &ending, &endless);
        let because = format!("`{method}` took its expiry away");
        ctx.h2.get(&kept).await.text(&left, because)?;
    }
    Ok(())
}

/// Ends that can be lived to see, each after the one before is past; on a clock that runs only one.
fn ends_to_wait_for(ctx: &Context) -> Vec<SystemTime> {
    if !ctx.timing.is_manual() {
        return vec![ctx.ticks(2)];
    }
    let apart = 2 * ctx.timing.slack() + Duration::from_secs(1);
    let mut last = ctx.now();
    let mut ends: Vec<_> = moments(ctx.now()).into_iter().map(|(_, end)| end).collect();
    ends.sort();
    ends.retain(|end| {
        // Beyond, some calendars end.
        let near = *end < SystemTime::UNIX_EPOCH + Duration::from_secs(2_200_000_000);
        let kept = near && *end > last + apart;
        if kept {
            last = *end;
        }
        kept
    });
    ends
}

/// Records with all these ends are read with just those.
async fn shows_them(ctx: &Context, method: Method) -> Result<(), Failure> {
    let mut written = Vec::new();
    let mut ends: Vec<_> = moments(ctx.now())
        .into_iter()
        .map(|(what, end)| (what, Some(end)))
        .collect();
    ends.push(("never", None));
    for (n, (what, end)) in ends.into_iter().enumerate() {
        let (id, record) = (ctx.id(&format!("shown {n}")), ctx.record_until(what, end));
        ctx.h2.quiet().set(&id, &record).await.ok()?;
        written.push((id, record));
    }
    for handle in [&ctx.h1, &ctx.h2] {
        let all = match method {
            Method::All => handle.all().await.ok()?,
            _ => Vec::new(),
        };
        for (id, record) in &written {
            let found = match method {
                Method::All => item(handle, &all, id),
                _ => handle.get(id).await,
            };
            found.record(record, "this is the expiry that was written")?;
        }
    }
    for (id, _) in &written {
        ctx.h2.quiet().destroy(id).await.ok()?;
    }
    Ok(())
}

/// The method sees a record until its last millisecond and no longer, whatever wrote it.
async fn goes_by_them(ctx: &Context, method: Method) -> Result<(), Failure> {
    let ends = ends_to_wait_for(ctx);
    let endless = ctx.id("without an end");
    let forever = ends
        .last()
        .is_none_or(|end| ctx.lives_without_expiry(*end + HOUR));
    ctx.h2
        .set(&endless, &ctx.record_until("endless", None))
        .await
        .ok()?;
    let mut live: Vec<(Id, SystemTime, Record)> = Vec::new();
    for (n, end) in ends.into_iter().enumerate() {
        let (id, record) = (
            ctx.id(&format!("ending {n}")),
            ctx.record_until("ending", Some(end)),
        );
        ctx.h2.set(&id, &record).await.ok()?;
        live.push((id, end, record));
    }
    while let Some((_, end, _)) = live.first() {
        let end = *end;
        ctx.wait_until_last(end).await;
        let seen = sees(ctx, method, &endless, forever, &live, 0).await;
        ctx.before(end, seen)?;
        ctx.wait_until_gone(end).await;
        let (gone, ..) = live.remove(0);
        sees(ctx, method, &endless, forever, &live, 1).await?;
        if method == Method::Get {
            ctx.h1.get(&gone).await.none("its expiry has come")?;
        }
    }
    Ok(())
}

/// Demands that the method sees just these records; `over` of the others wait for a sweep.
async fn sees(
    ctx: &Context,
    method: Method,
    endless: &Id,
    forever: bool,
    live: &[(Id, SystemTime, Record)],
    over: usize,
) -> Result<(), Failure> {
    let h1 = &ctx.h1;
    let ids = || {
        live.iter()
            .map(|(id, ..)| id)
            .chain(forever.then_some(endless))
    };
    match method {
        Method::Get => {
            for (id, _, record) in live.iter().take(1) {
                h1.get(id)
                    .await
                    .record(record, "its expiry is yet to come")?;
            }
            if forever {
                h1.get(endless).await.some("it has no expiry")?;
            }
        }
        _ if !forever => {}
        Method::Length => {
            let because = "so many records are live";
            h1.length().await.is(ids().count() as u64, because)?;
        }
        Method::Ids => exactly("h1.ids()", &h1.ids().await.ok()?, ids())?,
        Method::All => {
            let all = h1.all().await.ok()?;
            exactly("h1.all()", all.iter().map(|(id, _)| id), ids())?;
        }
        _ => {
            let swept = h1.sweep(100).await.ok()?;
            let fits = match ctx.capabilities().server_ttl {
                true => swept.removed <= over,
                false => swept.removed == over,
            };
            ensure(
                fits && !swept.more,
                format_args!(
                    "`h1.sweep(100)` to remove {over} records, since so many have expired"
                ),
                format_args!("{swept:?}"),
            )?;
            for id in ids() {
                ctx.h2
                    .quiet()
                    .get(id)
                    .await
                    .some("it is live, and sweeps spare it")?;
            }
            if ctx.has(Need::Count) {
                crate::rules::des::stored(ctx, ids().count() as u64).await?;
            }
        }
    }
    Ok(())
}
