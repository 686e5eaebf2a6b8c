//! The live check behind NOT SUPPORTED: a capability that is not declared answers `Unsupported` and
//! changes nothing (PRE-04).

use session_core::ErrorKind;

use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::timing::Fit;
use crate::{Need, describe};

const BECAUSE: &str = "the capability is not declared";

/// Calls the methods of an absent capability and looks whether anything changed. Declarations
/// without a method of their own (`durable`, hooks) have nothing to call.
pub(crate) async fn verify(ctx: &Context, need: Need) -> Result<(), Failure> {
    let (kept, unknown) = (ctx.id("kept"), ctx.id("unknown"));
    let (old, new) = (ctx.record("old"), ctx.record("new"));
    let h1 = &ctx.h1;
    // Whatever else is broken has rules of its own: what counts here is what these calls change.
    let _written = h1.set(&kept, &old).await;
    let before = [h1.get(&kept).await, h1.get(&unknown).await];
    match need {
        Need::Touch => {
            let later = ctx.cookie(Some(ctx.now() + std::time::Duration::from_secs(7_200)));
            for id in [&kept, &unknown] {
                unsupported(h1.touch(id, &later).await)?;
            }
        }
        Need::Length => unsupported(h1.length().await)?,
        Need::Clear => unsupported(h1.clear().await)?,
        Need::All => {
            unsupported(h1.all().await)?;
            unsupported(h1.ids().await)?;
        }
        Need::Create => {
            for id in [&kept, &unknown] {
                unsupported(h1.create(id, &new).await)?;
            }
        }
        Need::Replace => {
            for id in [&kept, &unknown] {
                unsupported(h1.replace(id, &old, &new).await)?;
            }
        }
        Need::Sweep => unsupported(h1.sweep(10).await)?,
        _ => return Ok(()),
    }
    for (before, id) in before.into_iter().zip([&kept, &unknown]) {
        let after = h1.get(id).await;
        let (Ok(before), Ok(found)) = (&before.result, &after.result) else {
            continue;
        };
        let same = match (before, found) {
            (Some(before), Some(found)) => {
                before.same_json(found)
                    && ctx.timing.fit(before.expires(), found.expires()) != Fit::Off
            }
            (before, found) => before.is_none() && found.is_none(),
        };
        let text = |found: &Option<_>| describe::optional_record(found.as_ref(), ctx.now());
        ensure(
            same,
            format_args!(
                "`{}` to return {} still: a call that is not supported changes nothing",
                after.call,
                text(before)
            ),
            text(found),
        )?;
    }
    Ok(())
}

fn unsupported<T: std::fmt::Debug>(answer: crate::answer::Answer<T>) -> Result<(), Failure> {
    answer.refused(ErrorKind::Unsupported, BECAUSE).map(drop)
}
