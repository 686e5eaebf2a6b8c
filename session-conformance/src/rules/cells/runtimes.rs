//! Methods that are first called on one runtime, and then on others.

use std::time::Duration;

use super::works;
use crate::Method;
use crate::context::Context;
use crate::failure::Failure;
use crate::property::property;
use crate::rules::con::on_own_runtime;

property! {
    group: "RUN", title: "works from a second runtime", name: "works_on_each_runtime",
    says: [
        "",
        " works on a runtime of one thread, after that one has ended on another, and on the first \
         one again."
    ],
    why: "Each `#[tokio::test]` has a runtime of its own, and a method that keeps a task, a timer \
          or a connection of the first one waits for it for ever.",
    hint: "Spawn on the runtime of the call; replace a connection whose runtime has ended.",
    needs: [],
    run: works_on_each_runtime,
    of: [all clear create destroy get ids length replace set sweep touch],
    without: [],
    catches: [
        BoundToRuntime [all clear create destroy get ids length replace set sweep touch],
        BlocksInPlace [all clear create destroy get ids length replace set sweep touch],
        RefusesOtherRuntime [all clear create destroy get ids length replace set sweep touch],
    ],
}

async fn works_on_each_runtime(ctx: &Context, method: Method) -> Result<(), Failure> {
    for name in ["the first runtime", "the second runtime"] {
        ctx.remark(format!("on {name}, of one thread, which then ends:"));
        on_own_runtime(settled(ctx, method, name))?;
    }
    ctx.remark("back on the runtime of before:");
    settled(ctx, method, "the runtime of before").await
}

/// Reads until that works, as connections whose runtime has ended are found dead first, and then
/// demands that the method does its work.
async fn settled(ctx: &Context, method: Method, name: &str) -> Result<(), Failure> {
    const TRIES: usize = 20;
    for handle in [&ctx.h1, &ctx.h2] {
        let probe = ctx.id("probe");
        for attempt in 0..TRIES {
            let answer = handle.get(&probe).await;
            if answer.result.is_ok() || attempt + 1 == TRIES {
                answer.none("nobody wrote it")?;
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    let work = works(ctx, &ctx.h1, &ctx.h2, method, name);
    let worked = tokio::time::timeout(ctx.patience(), work).await;
    worked.map_err(|_| {
        Failure::new(
            format_args!("`h1.{method}` to do its work on {name}"),
            "no answer: it waits for a runtime that has ended",
        )
    })?
}
