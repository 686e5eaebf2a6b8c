//! What another call does between two awaits of a method.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::join;
use session_core::{Created, Record, Replaced, Swept, Touched};

use super::{HOUR, until};
use crate::Method;
use crate::context::Context;
use crate::describe;
use crate::failure::{Failure, ensure};
use crate::handle::{Handle, Id};
use crate::property::property;

property! {
    group: "ONE", title: "done in one step", name: "is_one_step",
    says: [
        "Whatever another call writes, reads or destroys between two awaits of ",
        ", the answers and what is left are those of one after the other."
    ],
    why: "A method that looks first and writes then undoes what came in between: a logout, a \
          login, a fresh session under an id whose old one has ended.",
    hint: "One statement with its condition in it, a script or a transaction; a cache is emptied \
           after the write, not before it alone.",
    needs: [],
    run: is_one_step,
    of: [create destroy get replace set sweep touch],
    without: [
        all: "is no snapshot: what is written meanwhile may or may not appear (ALL-06)",
        ids: "is no snapshot either",
        clear: "may or may not take along what is written while it runs: it goes through many records",
        length: "counts what is there at some moment, and changes nothing",
    ],
    catches: [
        ReadsThenWrites [replace touch],
        LooksThenCreates [create],
        ComparesThenWrites [replace],
        GetDeletesEnded [get],
        SweepsFound [sweep],
        InvalidatesFirst [destroy replace set touch],
        FillsLate [get],
        DeletesThenWrites [replace set],
        WritesTextThenEnd [replace set],
        RemovesTwice [destroy],
        ReadsThenDestroys [destroy],
        WritesTheRowItRead [touch],
        PlansThenSets [set],
    ],
}

/// How many awaits of a call are looked at.
const POLLS: usize = 12;

/// How long the other call has for itself, before this one goes on.
const ALONE: Duration = Duration::from_millis(10);

/// What the other handle does in between.
const OTHERS: &[Method] = &[
    Method::Set,
    Method::Destroy,
    Method::Get,
    Method::Touch,
    Method::Create,
    Method::Replace,
    Method::Clear,
];

async fn is_one_step(ctx: &Context, method: Method) -> Result<(), Failure> {
    let mut cuts = 0;
    let declared = |other: &&Method| other.need().is_none_or(|need| ctx.has(need));
    for start in [Start::Live, Start::Over, Start::Nothing] {
        for other in OTHERS.iter().copied().filter(|other| declared(&other)) {
            for polls in 1..=POLLS {
                if !cut(ctx, method, other, start, polls).await? {
                    break;
                }
                cuts += 1;
            }
        }
    }
    ctx.remark(format!("another call came in between {cuts} times"));
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    Live,
    Over,
    Nothing,
}

/// What is under the id, and what a call makes of it: the answer and what is left.
type State = Option<Record>;

/// The three records that there are.
struct Records {
    old: Record,
    mine: Record,
    theirs: Record,
    over: Record,
}

