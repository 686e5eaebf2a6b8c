//! Two handles, each of which has looked before.

use session_core::{Created, Record};

use super::{HOUR, until, write, written};
use crate::Method;
use crate::context::Context;
use crate::failure::Failure;
use crate::handle::{Handle, Id};
use crate::need::Need;
use crate::property::property;
use crate::rules::all::exactly;

property! {
    group: "SEE", title: "visible to the other handle at once", name: "is_seen_at_once",
    says: [
        "",
        " sees what the other handle has done since, and what it does itself the other handle sees \
         at once, whatever each of them has read or written before."
    ],
    why: "The next request of a visitor reaches another process: what that still knows from \
          before must not count, neither for an answer nor to leave a write out.",
    hint: "Cache nothing that another process can change, or hear of every write of every \
           method; write also what this process has written last.",
    needs: [SecondHandle],
    run: is_seen_at_once,
    of: [all clear create destroy get ids length replace set sweep touch],
    without: [],
    catches: [
        SkipsItsLast [clear create destroy replace set touch],
        OwnCopy [all clear create destroy get ids length replace set sweep touch],
        AnswersAsBefore [create destroy get length replace sweep touch],
        WriteBehind1 [clear create destroy replace set touch],
        PrivateCopy [get],
        CachedCount [length],
        CachedList [all ids],
        KnowsMissing [create get replace touch],
        KnowsExists [create],
        OnlyOwnIds [all ids length clear sweep],
    ],
}

async fn is_seen_at_once(ctx: &Context, method: Method) -> Result<(), Failure> {
    let late = |hours: u32| Some(ctx.late() + hours * HOUR);
    let [a, b] = ["a", "b"].map(|name| ctx.record_until(name, late(1)));
    for (turn, [mine, theirs]) in [[&ctx.h1, &ctx.h2], [&ctx.h2, &ctx.h1]]
        .into_iter()
        .enumerate()
    {
        let id = ctx.id(&format!("of turn {turn}"));
        let look = async |left: Option<&Record>, because: &str| {
            // Once more than needed: the second look may be that of a cache.
            for handle in [theirs, mine, theirs] {
                see(ctx, handle, &id, left, because).await?;
            }
            Ok::<_, Failure>(())
        };
        look(None, "nobody wrote it").await?;
        // The same three times over, with a change by the other one in between.
        for round in 0..3 {
            let because = format!("the other handle wrote it, in round {round}");
            match method {
                Method::Create | Method::Set => {
                    theirs.destroy(&id).await.ok()?;
                    see(ctx, mine, &id, None, "the other handle destroyed it").await?;
                    if method == Method::Set || round == 1 {
                        theirs.set(&id, &b).await.ok()?;
                    }
                    if method == Method::Create && round == 1 {
                        let created = mine.create(&id, &a).await;
                        created.is(Created::Exists, &because)?;
                        look(Some(&b), &because).await?;
                        continue;
                    }
                    write(mine, method, &id, &b, &a).await?;
                    look(Some(&a), &format!("`{method}` has returned")).await?;
                }
                Method::Replace | Method::Touch => {
                    theirs.set(&id, &a).await.ok()?;
                    see(ctx, mine, &id, Some(&a), &because).await?;
                    let new = until(&b, late(2));
                    write(mine, method, &id, &a, &new).await?;
                    let left = written(method, &a, &new);
                    look(Some(&left), &format!("`{method}` has returned")).await?;
                    // Gone and there again without a look in between.
                    theirs.destroy(&id).await.ok()?;
                    theirs.set(&id, &a).await.ok()?;
                    write(mine, method, &id, &a, &new).await?;
                    look(Some(&left), &format!("`{method}` has returned again")).await?;
                    theirs.destroy(&id).await.ok()?;
                    look(None, "it was destroyed").await?;
                }
                Method::Destroy | Method::Clear => {
                    theirs.set(&id, &a).await.ok()?;
                    if round != 1 {
                        look(Some(&a), &because).await?;
                    }
                    if method == Method::Clear {
                        mine.clear().await.ok()?;
                    } else {
                        mine.destroy(&id).await.ok()?;
                    }
                    look(None, &format!("`{method}` has returned")).await?;
                }
                Method::Sweep => sweeps(ctx, mine, theirs, &format!("{turn} {round}")).await?,
                _ => {
                    theirs.set(&id, &a).await.ok()?;
                    see(ctx, mine, &id, Some(&a), &because).await?;
                    theirs.set(&id, &b).await.ok()?;
                    see(ctx, mine, &id, Some(&b), &because).await?;
                    if ctx.has(Need::Touch) {
                        let moved = until(&b, late(3));
                        write(theirs, Method::Touch, &id, &b, &moved).await?;
                        see(ctx, mine, &id, Some(&moved), &because).await?;
                    }
                    if ctx.has(Need::Replace) {
                        write(theirs, Method::Replace, &id, &b, &a).await?;
                        see(ctx, mine, &id, Some(&a), &because).await?;
                    }
                    theirs.destroy(&id).await.ok()?;
                    see(ctx, mine, &id, None, "the other handle destroyed it").await?;
                    if ctx.has(Need::Create) {
                        write(theirs, Method::Create, &id, &b, &a).await?;
                        see(ctx, mine, &id, Some(&a), &because).await?;
                    }
                    if ctx.has(Need::Clear) {
                        theirs.clear().await.ok()?;
                        see(ctx, mine, &id, None, "the other handle cleared all").await?;
                    } else {
                        theirs.destroy(&id).await.ok()?;
                    }
                }
            }
        }
        mine.destroy(&id).await.ok()?;
    }
    Ok(())
}

