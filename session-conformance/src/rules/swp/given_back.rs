//! What becomes of ended records where nobody is told to remove them.

use super::{expired, sweep_all};
use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::need::Need;

pub(super) async fn ended_records_do_not_stay(ctx: &Context) -> Result<(), Failure> {
    const ENDED: usize = 50;
    expired(ctx, ENDED).await?;
    if ctx.has(Need::Sweep) {
        sweep_all(ctx, 100, ENDED).await?;
    } else {
        // As much as a store that cleans up beside its work may need to come to it.
        let quiet = [ctx.h1.quiet(), ctx.h2.quiet()];
        for round in 0..4 * ENDED {
            let id = ctx.id(&format!("visitor {}", round % ENDED));
            quiet[round % 2].set(&id, &ctx.record("live")).await.ok()?;
            quiet[round % 2].get(&id).await.some("it is live")?;
            quiet[round % 2].destroy(&id).await.ok()?;
        }
        ctx.remark(format!("{} visits of others", 4 * ENDED));
    }
    let left = ctx.space.hooks.count().await?;
    ensure(
        left < u64::try_from(ENDED / 2).unwrap_or(u64::MAX),
        format_args!("most of {ENDED} records that have ended to be given back"),
        format_args!("{left} are physically there still, and nobody sweeps"),
    )
}
