//! Durability: what has returned `Ok` outlives the handle and the process.

use session_core::Record;

use crate::context::Context;
use crate::describe;
use crate::failure::{Failure, ensure};
use crate::handle::{Handle, Id};
use crate::need::Need;
use crate::{Rule, Write};

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "DUR-01",
        name: "records_outlive_their_handles",
        needs: &[Need::Durable],
        sentence: "What was written and destroyed is so after all handles were dropped and opened \
                   anew.",
        why: "Every deployment would log everybody out.",
        hint: "Write in `set`, not when the handle is dropped: nothing waits for that.",
        catches: &["NoFlush", "OpenClears", "ForgetsDestroy"],
        run: |ctx| Box::pin(records_outlive_their_handles(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "DUR-02",
        name: "records_survive_a_kill",
        needs: &[Need::Durable, Need::Crash],
        sentence: "What `set` has returned `Ok` for is there after the process was killed.",
        why: "The visitor was told that he is logged in, and the next process does not know him.",
        hint: "Return from `set` when the backend has it: no write behind, no buffer of the \
               process's own.",
        catches: &["BufferedFlush", "NoFlush", "KeepsFirst"],
        run: |ctx| Box::pin(records_survive_a_kill(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "DUR-03",
        name: "reads_what_older_versions_wrote",
        needs: &[Need::Fixture],
        sentence: "Records that an older version wrote are read as they were, and can be \
                   overwritten and destroyed.",
        why: "An update of a library would log everybody out, or fail every request.",
        hint: "Give the format a version, and keep reading the old ones.",
        catches: &["FormatBreak", "FormatForgets", "FormatRewrites"],
        run: |ctx| Box::pin(reads_what_older_versions_wrote(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "DUR-04",
        name: "destroys_survive_a_kill",
        needs: &[Need::Durable, Need::Crash],
        sentence: "What `destroy` has returned `Ok` for is gone after the process was killed.",
        why: "A logout that a crash takes back.",
        hint: "Remove the record in `destroy` itself, and log the removal like a write.",
        catches: &["LazyDelete", "ForgetsDestroy"],
        run: |ctx| Box::pin(destroys_survive_a_kill(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "DUR-05",
        name: "expiries_outlive_their_handles",
        needs: &[Need::Durable],
        sentence: "A record that was written before all handles were opened anew has its expiry \
                   still, also one that `touch` moved, and ends with it.",
        why: "An expiry that lives in the process makes every session immortal at a restart.",
        hint: "Keep the expiry beside the record, and start no timer for it.",
        catches: &["ExpiryInMemory", "TouchInMemory"],
        run: |ctx| Box::pin(expiries_outlive_their_handles(ctx)),
        ..Rule::CAPABILITY
    },
];

async fn records_outlive_their_handles(ctx: &Context) -> Result<(), Failure> {
    let [kept, over, gone] = ["kept", "overwritten", "destroyed"].map(|name| ctx.id(name));
    let (record, first) = (ctx.record("last"), ctx.record("first"));
    let space = ctx.open_other("before").await?;
    space.h1.set(&kept, &record).await.ok()?;
    space.h1.set(&over, &first).await.ok()?;
    space.h2.set(&over, &record).await.ok()?;
    space.h1.set(&gone, &record).await.ok()?;
    space.h1.destroy(&gone).await.ok()?;
    ctx.remark("both handles are dropped");
    let opening = ctx.close(space);
    let space = ctx.open_space("after", opening).await?;
    for handle in [&space.h1, &space.h2] {
        handle
            .get(&kept)
            .await
            .record(&record, "its `set` had returned")?;
        handle
            .get(&over)
            .await
            .record(&record, "its last `set` had returned")?;
        handle.get(&gone).await.none("its `destroy` had returned")?;
    }
    Ok(())
}

async fn expiries_outlive_their_handles(ctx: &Context) -> Result<(), Failure> {
    let [ending, moved, late] = ["ending", "touched", "late"].map(|name| ctx.id(name));
    let (soon, far) = (ctx.ticks(2), ctx.late());
    let record = ctx.record_until("ending", Some(soon));
    let lasting = ctx.record_until("late", Some(far));
    let space = ctx.open_other("before").await?;
    space.h1.set(&ending, &record).await.ok()?;
    space.h1.set(&late, &lasting).await.ok()?;
    if ctx.has(Need::Touch) {
        space.h1.set(&moved, &lasting).await.ok()?;
        let touched = space.h1.touch(&moved, &ctx.cookie(Some(soon))).await;
        touched.is(session_core::Touched::Touched, "it is live")?;
    } else {
        space
            .h1
            .set(&moved, &ctx.record_until("late", Some(soon)))
            .await
            .ok()?;
    }
    ctx.remark("both handles are dropped");
    let opening = ctx.close(space);
    let space = ctx.open_space("after", opening).await?;
    let because = "its expiry was written with it";
    let found = space.h1.get(&ending).await;
    ctx.before(soon, found.record(&record, because))?;
    let found = space.h1.get(&late).await;
    ctx.before(far, found.record(&lasting, because))?;
    ctx.wait_until_gone(soon).await;
    for id in [&ending, &moved] {
        space.h2.get(id).await.none("its expiry has passed")?;
    }
    let found = space.h2.get(&late).await;
    ctx.before(far, found.record(&lasting, because))
}

/// Lets another process write and die, and reads through new handles and through old ones.
async fn crash(
    ctx: &Context,
    writes: Vec<Write>,
    left: &[(&Id, Option<&Record>)],
) -> Result<(), Failure> {
    let lines: Vec<_> = writes
        .iter()
        .map(|write| match write {
            Write::Set(_, record) => format!("set {}", describe::data(record)),
            _ => "destroy".to_owned(),
        })
        .collect();
    ctx.remark(format!(
        "another process, then killed: {}",
        lines.join(", ")
    ));
    left.iter().for_each(|(id, _)| ctx.h1.wrote(id));
    ctx.space.hooks.write_and_crash(writes).await?;
    let after = ctx.reopen("after").await?;
    let demand = |handle: Handle| async move {
        for (id, record) in left {
            let found = handle.get(id).await;
            match record {
                Some(record) => found.record(record, "its `set` had returned before the kill")?,
                None => found.none("its `destroy` had returned before the kill")?,
            }
        }
        Ok::<_, Failure>(())
    };
    demand(after.h1).await?;
    demand(ctx.h2.clone()).await
}

async fn records_survive_a_kill(ctx: &Context) -> Result<(), Failure> {
    let one = ctx.id("alone");
    let record = ctx.record("alone");
    let write = Write::Set(one.id.clone(), record.clone());
    crash(ctx, vec![write], &[(&one, Some(&record))]).await?;
    let ids: Vec<_> = (0..9)
        .map(|n| ctx.id(&format!("one of nine, {n}")))
        .collect();
    let writes = ids
        .iter()
        .map(|id| Write::Set(id.id.clone(), record.clone()));
    let left: Vec<_> = ids.iter().map(|id| (id, Some(&record))).collect();
    crash(ctx, writes.collect(), &left).await?;
    let (over, last) = (ctx.id("overwritten"), ctx.record("last"));
    let writes = [&record, &ctx.record("second"), &last]
        .map(|record| Write::Set(over.id.clone(), record.clone()));
    crash(ctx, writes.into(), &[(&over, Some(&last))]).await
}

async fn destroys_survive_a_kill(ctx: &Context) -> Result<(), Failure> {
    let [before, within, kept] = ["of before", "of the process", "kept"].map(|name| ctx.id(name));
    let record = ctx.record("written");
    for id in [&before, &kept] {
        ctx.h1.set(id, &record).await.ok()?;
    }
    let writes = vec![
        Write::Destroy(before.id.clone()),
        Write::Set(within.id.clone(), record.clone()),
        Write::Destroy(within.id.clone()),
    ];
    let left = [(&before, None), (&within, None), (&kept, Some(&record))];
    crash(ctx, writes, &left).await
}

async fn reads_what_older_versions_wrote(ctx: &Context) -> Result<(), Failure> {
    let written = ctx.space.hooks.load_fixture().await?;
    ensure(
        !written.is_empty(),
        "the harness's fixture to hold at least one record",
        "none",
    )?;
    let new = ctx.record("new");
    for (n, (id, record)) in written.iter().enumerate() {
        let id = ctx.odd_id(format!("fixture {n}"), id.as_str());
        ctx.h1.wrote(&id);
        for handle in [&ctx.h1, &ctx.h2] {
            let found = handle.get(&id).await;
            found.record(record, "an older version wrote it")?;
        }
        // Reading it must not have changed it for those who read it after.
        let found = ctx.h1.get(&id).await;
        found.record(record, "reading changes nothing")?;
        if n % 2 == 0 {
            ctx.h1.set(&id, &new).await.ok()?;
            ctx.h2
                .get(&id)
                .await
                .record(&new, "this version overwrote it")?;
        }
        ctx.h1.destroy(&id).await.ok()?;
        ctx.h2.get(&id).await.none("it was destroyed")?;
    }
    Ok(())
}
