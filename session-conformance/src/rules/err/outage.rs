//! Backends that go away, come back, or lose an answer.

use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, join_all};
use session_core::{Created, ErrorKind, Record, Replaced};

use crate::answer::Answer;
use crate::context::Context;
use crate::describe;
use crate::failure::{Failure, ensure};
use crate::handle::Handle;
use crate::need::Need;
use crate::rules::con::one_of;

/// How long a call may take to find out that nobody is there.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

pub(in crate::rules) fn is_outage(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Unavailable | ErrorKind::Timeout)
}

/// Demands that a call finds the backend gone; a `get` may know the record still.
async fn out<T: std::fmt::Debug>(
    call: impl Future<Output = Answer<T>>,
    fine: impl Fn(&T) -> bool,
) -> Result<(), Failure> {
    let Ok(answer) = tokio::time::timeout(PATIENCE, call).await else {
        return Err(Failure::new(
            format_args!("an answer within {}", describe::duration(PATIENCE)),
            "none: the call waits for a backend that is not there",
        ));
    };
    let expected = format!(
        "`{}` to be refused with Unavailable or Timeout: the backend cannot be reached",
        answer.call
    );
    match answer.result {
        Err(error) if is_outage(error.kind()) => Ok(()),
        Err(error) => Err(Failure::new(expected, describe::error(&error))),
        Ok(value) if fine(&value) => Ok(()),
        Ok(value) => Err(Failure::new(expected, format_args!("Ok({value:?})"))),
    }
}

pub(super) async fn an_unreachable_backend_is_an_error(ctx: &Context) -> Result<(), Failure> {
    let [kept, set, gone, touched, made, swapped, unknown] = [
        "kept",
        "set",
        "destroyed",
        "touched",
        "created",
        "replaced",
        "unknown",
    ]
    .map(|name| ctx.id(name));
    let (old, new) = (ctx.record("old"), ctx.record("new"));
    for id in [&kept, &set, &gone, &touched, &swapped] {
        ctx.h1.set(id, &old).await.ok()?;
    }
    let h1 = &ctx.h1;
    // A connection that has worked, for the handles to lose.
    ctx.h2.get(&kept).await.record(&old, "it was written")?;
    ctx.remark("the backend is broken");
    ctx.space.hooks.break_backend().await?;
    let cookie = ctx.cookie(Some(ctx.ticks(60)));
    let known = |found: &Option<Record>| found.as_ref().is_some_and(|found| found.same_json(&old));
    let mut calls: Vec<BoxFuture<'_, Result<(), Failure>>> = vec![
        Box::pin(out(h1.get(&kept), known)),
        Box::pin(out(ctx.h2.get(&kept), known)),
        Box::pin(out(h1.get(&unknown), |_| false)),
        Box::pin(out(h1.set(&set, &new), |()| false)),
        Box::pin(out(h1.destroy(&gone), |()| false)),
    ];
    if ctx.has(Need::Touch) {
        calls.push(Box::pin(out(h1.touch(&touched, &cookie), |_| false)));
    }
    if ctx.has(Need::Create) {
        calls.push(Box::pin(out(h1.create(&made, &new), |_| false)));
    }
    if ctx.has(Need::Replace) {
        calls.push(Box::pin(out(h1.replace(&swapped, &old, &new), |_| false)));
    }
    if ctx.has(Need::Length) {
        calls.push(Box::pin(out(h1.length(), |_| false)));
    }
    if ctx.has(Need::All) {
        calls.push(Box::pin(out(h1.all(), |_| false)));
        calls.push(Box::pin(out(h1.ids(), |_| false)));
    }
    if ctx.has(Need::Sweep) {
        calls.push(Box::pin(out(h1.sweep(10), |_| false)));
    }
    if ctx.has(Need::Clear) {
        calls.push(Box::pin(out(h1.clear(), |()| false)));
    }
    // All at once, so that their timeouts pass at the same time.
    let results = join_all(calls).await;
    ctx.remark("the backend is healed");
    ctx.space.hooks.heal_backend().await?;
    results.into_iter().collect()
}

/// How long the handles may take to find a backend that is back.
const RECOVERY: Duration = Duration::from_secs(2);

/// The time after an outage in which a pool may still find dead connections, one call after the
/// other.
pub(in crate::rules) struct Recovery<'a> {
    ctx: &'a Context,
    until: Instant,
}

impl<'a> Recovery<'a> {
    /// Begins now: the backend is back.
    pub(in crate::rules) fn of(ctx: &'a Context) -> Self {
        let until = Instant::now() + RECOVERY;
        Self { ctx, until }
    }

    /// No time at all: there was no outage.
    pub(in crate::rules) fn none(ctx: &'a Context) -> Self {
        let until = Instant::now();
        Self { ctx, until }
    }

