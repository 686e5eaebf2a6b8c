//! Calls whose answer is lost on its way.

use session_core::{Record, Swept};

use super::{HOUR, until, works};
use crate::Method;
use crate::answer::Answer;
use crate::context::Context;
use crate::describe;
use crate::failure::{Failure, ensure};
use crate::property::property;
use crate::rules::con::one_of;
use crate::rules::err::{Recovery, is_outage};

property! {
    group: "LOS", title: "whole after a lost answer", name: "survives_a_lost_answer",
    says: [
        "",
        " whose answer is lost is `Unavailable` or `Timeout`, or did just what it says; both \
         handles then see the old record or the new one, whole, and every call works again."
    ],
    why: "What is reported as done and is not is lost; what is tried again by itself meets its own \
          first attempt, and a visitor is told that his id is taken.",
    hint: "Turn a lost connection into an error, in every method; try again only what may be done \
           twice.",
    needs: [Fault],
    run: survives_a_lost_answer,
    of: [all clear create destroy get ids length replace set sweep touch],
    without: [],
    catches: [
        LostIsDone [clear create destroy replace set touch],
        LostIsNothing [all create get ids length replace sweep touch],
        LostIsTorn [create replace set touch],
        LostIsOther [all clear create destroy get ids length replace set sweep touch],
        LostIsTriedAgain [create replace],
        LostForGood [all clear create destroy get ids length replace set sweep touch],
        LostStopsListening [clear create destroy replace set touch],
    ],
}

async fn survives_a_lost_answer(ctx: &Context, method: Method) -> Result<(), Failure> {
    let end = |hours: u32| Some(ctx.late() + hours * HOUR);
    let (old, new) = (
        ctx.record_until("old", end(1)),
        ctx.record_until("new", end(2)),
    );
    let (id, h1) = (ctx.id("asked for"), &ctx.h1);
    if method != Method::Create {
        h1.set(&id, &old).await.ok()?;
    }
    if method == Method::Sweep {
        let (over, soon) = (ctx.id("over"), ctx.ticks(1));
        let ending = ctx.record_until("over", Some(soon));
        h1.set(&over, &ending).await.ok()?;
        ctx.wait_until_gone(soon).await;
    }
    // A connection that has worked, and a cache that knows the record.
    for handle in [&ctx.h1, &ctx.h2] {
        handle.get(&id).await.ok()?;
    }
    ctx.remark("the next answer is lost");
    ctx.space.hooks.lose_next_answer().await?;
    let moved = until(&old, new.expires());
    let before = Some(&old).filter(|_| method != Method::Create);
    let after = match method {
        Method::Clear | Method::Destroy => None,
        Method::Create | Method::Replace | Method::Set => Some(&new),
        Method::Touch => Some(&moved),
        _ => before,
    };
    // `Some` if it said that it did its work, with whether that is what there was to say.
    let said = match method {
        Method::All => {
            let all = h1.all().await;
            heard(all, |all| all.iter().any(|(found, _)| *found == id.id))?
        }
        Method::Clear => heard(h1.clear().await, |()| true)?,
        Method::Create => heard(h1.create(&id, &new).await, |it| {
            *it == session_core::Created::Created
        })?,
        Method::Destroy => heard(h1.destroy(&id).await, |()| true)?,
        Method::Get => heard(h1.get(&id).await, |found: &Option<Record>| {
            found.as_ref().is_some_and(|found| found.same_json(&old))
        })?,
        Method::Ids => heard(h1.ids().await, |ids| ids.contains(&id.id))?,
        Method::Length => heard(h1.length().await, |length| *length == 1)?,
        Method::Replace => {
            let replaced = h1.replace(&id, &old, &new).await;
            heard(replaced, |it| *it == session_core::Replaced::Replaced)?
        }
        Method::Set => heard(h1.set(&id, &new).await, |()| true)?,
        Method::Sweep => {
            let due = usize::from(!ctx.capabilities().server_ttl);
            heard(h1.sweep(100).await, |swept: &Swept| swept.removed >= due)?
        }
        Method::Touch => {
            let touched = h1.touch(&id, new.cookie()).await;
            heard(touched, |it| *it == session_core::Touched::Touched)?
        }
    };
    let left: &[Option<&Record>] = if said { &[after] } else { &[before, after] };
    let because = match said {
        true => format!("{method} said that it was done when its answer was lost"),
        false => format!("{method} was an error when its answer was lost"),
    };
    let recovery = Recovery::of(ctx);
    for handle in [h1, &ctx.h2] {
        let settled = recovery.call(|| handle.get(&id)).await;
        settled.ok()?;
    }
    for handle in [h1, &ctx.h2, h1] {
        one_of(ctx, handle, &id, left, &because).await?;
    }
    again(ctx, method).await
}

/// The method works again, by each handle; a pool may have some dead connections left.
pub(super) async fn again(ctx: &Context, method: Method) -> Result<(), Failure> {
    let recovery = Recovery::of(ctx);
    for (handle, reader, name) in [
        (&ctx.h1, &ctx.h2, "afterwards, h1"),
        (&ctx.h2, &ctx.h1, "afterwards, h2"),
    ] {
        // What each of them does first may find out; what comes then must not.
        let probe = ctx.id("probe");
        for _ in 0..4 {
            recovery
                .call(|| handle.get(&probe))
                .await
                .none("nobody wrote it")?;
        }
        works(ctx, handle, reader, method, name).await?;
        // What this one writes the other one sees, also if it knew it before the outage.
        let (a, b) = (ctx.record("a"), ctx.record("b"));
        let known = ctx.id(&format!("known, {name}"));
        handle.set(&known, &a).await.ok()?;
        reader
            .get(&known)
            .await
            .record(&a, "it was written after the outage")?;
        handle.set(&known, &b).await.ok()?;
        reader
            .get(&known)
            .await
            .record(&b, "it was written again after the outage")?;
    }
    Ok(())
}

/// Whether the call said that it did its work; an outage is an answer, anything else is not.
fn heard<T: std::fmt::Debug>(
    answer: Answer<T>,
    right: impl Fn(&T) -> bool,
) -> Result<bool, Failure> {
    let expected = format!(
        "`{}`, whose answer was lost, to be refused with Unavailable or Timeout, or to say what \
         there is",
        answer.call
    );
    match answer.result {
        Ok(value) => {
            ensure(right(&value), &expected, format_args!("Ok({value:?})"))?;
            Ok(true)
        }
        Err(error) if is_outage(error.kind()) => Ok(false),
        Err(error) => Err(Failure::new(expected, describe::error(&error))),
    }
}
