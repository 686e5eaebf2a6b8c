//! Expiries at odd places of the calendar.

use std::time::{Duration, SystemTime};

use super::{DAY, MILLISECOND};
use crate::context::Context;
use crate::failure::Failure;
use crate::rules::len::counted;

pub(super) async fn far_expiry(ctx: &Context) -> Result<(), Failure> {
    let since_1970 = |millis| SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
    let exact = [
        (
            "in 25 days",
            ctx.now() + 25 * DAY + Duration::from_millis(1),
        ),
        (
            "in 50 days",
            ctx.now() + 50 * DAY + Duration::from_millis(1),
        ),
        ("after 2^31 seconds", since_1970((1 << 31) * 1_000 + 1)),
        ("after 2^32 seconds", since_1970((1 << 32) * 1_000 + 1)),
        ("in the year 9999", since_1970(253_402_300_799_000)),
    ];
    let mut live = 1;
    for (name, expires) in exact {
        if expires < ctx.now() + DAY {
            continue;
        }
        live += 1;
        let (id, record) = (ctx.id(name), ctx.record_until(name, Some(expires)));
        ctx.h1.set(&id, &record).await.ok()?;
        for handle in [&ctx.h1, &ctx.h2] {
            let because = "its expiry is far away";
            handle.get(&id).await.record(&record, because)?;
        }
    }
    // The end of JavaScript's dates; a calendar of four digits may bring it nearer.
    let last = since_1970(8_640_000_000_000_000);
    let (id, record) = (
        ctx.id("at the last date"),
        ctx.record_until("last", Some(last)),
    );
    ctx.h1.set(&id, &record).await.ok()?;
    ctx.wait_until_gone(ctx.ticks(1)).await;
    let because = "its expiry is as far away as can be";
    ctx.h2.get(&id).await.text(&record, because)?;
    counted(ctx, live, "no expiry is near").await
}

pub(super) async fn expiry_before_1970(ctx: &Context) -> Result<(), Failure> {
    let epoch = SystemTime::UNIX_EPOCH;
    let times = [
        ("1970", epoch),
        ("a millisecond after 1970", epoch + MILLISECOND),
        ("a millisecond before 1970", epoch - MILLISECOND),
        ("a second before 1970", epoch - Duration::from_secs(1)),
        ("in 1901", epoch - 69 * 365 * DAY),
    ];
    for (name, expires) in times {
        let id = ctx.id(name);
        ctx.h1.set(&id, &ctx.record("live")).await.ok()?;
        let over = ctx.record_until(name, Some(expires));
        ctx.h1.set(&id, &over).await.ok()?;
        for handle in [&ctx.h1, &ctx.h2] {
            handle.get(&id).await.none("it has expired long ago")?;
        }
    }
    counted(ctx, 0, "all have expired long ago").await
}

/// Half an hour after each full one in which daylight saving time may begin or end somewhere
/// between Europe and America's Pacific coast, within a year.
fn around_changes(now: SystemTime) -> Vec<SystemTime> {
    let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH);
    let today = since_1970.map_or(0, |since| since.as_secs() / 86_400) + 1;
    let sundays = (today..today + 366).filter(|day| (day + 4) % 7 == 0);
    sundays
        .filter(|day| matches!(month_and_day(*day), (3, 8..) | (4 | 10, _) | (11, ..8)))
        .flat_map(|day| [0, 1, 2, 5, 6, 7, 8, 9].map(|hour| day * 86_400 + hour * 3_600 + 1_800))
        .map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
        .collect()
}

/// The month and the day of the month of a day since 1970-01-01, as Howard Hinnant computes it.
pub(crate) fn month_and_day(days: u64) -> (u64, u64) {
    let day_of_era = (days + 719_468) % 146_097;
    let year = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    (
        if from_march < 10 {
            from_march + 3
        } else {
            from_march - 9
        },
        day,
    )
}

pub(super) async fn expiry_across_daylight_saving(ctx: &Context) -> Result<(), Failure> {
    let id = ctx.id("ends around a change of time");
    let (h1, h2) = (ctx.h1.quiet(), ctx.h2.quiet());
    let moments = around_changes(ctx.now());
    ctx.remark(format!(
        "h1.set and h2.get of {}, which ends at {} moments around changes of time, one after \
         the other",
        id.label,
        moments.len()
    ));
    for expires in moments {
        let record = ctx.record_until("half past", Some(expires));
        h1.set(&id, &record).await.ok()?;
        let since_1970 = expires.duration_since(SystemTime::UNIX_EPOCH);
        let because = format!(
            "it was written with an expiry {} s after 1970",
            since_1970.map_or(0, |since| since.as_secs())
        );
        h2.get(&id).await.record(&record, because)?;
    }
    Ok(())
}