    /// Calls until it works; in between, and until the time is over, only an outage is an answer.
    pub(in crate::rules) async fn call<T, Fut>(&self, mut call: impl FnMut() -> Fut) -> Answer<T>
    where
        Fut: Future<Output = Answer<T>>,
    {
        let mut tries = 1;
        loop {
            let answer = call().await;
            let again = answer
                .result
                .as_ref()
                .is_err_and(|error| is_outage(error.kind()));
            if !again || Instant::now() >= self.until {
                if tries > 1 {
                    self.ctx.remark(format!("it took {tries} attempts"));
                }
                return answer;
            }
            tries += 1;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Demands that a handle writes, reads and destroys, each after as many attempts as there is
    /// time for.
    async fn works(&self, handle: &Handle, name: &str) -> Result<(), Failure> {
        let (id, record) = (self.ctx.id(name), self.ctx.record(name));
        let because = "the backend is back";
        self.call(|| handle.set(&id, &record)).await.ok()?;
        let found = self.call(|| handle.get(&id)).await;
        found.record(&record, because)?;
        self.call(|| handle.destroy(&id)).await.ok()?;
        self.call(|| handle.get(&id)).await.none(because)
    }
}

pub(super) async fn a_backend_that_comes_back_is_used(ctx: &Context) -> Result<(), Failure> {
    let (kept, unknown) = (ctx.id("kept"), ctx.id("unknown"));
    let record = ctx.record("kept");
    ctx.h1.set(&kept, &record).await.ok()?;
    for round in 0..2 {
        ctx.remark("the backend is broken");
        ctx.space.hooks.break_backend().await?;
        let known = |found: &Option<Record>| found.as_ref().is_some_and(|f| f.same_json(&record));
        let results =
            join_all([out(ctx.h1.get(&kept), known), out(ctx.h2.get(&kept), known)]).await;
        ctx.remark("the backend is healed");
        ctx.space.hooks.heal_backend().await?;
        results.into_iter().collect::<Result<(), _>>()?;
        let recovery = Recovery::of(ctx);
        for handle in [&ctx.h1, &ctx.h2] {
            let found = recovery.call(|| handle.get(&kept)).await;
            found.record(&record, "the backend is back, with all that it had")?;
            let found = recovery.call(|| handle.get(&unknown)).await;
            found.none("it was never written")?;
            let again = ctx.id(&format!("written after outage {round}"));
            recovery.call(|| handle.set(&again, &record)).await.ok()?;
            recovery.works(handle, "after the outage").await?;
        }
    }
    Ok(())
}

/// Waits out what is left of an outage, then demands a working store.
async fn settles(ctx: &Context, handle: &Handle, name: &str) -> Result<(), Failure> {
    let id = ctx.id(&format!("settling {name}"));
    let recovery = Recovery::of(ctx);
    let found = recovery.call(|| handle.get(&id)).await;
    found.none("it was never written")?;
    recovery.works(handle, &format!("after {name}")).await
}

/// What a call whose answer was lost says: an outage, or a value.
fn heard<T>(answer: Answer<T>) -> Result<Option<T>, Failure> {
    match answer.result {
        Ok(value) => Ok(Some(value)),
        Err(error) if is_outage(error.kind()) => Ok(None),
        Err(error) => Err(Failure::new(
            format_args!(
                "`{}`, whose answer was lost, to be refused with Unavailable or Timeout",
                answer.call
            ),
            describe::error(&error),
        )),
    }
}

pub(super) async fn a_lost_answer_is_no_answer(ctx: &Context) -> Result<(), Failure> {
    let until = |hours: u64| Some(ctx.now() + Duration::from_secs(hours * 3_600));
    let old = ctx.record_until("old", until(1));
    let new = ctx.record_until("new", until(2));
    let h1 = &ctx.h1;
    let lose = || async {
        ctx.remark("the next answer is lost");
        ctx.space.hooks.lose_next_answer().await
    };
    for call in ["get", "set", "destroy", "create", "replace"] {
        let skipped = (call == "create" && !ctx.has(Need::Create))
            || (call == "replace" && !ctx.has(Need::Replace));
        if skipped {
            continue;
        }
        let id = ctx.id(&format!("of {call}"));
        if call != "create" {
            h1.set(&id, &old).await.ok()?;
        }
        lose().await?;
        // What may be there afterwards: only what was answered, if there was an answer.
        let (said, left): (String, Vec<Option<&Record>>) = match call {
            "get" => match heard(h1.get(&id).await)? {
                None => ("an error".into(), vec![Some(&old)]),
                Some(found) => {
                    ensure(
                        found.as_ref().is_some_and(|found| found.same_json(&old)),
                        "`h1.get`, whose answer was lost, to be an error or the record",
                        describe::optional_record(found.as_ref(), ctx.now()),
                    )?;
                    ("the record".into(), vec![Some(&old)])
                }
            },
            "set" => match heard(h1.set(&id, &new).await)? {
                None => ("an error".into(), vec![Some(&old), Some(&new)]),
                Some(()) => ("Ok".into(), vec![Some(&new)]),
            },
            "destroy" => match heard(h1.destroy(&id).await)? {
                None => ("an error".into(), vec![Some(&old), None]),
                Some(()) => ("Ok".into(), vec![None]),
            },
            "create" => match heard(h1.create(&id, &new).await)? {
                None => ("an error".into(), vec![None, Some(&new)]),
                Some(Created::Created) => ("Created".into(), vec![Some(&new)]),
                Some(other) => (format!("{other:?}"), Vec::new()),
            },
            _ => match heard(h1.replace(&id, &old, &new).await)? {
                None => ("an error".into(), vec![Some(&old), Some(&new)]),
                Some(Replaced::Replaced) => ("Replaced".into(), vec![Some(&new)]),
                Some(other) => (format!("{other:?}"), Vec::new()),
            },
        };
        ensure(
            !left.is_empty(),
            format_args!(
                "`h1.{call}`, which nobody else was in the way of, to succeed or to be an error"
            ),
            format_args!("{said}: it met its own first attempt"),
        )?;
        settles(ctx, h1, call).await?;
        let because = format!("{call} was answered with {said} when its answer was lost");
        for handle in [h1, &ctx.h2] {
            one_of(ctx, handle, &id, &left, &because).await?;
        }
    }
    Ok(())
}
