//! What has returned before the process was killed.

use std::time::{Duration, SystemTime};

use session_core::Record;

use super::{HOUR, written};
use crate::context::Context;
use crate::failure::Failure;
use crate::handle::{Handle, Id};
use crate::property::property;
use crate::{Method, Write};

property! {
    group: "KIL", title: "durable after the answer", name: "outlives_a_kill",
    says: [
        "What ",
        " has returned for is so after the process was killed at once: text, expiry and absence, \
         as its only call and as the last of several."
    ],
    why: "A logout that a crash takes back, or a login that is gone with the process that \
          confirmed it.",
    hint: "Return when the backend has it: no buffer, no journal that is written later, in any \
           method.",
    needs: [Durable Crash],
    run: outlives_a_kill,
    of: [clear create destroy replace set touch],
    without: [
        all: "writes nothing", get: "writes nothing", ids: "writes nothing",
        length: "writes nothing", sweep: "removes what is not there for anybody",
    ],
    catches: [
        WriteBehind1 [clear create destroy replace set touch],
        EndLater [create replace set touch],
        EveryThird [clear create destroy replace set touch],
    ],
}

async fn outlives_a_kill(ctx: &Context, method: Method) -> Result<(), Failure> {
    // The other process has the machine's clock, wherever the suite's own stands: 2100 is to come.
    let far = SystemTime::UNIX_EPOCH + Duration::from_millis(4_102_444_800_357);
    let end = |hours: u32| Some(far + hours * HOUR);
    let (old, new) = (
        ctx.record_until("old", end(1)),
        ctx.record_until("new", end(2)),
    );
    let write = |id: &Id| {
        let id = id.id.clone();
        match method {
            Method::Clear => Write::Clear,
            Method::Create => Write::Create(id, new.clone()),
            Method::Destroy => Write::Destroy(id),
            Method::Replace => Write::Replace(id, old.clone(), new.clone()),
            Method::Touch => Write::Touch(id, new.cookie().clone()),
            _ => Write::Set(id, new.clone()),
        }
    };
    let left = match method {
        Method::Clear | Method::Destroy => None,
        _ => Some(written(method, &old, &new)),
    };
    // Alone, over what was there before; then after others, over what the process wrote itself.
    let (alone, within) = (ctx.id("alone"), ctx.id("within"));
    let fresh = method == Method::Create;
    if !fresh {
        ctx.h1.set(&alone, &old).await.ok()?;
    }
    crash(ctx, method, vec![write(&alone)], &[(&alone, left.as_ref())]).await?;
    let kept = ctx.id("kept");
    let mut writes = vec![Write::Set(kept.id.clone(), old.clone())];
    if !fresh {
        writes.push(Write::Set(within.id.clone(), old.clone()));
    }
    writes.push(write(&within));
    let kept_left = Some(&old).filter(|_| method != Method::Clear);
    let all = [
        (&within, left.as_ref()),
        (&kept, kept_left),
        (&alone, left.as_ref()),
    ];
    crash(ctx, method, writes, &all).await
}

async fn crash(
    ctx: &Context,
    method: Method,
    writes: Vec<Write>,
    left: &[(&Id, Option<&Record>)],
) -> Result<(), Failure> {
    let calls = writes.len();
    ctx.remark(format!(
        "another process makes {calls} calls, {method} last, and is killed"
    ));
    left.iter().for_each(|(id, _)| ctx.h1.wrote(id));
    ctx.space.hooks.write_and_crash(writes).await?;
    let after = ctx.reopen("after").await?;
    let look = async |handle: &Handle| {
        for (id, record) in left {
            let found = handle.get(id).await;
            let because = format!("`{method}` had returned before the kill");
            match record {
                Some(record) => found.record(record, because)?,
                None => found.none(because)?,
            }
        }
        Ok::<_, Failure>(())
    };
    look(&after.h1).await?;
    look(&ctx.h2).await
}
