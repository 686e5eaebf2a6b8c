//! Expiry, on a clock that is moved or on one that runs: see `Context::wait_until`.

use std::time::{Duration, SystemTime};

use session_core::{Clock, Touched};

use super::all::listed;
use super::len::counted;
use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::handle::Handle;
use crate::need::Need;
use crate::{NotRun, Rule};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
const MILLISECOND: Duration = Duration::from_millis(1);

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "EXP-01",
        name: "expired_means_expires_is_not_after_now",
        sentence: "Just before its expiry a record is there; at its expiry it is gone.",
        why: "Two processes that disagree about the last moment disagree about who is logged in.",
        hint: "Live means `expires > now`, with milliseconds, in each query.",
        catches: &["OffByOne", "EndsEarly", "NeverExpires", "CacheOutlives"],
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
    Rule {
        id: "EXP-03",
        name: "expired_can_be_written",
        sentence: "`set` of a record that has already expired is accepted, and leaves no live \
                   record: not the new one, and not the one that was there.",
        why: "`SET .. PX 0` is an error in Redis; other stores took \"no time left\" for \"for ever\".",
        hint: "Where the backend refuses a time to live of 0 or less, remove the record instead.",
        catches: &["Px0Error", "PastIsForever", "PastIsIgnored"],
        run: |ctx| Box::pin(expired_can_be_written(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "EXP-04",
        name: "without_expiry_lives_on",
        sentence: "A record without an expiry is there after ten years, or after as long as the \
                   store's `default_ttl` says.",
        why: "A default of a day that nobody asked for logs everybody out once a day.",
        hint: "Declare a default time to live as `default_ttl`, or have none.",
        catches: &["DefaultTtl", "NoneIsNow"],
        run: |ctx| Box::pin(without_expiry_lives_on(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "EXP-05",
        name: "parts_of_a_second_count",
        sentence: "Parts of a second count, down to the declared granularity: an expiry is never \
                   cut to an earlier one, to nothing, or to none at all.",
        why: "EXPIRE takes seconds; 300 ms became 0, and 0 became an error or no expiry.",
        hint: "PX and PEXPIRE; a column with milliseconds. In whole seconds, round up, and \
               declare the granularity.",
        catches: &[
            "TruncSeconds",
            "SubSecondIsForever",
            "RoundSeconds",
            "EndsEarly",
        ],
        run: |ctx| Box::pin(parts_of_a_second_count(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "EXP-06",
        name: "far_expiry",
        sentence: "Expiries in 2038, in 2106 and in the year 9999 come back as they were; the \
                   farthest that JavaScript has is live.",
        why: "MySQL's TIMESTAMP ends on 2038-01-19; 32 bits of milliseconds end after 24 days.",
        hint: "64 bits of milliseconds, and saturating arithmetic with them.",
        catches: &["Year2038", "I32Millis", "FarWraps"],
        run: |ctx| Box::pin(far_expiry(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "EXP-07",
        name: "expiry_before_1970",
        sentence: "An expiry in 1970 or before has expired, and is no error.",
        why: "An application ends a session with the date 0; as an unsigned number, one \
              millisecond less is the farthest future.",
        hint: "Signed numbers; `duration_since(UNIX_EPOCH)` may be an `Err`. 0 is no \"none\".",
        catches: &["UnsignedWrap", "EpochIsNone", "PastIsForever"],
        run: |ctx| Box::pin(expiry_before_1970(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "EXP-08",
        name: "expiry_across_daylight_saving",
        sentence: "Expiries around the changes of daylight saving time come back as the same \
                   instants.",
        why: "A DATETIME without a zone has no place for the hour that comes twice.",
        hint: "Store milliseconds since 1970 or a `timestamptz`; set the connection to UTC.",
        catches: &["LocalTime", "LocalTimeTwice"],
        run: |ctx| Box::pin(expiry_across_daylight_saving(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "EXP-09",
        name: "expired_id_can_be_set_again",
        sentence: "The id of an expired record can be set again; old data and old expiry do not \
                   shine through.",
        why: "An insert that fails on the row of an expired record locks its visitor out until \
              the next sweep.",
        hint: "An upsert that writes each column.",
        catches: &["ExpiredBlocks", "ExpiredShines"],
        run: |ctx| Box::pin(expired_id_can_be_set_again(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "EXP-10",
        name: "overwriting_outlives_the_old_expiry",
        sentence: "A record that was overwritten before its expiry lives until the new one, also \
                   when the old one passes.",
        why: "A timer that is not cancelled ends a session that was renewed.",
        hint: "One timer per id, or compare the expiry again before removing.",
        catches: &["OldTtlKills", "KeepOldTtl"],
        run: |ctx| Box::pin(overwriting_outlives_the_old_expiry(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "EXP-11",
        name: "max_age_and_expiry_are_two_things",
        sentence: "`originalMaxAge` and the expiry survive apart from each other.",
        why: "A rolling session counts from `originalMaxAge`; made anew from the expiry, it \
              shrinks with each request.",
        hint: "Keep the JSON as it is, and the expiry beside it.",
        catches: &["LoseMaxAge", "ExpiryFromMaxAge"],
        run: |ctx| Box::pin(max_age_and_expiry_are_two_things(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "EXP-12",
        name: "backend_drops_expired",
        needs: &[Need::ServerTtl, Need::Count],
        sentence: "The backend of a store that declares `server_ttl` removes expired records by \
                   itself, and no live one.",
        why: "Nobody sweeps such a store: what stays, stays for ever.",
        hint: "Set the backend's own expiry with each write, in each way to write.",
        catches: &["NoTtl"],
        run: |ctx| Box::pin(backend_drops_expired(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "EXP-13",
        name: "wrong_clock",
        needs: &[Need::Skew],
        sentence: "Where the application's clock is wrong, a record's end is wrong by no more than \
                   that: it comes between the time to live after the write and the written time.",
        why: "A time that was read from one clock and compared with another one counts the error \
              twice: sessions that are over at once, or that outlive their end.",
        hint: "Choose: send a time to live, or an absolute time; and let one clock decide.",
        catches: &["ClockMix", "ClockMixLate"],
        run: |ctx| Box::pin(wrong_clock(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "EXP-14",
        name: "each_record_has_its_own_expiry",
        sentence: "Many records with different expiries end in that order, none early, none late.",
        why: "EXPIRE on a hash that holds all sessions ends all of them; one timer for the store \
              is set for the last write.",
        hint: "An expiry for each record.",
        catches: &["SharedTtl", "TtlByBucket"],
        run: |ctx| Box::pin(each_record_has_its_own_expiry(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "EXP-15",
        name: "default_ttl_is_kept",
        sentence: "A record without an expiry ends when the declared `default_ttl` has passed \
                   since it was last written or touched; where none is declared, it gets none.",
        why: "A session of a closed browser that stays for ever fills the disk, and can be stolen \
              for ever.",
        hint: "Set the default in `set`, `create`, `replace` and `touch` alike.",
        catches: &[
            "DefaultTtlForever",
            "DefaultTtlNotRenewed",
            "DefaultTtlEarly",
        ],
        run: |ctx| Box::pin(default_ttl_is_kept(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "EXP-16",
        name: "last_expiry_wins",
        needs: &[Need::Touch],
        sentence: "Of `set`, `touch`, `replace` and `create` after a `destroy`, the last one's \
                   expiry counts, in whatever order they come.",
        why: "An expiry that `touch` keeps in a place of its own outlives the next write: a \
              session that was cut short for security is long again, or the other way round.",
        hint: "One place for the expiry, which each write writes.",
        catches: &["TouchSticks", "ReplaceKeepsTtl", "CreateKeepsTouch"],
        run: |ctx| Box::pin(last_expiry_wins(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "EXP-17",
        name: "all_methods_agree_on_the_last_moment",
        sentence: "Just before a record's expiry each method takes it for live: it is counted and \
                   listed, `touch` and `replace` find it, `create` does not replace it, `sweep` \
                   spares it.",
        why: "Each query has its own comparison; one in seconds among those in milliseconds ends \
              sessions for this method alone.",
        hint: "One live check, in one unit, used by all.",
        catches: &[
            "TouchBySecond",
            "ReplaceBySecond",
            "CreateBySecond",
            "LengthBySecond",
            "SweepBySecond",
        ],
        run: |ctx| Box::pin(all_methods_agree_on_the_last_moment(ctx)),
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

async fn expired_can_be_written(ctx: &Context) -> Result<(), Failure> {
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

async fn without_expiry_lives_on(ctx: &Context) -> Result<(), Failure> {
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

async fn parts_of_a_second_count(ctx: &Context) -> Result<(), Failure> {
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

async fn far_expiry(ctx: &Context) -> Result<(), Failure> {
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

async fn expiry_before_1970(ctx: &Context) -> Result<(), Failure> {
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

async fn expiry_across_daylight_saving(ctx: &Context) -> Result<(), Failure> {
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

async fn expired_id_can_be_set_again(ctx: &Context) -> Result<(), Failure> {
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

async fn overwriting_outlives_the_old_expiry(ctx: &Context) -> Result<(), Failure> {
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

async fn max_age_and_expiry_are_two_things(ctx: &Context) -> Result<(), Failure> {
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

async fn backend_drops_expired(ctx: &Context) -> Result<(), Failure> {
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

async fn wrong_clock(ctx: &Context) -> Result<(), Failure> {
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

async fn each_record_has_its_own_expiry(ctx: &Context) -> Result<(), Failure> {
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

async fn default_ttl_is_kept(ctx: &Context) -> Result<(), Failure> {
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

async fn last_expiry_wins(ctx: &Context) -> Result<(), Failure> {
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

async fn all_methods_agree_on_the_last_moment(ctx: &Context) -> Result<(), Failure> {
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
