//! What several processes do to one store: migrate it, and read what the others wrote.

use std::sync::Arc;
use std::time::Duration;

use session_core::{Created, Replaced, Touched};

use super::demands::{succeed, works};
use crate::context::Context;
use crate::failure::Failure;
use crate::need::Need;
use crate::parallel::race;

pub(super) async fn migrations_may_meet(ctx: &Context) -> Result<(), Failure> {
    const NAMESPACES: usize = 3;
    const PROCESSES: usize = 4;
    for _ in 0..NAMESPACES {
        let space = ctx.open_other("other").await?;
        // The harness has migrated already: the first migration is met where it can undo that.
        if space.hooks.remove().await.is_ok() {
            ctx.remark("the harness removes what there is");
        }
        ctx.remark(format!("{PROCESSES} processes migrate at once"));
        let hooks = Arc::clone(&space.hooks);
        race(PROCESSES, move |_| {
            let hooks = Arc::clone(&hooks);
            async move { succeed("migrate()", hooks.migrate().await?) }
        })
        .await?;
        let (id, record) = (ctx.id("kept"), ctx.record("kept"));
        space.h1.set(&id, &record).await.ok()?;
        ctx.remark("one more process migrates");
        succeed("migrate()", space.hooks.migrate().await?)?;
        for handle in [&space.h1, &space.h2] {
            let found = handle.get(&id).await;
            found.record(
                &record,
                "a migration that has nothing to do changes nothing",
            )?;
        }
        works(ctx, &space.h2, "after the migrations").await?;
    }
    Ok(())
}

pub(super) async fn conditional_writes_reach_other_handles(ctx: &Context) -> Result<(), Failure> {
    for (turn, [writer, reader]) in [[&ctx.h1, &ctx.h2], [&ctx.h2, &ctx.h1]]
        .into_iter()
        .enumerate()
    {
        let id = ctx.id(&format!("cached {turn}"));
        let (old, new) = (ctx.record("old"), ctx.record("new"));
        reader.get(&id).await.none("it was never written")?;
        if ctx.has(Need::Create) {
            let created = writer.create(&id, &old).await;
            created.is(Created::Created, "nobody wrote it")?;
        } else {
            writer.set(&id, &old).await.ok()?;
        }
        reader
            .get(&id)
            .await
            .record(&old, "the other handle wrote it")?;
        if ctx.has(Need::Replace) {
            let replaced = writer.replace(&id, &old, &new).await;
            replaced.is(Replaced::Replaced, "the stored record is the old one")?;
            reader
                .get(&id)
                .await
                .record(&new, "the other handle replaced it")?;
        }
        let here = writer.get(&id).await.some("it is live")?;
        if ctx.has(Need::Touch) {
            let late = Some(ctx.now() + Duration::from_secs(7_200));
            let touched = writer.touch(&id, &ctx.cookie(late)).await;
            touched.is(Touched::Touched, "it is live")?;
            let found = reader.get(&id).await;
            found.record_until(&here, late, "the other handle moved its expiry")?;
            let soon = ctx.ticks(1);
            let touched = writer.touch(&id, &ctx.cookie(Some(soon))).await;
            ctx.before(soon, touched.is(Touched::Touched, "it is live"))?;
            ctx.wait_until_gone(soon).await;
            let found = reader.get(&id).await;
            found.none("the other handle brought its expiry forward, and it has passed")?;
        }
        writer.set(&id, &new).await.ok()?;
        reader
            .get(&id)
            .await
            .record(&new, "the other handle wrote it")?;
        if ctx.has(Need::Clear) {
            writer.clear().await.ok()?;
            reader
                .get(&id)
                .await
                .none("the other handle cleared the store")?;
        }
    }
    Ok(())
}
