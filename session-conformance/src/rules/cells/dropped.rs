//! Calls that are dropped at each of their awaits, and called again.

use session_core::Record;

use super::{HOUR, until};
use crate::Method;
use crate::answer::Answer;
use crate::context::Context;
use crate::describe;
use crate::failure::{Failure, ensure};
use crate::handle::{Handle, Id};
use crate::parallel::{Polled, poll_n};
use crate::property::property;
use crate::rules::con::one_of_for_both;
use crate::space::Space;

property! {
    group: "CUT", title: "whole after cancellation at each poll", name: "can_be_dropped_at_any_await",
    says: [
        "",
        " that is dropped at any of its awaits has happened whole or not at all, which both handles \
         see alike; called again it ends and does its work, and so does every other call."
    ],
    why: "A visitor who closes the tab drops the request: a lock, a flag or a connection that only \
          the end of the call gives back is gone for good.",
    hint: "One statement for a write; let guards give back what a call takes; close a connection \
           whose call was dropped.",
    needs: [],
    run: can_be_dropped_at_any_await,
    of: [all clear create destroy get ids length replace set sweep touch],
    without: [],
    catches: [
        LeavesLock [all clear create destroy get ids length replace set sweep touch],
        LeavesGlobalLock [all clear create destroy get ids length replace set sweep touch],
        LeavesIdLock [create destroy get replace set touch],
        LosesPermit [all clear create destroy get ids length replace set sweep touch],
        TakesAway [create replace set touch],
        TextThenEnd [create replace set],
        EndThenText [replace set],
        WritesEmpty [create replace set],
        RemovesOnce [all get length touch],
        DoneTwice [create replace],
        StaleReply [get],
    ],
}

/// How often a call is polled before it counts as one that cannot be dropped half way.
const POLLS: usize = 40;

/// The calls of one namespace, and what they are about.
struct Scene<'a> {
    ctx: &'a Context,
    space: Space,
    old: Record,
    new: Record,
}

async fn can_be_dropped_at_any_await(ctx: &Context, method: Method) -> Result<(), Failure> {
    let end = |hours: u32| Some(ctx.late() + hours * HOUR);
    let scene = Scene {
        ctx,
        space: ctx.space.clone(),
        old: ctx.record_until("old", end(0)),
        new: ctx.record_until("new", end(1)),
    };
    let mut dropped = 0;
    for polls in 1..=POLLS {
        let id = ctx.id(&format!("dropped after {polls}"));
        if scene.attempt(method, &id, polls).await? {
            break;
        }
        dropped += 1;
    }
    ctx.remark(format!("{method} was dropped half way {dropped} times"));
    Ok(())
}

impl Scene<'_> {
    /// Drops the call after so many polls, looks, and calls again; whether it had ended by then.
    async fn attempt(&self, method: Method, id: &Id, polls: usize) -> Result<bool, Failure> {
        let (h1, h2) = (&self.space.h1, &self.space.h2);
        let (old, new) = (&self.old, &self.new);
        if method != Method::Create {
            soon(self.ctx, h1, "set", h1.set(id, old)).await?;
        }
        let ended = match poll_n(polls, self.call(h1, method, id)).await {
            Polled::Dropped => {
                let remark = format!("that {method} was dropped at its await number {polls}");
                self.ctx.remark(remark);
                false
            }
            Polled::Done(answer) => {
                answer?;
                true
            }
        };
        let moved = until(old, new.expires());
        let left: &[Option<&Record>] = match method {
            Method::Set | Method::Replace => &[Some(old), Some(new)],
            Method::Destroy | Method::Clear => &[Some(old), None],
            Method::Touch => &[Some(old), Some(&moved)],
            Method::Create => &[None, Some(new)],
            _ => &[Some(old)],
        };
        let because = format!("{method} was dropped after {polls} polls");
        let look = one_of_for_both(self.ctx, [h2, h1], id, left, &because);
        tokio::time::timeout(self.ctx.patience(), look)
            .await
            .map_err(|_| late(self.ctx, &format!("get({})", id.label)))??;
        // Again, with everything as it was, through both handles.
        for handle in [h1, h2] {
            if method == Method::Create {
                soon(self.ctx, h1, "destroy", h1.destroy(id)).await?;
            } else {
                soon(self.ctx, h1, "set", h1.set(id, old)).await?;
            }
            let again =
                tokio::time::timeout(self.ctx.patience(), self.call(handle, method, id)).await;
            let name = format!("{}.{method}", handle.name);
            again.map_err(|_| late(self.ctx, &name))??;
            let wanted = left.last().copied().flatten();
            for reader in [h1, h2] {
                let found = soon(self.ctx, reader, "get", reader.get(id)).await?;
                let because = format!("{method} was called again after it was dropped");
                let same = match (&found, wanted) {
                    (Some(found), Some(wanted)) => found.same_json(wanted),
                    (None, None) => true,
                    _ => false,
                };
                let now = self.ctx.now();
                ensure(
                    same,
                    format_args!(
                        "`{}.get({})` to return {}: {because}",
                        reader.name,
                        id.label,
                        describe::optional_record(wanted, now)
                    ),
                    describe::optional_record(found.as_ref(), now),
                )?;
            }
        }
        // Another id, in case that one is locked alone.
        let other = self.ctx.id("another one");
        for handle in [h1, h2] {
            soon(self.ctx, handle, "set", handle.set(&other, old)).await?;
            soon(self.ctx, handle, "get", handle.get(&other)).await?;
            soon(self.ctx, handle, "destroy", handle.destroy(&other)).await?;
        }
        Ok(ended)
    }

    async fn call(&self, by: &Handle, method: Method, id: &Id) -> Result<(), Failure> {
        let (old, new) = (&self.old, &self.new);
        match method {
            Method::All => by.all().await.ok().map(drop),
            Method::Clear => by.clear().await.ok(),
            Method::Destroy => by.destroy(id).await.ok(),
            Method::Get => by.get(id).await.record(old, "it was written"),
            Method::Ids => by.ids().await.ok().map(drop),
            Method::Length => by.length().await.ok().map(drop),
            Method::Sweep => by.sweep(100).await.ok().map(|_: session_core::Swept| ()),
            _ => super::write(by, method, id, old, new).await,
        }
    }
}

/// A call that must end soon.
async fn soon<T>(
    ctx: &Context,
    by: &Handle,
    what: &str,
    call: impl Future<Output = Answer<T>>,
) -> Result<T, Failure> {
    let answer = tokio::time::timeout(ctx.patience(), call).await;
    answer
        .map_err(|_| late(ctx, &format!("{}.{what}", by.name)))?
        .ok()
}

fn late(ctx: &Context, call: &str) -> Failure {
    let patience = describe::duration(ctx.patience());
    Failure::new(
        format_args!("`{call}` to end within {patience}"),
        "no answer: it waits for something that the dropped call has taken with it",
    )
}
