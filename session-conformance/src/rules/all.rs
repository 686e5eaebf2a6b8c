//! Listing.

mod demands;
mod many;

use session_core::{Created, ErrorKind, Touched};

use crate::Rule;
use crate::context::Context;
use crate::failure::Failure;
use crate::handle::Id;
use crate::need::Need;
pub(super) use demands::{exactly, item, listed};

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
        run: |ctx| Box::pin(many::all_of_many(ctx)),
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
        run: |ctx| Box::pin(many::all_while_others_write(ctx)),
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
        run: |ctx| Box::pin(many::undecodable_is_one_item(ctx)),
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
        run: |ctx| Box::pin(many::all_can_be_left_early(ctx)),
        ..Rule::CAPABILITY
    },
];

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
