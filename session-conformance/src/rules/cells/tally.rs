//! What counting, listing and sweeping see after each method.

use session_core::{Record, Replaced, Touched};

use super::{HOUR, until, write, written};
use crate::Method;
use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::handle::Id;
use crate::need::Need;
use crate::property::property;
use crate::rules::all::{item, listed};
use crate::rules::des::stored;
use crate::rules::len::counted;

property! {
    group: "TAL", title: "counted, listed and swept rightly afterwards",
    name: "leaves_a_right_tally",
    says: [
        "After ",
        ", over nothing, over a live record, over an expired one, with an earlier end, a later one \
         or none, `length`, `all`, `ids` and `get` see what is live, `sweep` removes what has \
         ended and spares the rest, and nothing else is physically there."
    ],
    why: "An index of expiries that one method does not move sweeps live sessions, or keeps dead \
          ones for ever.",
    hint: "Write the record and its index entry in one transaction, in every method; look for the \
           branch (over an expired row, no expiry) that forgets one.",
    needs: [],
    run: leaves_a_right_tally,
    of: [clear create destroy get replace set sweep touch],
    without: [
        all: "writes nothing", ids: "writes nothing", length: "writes nothing",
    ],
    catches: [
        IndexNotMoved [create replace set touch],
        IndexNotMovedToNone [create replace set touch],
        IndexMissesExpired [create set],
        IndexMissesNew [create set],
        IndexKeepsEnded [clear destroy sweep],
        CounterNotRaised [create set],
        CounterNotLowered [clear destroy sweep],
        CounterRaisedTwice [replace set touch],
        CounterCountsOver [set],
        ListForgets [create set],
        ListTwice [replace set touch],
        ListKeeps [clear destroy sweep],
        LeavesExpired [clear destroy sweep],
        LeavesEndless [clear],
        SweepsOne [sweep],
        SweepsEndless [sweep],
        SweepsLiveToo [sweep],
        DeletesInPassing [create get replace set touch],
        GetDeletesLater [get],
        ForgetsOthers [create destroy get replace set touch],
        ExpiredIsLive [create replace touch],
        OrphanRow [create replace set touch],
    ],
}

/// A record at the end of a history, and whether it is live once what was to end soon has ended.
struct Case {
    id: Id,
    record: Option<Record>,
    /// Whether it ends soon.
    ends: bool,
}

