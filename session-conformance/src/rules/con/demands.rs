//! What the rules of this group demand of a handle.

use session_core::Record;

use crate::answer::too_slow;
use crate::context::Context;
use crate::describe;
use crate::failure::{Failure, ensure};
use crate::handle::{Handle, Id};
use crate::timing::Fit;

/// The answer of a call that must succeed, where it is not worth a line in the report.
pub(super) fn succeed<T>(call: &str, result: session_core::Result<T>) -> Result<T, Failure> {
    result
        .map_err(|error| Failure::new(format_args!("`{call}` to succeed"), describe::error(&error)))
}

/// Whether a read found what this record leaves, expiry included.
fn leaves(ctx: &Context, found: Option<&Record>, wanted: Option<&Record>) -> Fit {
    match (found, wanted) {
        (None, None) => Fit::Close,
        (Some(found), Some(wanted)) if found.same_json(wanted) => {
            ctx.timing.fit(wanted.expires(), found.expires())
        }
        _ => Fit::Off,
    }
}

/// Demands that a read finds one of these, whole.
pub(in crate::rules) async fn one_of(
    ctx: &Context,
    handle: &Handle,
    id: &Id,
    wanted: &[Option<&Record>],
    because: &str,
) -> Result<(), Failure> {
    let found = handle.get(id).await.ok()?;
    let now = ctx.now();
    let names: Vec<_> = wanted
        .iter()
        .map(|record| describe::optional_record(*record, now))
        .collect();
    let fits: Vec<_> = wanted
        .iter()
        .map(|wanted| leaves(ctx, found.as_ref(), *wanted))
        .collect();
    if fits.contains(&Fit::Late) && !fits.contains(&Fit::Close) {
        return Err(too_slow());
    }
    ensure(
        fits.contains(&Fit::Close),
        format_args!(
            "`{}.get({})` to return {}: {because}",
            handle.name,
            id.label,
            names.join(" or ")
        ),
        describe::optional_record(found.as_ref(), now),
    )
}

/// Demands that both handles find one of these, and the same one: once one of them has seen what
/// comes later in the list, that stays. A request that went out may take effect between two looks.
pub(in crate::rules) async fn one_of_for_both(
    ctx: &Context,
    handles: [&Handle; 2],
    id: &Id,
    wanted: &[Option<&Record>],
    because: &str,
) -> Result<(), Failure> {
    const LOOKS: usize = 4;
    let mut least = 0;
    for look in 1..=LOOKS {
        let before = least;
        let mut seen = [0; 2];
        for (handle, seen) in handles.into_iter().zip(&mut seen) {
            let left = wanted.get(least..).unwrap_or_default();
            let step = if least > 0 {
                "the other handle has seen what came of it"
            } else {
                because
            };
            one_of(ctx, handle, id, left, step).await?;
            let found = handle.get(id).await.ok()?;
            let fits = |record: &Option<&Record>| leaves(ctx, found.as_ref(), *record) != Fit::Off;
            least = wanted.iter().position(fits).unwrap_or(least).max(least);
            *seen = least;
        }
        if look > 1 && before == least && seen[0] == seen[1] {
            break;
        }
    }
    Ok(())
}

/// Demands that a handle writes, reads and destroys as if nothing had happened.
pub(super) async fn works(ctx: &Context, handle: &Handle, name: &str) -> Result<(), Failure> {
    let (id, record) = (ctx.id(name), ctx.record(name));
    handle.set(&id, &record).await.ok()?;
    handle
        .get(&id)
        .await
        .record(&record, "the store goes on working")?;
    handle.destroy(&id).await.ok()?;
    handle.get(&id).await.none("the store goes on working")
}