/// What the other one wrote and ended, this one sweeps.
async fn sweeps(ctx: &Context, mine: &Handle, theirs: &Handle, turn: &str) -> Result<(), Failure> {
    let (over, soon) = (ctx.id(&format!("over, {turn}")), ctx.ticks(1));
    theirs
        .set(&over, &ctx.record_until("over", Some(soon)))
        .await
        .ok()?;
    let lasting = ctx.record("lasting");
    let kept = ctx.id(&format!("kept, {turn}"));
    theirs
        .set(&kept, &ctx.record_until("over", Some(soon)))
        .await
        .ok()?;
    theirs.set(&kept, &lasting).await.ok()?;
    ctx.wait_until_gone(soon).await;
    let swept = mine.sweep(100).await.ok()?;
    let due = if ctx.capabilities().server_ttl {
        swept.removed
    } else {
        1
    };
    crate::failure::ensure(
        swept.removed == due && !swept.more,
        "`sweep(100)` to remove the one record of the other handle that has ended",
        format_args!("{swept:?}"),
    )?;
    for handle in [theirs, mine] {
        handle.get(&over).await.none("it has ended")?;
        handle
            .get(&kept)
            .await
            .record(&lasting, "it was written again before the sweep")?;
    }
    theirs.destroy(&kept).await.ok()
}

/// Demands that a handle sees this record, and counts and lists just that.
async fn see(
    ctx: &Context,
    handle: &Handle,
    id: &Id,
    left: Option<&Record>,
    because: &str,
) -> Result<(), Failure> {
    let found = handle.get(id).await;
    match left {
        Some(record) => found.record(record, because)?,
        None => found.none(because)?,
    }
    let ids = || left.map(|_| id);
    if ctx.has(Need::Length) {
        handle
            .length()
            .await
            .is(u64::from(left.is_some()), because)?;
    }
    if ctx.has(Need::All) {
        let all = handle.all().await.ok()?;
        exactly(
            &format!("{}.all()", handle.name),
            all.iter().map(|(id, _)| id),
            ids(),
        )?;
        exactly(
            &format!("{}.ids()", handle.name),
            &handle.ids().await.ok()?,
            ids(),
        )?;
    }
    Ok(())
}