/// The call and another one after the first polls of it; whether there was an await in between.
async fn cut(
    ctx: &Context,
    method: Method,
    other: Method,
    start: Start,
    polls: usize,
) -> Result<bool, Failure> {
    let id = ctx.id(&format!("{start:?}, {other} after {polls}"));
    let soon = ctx.ticks(1);
    let end = |hours: u32| Some(ctx.late() + hours * HOUR);
    let records = Records {
        old: ctx.record_until("old", end(1)),
        mine: ctx.record_until("mine", end(2)),
        theirs: ctx.record_until("theirs", end(3)),
        over: ctx.record_until("over", Some(soon)),
    };
    let state = match start {
        Start::Live => Some(records.old.clone()),
        Start::Over if ctx.timing.is_manual() => {
            ctx.h2.set(&id, &records.over).await.ok()?;
            ctx.wait_until_gone(soon).await;
            None
        }
        Start::Over => return Ok(false),
        Start::Nothing => None,
    };
    if let Some(old) = &state {
        ctx.h2.set(&id, old).await.ok()?;
        // In half of the attempts a cache has something to keep.
        if polls.is_multiple_of(2) {
            ctx.h1.get(&id).await.record(old, "it was written")?;
        }
    }
    let mut call = pin!(act(&ctx.h1, method, &id, &records, true));
    let mut polled = 0;
    let first = std::future::poll_fn(|context| {
        if polled == polls {
            return Poll::Ready(None);
        }
        polled += 1;
        match call.as_mut().poll(context) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending if polled == polls => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await;
    if let Some(answer) = first {
        answer?;
        ctx.h2.destroy(&id).await.ok()?;
        return Ok(false);
    }
    ctx.remark(format!("at await {polls} of that {method}:"));
    let there = async {
        let said = act(&ctx.h2, other, &id, &records, false).await?;
        // Whatever looks now may keep what it sees.
        for handle in [&ctx.h1, &ctx.h2] {
            handle.get(&id).await.ok()?;
        }
        Ok::<_, Failure>(said)
    };
    let mut there = pin!(there);
    let (mine, theirs) = match tokio::time::timeout(ALONE, there.as_mut()).await {
        Ok(theirs) => (call.await?, theirs?),
        // One that waits for the other's end cannot come in between.
        Err(_) => {
            let (mine, theirs) = join(call, there).await;
            (mine?, theirs?)
        }
    };
    let mut found = Vec::new();
    for handle in [&ctx.h1, &ctx.h2, &ctx.h1] {
        found.push(handle.get(&id).await.ok()?);
    }
    let orders = [
        {
            let (first, state) = model(method, &state, &records, true);
            let (second, state) = model(other, &state, &records, false);
            (first, second, state)
        },
        {
            let (second, state) = model(other, &state, &records, false);
            let (first, state) = model(method, &state, &records, true);
            (first, second, state)
        },
    ];
    let same = |a: &State, b: &State| match (a, b) {
        (Some(a), Some(b)) => {
            a.same_json(b) && ctx.timing.fit(a.expires(), b.expires()) != crate::timing::Fit::Off
        }
        (None, None) => true,
        _ => false,
    };
    let explained = |(first, second, left): &(Said, Said, State)| {
        first.fits(&mine) && second.fits(&theirs) && found.iter().all(|found| same(left, found))
    };
    let now = ctx.now();
    let show = |(first, second, left): &(Said, Said, State)| {
        format!(
            "{first:?}, {second:?} and {}",
            describe::optional_record(left.as_ref(), now)
        )
    };
    let left: Vec<_> = found
        .iter()
        .map(|found| describe::optional_record(found.as_ref(), now))
        .collect();
    ensure(
        orders.iter().any(explained),
        format_args!(
            "`h1.{method}`, with `h2.{other}` at its await {polls}, to do what one after the other \
             does: {}, or {}",
            show(&orders[0]),
            show(&orders[1])
        ),
        format_args!("{mine:?}, {theirs:?} and {}", left.join(", then ")),
    )?;
    ctx.h2.destroy(&id).await.ok()?;
    Ok(true)
}

/// An answer as far as it tells one order from another.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    /// Whatever there is to say.
    Done,
    Created(Created),
    Replaced(Replaced),
    Touched(Touched),
    /// The text that was found.
    Found(Option<String>),
}

impl Said {
    fn fits(&self, said: &Self) -> bool {
        self == said
    }
}

fn data_of(record: &Record) -> String {
    describe::data(record)
}

/// What a call does by itself.
fn model(method: Method, state: &State, records: &Records, mine: bool) -> (Said, State) {
    let new = if mine { &records.mine } else { &records.theirs };
    match (method, state) {
        (Method::Set, _) => (Said::Done, Some(new.clone())),
        (Method::Destroy | Method::Clear, _) => (Said::Done, None),
        (Method::Get, state) => (Said::Found(state.as_ref().map(data_of)), state.clone()),
        (Method::Create, None) => (Said::Created(Created::Created), Some(new.clone())),
        (Method::Create, state) => (Said::Created(Created::Exists), state.clone()),
        (Method::Touch, None) => (Said::Touched(Touched::Missing), None),
        (Method::Touch, Some(state)) => {
            let moved = until(state, new.expires());
            (Said::Touched(Touched::Touched), Some(moved))
        }
        (Method::Replace, None) => (Said::Replaced(Replaced::Missing), None),
        (Method::Replace, Some(state)) if state.same_json(&records.old) => {
            (Said::Replaced(Replaced::Replaced), Some(new.clone()))
        }
        (Method::Replace, state) => (Said::Replaced(Replaced::Conflict), state.clone()),
        (_, state) => (Said::Done, state.clone()),
    }
}

async fn act(
    by: &Handle,
    method: Method,
    id: &Id,
    records: &Records,
    mine: bool,
) -> Result<Said, Failure> {
    let new = if mine { &records.mine } else { &records.theirs };
    Ok(match method {
        Method::All => by.all().await.ok().map(|_| Said::Done)?,
        Method::Clear => by.clear().await.ok().map(|()| Said::Done)?,
        Method::Create => Said::Created(by.create(id, new).await.ok()?),
        Method::Destroy => by.destroy(id).await.ok().map(|()| Said::Done)?,
        Method::Get => Said::Found(by.get(id).await.ok()?.as_ref().map(data_of)),
        Method::Ids => by.ids().await.ok().map(|_| Said::Done)?,
        Method::Length => by.length().await.ok().map(|_| Said::Done)?,
        Method::Replace => Said::Replaced(by.replace(id, &records.old, new).await.ok()?),
        Method::Set => by.set(id, new).await.ok().map(|()| Said::Done)?,
        Method::Sweep => by.sweep(100).await.ok().map(|_: Swept| Said::Done)?,
        Method::Touch => Said::Touched(by.touch(id, new.cookie()).await.ok()?),
    })
}