async fn leaves_a_right_tally(ctx: &Context, method: Method) -> Result<(), Failure> {
    let (before, soon) = (ctx.ticks(1), ctx.ticks(3));
    let late = ctx.late() + HOUR;
    let endless = ctx.lives_without_expiry(ctx.timing.gone_at(soon));
    let (h1, h2) = (&ctx.h1, &ctx.h2);
    let mut cases = Vec::new();
    // What was there, and when it is to end now: before, soon, late or never.
    let mut olds = vec![
        ("nothing", None),
        ("an ended one", Some(Some(before))),
        ("one that ends soon", Some(Some(soon))),
        ("one that ends late", Some(Some(late))),
    ];
    let mut news = vec![("soon", Some(soon)), ("late", Some(late + HOUR))];
    if endless {
        olds.push(("an endless one", Some(None)));
        news.push(("never", None));
    }
    let mut todo = Vec::new();
    for (was, old) in olds {
        let live = old.is_some_and(|end| end != Some(before));
        let fits = match method {
            Method::Create => !live,
            Method::Replace | Method::Touch => old.is_some(),
            _ => true,
        };
        for (becomes, new) in news.iter().filter(|_| fits) {
            let id = ctx.id(&format!("{was}, then {becomes}"));
            let before = match old {
                // A touch gives an end to a text that has had one.
                Some(None) if method == Method::Touch => {
                    let lasting = ctx.record_until("old", Some(late));
                    h2.set(&id, &lasting).await.ok()?;
                    let endless = until(&lasting, None);
                    write(h2, method, &id, &lasting, &endless).await?;
                    Some(endless)
                }
                Some(end) => {
                    let record = ctx.record_until("old", end);
                    h2.set(&id, &record).await.ok()?;
                    Some(record)
                }
                None => None,
            };
            todo.push((id, before, ctx.record_until("new", *new)));
        }
    }
    // One that has ended, and that the method has nothing to do with.
    let over = ctx.id("ended bystander");
    let ended = ctx.record_until("ended", Some(before));
    h2.set(&over, &ended).await.ok()?;
    ctx.wait_until_gone(before).await;
    let mut waiting = 1_u64;
    let bystander = (
        ctx.id("bystander"),
        ctx.record_until("bystander", Some(late)),
    );
    match method {
        Method::Clear => h1.clear().await.ok()?,
        Method::Sweep => sweep(ctx, None, u64::MAX).await?,
        _ => {}
    }
    if matches!(method, Method::Clear | Method::Sweep) {
        waiting = 0;
    }
    h2.set(&bystander.0, &bystander.1).await.ok()?;
    for (id, old, new) in todo {
        let mut ends = new.expires() == Some(soon);
        let old_was_there = old.is_some();
        let left = match (method, &old) {
            (Method::Get, _) => {
                let found = h1.get(&id).await;
                let live = old.clone().filter(|old| !old.is_expired(ctx.now()));
                match live {
                    Some(old) => {
                        found.record(&old, "it is live")?;
                        Some(old)
                    }
                    None => {
                        found.none("it is not live")?;
                        waiting += u64::from(old_was_there && new.expires() == Some(soon));
                        // Half of them come back, in the moment after that look.
                        let again = new.expires() != Some(soon);
                        if again {
                            h2.set(&id, &new).await.ok()?;
                        }
                        again.then_some(new.clone())
                    }
                }
            }
            (Method::Replace | Method::Touch, Some(old)) if old.is_expired(ctx.now()) => {
                let because = "it has expired";
                if method == Method::Replace {
                    let replaced = h1.replace(&id, old, &new).await;
                    replaced.is(Replaced::Missing, because)?;
                } else {
                    let touched = h1.touch(&id, new.cookie()).await;
                    touched.is(Touched::Missing, because)?;
                }
                waiting += 1;
                None
            }
            (Method::Destroy, _) => {
                h1.destroy(&id).await.ok()?;
                // Half of them come back, with another end.
                if new.expires() == Some(soon) {
                    None
                } else {
                    h2.set(&id, &new).await.ok()?;
                    Some(new)
                }
            }
            (Method::Clear | Method::Sweep, _) => {
                let keep = old.filter(|old| method == Method::Sweep && !old.is_expired(ctx.now()));
                if keep.is_none() && new.expires() != Some(soon) {
                    h2.set(&id, &new).await.ok()?;
                    Some(new)
                } else {
                    keep
                }
            }
            (_, Some(old)) => {
                let done = write(h1, method, &id, old, &new).await;
                ctx.before(soon, done)?;
                Some(written(method, old, &new))
            }
            (_, None) => {
                write(h1, method, &id, &new, &new).await?;
                Some(new)
            }
        };
        if matches!(method, Method::Get | Method::Sweep) {
            let expires = left.as_ref().and_then(Record::expires);
            ends = expires == Some(soon);
        }
        let ends = ends && left.is_some();
        cases.push(Case {
            id,
            record: left,
            ends,
        });
    }
    cases.push(Case {
        id: bystander.0,
        record: Some(bystander.1),
        ends: false,
    });
    cases.push(Case {
        id: over,
        record: None,
        ends: false,
    });
    let first = tally(ctx, &cases, &format!("`{method}` has returned")).await;
    ctx.before(soon, first)?;
    ctx.wait_until_gone(soon).await;
    for case in &mut cases {
        if case.ends {
            case.record = None;
            waiting += 1;
        }
    }
    tally(ctx, &cases, "what was to end soon has ended").await?;
    let live = cases.iter().filter(|case| case.record.is_some()).count() as u64;
    // A call may have removed what it met expired: what is physically there says so.
    let left = match ctx.has(Need::Count) {
        true => Some(ctx.space.hooks.count().await?.saturating_sub(live)),
        false => None,
    };
    ensure(
        left.is_none_or(|left| left <= waiting),
        format_args!("at most {waiting} records that wait for a sweep"),
        format_args!("{} of them", left.unwrap_or_default()),
    )?;
    sweep(ctx, left, waiting).await?;
    tally(ctx, &cases, "it was swept").await?;
    if ctx.has(Need::Count) && (ctx.has(Need::Sweep) || method == Method::Clear) {
        stored(ctx, live).await?;
    }
    // An end that was forgotten somewhere comes up when the id is used again.
    let again = ctx.record_until("again", Some(ctx.late() + 3 * HOUR));
    for case in &mut cases {
        h1.set(&case.id, &again).await.ok()?;
        case.record = Some(until(&again, again.expires()));
    }
    sweep(ctx, Some(0), 0).await?;
    tally(ctx, &cases, "all were written again").await
}

/// Sweeps until there is no more: as many as are left, where that is known, and at most so many.
async fn sweep(ctx: &Context, left: Option<u64>, most: u64) -> Result<(), Failure> {
    if !ctx.has(Need::Sweep) {
        return Ok(());
    }
    let mut removed = 0;
    for _ in 0..100 {
        let swept = ctx.h2.sweep(4).await.ok()?;
        removed += swept.removed as u64;
        if !swept.more {
            break;
        }
    }
    let exact = left.filter(|_| !ctx.capabilities().server_ttl);
    ensure(
        removed <= most && exact.is_none_or(|left| removed == left),
        format_args!("sweeps to remove the records that have ended, {most} at most"),
        format_args!("{removed} were removed, of {left:?} that were there"),
    )
}

/// Demands that every method that looks sees just what is live.
async fn tally(ctx: &Context, cases: &[Case], when: &str) -> Result<(), Failure> {
    let live: Vec<_> = cases.iter().filter(|case| case.record.is_some()).collect();
    let (h1, h2) = (ctx.h1.quiet(), ctx.h2.quiet());
    ctx.remark(format!(
        "{} of {} ids are live: {when}",
        live.len(),
        cases.len()
    ));
    for (n, case) in cases.iter().enumerate() {
        let found = if n % 2 == 0 { &h1 } else { &h2 }.get(&case.id).await;
        match &case.record {
            Some(record) => found.record(record, when)?,
            None => found.none(when)?,
        }
    }
    counted(ctx, live.len() as u64, when).await?;
    if ctx.has(Need::All) {
        listed(ctx, live.iter().map(|case| &case.id)).await?;
        let all = ctx.h1.all().await.ok()?;
        for case in live {
            if let Some(record) = &case.record {
                item(&ctx.h1, &all, &case.id).record(record, when)?;
            }
        }
    }
    Ok(())
}
