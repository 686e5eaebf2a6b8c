//! Destroying.

use crate::Rule;
use crate::context::{Context, data};
use crate::failure::{Failure, ensure};
use crate::need::Need;

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "DES-01",
        name: "destroyed_is_none",
        sentence: "After `destroy`, `get` is `None`.",
        why: "OWASP ASVS 3.3.1: logging out ends the session on the server.",
        hint: "Check the key that `destroy` builds: the same prefix, the same encoding as `set`.",
        catches: &["DestroyNoop", "DestroyLater"],
        run: |ctx| Box::pin(destroyed_is_none(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "DES-02",
        name: "destroying_nothing_is_ok",
        sentence: "`destroy` of an unknown id is `Ok`, ten times over.",
        why: "Two tabs log out at the same time; the second one must not see an error page.",
        hint: "Do not turn \"no row was deleted\" into an error.",
        catches: &["ErrOnMissingDestroy", "DestroyCreates"],
        run: |ctx| Box::pin(destroying_nothing_is_ok(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "DES-03",
        name: "destroy_removes_one_id",
        sentence: "`destroy` removes this id and no other, also not one that begins with it.",
        why: "One visitor's logout would log out others.",
        hint: "Delete by the whole key, not by pattern or prefix.",
        catches: &["DestroyPrefix", "DestroyAll"],
        run: |ctx| Box::pin(destroy_removes_one_id(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "DES-04",
        name: "expired_can_be_destroyed",
        sentence: "`destroy` of an expired record that nobody has swept is `Ok` and removes it.",
        why: "Personal data would stay in the backend although the application asked for it to go.",
        hint: "No live check in the DELETE's condition.",
        catches: &["DestroyLiveOnly", "DestroyExpiredFails"],
        run: |ctx| Box::pin(expired_can_be_destroyed(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "DES-05",
        name: "without_expiry_can_be_destroyed",
        sentence: "`destroy` works on a record without an expiry.",
        why: "A condition on the expiry column is not true for NULL; Spring Session had one.",
        hint: "Delete by the id alone.",
        catches: &["DestroyNeedsExpiry"],
        run: |ctx| Box::pin(without_expiry_can_be_destroyed(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "DES-06",
        name: "set_after_destroy_is_fresh",
        sentence: "`set` after `destroy` makes a fresh record: no old keys, no old expiry.",
        why: "The next visitor on the same machine would inherit the last one's session.",
        hint: "Remove every part of a record: fields, index entries, timers.",
        catches: &["TombstoneBlocks", "GhostFields", "GhostTtl"],
        run: |ctx| Box::pin(set_after_destroy_is_fresh(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "DES-07",
        name: "other_handles_see_a_destroy",
        needs: &[Need::SecondHandle],
        sentence: "What one handle destroyed is gone for the other one's next `get`.",
        why: "OWASP ASVS 3.3.1: a session that was ended on one server must not live on another.",
        hint: "A cache in front of the backend needs an invalidation that reaches each process.",
        catches: &["CacheKeepsDestroyed", "PrivateCache"],
        run: |ctx| Box::pin(other_handles_see_a_destroy(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "DES-08",
        name: "destroy_leaves_nothing_behind",
        sentence: "`destroy` leaves nothing behind: not in `length`, `all` and `ids`, not in what \
                   is physically stored, and no expiry for the next record of that id.",
        why: "Index entries that stay are counted, listed, and grow for ever.",
        hint: "Remove data and index in one transaction.",
        catches: &["OrphanIndex", "OrphanIds", "GhostTtl"],
        run: |ctx| Box::pin(destroy_leaves_nothing_behind(ctx)),
        ..Rule::MUST
    },
];

async fn destroyed_is_none(ctx: &Context) -> Result<(), Failure> {
    for round in 0..3 {
        let id = ctx.id(&format!("{round}"));
        ctx.h1.set(&id, &ctx.record("destroyed")).await.ok()?;
        ctx.h1.destroy(&id).await.ok()?;
        ctx.h1.get(&id).await.none("it was destroyed")?;
        ctx.h2.get(&id).await.none("it was destroyed")?;
    }
    Ok(())
}

async fn destroying_nothing_is_ok(ctx: &Context) -> Result<(), Failure> {
    let (unknown, twice) = (ctx.id("unknown"), ctx.id("twice"));
    for _ in 0..10 {
        ctx.h1.destroy(&unknown).await.ok()?;
    }
    ctx.h1
        .get(&unknown)
        .await
        .none("destroying creates nothing")?;
    ctx.h1.set(&twice, &ctx.record("twice")).await.ok()?;
    for handle in [&ctx.h1, &ctx.h1, &ctx.h2] {
        handle.destroy(&twice).await.ok()?;
    }
    if ctx.has(Need::Length) {
        ctx.h1.length().await.is(0, "everything was destroyed")?;
    }
    Ok(())
}

async fn destroy_removes_one_id(ctx: &Context) -> Result<(), Failure> {
    let base = ctx.id("base").id.as_str().to_owned();
    let texts = [
        base[..31].to_owned(),
        base[1..].to_owned(),
        format!("{base}a"),
        format!("{base}-{base}"),
        base.chars().rev().collect(),
    ];
    let neighbours = ctx.odd_ids("neighbour", &texts);
    let gone = ctx.odd_id("id base", &base);
    for id in neighbours.iter().chain([&gone]) {
        ctx.h1.set(id, &ctx.record(&id.label)).await.ok()?;
    }
    ctx.h1.destroy(&gone).await.ok()?;
    ctx.h2.get(&gone).await.none("it was destroyed")?;
    for id in &neighbours {
        let because = "only its neighbour was destroyed";
        ctx.h2
            .get(id)
            .await
            .record(&ctx.record(&id.label), because)?;
    }
    Ok(())
}

async fn expired_can_be_destroyed(ctx: &Context) -> Result<(), Failure> {
    let (id, expires) = (ctx.id("expired"), ctx.ticks(1));
    ctx.h1
        .set(&id, &ctx.record_until("expired", Some(expires)))
        .await
        .ok()?;
    ctx.wait_until_gone(expires).await;
    ctx.h1.destroy(&id).await.ok()?;
    ctx.h2.get(&id).await.none("it was destroyed")?;
    if ctx.has(Need::Count) {
        stored(ctx, 0).await?;
    }
    if ctx.has(Need::Sweep) {
        let swept = ctx.h1.sweep(10).await.ok()?;
        ensure(
            swept.removed == 0,
            "nothing left for `sweep`: the expired record was destroyed",
            format_args!("{swept:?}"),
        )?;
    }
    Ok(())
}

async fn without_expiry_can_be_destroyed(ctx: &Context) -> Result<(), Failure> {
    let id = ctx.id("immortal");
    let record = ctx.record_until("immortal", None);
    ctx.h1.set(&id, &record).await.ok()?;
    ctx.h1.get(&id).await.record(&record, "it was written")?;
    ctx.h1.destroy(&id).await.ok()?;
    ctx.h2.get(&id).await.none("it was destroyed")
}

async fn set_after_destroy_is_fresh(ctx: &Context) -> Result<(), Failure> {
    let (soon, late) = (ctx.ticks(1), ctx.late());
    let old = ctx.record_of(&data(&[("user", "alice"), ("admin", "yes")]), Some(soon));
    let new = ctx.record_of(&data(&[("user", "bob")]), Some(late));
    let id = ctx.id("again");
    ctx.h1.set(&id, &old).await.ok()?;
    ctx.h1.destroy(&id).await.ok()?;
    ctx.h1.set(&id, &new).await.ok()?;
    for handle in [&ctx.h1, &ctx.h2] {
        handle
            .get(&id)
            .await
            .record(&new, "it is all that was written after destroy")?;
    }
    ctx.wait_until_gone(soon).await;
    ctx.h1
        .get(&id)
        .await
        .record(&new, "the old expiry went with the old record")
}

async fn other_handles_see_a_destroy(ctx: &Context) -> Result<(), Failure> {
    for (killer, reader) in [(&ctx.h1, &ctx.h2), (&ctx.h2, &ctx.h1)] {
        let id = ctx.id(&format!("destroyed by {}", killer.name));
        let record = ctx.record("cached");
        reader.set(&id, &record).await.ok()?;
        for handle in [reader, killer] {
            handle.get(&id).await.record(&record, "it was written")?;
        }
        killer.destroy(&id).await.ok()?;
        for _ in 0..2 {
            reader
                .get(&id)
                .await
                .none("the other handle destroyed it")?;
        }
        killer.get(&id).await.none("it destroyed it itself")?;
    }
    Ok(())
}

async fn destroy_leaves_nothing_behind(ctx: &Context) -> Result<(), Failure> {
    let (gone, kept) = (ctx.id("gone"), ctx.id("kept"));
    let soon = ctx.ticks(1);
    ctx.h1.set(&kept, &ctx.record("kept")).await.ok()?;
    ctx.h1
        .set(&gone, &ctx.record_until("gone", Some(soon)))
        .await
        .ok()?;
    ctx.h1.destroy(&gone).await.ok()?;
    if ctx.has(Need::Length) {
        ctx.h1
            .length()
            .await
            .is(1, "one of two records was destroyed")?;
    }
    if ctx.has(Need::All) {
        let all = ctx.h1.all().await.ok()?;
        ensure(
            all.len() == 1 && all.iter().all(|(id, _)| *id == kept.id),
            "`all` to give the record that was kept",
            format_args!("{} records", all.len()),
        )?;
        let ids = ctx.h1.ids().await.ok()?;
        ensure(
            ids == [kept.id.clone()],
            "`ids` to give the id that was kept",
            format_args!("{} ids", ids.len()),
        )?;
    }
    ctx.h1.destroy(&kept).await.ok()?;
    if ctx.has(Need::Count) {
        stored(ctx, 0).await?;
    }
    let again = ctx.record("again");
    ctx.h1.set(&gone, &again).await.ok()?;
    ctx.wait_until_gone(soon).await;
    ctx.h1
        .get(&gone)
        .await
        .record(&again, "the destroyed record's expiry went with it")
}

/// Demands that so many records are physically there.
pub(super) async fn stored(ctx: &Context, expected: u64) -> Result<(), Failure> {
    let found = ctx.space.hooks.count().await?;
    ctx.remark(format!("the harness counts {found} stored records"));
    ensure(
        found == expected,
        format_args!("{expected} physically stored records"),
        found,
    )
}
