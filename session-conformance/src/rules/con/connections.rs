//! Pools of one connection, and handles that are closed.

use futures_util::future::join_all;
use session_core::{Created, ErrorKind, Replaced, Touched};

use super::demands::works;
use crate::context::Context;
use crate::failure::Failure;
use crate::need::Need;
use crate::rules::siz::record_of_size;
use crate::space::Space;

async fn single_connection(ctx: &Context) -> Result<Space, Failure> {
    let mut opening = ctx.opening();
    opening.connections = Some(1);
    Ok(ctx.open_space("narrow", opening).await?)
}

pub(super) async fn one_connection_is_enough(ctx: &Context) -> Result<(), Failure> {
    const CALLS: usize = 64;
    let space = single_connection(ctx).await?;
    let ids: Vec<_> = (0..8).map(|n| ctx.id(&format!("shared {n}"))).collect();
    let over = ctx.id("over");
    let soon = ctx.ticks(1);
    for id in &ids {
        space.h1.set(id, &ctx.record("first")).await.ok()?;
    }
    space
        .h1
        .set(&over, &ctx.record_until("over", Some(soon)))
        .await
        .ok()?;
    ctx.wait_until_gone(soon).await;
    ctx.remark(format!(
        "{CALLS} calls at once on handles of one connection: get, set, destroy, get of an expired \
         record, and what else is declared"
    ));
    let (old, new, cookie) = (ctx.record("first"), ctx.record("second"), ctx.cookie(None));
    let (h1, h2) = (space.h1.quiet(), space.h2.quiet());
    let calls = (0..CALLS).map(|n| {
        let (id, over) = (&ids[n % ids.len()], &over);
        let handle = if n % 3 == 0 { &h2 } else { &h1 };
        let (old, new, cookie) = (&old, &new, &cookie);
        async move {
            match n % 8 {
                0 | 1 => handle.get(id).await.ok().map(drop),
                2 | 3 => handle.set(id, new).await.ok(),
                4 => handle.destroy(id).await.ok(),
                5 => handle.get(over).await.none("it has expired"),
                6 if ctx.has(Need::Replace) => {
                    let _: Replaced = handle.replace(id, old, new).await.ok()?;
                    Ok(())
                }
                7 if ctx.has(Need::Touch) => {
                    let _: Touched = handle.touch(id, cookie).await.ok()?;
                    Ok(())
                }
                _ if ctx.has(Need::Length) => handle.length().await.ok().map(drop),
                _ => handle.get(id).await.ok().map(drop),
            }
        }
    });
    for result in join_all(calls).await {
        result?;
    }
    works(ctx, &space.h1, "afterwards").await
}

pub(super) async fn a_failed_call_gives_back_what_it_took(ctx: &Context) -> Result<(), Failure> {
    const TIMES: usize = 20;
    let space = single_connection(ctx).await?;
    let (kept, unknown) = (ctx.id("kept"), ctx.id("unknown"));
    let record = ctx.record("kept");
    space.h1.set(&kept, &record).await.ok()?;
    let quiet = space.h1.quiet();
    ctx.remark(format!(
        "{TIMES} times get and destroy of what is not there"
    ));
    for _ in 0..TIMES {
        quiet.get(&unknown).await.none("it was never written")?;
        quiet.destroy(&unknown).await.ok()?;
        if ctx.has(Need::Touch) {
            let touched = quiet.touch(&unknown, &ctx.cookie(None)).await;
            touched.is(Touched::Missing, "it was never written")?;
        }
        if ctx.has(Need::Replace) {
            let replaced = quiet.replace(&unknown, &record, &record).await;
            replaced.is(Replaced::Missing, "it was never written")?;
        }
        if ctx.has(Need::Create) {
            let created = quiet.create(&kept, &record).await;
            created.is(Created::Exists, "it is there")?;
        }
    }
    let capabilities = ctx.capabilities();
    if let Some(limit) = capabilities.max_id_bytes.filter(|limit| *limit < 1 << 20) {
        ctx.remark(format!(
            "{TIMES} times get, set and destroy of an id that is too long"
        ));
        let long = ctx.odd_id("too long", &"l".repeat(limit + 1));
        for _ in 0..TIMES {
            let because = "it is longer than the store declares";
            quiet
                .get(&long)
                .await
                .refused(ErrorKind::InvalidId, because)?;
            quiet
                .set(&long, &record)
                .await
                .refused(ErrorKind::InvalidId, because)?;
            quiet
                .destroy(&long)
                .await
                .refused(ErrorKind::InvalidId, because)?;
        }
    }
    if let Some(limit) = capabilities
        .max_record_bytes
        .filter(|limit| *limit < 16 << 20)
    {
        ctx.remark(format!("{TIMES} times set of a record that is too large"));
        let large = record_of_size(ctx, limit + 1, "large-", record.expires());
        for _ in 0..TIMES {
            let because = "it is larger than the store declares";
            quiet
                .set(&kept, &large)
                .await
                .refused(ErrorKind::TooLarge, because)?;
        }
    }
    if ctx.has(Need::Undecodable) {
        ctx.remark(format!("{TIMES} times get of what cannot be decoded"));
        let broken = ctx.id("undecodable");
        space.h1.wrote(&broken);
        space.hooks.write_undecodable(&broken.id).await?;
        for _ in 0..TIMES {
            let found = quiet.get(&broken).await;
            found.refused(ErrorKind::Decode, "these bytes are no record")?;
        }
        space.h1.destroy(&broken).await.ok()?;
    }
    let found = space.h1.get(&kept).await;
    found.record(&record, "none of these calls wrote it")?;
    works(ctx, &space.h1, "afterwards").await
}

pub(super) async fn a_closed_handle_closes_no_other(ctx: &Context) -> Result<(), Failure> {
    let (id, record) = (ctx.id("kept"), ctx.record("kept"));
    ctx.h1.set(&id, &record).await.ok()?;
    let other = ctx.open_other("other").await?;
    works(ctx, &other.h1, "elsewhere").await?;
    ctx.remark("other.h1 and other.h2 are dropped");
    ctx.close(other);
    for handle in [&ctx.h1, &ctx.h2] {
        let found = handle.get(&id).await;
        found.record(&record, "other handles were dropped, nothing was destroyed")?;
    }
    works(ctx, &ctx.h1, "after the other handles").await
}
