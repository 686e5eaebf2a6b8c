//! What counts as the same record, and what a replaced one becomes.

use session_core::{Created, Record, Replaced, StoredExpiry, Touched};

use super::races::HOUR;
use crate::context::Context;
use crate::describe;
use crate::failure::Failure;
use crate::need::Need;

/// A record of hand-written JSON, with `value` in place of data.
fn written(ctx: &Context, data: &str) -> Result<Record, Failure> {
    let text = format!(r#"{{"cookie":{{"originalMaxAge":null,"expires":null}},{data}"#);
    let expires = StoredExpiry::At(ctx.now() + HOUR);
    Record::decode(text, expires).map_err(|error| {
        Failure::inconclusive(format_args!(
            "cannot make a record: {}",
            describe::error(&error)
        ))
    })
}

pub(super) async fn replace_of_a_changed_record_conflicts(ctx: &Context) -> Result<(), Failure> {
    let id = ctx.id("shared");
    ctx.h1.set(&id, &ctx.record("old")).await.ok()?;
    let stale = ctx.h1.get(&id).await.some("it was written")?;
    let current = ctx.record("changed by h2");
    ctx.h2.set(&id, &current).await.ok()?;
    let late = ctx.record_until("saved late", Some(ctx.now() + 2 * HOUR));
    for handle in [&ctx.h1, &ctx.h2, &ctx.h1] {
        handle
            .replace(&id, &stale, &late)
            .await
            .is(Replaced::Conflict, "h2 has changed the record since")?;
        for reader in [&ctx.h1, &ctx.h2] {
            let because = "replace leaves a record alone with which it conflicts";
            reader.get(&id).await.record(&current, because)?;
        }
    }
    // Not even the record that was to be written is the stored one.
    ctx.h1
        .replace(&id, &late, &late)
        .await
        .is(Replaced::Conflict, "it was never written")?;
    let read = ctx.h1.get(&id).await.some("h2 wrote it")?;
    for (handle, old, new) in [(&ctx.h1, &read, &late), (&ctx.h2, &late, &current)] {
        handle
            .replace(&id, old, new)
            .await
            .is(Replaced::Replaced, "the record is the old one")?;
        for reader in [&ctx.h1, &ctx.h2] {
            let because = "it was written by replace";
            reader.get(&id).await.record(new, because)?;
        }
    }
    Ok(())
}

pub(super) async fn replace_after_a_new_beginning(ctx: &Context) -> Result<(), Failure> {
    for by in ["set", "create"] {
        let id = ctx.id(&format!("begun anew by {by}"));
        let (first, second) = (ctx.record("alice"), ctx.record("bob"));
        ctx.h1.set(&id, &first).await.ok()?;
        let read = ctx.h1.get(&id).await.some("it was written")?;
        ctx.h2.destroy(&id).await.ok()?;
        if by == "create" && ctx.has(Need::Create) {
            let answer = ctx.h2.create(&id, &second).await;
            answer.is(Created::Created, "it was destroyed")?;
        } else {
            ctx.h2.set(&id, &second).await.ok()?;
        }
        let answer = ctx.h1.replace(&id, &read, &ctx.record("saved late")).await;
        answer.is(Replaced::Conflict, "another record is there")?;
        for handle in [&ctx.h1, &ctx.h2] {
            let because = "it was destroyed and written again; the old one is another record";
            handle.get(&id).await.record(&second, because)?;
        }
    }
    Ok(())
}

pub(super) async fn touch_is_no_change(ctx: &Context) -> Result<(), Failure> {
    for (toucher, expires) in [
        (&ctx.h2, Some(ctx.now() + 2 * HOUR)),
        (&ctx.h1, Some(ctx.now() + 3 * HOUR)),
        (&ctx.h2, None),
    ] {
        let id = ctx.id(&format!(
            "touched by {}, {}",
            toucher.name,
            describe::expiry(expires, ctx.now())
        ));
        let (old, new) = (
            ctx.record("old"),
            ctx.record_until("new", Some(ctx.now() + 5 * HOUR)),
        );
        ctx.h1.set(&id, &old).await.ok()?;
        let read = ctx.h1.get(&id).await.some("it was written")?;
        toucher
            .touch(&id, &ctx.cookie(expires))
            .await
            .is(Touched::Touched, "it is live")?;
        let because = "it was touched, and touch is no change";
        ctx.h1
            .replace(&id, &read, &new)
            .await
            .is(Replaced::Replaced, because)?;
        for handle in [&ctx.h1, &ctx.h2] {
            let because = "replace wrote it, with its own expiry";
            handle.get(&id).await.record(&new, because)?;
        }
        // And from a record that was read after the touch.
        toucher
            .touch(&id, &ctx.cookie(Some(ctx.now() + 6 * HOUR)))
            .await
            .is(Touched::Touched, "it is live")?;
        let read = ctx.h2.get(&id).await.some("it is live")?;
        ctx.h2
            .replace(&id, &read, &old)
            .await
            .is(Replaced::Replaced, "it is the stored record")?;
        let because = "replace wrote it, with its own expiry";
        ctx.h1.get(&id).await.record(&old, because)?;
    }
    Ok(())
}

pub(super) async fn replace_writes_the_expiry(ctx: &Context) -> Result<(), Failure> {
    let (soon, late) = (ctx.after_many_calls(), ctx.late());
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
        let (old, new) = (
            ctx.record_until("before", before),
            ctx.record_until("after", after),
        );
        ctx.h1.set(&id, &old).await.ok()?;
        let answer = ctx.h1.replace(&id, &old, &new).await;
        let replaced = answer.is(Replaced::Replaced, "the record is the old one");
        ctx.before(soon, replaced)?;
        let found = ctx.h2.get(&id).await;
        ctx.before(soon, found.record(&new, "replace wrote this expiry"))?;
    }
    ctx.wait_until_gone(soon).await;
    for (name, _, after) in changes {
        let answer = ctx.h1.get(&ctx.id(name)).await;
        if after == Some(soon) {
            answer.none("replace gave it this expiry, and it has passed")?;
        } else if after.is_some() || forever {
            let new = ctx.record_until("after", after);
            answer.text(&new, "replace took the old expiry away")?;
        }
    }
    Ok(())
}

