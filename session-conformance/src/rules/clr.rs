//! Clearing.

use session_core::{Created, Touched};

use super::all::listed;
use super::des::stored;
use super::len::{MANY, counted, fill};
use crate::Rule;
use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::need::Need;

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "CLR-01",
        name: "clear_removes_every_record",
        needs: &[Need::Clear],
        sentence: "After `clear`, each record is gone, whichever handle wrote or read it; nothing \
                   is counted and nothing is listed.",
        why: "An operator clears sessions after a leak of ids: one that stays is the leak.",
        hint: "Empty the table or the prefix, not what this process remembers; caches too.",
        catches: &[
            "ClearNoop",
            "ClearOwnOnly",
            "ClearNeedsExpiry",
            "ClearKeepsCache",
            "ClearKeepsLength",
        ],
        run: |ctx| Box::pin(clear_removes_every_record(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "CLR-02",
        name: "clear_of_nothing_is_ok",
        needs: &[Need::Clear],
        sentence: "`clear` of an empty store is `Ok`, also the second time.",
        why: "DEL without a key is an error in Redis, and has been one in stores.",
        hint: "Skip the command when there is nothing to remove.",
        catches: &["ErrOnEmptyClear"],
        run: |ctx| Box::pin(clear_of_nothing_is_ok(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "CLR-03",
        name: "clear_leaves_other_namespaces_alone",
        needs: &[Need::Clear],
        sentence: "`clear` leaves other namespaces on the same backend alone.",
        why: "FLUSHDB in one application's tests has logged out the users of another.",
        hint: "Remove by the whole prefix, with a separator after it.",
        catches: &["FlushDb", "ClearPrefix"],
        run: |ctx| Box::pin(clear_leaves_other_namespaces_alone(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "CLR-04",
        name: "usable_after_clear",
        needs: &[Need::Clear],
        sentence: "After `clear` the store works as before, through both handles.",
        why: "A table that was dropped comes back when the process is started again.",
        hint: "DELETE or TRUNCATE, not DROP.",
        catches: &["DropTable", "ClearTombstones"],
        run: |ctx| Box::pin(usable_after_clear(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "CLR-05",
        name: "clear_leaves_nothing_behind",
        needs: &[Need::Clear],
        sentence: "`clear` removes expired records that nobody has swept as well, and leaves no \
                   index entry and no timer for the next record of an id.",
        why: "Personal data would stay in the backend although the operator asked for it to go.",
        hint: "No live check in the DELETE's condition; remove data and index together.",
        catches: &["ClearLiveOnly", "ClearGhostTtl"],
        run: |ctx| Box::pin(clear_leaves_nothing_behind(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "CLR-06",
        name: "clear_of_many",
        needs: &[Need::Clear],
        sentence: "`clear` removes 1,200 records.",
        why: "A cursor that is not followed to its end leaves all but the first page.",
        hint: "Follow the cursor; cut what is removed at once to what the backend takes.",
        catches: &["ClearFirstPage"],
        run: |ctx| Box::pin(clear_of_many(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "CLR-07",
        name: "clear_leaves_foreign_things_alone",
        needs: &[Need::Clear, Need::Foreign],
        sentence: "`clear` leaves what stands next to the sessions and is none alone.",
        why: "A database is shared: with a cache, with a queue, with the application's tables.",
        hint: "No FLUSHDB, no DROP SCHEMA, no pattern without the whole prefix.",
        catches: &["FlushDb", "ClearForeign"],
        run: |ctx| Box::pin(clear_leaves_foreign_things_alone(ctx)),
        ..Rule::CAPABILITY
    },
];

async fn clear_removes_every_record(ctx: &Context) -> Result<(), Failure> {
    for (clearer, other) in [(&ctx.h1, &ctx.h2), (&ctx.h2, &ctx.h1)] {
        let mut ids = Vec::new();
        let day = ctx.now() + std::time::Duration::from_secs(86_400);
        for (n, expires) in [None, Some(ctx.late()), Some(day), None]
            .into_iter()
            .enumerate()
        {
            let id = ctx.id(&format!("{n} before {}.clear()", clearer.name));
            let record = ctx.record_until("cleared", expires);
            let writer = if n % 2 == 0 { clearer } else { other };
            writer.set(&id, &record).await.ok()?;
            // So that a cache has something to keep.
            for handle in [clearer, other] {
                handle.get(&id).await.record(&record, "it was written")?;
            }
            ids.push(id);
        }
        counted(ctx, 4, "four records were written").await?;
        clearer.clear().await.ok()?;
        for id in &ids {
            for handle in [clearer, other] {
                handle.get(id).await.none("all records were cleared")?;
            }
        }
        counted(ctx, 0, "all records were cleared").await?;
        if ctx.has(Need::All) {
            listed(ctx, []).await?;
        }
    }
    Ok(())
}

async fn clear_of_nothing_is_ok(ctx: &Context) -> Result<(), Failure> {
    ctx.h1.clear().await.ok()?;
    ctx.h2.clear().await.ok()?;
    let id = ctx.id("cleared");
    ctx.h1.set(&id, &ctx.record("cleared")).await.ok()?;
    for handle in [&ctx.h1, &ctx.h2, &ctx.h1] {
        handle.clear().await.ok()?;
        handle.get(&id).await.none("all records were cleared")?;
    }
    Ok(())
}

async fn clear_leaves_other_namespaces_alone(ctx: &Context) -> Result<(), Failure> {
    // Their names begin with that of the rule's own namespace.
    let others = [
        ctx.open_other("other").await?,
        ctx.open_other("third").await?,
    ];
    let (id, own) = (ctx.id("both"), ctx.record("own"));
    for (space, record) in others.iter().zip(["other", "third"]) {
        space.h1.set(&id, &ctx.record(record)).await.ok()?;
    }
    ctx.h1.set(&id, &own).await.ok()?;
    ctx.h1.clear().await.ok()?;
    ctx.h1.get(&id).await.none("its namespace was cleared")?;
    for (space, record) in others.iter().zip(["other", "third"]) {
        let because = "another namespace was cleared";
        space
            .h2
            .get(&id)
            .await
            .record(&ctx.record(record), because)?;
    }
    ctx.h1.set(&id, &own).await.ok()?;
    others[0].h1.clear().await.ok()?;
    let because = "another namespace was cleared";
    ctx.h2.get(&id).await.record(&own, because)?;
    others[1]
        .h1
        .get(&id)
        .await
        .record(&ctx.record("third"), because)
}

async fn usable_after_clear(ctx: &Context) -> Result<(), Failure> {
    let ids = [ctx.id("first"), ctx.id("second")];
    for (round, clearer) in [&ctx.h1, &ctx.h2].into_iter().enumerate() {
        ctx.h1.set(&ids[0], &ctx.record("before")).await.ok()?;
        clearer.clear().await.ok()?;
        // The same id as before, and one that is new.
        for (id, handle) in ids.iter().zip([&ctx.h1, &ctx.h2]) {
            let record = ctx.record(&format!("after {round}"));
            handle.set(id, &record).await.ok()?;
            for reader in [&ctx.h1, &ctx.h2] {
                let because = "it was written after clear";
                reader.get(id).await.record(&record, because)?;
            }
            handle.destroy(id).await.ok()?;
            handle.get(id).await.none("it was destroyed")?;
            if ctx.has(Need::Create) {
                handle
                    .create(id, &record)
                    .await
                    .is(Created::Created, "nothing is there")?;
            } else {
                handle.set(id, &record).await.ok()?;
            }
            if ctx.has(Need::Touch) {
                let later = ctx.cookie(Some(ctx.late()));
                handle
                    .touch(id, &later)
                    .await
                    .is(Touched::Touched, "it is live")?;
            }
        }
        counted(ctx, 2, "two records were written after clear").await?;
    }
    Ok(())
}

async fn clear_leaves_nothing_behind(ctx: &Context) -> Result<(), Failure> {
    let (soon, next) = (ctx.ticks(1), ctx.ticks(2));
    let (over, ending) = (ctx.id("over"), ctx.id("ending"));
    for (id, expires) in [(&over, soon), (&ending, next)] {
        let record = ctx.record_until("cleared", Some(expires));
        ctx.h1.set(id, &record).await.ok()?;
    }
    ctx.wait_until_gone(soon).await;
    ctx.h1.clear().await.ok()?;
    if ctx.has(Need::Count) {
        stored(ctx, 0).await?;
    }
    if ctx.has(Need::Sweep) {
        let swept = ctx.h1.sweep(10).await.ok()?;
        ensure(
            swept.removed == 0,
            "nothing left for `sweep`: all records were cleared, expired ones too",
            format_args!("{swept:?}"),
        )?;
    }
    let again = ctx.record("again");
    for id in [&over, &ending] {
        ctx.h1.set(id, &again).await.ok()?;
    }
    counted(ctx, 2, "two records were written after clear").await?;
    ctx.wait_until_gone(next).await;
    for id in [&over, &ending] {
        let because = "the expiry of the record before it was cleared with it";
        ctx.h2.get(id).await.record(&again, because)?;
    }
    Ok(())
}

async fn clear_of_many(ctx: &Context) -> Result<(), Failure> {
    let ids = fill(ctx, &ctx.space, MANY).await?;
    ctx.h1.clear().await.ok()?;
    ctx.remark("each record is asked for through h2");
    let reader = ctx.h2.quiet();
    for id in &ids {
        reader.get(id).await.none("all records were cleared")?;
    }
    counted(ctx, 0, "all records were cleared").await?;
    if ctx.has(Need::All) {
        listed(ctx, []).await?;
    }
    Ok(())
}

async fn clear_leaves_foreign_things_alone(ctx: &Context) -> Result<(), Failure> {
    let id = ctx.id("cleared");
    ctx.h1.set(&id, &ctx.record("cleared")).await.ok()?;
    ctx.space.hooks.write_foreign().await?;
    ctx.remark("the harness puts foreign things next to the sessions");
    ctx.h1.clear().await.ok()?;
    ctx.h2.get(&id).await.none("all records were cleared")?;
    ensure(
        ctx.space.hooks.foreign_intact().await?,
        "what is no session to be as it was",
        "the harness says that it is not",
    )
}
