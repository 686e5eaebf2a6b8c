//! Long listings, interrupted ones, and those with broken records in them.

use futures_util::StreamExt;
use session_core::{ErrorKind, Record};

use super::SOME;
use super::demands::{between, exactly, listed};
use crate::answer::Answer;
use crate::context::Context;
use crate::describe;
use crate::failure::{Failure, ensure};
use crate::rules::len::{MANY, fill};

pub(super) async fn all_of_many(ctx: &Context) -> Result<(), Failure> {
    let ids = fill(ctx, &ctx.space, MANY).await?;
    listed(ctx, &ids).await
}

pub(super) async fn all_while_others_write(ctx: &Context) -> Result<(), Failure> {
    let ids = fill(ctx, &ctx.space, SOME).await?;
    let added: Vec<_> = (0..20).map(|n| ctx.id(&format!("added {n}"))).collect();
    // Every fifth one is destroyed, every fifth one rewritten, wherever it stands in the order.
    let of = |which| ids.iter().skip(which).step_by(5);
    let untouched = || ids.iter().enumerate().filter(|(n, _)| n % 5 > 1);
    let record = ctx.record("one of many");
    ctx.remark("a stream of h1.all() is read; between its first ids, others are written to");
    let mut stream = ctx.h1.store().all();
    let mut changes = of(0)
        .map(|id| (id, false))
        .chain(of(1).chain(&added).map(|id| (id, true)));
    let mut found = Vec::new();
    loop {
        let Some(next) = stream.next().await else {
            break;
        };
        let (id, listed) = next.map_err(|error| {
            Failure::new(
                "each item of `h1.all()` to be a record, whatever is written meanwhile",
                describe::error(&error),
            )
        })?;
        let answer: Answer<Option<Record>> = Answer {
            call: "h1.all()".into(),
            timing: ctx.timing.clone(),
            result: Ok(Some(listed)),
        };
        // Those that are rewritten get the same record again.
        answer.text(&record, "all records have the same data")?;
        found.push(id);
        if found.len() > 3 * SOME {
            return Err(Failure::new(
                "`h1.all()` to end, although others write",
                format_args!("{} items so far", found.len()),
            ));
        }
        for (n, (id, write)) in changes.by_ref().take(20).enumerate() {
            let writer = if n % 2 == 0 { &ctx.h2 } else { &ctx.h1 }.quiet();
            if write {
                writer.set(id, &record).await.ok()?;
            } else {
                writer.destroy(id).await.ok()?;
            }
        }
    }
    drop(stream);
    ctx.remark(format!("the stream ended after {} records", found.len()));
    between(
        "h1.all()",
        &found,
        untouched().map(|(_, id)| id),
        of(0).chain(of(1)).chain(&added),
    )
}

pub(super) async fn undecodable_is_one_item(ctx: &Context) -> Result<(), Failure> {
    let ids: Vec<_> = (0..10).map(|n| ctx.id(&n.to_string())).collect();
    for (n, id) in ids.iter().enumerate() {
        ctx.h1.set(id, &ctx.record("good")).await.ok()?;
        if n % 3 == 1 {
            let bad = ctx.id(&format!("bad {n}"));
            ctx.h1.wrote(&bad);
            ctx.space.hooks.write_undecodable(&bad.id).await?;
            let label = bad.label;
            ctx.remark(format!(
                "the harness writes something under {label} that is no record"
            ));
        }
    }
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    let mut stream = ctx.h1.store().all();
    while let Some(next) = stream.next().await {
        match next {
            Ok((id, _)) => found.push(id),
            Err(error) => errors.push(error),
        }
        if found.len() + errors.len() > 100 {
            return Err(Failure::new(
                "`h1.all()` to end after its 13 items",
                "more than 100 items",
            ));
        }
    }
    ctx.remark(format!(
        "h1.all() gave {} records and {} errors",
        found.len(),
        errors.len()
    ));
    exactly("h1.all()", &found, &ids)?;
    ensure(
        errors.len() == 3 && errors.iter().all(|error| error.kind() == ErrorKind::Decode),
        "`h1.all()` to give an `Err` item of kind Decode for each of 3 that are no records",
        format_args!(
            "{} errors {:?}",
            errors.len(),
            errors
                .iter()
                .map(session_core::Error::kind)
                .collect::<Vec<_>>()
        ),
    )
}

pub(super) async fn all_can_be_left_early(ctx: &Context) -> Result<(), Failure> {
    let ids: Vec<_> = (0..5).map(|n| ctx.id(&n.to_string())).collect();
    for id in &ids {
        ctx.h1.set(id, &ctx.record("kept")).await.ok()?;
    }
    // More often than a pool has connections.
    for read in [0, 1].repeat(20) {
        let (mut all, mut named) = (ctx.h1.store().all(), ctx.h1.store().ids());
        for _ in 0..read {
            let first = (all.next().await.is_some(), named.next().await.is_some());
            ensure(
                first == (true, true),
                "the streams of `h1.all()` and `h1.ids()` to have a first item",
                "they end at once",
            )?;
        }
    }
    ctx.remark("40 streams of h1.all() and h1.ids() were dropped, unread or after one item");
    for handle in [&ctx.h1, &ctx.h2] {
        handle.set(&ids[0], &ctx.record("again")).await.ok()?;
        handle
            .get(&ids[0])
            .await
            .record(&ctx.record("again"), "it was just written")?;
    }
    listed(ctx, &ids).await
}
