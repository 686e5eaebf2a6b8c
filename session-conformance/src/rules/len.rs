//! Counting.

use std::sync::Arc;

use session_core::{Created, Replaced, Touched};

use crate::Rule;
use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::handle::Id;
use crate::need::Need;
use crate::parallel::race;
use crate::space::Space;

/// More than a page of any backend: SCAN's COUNT, a cursor's batch, a LIMIT of a thousand.
pub(super) const MANY: usize = 1_200;

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "LEN-01",
        name: "length_counts_live_records",
        needs: &[Need::Length],
        sentence: "`length` counts the live records: those without an expiry, and none that has \
                   expired, swept or not.",
        why: "The number of visitors that an operator reads must not depend on when the last \
              sweep ran.",
        hint: "The same live check as in `get`; NULL in the expiry column means live.",
        catches: &["LengthCountsExpired", "LengthNeedsExpiry"],
        run: |ctx| Box::pin(length_counts_live_records(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "LEN-02",
        name: "length_follows_set_and_destroy",
        needs: &[Need::Length],
        sentence: "`length` is 0 for an empty store and n after n sets through either handle; an \
                   overwrite and the destroying of nothing do not change it, a destroy makes it \
                   one less.",
        why: "A counter that is kept by hand drifts with each write that it did not foresee.",
        hint: "Ask the backend; do not keep a counter.",
        catches: &[
            "LenDrift",
            "LenDestroyDrift",
            "LenOwnOnly",
            "LenCached",
            "OrphanIndex",
        ],
        run: |ctx| Box::pin(length_follows_set_and_destroy(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "LEN-03",
        name: "length_counts_this_namespace",
        needs: &[Need::Length],
        sentence: "`length` counts this namespace, and no other one on the same backend.",
        why: "connect-redis counted what stood under other prefixes; DBSIZE counts everything.",
        hint: "Count by prefix, table or schema, with a separator after the prefix.",
        catches: &["DbSize", "LenPrefix"],
        run: |ctx| Box::pin(length_counts_this_namespace(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "LEN-04",
        name: "length_of_many",
        needs: &[Need::Length],
        sentence: "`length` is correct for 1,200 records.",
        why: "What works for ten records ends at the first page of a cursor, or counts twice \
              what SCAN returns twice.",
        hint: "Follow the cursor to its end and count distinct keys.",
        catches: &["FirstPage", "ScanDup"],
        run: |ctx| Box::pin(length_of_many(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "LEN-05",
        name: "length_follows_every_write",
        needs: &[Need::Length],
        sentence: "`length` follows `touch`, `create` and `replace` as well: it goes by the expiry \
                   that was moved last.",
        why: "Each further way to write is one that a counter or an index can forget.",
        hint: "Count what `get` would find, by the store's own expiry, not by the JSON's.",
        catches: &["LenByJson", "LenForgetsCreate", "LenCountsReplace"],
        run: |ctx| Box::pin(length_follows_every_write(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "LEN-06",
        name: "foreign_things_are_no_records",
        needs: &[Need::Length, Need::Foreign],
        sentence: "What stands next to the sessions and is none is not counted, and not listed.",
        why: "A database is shared: with other applications, with locks, with an index.",
        hint: "Match the whole prefix and the type; keep index and lock keys under another one.",
        catches: &["LenForeign", "AllForeign"],
        run: |ctx| Box::pin(foreign_things_are_no_records(ctx)),
        ..Rule::CAPABILITY
    },
];

/// Writes `n` records through both handles from several threads, without a line for each.
pub(super) async fn fill(ctx: &Context, space: &Space, n: usize) -> Result<Vec<Id>, Failure> {
    const THREADS: usize = 8;
    let ids: Vec<_> = (0..n).map(|k| ctx.id(&format!("{k} of many"))).collect();
    let label = space.h1.name.trim_end_matches("h1");
    ctx.remark(format!(
        "{n} sets through {label}h1 and {label}h2, from {THREADS} threads"
    ));
    let shared = Arc::new(ids.clone());
    let record = ctx.record("one of many");
    let handles = [space.h1.quiet(), space.h2.quiet()];
    race(THREADS, move |thread| {
        let (ids, record) = (Arc::clone(&shared), record.clone());
        let handle = handles[thread % 2].clone();
        async move {
            for id in ids.iter().skip(thread).step_by(THREADS) {
                handle.set(id, &record).await.ok()?;
            }
            Ok(())
        }
    })
    .await?;
    Ok(ids)
}

/// Demands that so many records are counted, by both handles, if the store counts.
pub(super) async fn counted(ctx: &Context, expected: u64, because: &str) -> Result<(), Failure> {
    if ctx.has(Need::Length) {
        for handle in [&ctx.h1, &ctx.h2] {
            handle.length().await.is(expected, because)?;
        }
    }
    Ok(())
}

async fn length_counts_live_records(ctx: &Context) -> Result<(), Failure> {
    let (soon, late) = (ctx.ticks(1), ctx.late());
    let forever = ctx.lives_without_expiry(ctx.timing.gone_at(soon));
    for (name, expires) in [
        ("over", Some(soon)),
        ("over too", Some(soon)),
        ("late", Some(late)),
        ("endless", None),
    ] {
        let record = ctx.record_until(name, expires);
        ctx.h1.set(&ctx.id(name), &record).await.ok()?;
    }
    let all = counted(ctx, 4, "none of the four records has expired").await;
    ctx.before(soon, all)?;
    ctx.wait_until_gone(soon).await;
    let left = if forever { 2 } else { 1 };
    counted(ctx, left, "two of four records have expired").await?;
    ctx.h1.destroy(&ctx.id("over")).await.ok()?;
    counted(ctx, left, "a record was destroyed that had expired before").await?;
    ctx.h1.destroy(&ctx.id("late")).await.ok()?;
    counted(ctx, left - 1, "a live record was destroyed").await
}

async fn length_follows_set_and_destroy(ctx: &Context) -> Result<(), Failure> {
    counted(ctx, 0, "nobody wrote to this namespace").await?;
    for n in 1..=5_u64 {
        let id = ctx.id(&n.to_string());
        let writer = if n % 2 == 0 { &ctx.h1 } else { &ctx.h2 };
        writer.set(&id, &ctx.record("counted")).await.ok()?;
        counted(ctx, n, "each set was of another id").await?;
    }
    for writer in [&ctx.h1, &ctx.h2] {
        let id = ctx.id("1");
        writer.set(&id, &ctx.record("overwritten")).await.ok()?;
        counted(ctx, 5, "the last set was of an id that was there").await?;
    }
    ctx.h1.destroy(&ctx.id("unknown")).await.ok()?;
    counted(ctx, 5, "nothing was destroyed").await?;
    ctx.h1.destroy(&ctx.id("1")).await.ok()?;
    counted(ctx, 4, "one of five records was destroyed").await?;
    ctx.h2.destroy(&ctx.id("1")).await.ok()?;
    counted(ctx, 4, "it was destroyed before").await?;
    ctx.h2.get(&ctx.id("1")).await.none("it was destroyed")?;
    counted(ctx, 4, "reading creates nothing").await?;
    for n in 2..=5_u64 {
        ctx.h2.destroy(&ctx.id(&n.to_string())).await.ok()?;
        counted(ctx, 5 - n, "one record after the other is destroyed").await?;
    }
    Ok(())
}

async fn length_counts_this_namespace(ctx: &Context) -> Result<(), Failure> {
    // Its name begins with that of the rule's own namespace.
    let other = ctx.open_other("other").await?;
    for n in 0..3 {
        let id = ctx.id(&n.to_string());
        other.h1.set(&id, &ctx.record("there")).await.ok()?;
    }
    counted(ctx, 0, "the three records are in another namespace").await?;
    ctx.h1.set(&ctx.id("0"), &ctx.record("here")).await.ok()?;
    counted(ctx, 1, "the other records are in another namespace").await?;
    other
        .h1
        .length()
        .await
        .is(3, "the other record is in another namespace")
}

async fn length_of_many(ctx: &Context) -> Result<(), Failure> {
    let ids = fill(ctx, &ctx.space, MANY).await?;
    let many = u64::try_from(ids.len()).unwrap_or(u64::MAX);
    counted(ctx, many, "each of the sets was of another id").await?;
    for id in ids.iter().take(3) {
        ctx.h1.destroy(id).await.ok()?;
    }
    counted(ctx, many - 3, "three were destroyed").await
}

async fn length_follows_every_write(ctx: &Context) -> Result<(), Failure> {
    let (kept, record) = (ctx.id("kept"), ctx.record("kept"));
    ctx.h1.set(&kept, &record).await.ok()?;
    let mut live = 1;
    if ctx.has(Need::Create) {
        let created = ctx.id("created");
        ctx.h1
            .create(&created, &record)
            .await
            .is(Created::Created, "nothing is there")?;
        live += 1;
        counted(ctx, live, "create wrote another record").await?;
        ctx.h2
            .create(&created, &record)
            .await
            .is(Created::Exists, "it was created before")?;
        counted(ctx, live, "create left the record alone").await?;
    }
    if ctx.has(Need::Replace) {
        let replaced = ctx.id("replaced");
        ctx.h1.set(&replaced, &ctx.record("old")).await.ok()?;
        live += 1;
        let (old, new) = (ctx.record("old"), ctx.record("new"));
        for (answer, because) in [
            (Replaced::Replaced, "replace overwrote a record"),
            (Replaced::Conflict, "replace left the record alone"),
        ] {
            ctx.h2
                .replace(&replaced, &old, &new)
                .await
                .is(answer, because)?;
            counted(ctx, live, because).await?;
        }
        ctx.h1
            .replace(&ctx.id("unknown"), &old, &new)
            .await
            .is(Replaced::Missing, "nothing is there")?;
        counted(ctx, live, "replace creates nothing").await?;
    }
    if ctx.has(Need::Touch) {
        let touched = ctx.id("touched");
        let soon = ctx.ticks(1);
        let ending = ctx.record_until("touched", Some(soon));
        ctx.h1.set(&touched, &ending).await.ok()?;
        let later = ctx.cookie(Some(ctx.late()));
        let answer = ctx.h1.touch(&touched, &later).await;
        ctx.before(soon, answer.is(Touched::Touched, "it is live"))?;
        ctx.wait_until_gone(soon).await;
        let because = "touch moved the expiry beyond now";
        counted(ctx, live + 1, because).await?;
        let soon = ctx.ticks(1);
        ctx.h2
            .touch(&touched, &ctx.cookie(Some(soon)))
            .await
            .is(Touched::Touched, "it is live")?;
        ctx.wait_until_gone(soon).await;
        let because = "touch brought the expiry forward, and it has passed";
        counted(ctx, live, because).await?;
    }
    Ok(())
}

async fn foreign_things_are_no_records(ctx: &Context) -> Result<(), Failure> {
    let kept = ctx.id("kept");
    ctx.h1.set(&kept, &ctx.record("kept")).await.ok()?;
    ctx.space.hooks.write_foreign().await?;
    ctx.remark("the harness puts foreign things next to the sessions");
    counted(ctx, 1, "what else is there is no session").await?;
    if ctx.has(Need::All) {
        for handle in [&ctx.h1, &ctx.h2] {
            let all = handle.all().await.ok()?;
            super::all::exactly("all", all.iter().map(|(id, _)| id), [&kept])?;
            let ids = handle.ids().await.ok()?;
            super::all::exactly("ids", &ids, [&kept])?;
        }
    }
    ctx.h1.destroy(&kept).await.ok()?;
    counted(ctx, 0, "the only session was destroyed").await?;
    ensure(
        ctx.space.hooks.foreign_intact().await?,
        "the foreign things to be as they were",
        "the harness says that they are not",
    )
}
