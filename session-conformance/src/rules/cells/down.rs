//! Calls while the backend cannot be reached, and afterwards.

use super::lost::again;
use super::{HOUR, Made, make};
use crate::Method;
use crate::context::Context;
use crate::describe;
use crate::failure::{Failure, ensure};
use crate::property::property;
use crate::rules::err::{Recovery, is_outage};

property! {
    group: "OUT", title: "refused rightly while the backend is down", name: "is_refused_while_down",
    says: [
        "",
        " is refused with `Unavailable` or `Timeout`, and soon, while the backend is down; nothing \
         of it is done later, and afterwards it works again through the same handles, which see \
         each other's writes as before."
    ],
    why: "As `None` or `Ok` an outage logs people out, or loses what they did; and what listens \
          for others' writes must go on listening after it.",
    hint: "Map every connection error to `Unavailable`, in every method; begin a listener anew \
           after each outage, with an empty cache.",
    needs: [Fault],
    run: is_refused_while_down,
    of: [all clear create destroy get ids length replace set sweep touch],
    without: [],
    catches: [
        DownIsNothing [all clear create destroy get ids length replace set sweep touch],
        DownIsFine [create replace touch],
        DownIsAnotherKind [all clear create destroy get ids length replace set sweep touch],
        DownForGood [all clear create destroy get ids length replace set sweep touch],
        DownWaits [all clear create destroy get ids length replace set sweep touch],
        DownPanics [all clear create destroy get ids length replace set sweep touch],
        DownDoesItLater [clear create destroy replace set touch],
        DownStopsListening [clear create destroy replace set touch],
    ],
}

async fn is_refused_while_down(ctx: &Context, method: Method) -> Result<(), Failure> {
    let end = |hours: u32| Some(ctx.late() + hours * HOUR);
    let (old, new) = (
        ctx.record_until("old", end(1)),
        ctx.record_until("new", end(2)),
    );
    let [id, unknown] = ["asked for", "unknown"].map(|name| ctx.id(name));
    if method != Method::Create {
        ctx.h1.set(&id, &old).await.ok()?;
        for handle in [&ctx.h1, &ctx.h2] {
            handle.get(&id).await.record(&old, "it was written")?;
        }
    }
    ctx.remark("the backend is broken");
    ctx.space.hooks.break_backend().await?;
    // `get` may know the record still.
    let asked = if method == Method::Get { &unknown } else { &id };
    let made = async { make(&ctx.h1, method, asked, &old, &new).await };
    let made = tokio::time::timeout(ctx.patience(), made).await;
    ctx.remark("the backend is healed");
    ctx.space.hooks.heal_backend().await?;
    let expected = format!(
        "`h1.{method}` to be refused with Unavailable or Timeout within {} while the backend is \
         down",
        describe::duration(ctx.patience())
    );
    match made {
        Err(_) => return Err(Failure::new(expected, "no answer")),
        Ok(Made::Right) => return Err(Failure::new(expected, "an answer, as if it were there")),
        Ok(Made::Failed(error)) => {
            ensure(is_outage(error.kind()), expected, describe::error(&error))?;
        }
    }
    let recovery = Recovery::of(ctx);
    for handle in [&ctx.h1, &ctx.h2, &ctx.h1] {
        let found = recovery.call(|| handle.get(&id)).await;
        let because = format!("`{method}` was refused while the backend was down");
        if method == Method::Create {
            found.none(because)?;
        } else {
            found.record(&old, because)?;
        }
    }
    again(ctx, method).await
}