pub(super) async fn replace_changes_one_id(ctx: &Context) -> Result<(), Failure> {
    let base = ctx.id("base").id.as_str().to_owned();
    let texts = [
        base.clone(),
        base[..31].to_owned(),
        base[1..].to_owned(),
        format!("{base}a"),
        format!("{base}-{base}"),
    ];
    let ids = ctx.odd_ids("id", &texts);
    let (old, new) = (ctx.record("fresh"), ctx.record("logged in"));
    for id in &ids {
        ctx.h1.set(id, &old).await.ok()?;
    }
    let Some((first, others)) = ids.split_first() else {
        return Ok(());
    };
    ctx.h1
        .replace(first, &old, &new)
        .await
        .is(Replaced::Replaced, "the record is the old one")?;
    ctx.h2
        .get(first)
        .await
        .record(&new, "it was written by replace")?;
    for id in others {
        let because = "another id was replaced, which had the same text";
        ctx.h2.get(id).await.record(&old, because)?;
    }
    Ok(())
}

pub(super) async fn replace_compares_each_byte(ctx: &Context) -> Result<(), Failure> {
    let long = "0123456789".repeat(2_000);
    let pairs = [
        (
            "the last letter",
            r#""a":"same"}"#.into(),
            r#""a":"samf"}"#.into(),
        ),
        (
            "the order of letters",
            r#""a":"ab"}"#.into(),
            r#""a":"ba"}"#.into(),
        ),
        ("case", r#""a":"Text"}"#.into(), r#""a":"text"}"#.into()),
        ("case of a key", r#""Key":1}"#.into(), r#""key":1}"#.into()),
        (
            "a space in a text",
            r#""a":"text "}"#.into(),
            r#""a":"text"}"#.into(),
        ),
        ("a space at the end", "\"a\":1} ".into(), r#""a":1}"#.into()),
        ("a line's end", "\"a\":1}\n".into(), r#""a":1}"#.into()),
        (
            "the order of keys",
            r#""a":1,"b":2}"#.into(),
            r#""b":2,"a":1}"#.into(),
        ),
        (
            "a number's form",
            r#""a":1.0}"#.into(),
            r#""a":1.00}"#.into(),
        ),
        ("an escape", r#""a":"\u0041"}"#.into(), r#""a":"A"}"#.into()),
        (
            "a letter's form",
            "\"a\":\"\u{e9}\"}".into(),
            "\"a\":\"e\u{301}\"}".into(),
        ),
        (
            "an accent",
            "\"a\":\"\u{e9}\"}".into(),
            "\"a\":\"e\"}".into(),
        ),
        (
            "sharp s",
            "\"a\":\"\u{df}\"}".into(),
            "\"a\":\"ss\"}".into(),
        ),
        (
            "the end of a long text",
            format!(r#""a":"{long}1"}}"#),
            format!(r#""a":"{long}2"}}"#),
        ),
    ];
    let new = ctx.record("new");
    for (name, there, stale) in pairs {
        let id = ctx.id(name);
        let (there, stale): (Record, Record) = (written(ctx, &there)?, written(ctx, &stale)?);
        ctx.h1.set(&id, &there).await.ok()?;
        ctx.h2.replace(&id, &stale, &new).await.is(
            Replaced::Conflict,
            format_args!("the texts differ in {name}"),
        )?;
        ctx.h1.get(&id).await.text(
            &there,
            "replace leaves a record alone with which it conflicts",
        )?;
        ctx.h2
            .replace(&id, &there, &new)
            .await
            .is(Replaced::Replaced, "the texts are the same")?;
        ctx.h1
            .get(&id)
            .await
            .record(&new, "it was written by replace")?;
    }
    Ok(())
}

pub(super) async fn replace_by_the_same(ctx: &Context) -> Result<(), Failure> {
    let (id, record) = (ctx.id("unchanged"), ctx.record("unchanged"));
    ctx.h1.set(&id, &record).await.ok()?;
    for handle in [&ctx.h1, &ctx.h2, &ctx.h1] {
        handle
            .replace(&id, &record, &record)
            .await
            .is(Replaced::Replaced, "the record is the old one")?;
        handle
            .get(&id)
            .await
            .record(&record, "it was replaced by itself")?;
    }
    // The same text with another expiry, as a record has it that was touched.
    for hours in [3, 2] {
        let expires = ctx.now() + hours * HOUR;
        let moved = record
            .clone()
            .with_stored_expires(StoredExpiry::At(expires));
        ctx.h1
            .replace(&id, &record, &moved)
            .await
            .is(Replaced::Replaced, "the record is the old one")?;
        for handle in [&ctx.h1, &ctx.h2] {
            let because = "replace wrote the same text with this expiry";
            handle.get(&id).await.record(&moved, because)?;
        }
    }
    Ok(())
}

pub(super) async fn any_handle_can_replace(ctx: &Context) -> Result<(), Failure> {
    let (id, first) = (ctx.id("passed on"), ctx.record("0"));
    ctx.h1.set(&id, &first).await.ok()?;
    let read = ctx.h1.get(&id).await.some("it was written")?;
    let because = "the record is the old one, whoever read it";
    // h2 has not seen the record; then h1 has not seen the new one.
    let mut old = read;
    for (n, handle) in [&ctx.h2, &ctx.h1, &ctx.h1, &ctx.h2].into_iter().enumerate() {
        let new = ctx.record(&(n + 1).to_string());
        handle
            .replace(&id, &old, &new)
            .await
            .is(Replaced::Replaced, because)?;
        old = new;
    }
    for handle in [&ctx.h1, &ctx.h2] {
        handle.get(&id).await.record(&old, "it was written last")?;
    }
    Ok(())
}
