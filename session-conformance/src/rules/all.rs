//! Listing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use futures_util::StreamExt;
use session_core::{Created, ErrorKind, Record, SessionId, Touched};

use super::len::{MANY, fill};
use crate::Rule;
use crate::answer::Answer;
use crate::context::Context;
use crate::describe;
use crate::failure::{Failure, ensure};
use crate::handle::{Handle, Id};
use crate::need::Need;

/// How many records are there while others change: more than a small page.
const SOME: usize = 300;

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "ALL-01",
        name: "all_gives_each_record_once",
        needs: &[Need::All],
        sentence: "`all` gives each live record exactly once, with its id, its data and its \
                   expiry; `ids` gives the same ids.",
        why: "An application that logs out a user's other sessions looks for them there.",
        hint: "Decode each row as `get` does, with the store's own expiry.",
        catches: &[
            "AllShowsJsonExpiry",
            "AllLosesExpiry",
            "AllMixesData",
            "AllOwnOnly",
            "AllTwice",
            "OrphanIds",
        ],
        run: |ctx| Box::pin(all_gives_each_record_once(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "ALL-02",
        name: "all_leaves_out_expired_and_foreign",
        needs: &[Need::All],
        sentence: "`all` and `ids` leave out what has expired, and what is in another namespace.",
        why: "A session that has timed out would be shown as a device that is logged in.",
        hint: "The same live check as in `get`; NULL in the expiry column means live.",
        catches: &[
            "AllIncludesExpired",
            "IdsIncludeExpired",
            "AllNeedsExpiry",
            "AllEverywhere",
        ],
        run: |ctx| Box::pin(all_leaves_out_expired_and_foreign(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "ALL-03",
        name: "all_of_nothing_is_empty",
        needs: &[Need::All],
        sentence: "`all` and `ids` of an empty store are empty, not an error.",
        why: "Stores of express-session have called back with undefined, or with an error.",
        hint: "An empty result is a result; a table that is not there yet is empty.",
        catches: &["NilAll"],
        run: |ctx| Box::pin(all_of_nothing_is_empty(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "ALL-04",
        name: "all_of_many",
        needs: &[Need::All],
        sentence: "`all` and `ids` give each of 1,200 records exactly once.",
        why: "A cursor that is not followed to its end gives the first page; SCAN gives keys \
              twice.",
        hint: "Follow the cursor, and leave out what was given before.",
        catches: &["FirstPage", "ScanDup"],
        run: |ctx| Box::pin(all_of_many(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "ALL-05",
        name: "listed_ids_can_be_used",
        needs: &[Need::All],
        sentence: "The ids that `all` and `ids` give are those that were written, of any form \
                   that the store takes: `get` and `destroy` work with them.",
        why: "scs hashed ids before it stored them and listed the hashes: nothing could be \
              destroyed by them.",
        hint: "Keep the id itself; cut the prefix off once, by its length.",
        catches: &["AllHashedIds", "AllTrimsPrefix", "AllLowercase"],
        run: |ctx| Box::pin(listed_ids_can_be_used(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "ALL-06",
        name: "all_while_others_write",
        needs: &[Need::All],
        sentence: "Records that are written or removed while `all` runs may or may not appear; all \
                   others appear exactly once, nothing blocks, and nothing fails.",
        why: "Pages by OFFSET skip a live record for each one that is destroyed meanwhile.",
        hint: "Page by the last id, or read in one snapshot; hold no lock between two items.",
        catches: &["IterInvalidation", "AllFailsOnChange", "AllLocks"],
        run: |ctx| Box::pin(all_while_others_write(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "ALL-07",
        name: "undecodable_is_one_item",
        needs: &[Need::All, Need::Undecodable],
        sentence: "Stored bytes that are no record are each one `Err` item of kind `Decode` in \
                   `all`, and all other records are there.",
        why: "One broken row would hide every session behind it.",
        hint: "Map each row to a `Result`; do not collect with `?`.",
        catches: &["AllStopsAtBad", "AllSkipsBad", "AllFailsAtBad"],
        run: |ctx| Box::pin(undecodable_is_one_item(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "ALL-08",
        name: "all_can_be_left_early",
        needs: &[Need::All],
        sentence: "A stream of `all` or `ids` that is dropped half way, or never read, leaves a \
                   store that works.",
        why: "A search ends with its first hit; a cursor, a connection or a lock that stays \
              behind is gone for good.",
        hint: "Give connection and lock back when the stream is dropped.",
        catches: &["AllLeaks"],
        run: |ctx| Box::pin(all_can_be_left_early(ctx)),
        ..Rule::CAPABILITY
    },
];

/// Demands these ids, each once.
pub(super) fn exactly<'a, 'b>(
    call: &str,
    found: impl IntoIterator<Item = &'a SessionId>,
    expected: impl IntoIterator<Item = &'b Id>,
) -> Result<(), Failure> {
    between(call, found, expected, [])
}

/// Demands the ids of `required`, each once, and allows those of `allowed`, each at most once.
fn between<'a, 'b>(
    call: &str,
    found: impl IntoIterator<Item = &'a SessionId>,
    required: impl IntoIterator<Item = &'b Id>,
    allowed: impl IntoIterator<Item = &'b Id>,
) -> Result<(), Failure> {
    let mut seen = BTreeMap::<_, u32>::new();
    for id in found {
        *seen.entry(id.as_str()).or_default() += 1;
    }
    let labels = |names: &[&str]| {
        let mut text = format!("{}", names.len());
        for (n, name) in names.iter().take(3).enumerate() {
            // Writing to a text does not fail.
            let _ = write!(text, "{} {name}", if n == 0 { ":" } else { "," });
        }
        text + if names.len() > 3 { ", .." } else { "" }
    };
    let (mut missing, mut twice, mut known) = (Vec::new(), Vec::new(), BTreeSet::new());
    let mut wanted = 0;
    for (id, needed) in required
        .into_iter()
        .map(|id| (id, true))
        .chain(allowed.into_iter().map(|id| (id, false)))
    {
        known.insert(id.id.as_str());
        wanted += usize::from(needed);
        match seen.get(id.id.as_str()) {
            None if needed => missing.push(&*id.label),
            Some(2..) => twice.push(&*id.label),
            _ => {}
        }
    }
    let unknown: Vec<_> = seen
        .keys()
        .copied()
        .filter(|id| !known.contains(id))
        .collect();
    ensure(
        missing.is_empty() && twice.is_empty() && unknown.is_empty(),
        format_args!("`{call}` to give each of {wanted} records once, and nothing else"),
        format_args!(
            "missing {}; more than once {}; never written {}",
            labels(&missing),
            labels(&twice),
            labels(&unknown)
        ),
    )
}

/// Demands that both streams of both handles give these ids, each once.
pub(super) async fn listed(
    ctx: &Context,
    expected: impl IntoIterator<Item = &Id> + Clone,
) -> Result<(), Failure> {
    for handle in [&ctx.h1, &ctx.h2] {
        let all = handle.all().await.ok()?;
        let call = format!("{}.all()", handle.name);
        exactly(&call, all.iter().map(|(id, _)| id), expected.clone())?;
        let ids = handle.ids().await.ok()?;
        exactly(&format!("{}.ids()", handle.name), &ids, expected.clone())?;
    }
    Ok(())
}

/// What `all` gave under `id`, as if `get` had.
fn item(handle: &Handle, all: &[(SessionId, Record)], id: &Id) -> Answer<Option<Record>> {
    let found = all.iter().find(|(found, _)| *found == id.id);
    Answer {
        call: format!("{}.all() for {}", handle.name, id.label),
        timing: handle.timing.clone(),
        result: Ok(found.map(|(_, record)| record.clone())),
    }
}

async fn all_gives_each_record_once(ctx: &Context) -> Result<(), Failure> {
    let hour = std::time::Duration::from_secs(3_600);
    let mut written = Vec::new();
    for (n, (name, expires)) in [
        ("an hour", Some(ctx.now() + hour)),
        ("a day", Some(ctx.now() + 24 * hour)),
        ("endless", None),
        ("overwritten", Some(ctx.now() + 2 * hour)),
        ("destroyed", Some(ctx.now() + hour)),
    ]
    .into_iter()
    .enumerate()
    {
        let (id, record) = (ctx.id(name), ctx.record_until(name, expires));
        let writer = if n % 2 == 0 { &ctx.h1 } else { &ctx.h2 };
        writer.set(&id, &record).await.ok()?;
        written.push((id, record, expires));
    }
    if let Some((id, _, _)) = written.pop() {
        ctx.h2.destroy(&id).await.ok()?;
    }
    if let Some((id, record, expires)) = written.last_mut() {
        *expires = Some(ctx.now() + 3 * hour);
        *record = ctx.record_until("once more", *expires);
        ctx.h1.set(id, record).await.ok()?;
    }
    if ctx.has(Need::Create) {
        let (id, record) = (ctx.id("created"), ctx.record("created"));
        ctx.h2
            .create(&id, &record)
            .await
            .is(Created::Created, "nothing is there")?;
        let expires = record.expires();
        written.push((id, record, expires));
    }
    if ctx.has(Need::Touch) {
        let (id, record) = (ctx.id("touched"), ctx.record("touched"));
        ctx.h1.set(&id, &record).await.ok()?;
        let expires = Some(ctx.now() + 5 * hour);
        ctx.h1
            .touch(&id, &ctx.cookie(expires))
            .await
            .is(Touched::Touched, "it is live")?;
        written.push((id, record, expires));
    }
    listed(ctx, written.iter().map(|(id, ..)| id)).await?;
    for handle in [&ctx.h1, &ctx.h2] {
        let all = handle.all().await.ok()?;
        for (id, record, expires) in &written {
            item(handle, &all, id).record_until(
                record,
                *expires,
                "`all` gives records as `get` does",
            )?;
        }
    }
    Ok(())
}

async fn all_leaves_out_expired_and_foreign(ctx: &Context) -> Result<(), Failure> {
    let other = ctx.open_other("other").await?;
    other
        .h1
        .set(&ctx.id("elsewhere"), &ctx.record("elsewhere"))
        .await
        .ok()?;
    let (soon, late) = (ctx.ticks(1), ctx.late());
    let forever = ctx.lives_without_expiry(ctx.timing.gone_at(soon));
    let mut live = Vec::new();
    for (name, expires, stays) in [
        ("over", Some(soon), false),
        ("late", Some(late), true),
        ("endless", None, forever),
    ] {
        let id = ctx.id(name);
        ctx.h1
            .set(&id, &ctx.record_until(name, expires))
            .await
            .ok()?;
        if stays {
            live.push(id);
        }
    }
    ctx.wait_until_gone(soon).await;
    listed(ctx, &live).await?;
    let elsewhere = other.h1.ids().await.ok()?;
    exactly("other.h1.ids()", &elsewhere, [&ctx.id("elsewhere")])
}

async fn all_of_nothing_is_empty(ctx: &Context) -> Result<(), Failure> {
    listed(ctx, []).await?;
    let id = ctx.id("gone");
    ctx.h1.set(&id, &ctx.record("gone")).await.ok()?;
    ctx.h1.destroy(&id).await.ok()?;
    listed(ctx, []).await
}

async fn all_of_many(ctx: &Context) -> Result<(), Failure> {
    let ids = fill(ctx, &ctx.space, MANY).await?;
    listed(ctx, &ids).await
}

async fn listed_ids_can_be_used(ctx: &Context) -> Result<(), Failure> {
    let namespace = &ctx.space.name;
    let texts: Vec<String> = [
        "sess:prefixed",
        "sess:sess:prefixed",
        "s:signed.like-this",
        "with:colon",
        "UPPER-and-lower",
        "upper-and-lower",
        "a/b",
        "percent%41",
        "ends.json",
        "nämen",
    ]
    .iter()
    .map(ToString::to_string)
    .chain([
        format!("{namespace}:own"),
        format!("{namespace}own"),
        format!("{namespace}_own"),
        namespace.clone(),
    ])
    .collect();
    let mut ids = vec![ctx.id("plain")];
    ids.extend(ctx.odd_ids("odd id", &texts));
    let mut written = Vec::new();
    for id in &ids {
        let set = ctx.h1.set(id, &ctx.record(&id.label)).await;
        if set.unless(ErrorKind::InvalidId)?.is_some() {
            written.push(id);
        }
    }
    listed(ctx, written.iter().copied()).await?;
    let all = ctx.h1.all().await.ok()?;
    for id in &written {
        let because = "its own id stands beside it";
        item(&ctx.h1, &all, id).record(&ctx.record(&id.label), because)?;
    }
    for (n, found) in ctx.h2.ids().await.ok()?.into_iter().enumerate() {
        let id = Id {
            label: format!("id {n} of ids()"),
            id: found,
        };
        ctx.h1.get(&id).await.some("`ids` has just given its id")?;
        ctx.h1.destroy(&id).await.ok()?;
        ctx.h2.get(&id).await.none("it was destroyed")?;
    }
    for id in written {
        ctx.h1
            .get(id)
            .await
            .none("it was destroyed by the id that `ids` gave")?;
    }
    listed(ctx, []).await
}

async fn all_while_others_write(ctx: &Context) -> Result<(), Failure> {
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

async fn undecodable_is_one_item(ctx: &Context) -> Result<(), Failure> {
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

async fn all_can_be_left_early(ctx: &Context) -> Result<(), Failure> {
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
