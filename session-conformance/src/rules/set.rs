//! Writing.

use crate::Rule;
use crate::context::{Context, data};
use crate::failure::{Failure, ensure};
use crate::need::Need;

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "SET-01",
        name: "get_returns_what_was_set",
        sentence: "`get` after `set` returns the same JSON, byte for byte, and the same expiry as \
                   exactly as the store declares.",
        why: "A process on Node reads the same rows; a conditional write compares their text.",
        hint: "Store `Record::json` as it is, in a column that keeps its bytes (no JSONB), and \
               the expiry in milliseconds.",
        catches: &["DropsWrites", "Reencodes", "LosesExpiry", "ExpiryFromNow"],
        run: |ctx| Box::pin(get_returns_what_was_set(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "SET-02",
        name: "set_replaces_the_whole_record",
        sentence: "`set` on an existing id replaces the whole record: old keys do not survive.",
        why: "A key that the application removed (an admin flag, a basket) would come back.",
        hint: "Write one value; with a hash per session (HSET), delete it first in one transaction.",
        catches: &["MergeOnSet", "InsertIgnore"],
        run: |ctx| Box::pin(set_replaces_the_whole_record(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "SET-03",
        name: "set_replaces_the_expiry",
        sentence: "`set` replaces the expiry: by an earlier one, a later one, or none.",
        why: "Redis keeps or drops the old TTL depending on KEEPTTL; both have shipped as bugs.",
        hint: "Write data and expiry together, in each branch of an upsert.",
        catches: &["KeepOldTtl", "LoseTtl", "SetOnlyExtends"],
        run: |ctx| Box::pin(set_replaces_the_expiry(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "SET-04",
        name: "set_copies_its_argument",
        sentence: "`set` keeps a copy of its argument: what the caller does with its own \
                   afterwards is invisible.",
        why: "scs's memory store kept the caller's bytes, and a request changed what it had saved.",
        hint: "Own what you keep: a clone of the record or of its text, not a reference to it.",
        catches: &["AliasIn"],
        run: |ctx| Box::pin(set_copies_its_argument(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "SET-05",
        name: "last_set_wins_and_is_one_record",
        sentence: "Of several sets the last one wins, and ten of the same make one record.",
        why: "A table without a unique key grows with every request and answers with any row.",
        hint: "A primary key on the id, and an upsert.",
        catches: &["AppendOnly", "InsertIgnore"],
        run: |ctx| Box::pin(last_set_wins_and_is_one_record(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "SET-06",
        name: "set_leaves_neighbours_alone",
        sentence: "`set` of one id never changes another, also not one that begins with it.",
        why: "Ids that are used as prefixes or patterns let one visitor write into another's \
              session.",
        hint: "Compare whole ids; put a separator after a prefix.",
        catches: &["PrefixWrite"],
        run: |ctx| Box::pin(set_leaves_neighbours_alone(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "SET-07",
        name: "reads_its_own_writes",
        sentence: "When `set` has returned, the next `get` on the same handle sees it.",
        why: "A login that redirects must find the visitor logged in.",
        hint: "Return when the write is done, not when it is queued.",
        catches: &["AsyncWrite", "StaleReadCache"],
        run: |ctx| Box::pin(reads_its_own_writes(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "SET-08",
        name: "other_handles_see_a_write",
        needs: &[Need::SecondHandle],
        sentence: "When `set` has returned, the next `get` on another handle sees it.",
        why: "The next request of the same visitor reaches another process.",
        hint: "No write-behind, no read cache without invalidation, no reads from a replica.",
        catches: &["WriteBehind", "PrivateCache"],
        run: |ctx| Box::pin(other_handles_see_a_write(ctx)),
        ..Rule::MUST
    },
];

async fn get_returns_what_was_set(ctx: &Context) -> Result<(), Failure> {
    let mut several = data(&[("user", "alice"), ("zebra", "1"), ("apple", "2")]);
    several
        .insert(
            "nested",
            &serde_json::json!({"b": [1, 2.5, null], "a": {"": true}}),
        )
        .map_err(|error| Failure::inconclusive(format_args!("cannot make data: {error}")))?;
    let hour = std::time::Duration::from_secs(3_600);
    // Not on a whole second, as most expiries are not.
    let odd = std::time::Duration::from_millis(1_234);
    for (name, record) in [
        ("simple", ctx.record("simple")),
        (
            "several keys",
            ctx.record_of(&several, Some(ctx.now() + hour + odd)),
        ),
        ("no expiry", ctx.record_until("browser session", None)),
        (
            "a month",
            ctx.record_until("month", Some(ctx.now() + hour * 24 * 30 + odd)),
        ),
    ] {
        let id = ctx.id(name);
        ctx.h1.set(&id, &record).await.ok()?;
        for handle in [&ctx.h1, &ctx.h2] {
            handle
                .get(&id)
                .await
                .record(&record, "this is what was written")?;
        }
    }
    Ok(())
}

async fn set_replaces_the_whole_record(ctx: &Context) -> Result<(), Failure> {
    let id = ctx.id("replaced");
    let hour = Some(ctx.now() + std::time::Duration::from_secs(3_600));
    let old = ctx.record_of(&data(&[("user", "alice"), ("admin", "yes")]), hour);
    ctx.h1.set(&id, &old).await.ok()?;
    for new in [
        ctx.record_of(&data(&[("user", "alice"), ("theme", "dark")]), hour),
        ctx.record_of(&data(&[]), hour),
    ] {
        ctx.h1.set(&id, &new).await.ok()?;
        for handle in [&ctx.h1, &ctx.h2] {
            handle
                .get(&id)
                .await
                .record(&new, "the last set wrote this and nothing else")?;
        }
    }
    Ok(())
}

async fn set_replaces_the_expiry(ctx: &Context) -> Result<(), Failure> {
    let (soon, late) = (ctx.after_many_calls(), ctx.late());
    // From each kind of expiry to each other one.
    let changes = [
        ("late to soon", Some(late), Some(soon)),
        ("soon to late", Some(soon), Some(late)),
        ("soon to none", Some(soon), None),
        ("none to soon", None, Some(soon)),
        ("late to none", Some(late), None),
        ("none to late", None, Some(late)),
    ];
    let forever = ctx.lives_without_expiry(ctx.timing.gone_at(soon));
    for (name, before, after) in changes {
        let id = ctx.id(name);
        ctx.h1
            .set(&id, &ctx.record_until("before", before))
            .await
            .ok()?;
        let record = ctx.record_until("after", after);
        ctx.h1.set(&id, &record).await.ok()?;
        let found = ctx.h2.get(&id).await;
        ctx.before(
            soon,
            found.record(&record, "the second set wrote this expiry"),
        )?;
    }
    ctx.wait_until_gone(soon).await;
    for (name, _, after) in changes {
        let answer = ctx.h1.get(&ctx.id(name)).await;
        if after == Some(soon) {
            answer.none("the second set gave it this expiry, and it has passed")?;
        } else if after.is_some() || forever {
            answer.text(
                &ctx.record_until("after", after),
                "the second set took the first one's expiry away",
            )?;
        }
    }
    Ok(())
}

async fn set_copies_its_argument(ctx: &Context) -> Result<(), Failure> {
    let (id, stored) = (ctx.id("copied"), ctx.record("stored"));
    {
        // A record whose text nobody else holds, gone at the end of the block.
        let argument = ctx.record("stored");
        ctx.h1.set(&id, &argument).await.ok()?;
        let mut own = argument.data();
        own.clear();
        let changed = argument.with_stored_expires(Some(ctx.now()).into());
        drop((own, changed));
    }
    for handle in [&ctx.h1, &ctx.h2] {
        handle
            .get(&id)
            .await
            .record(&stored, "the caller changed and dropped its own copy only")?;
    }
    Ok(())
}

async fn last_set_wins_and_is_one_record(ctx: &Context) -> Result<(), Failure> {
    let id = ctx.id("overwritten");
    let mut last = ctx.record("0");
    for round in 1..10 {
        last = ctx.record(&round.to_string());
        ctx.h1.set(&id, &last).await.ok()?;
    }
    ctx.h1.get(&id).await.record(&last, "it was set last")?;
    for _ in 0..10 {
        ctx.h1.set(&id, &last).await.ok()?;
    }
    ctx.h2.get(&id).await.record(&last, "it was set last")?;
    if ctx.has(Need::Length) {
        ctx.h1.length().await.is(1, "all sets were of one id")?;
    }
    if ctx.has(Need::All) {
        let found = ctx.h1.all().await.ok()?.len();
        ensure(
            found == 1,
            "one record in `all`",
            format_args!("{found} records"),
        )?;
    }
    ctx.h1.destroy(&id).await.ok()?;
    ctx.h2
        .get(&id)
        .await
        .none("it was destroyed, with all that was ever written")
}

async fn set_leaves_neighbours_alone(ctx: &Context) -> Result<(), Failure> {
    let base = ctx.id("base").id.as_str().to_owned();
    let mut texts = vec![base.clone(), base[..31].to_owned(), base[1..].to_owned()];
    texts.extend(["a", "0", "-", "_", base.as_str()].map(|end| format!("{base}{end}")));
    let ids = ctx.odd_ids("neighbour", &texts);
    for id in &ids {
        ctx.h1.set(id, &ctx.record(&id.label)).await.ok()?;
    }
    for written in &ids {
        ctx.h1.set(written, &ctx.record("rewritten")).await.ok()?;
        for id in ids.iter().filter(|id| id.id != written.id) {
            ctx.h2
                .get(id)
                .await
                .text(&ctx.record(&id.label), "only its neighbour was written")?;
        }
        ctx.h1
            .set(written, &ctx.record(&written.label))
            .await
            .ok()?;
    }
    Ok(())
}

async fn reads_its_own_writes(ctx: &Context) -> Result<(), Failure> {
    let id = ctx.id("own");
    for round in 0..20 {
        let record = ctx.record(&round.to_string());
        ctx.h1.set(&id, &record).await.ok()?;
        ctx.h1
            .get(&id)
            .await
            .record(&record, "its set has returned")?;
    }
    ctx.h1.destroy(&id).await.ok()?;
    ctx.h1.get(&id).await.none("its destroy has returned")
}

async fn other_handles_see_a_write(ctx: &Context) -> Result<(), Failure> {
    let id = ctx.id("shared");
    for handle in [&ctx.h1, &ctx.h2] {
        handle.get(&id).await.none("nobody wrote it")?;
    }
    for round in 0..6 {
        // Each handle reads before the other one writes, so that a cache has something to keep.
        let (writer, reader) = match round % 2 {
            0 => (&ctx.h1, &ctx.h2),
            _ => (&ctx.h2, &ctx.h1),
        };
        let record = ctx.record(&round.to_string());
        writer.set(&id, &record).await.ok()?;
        reader
            .get(&id)
            .await
            .record(&record, "the other handle's set has returned")?;
    }
    Ok(())
}
