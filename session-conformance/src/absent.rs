//! The live check behind NOT SUPPORTED: a capability that is not declared answers `Unsupported` and
//! changes nothing (PRE-04).

use session_core::ErrorKind;

use crate::Need;
use crate::context::Context;
use crate::failure::Failure;

const BECAUSE: &str = "the capability is not declared";

/// Calls the methods of an absent capability and looks whether anything changed. Declarations
/// without a method of their own (`durable`, hooks) have nothing to call.
pub(crate) async fn verify(ctx: &Context, need: Need) -> Result<(), Failure> {
    let (kept, unknown) = (ctx.id("kept"), ctx.id("unknown"));
    let (old, new) = (ctx.record("old"), ctx.record("new"));
    let h1 = &ctx.h1;
    h1.set(&kept, &old).await.ok()?;
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
    h1.get(&kept)
        .await
        .record(&old, "a call that is not supported changes nothing")?;
    h1.get(&unknown)
        .await
        .none("a call that is not supported creates nothing")
}

fn unsupported<T: std::fmt::Debug>(answer: crate::answer::Answer<T>) -> Result<(), Failure> {
    answer.refused(ErrorKind::Unsupported, BECAUSE).map(drop)
}
