//! Reading.

use session_core::ErrorKind;

use crate::Rule;
use crate::context::Context;
use crate::describe;
use crate::failure::{Failure, ensure};
use crate::handle::Id;
use crate::need::Need;

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "GET-01",
        name: "unknown_id_is_none",
        sentence: "`get` of an unknown id is `Ok(None)`, not an error.",
        why: "Every visitor with an old cookie would get an error page instead of a new session.",
        hint: "Map the backend's \"no rows\" or \"not found\" to `Ok(None)`.",
        catches: &["ErrOnMissing", "NeverNone"],
        run: |ctx| Box::pin(unknown_id_is_none(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "GET-02",
        name: "get_has_no_side_effect",
        sentence: "`get` creates nothing and moves nothing: 100 of them leave data and expiry as \
                   they were.",
        why: "A store that creates on load lets anyone fill it with made-up ids; one that slides \
              the expiry on load keeps sessions that were meant to end.",
        hint: "Read only: no GETEX, no INSERT on a miss, no expiry moved on a hit.",
        catches: &["CreatesOnLoad", "SlidingGet", "GetConsumes"],
        run: |ctx| Box::pin(get_has_no_side_effect(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "GET-03",
        name: "odd_ids_are_exact_or_refused",
        sentence: "Odd ids (quotes, NUL, slashes, glob and LIKE characters, 10 KiB) are stored and \
                   returned exactly, or refused with `InvalidId`; they are never a pattern, a path \
                   or a piece of SQL, and never another id.",
        why: "An id comes from a cookie: CWE-89, CWE-22, and somebody else's session.",
        hint: "Bind ids as parameters; encode or hash them for file names; refuse what the \
               backend would cut before touching it.",
        catches: &[
            "SqlConcat",
            "PathJoin",
            "GlobKeys",
            "LikeIds",
            "NulCut",
            "IdTruncated",
            "UrlDecodes",
            "OddIdPanics",
            "RefusesTooLate",
            "IgnoresIdLimit",
        ],
        run: |ctx| Box::pin(odd_ids_are_exact_or_refused(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "GET-04",
        name: "similar_ids_are_different",
        sentence: "Ids that differ only by case, by spaces at their ends or by Unicode normal form \
                   are different.",
        why: "MySQL's default collation folds case and pads spaces: it takes bits from every id \
              and makes two visitors one.",
        hint: "Declare the id's column with a binary collation (`VARBINARY`, `utf8mb4_bin` with \
               NO PAD).",
        catches: &["CiCollation", "TrimId", "NormalForm", "RefusesUpperCase"],
        run: |ctx| Box::pin(similar_ids_are_different(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "GET-05",
        name: "returned_record_is_a_copy",
        sentence: "A returned record is a copy: changing it or dropping it does not change what \
                   is stored.",
        why: "A handler that edits its session and then fails must not have edited the store.",
        hint: "Hand out a clone, and keep your own.",
        catches: &["AliasOut"],
        run: |ctx| Box::pin(returned_record_is_a_copy(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "GET-06",
        name: "undecodable_is_an_error",
        needs: &[Need::Undecodable],
        sentence: "Stored bytes that are no record are an error of kind `Decode`, stay where they \
                   are, and can be destroyed.",
        why: "As `None` they would be overwritten without a trace; as a panic they would take \
              down every request with that cookie.",
        hint: "Return `Record::decode`'s error as it is, and let `destroy` not decode.",
        catches: &[
            "DecodeAsNone",
            "DecodePanics",
            "DecodeDeletes",
            "DestroyDecodes",
        ],
        run: |ctx| Box::pin(undecodable_is_an_error(ctx)),
        ..Rule::MUST
    },
];

async fn unknown_id_is_none(ctx: &Context) -> Result<(), Failure> {
    let (known, unknown) = (ctx.id("known"), ctx.id("unknown"));
    ctx.h1.get(&unknown).await.none("it was never written")?;
    ctx.h1.set(&known, &ctx.record("known")).await.ok()?;
    for handle in [&ctx.h1, &ctx.h2] {
        handle
            .get(&unknown)
            .await
            .none("another id was written, not this one")?;
    }
    Ok(())
}

async fn get_has_no_side_effect(ctx: &Context) -> Result<(), Failure> {
    let (kept, unknown) = (ctx.id("kept"), ctx.id("unknown"));
    let expires = ctx.ticks(4);
    let record = ctx.record_until("kept", Some(expires));
    ctx.h1.set(&kept, &record).await.ok()?;
    ctx.wait_until(ctx.ticks(1)).await;
    let (h1, quiet) = (&ctx.h1, ctx.h1.quiet());
    ctx.remark("up to 100 times h1.get of both");
    for _ in 0..100 {
        // A slow store gets through fewer of them before the record ends.
        if !ctx.timing.is_manual() && ctx.now() + ctx.timing.tick() >= expires {
            break;
        }
        let kept = quiet.get(&kept).await.some("get does not consume it");
        ctx.before(expires, kept)?;
        quiet.get(&unknown).await.none("get does not create it")?;
    }
    for handle in [h1, &ctx.h2] {
        handle.get(&unknown).await.none("get does not create it")?;
        if ctx.has(Need::Length) {
            let length = handle.length().await;
            ctx.before(expires, length.is(1, "one record was written, none by get"))?;
        }
    }
    ctx.before(
        expires,
        h1.get(&kept).await.record(&record, "get moves no expiry"),
    )?;
    ctx.wait_until_gone(expires).await;
    h1.get(&kept).await.none("get does not prolong it")
}

/// Texts that mean something to a file system, a database, a glob, a URL or a C library. Each is
/// likely to be mistaken for the bystanders `victim`, `a` or `b` by a store that interprets it.
const ODD: &[(&str, &str)] = &[
    ("a path upwards", "../victim"),
    ("a path within", "./victim"),
    ("an absolute path", "/victim"),
    ("a doubled slash", "victim//"),
    ("a backslash", "..\\victim"),
    ("a dot", "."),
    ("two dots", ".."),
    ("a quote", "a'b"),
    ("SQL that is always true", "x' OR '1'='1"),
    (
        "SQL that ends the statement",
        "x'; DELETE FROM sessions; --",
    ),
    ("a double quote", "a\"b"),
    ("a backtick", "a`b"),
    ("a NUL", "victim\0x"),
    ("a percent code", "victi%6D"),
    ("a coded NUL", "%00"),
    ("a percent sign", "%"),
    ("a LIKE wildcard", "victi_"),
    ("a colon", "a:b"),
    ("a star", "*"),
    ("a prefix and a star", "vic*"),
    ("a question mark", "victi?"),
    ("a character class", "[a]"),
    ("braces", "{victim}"),
    ("a newline", "victim\n"),
    ("a CR LF and a command", "x\r\nDEL victim\r\n"),
    ("a tab", "vic\ttim"),
    ("an emoji", "\u{1f36a}"),
    ("a combining accent", "e\u{301}"),
];

async fn odd_ids_are_exact_or_refused(ctx: &Context) -> Result<(), Failure> {
    let bystanders: Vec<_> = ["victim", "a", "b"]
        .map(|text| ctx.odd_id(format!("id `{text}`"), text))
        .into();
    let record_of = |id: &Id| ctx.record(&id.label);
    for id in &bystanders {
        ctx.h1.set(id, &record_of(id)).await.ok()?;
    }
    let mut odd: Vec<_> = ODD
        .iter()
        .map(|(label, text)| ctx.odd_id(format!("{label} {text:?}"), text))
        .collect();
    // The same but for their last character: a store that cuts ids takes one for the other.
    for end in ["x", "y"] {
        let long = "l".repeat(10 * 1024) + end;
        odd.push(ctx.odd_id(format!("10 KiB that end in {end}"), &long));
    }
    let mut kept = Vec::new();
    for id in &odd {
        let seen = ctx.h1.get(id).await.unless(ErrorKind::InvalidId)?;
        ensure(
            !matches!(&seen, Some(Some(_))),
            format_args!("None for {}: it was never written", id.label),
            describe::optional_record(seen.flatten().as_ref(), ctx.now()),
        )?;
        if ctx
            .h1
            .set(id, &record_of(id))
            .await
            .unless(ErrorKind::InvalidId)?
            .is_some()
        {
            kept.push(id);
        } else {
            let after = ctx.h1.get(id).await.unless(ErrorKind::InvalidId)?;
            ensure(
                !matches!(after, Some(Some(_))),
                format_args!("nothing under {}: it was refused", id.label),
                "a record: it was written before it was refused",
            )?;
        }
    }
    let because = "each id has its own record";
    for id in kept.iter().copied().chain(&bystanders) {
        ctx.h2.get(id).await.record(&record_of(id), because)?;
    }
    for id in &odd {
        ctx.h1.destroy(id).await.unless(ErrorKind::InvalidId)?;
    }
    for id in kept {
        ctx.h2.get(id).await.none("it was destroyed")?;
    }
    for id in &bystanders {
        ctx.h2
            .get(id)
            .await
            .record(&record_of(id), "only odd ids were destroyed")?;
    }
    id_limit(ctx).await
}

/// A declared limit is kept: what is longer is refused, what fits is not.
async fn id_limit(ctx: &Context) -> Result<(), Failure> {
    // A limit that no id will ever meet is not worth the memory.
    let limit = ctx.capabilities().max_id_bytes;
    let Some(limit) = limit.filter(|limit| *limit < 1 << 20) else {
        return Ok(());
    };
    let record = ctx.record("long id");
    let fits = ctx.odd_id(format!("id of {limit} bytes"), &"f".repeat(limit));
    ctx.h1.set(&fits, &record).await.ok()?;
    ctx.h1
        .get(&fits)
        .await
        .record(&record, "`max_id_bytes` allows it")?;
    let over = ctx.odd_id(format!("id of {} bytes", limit + 1), &"f".repeat(limit + 1));
    ctx.h1
        .set(&over, &record)
        .await
        .refused(ErrorKind::InvalidId, "`max_id_bytes` forbids it")?;
    ctx.h1
        .get(&fits)
        .await
        .record(&record, "a longer id was refused")
}

async fn similar_ids_are_different(ctx: &Context) -> Result<(), Failure> {
    // Ids that the own form can have: none of them may be refused.
    let base = ctx.id("Case").id.as_str()[2..].to_owned() + "aZ";
    let cases = [
        base.clone(),
        base.to_ascii_lowercase(),
        base.to_ascii_uppercase(),
    ];
    let mut ids: Vec<_> = cases
        .iter()
        .zip(["Mixed case", "lower case", "UPPER CASE"])
        .map(|(text, label)| ctx.odd_id(label, text))
        .collect();
    for id in &ids {
        ctx.h1.set(id, &ctx.record(&id.label)).await.ok()?;
    }
    for (label, text) in [
        ("a trailing space", format!("{base} ")),
        ("two trailing spaces", format!("{base}  ")),
        ("a leading space", format!(" {base}")),
        ("a trailing tab", format!("{base}\t")),
        ("composed", "caf\u{e9}".into()),
        ("decomposed", "cafe\u{301}".into()),
        ("without the accent", "cafe".into()),
        ("a ligature", "\u{fb01}".into()),
        ("its letters", "fi".into()),
        ("a sharp s", "stra\u{df}e".into()),
        ("two s", "strasse".into()),
        ("a full-width letter", "\u{ff41}".into()),
        ("an invisible character", format!("{base}\u{200b}")),
    ] {
        let id = ctx.odd_id(label, &text);
        let written = ctx.h1.set(&id, &ctx.record(label)).await;
        if written.unless(ErrorKind::InvalidId)?.is_some() {
            ids.push(id);
        }
    }
    for id in &ids {
        let because = "ids are compared byte by byte";
        ctx.h2
            .get(id)
            .await
            .record(&ctx.record(&id.label), because)?;
    }
    for (index, gone) in ids.iter().enumerate() {
        ctx.h1.destroy(gone).await.ok()?;
        for left in &ids[index + 1..] {
            ctx.h2
                .get(left)
                .await
                .text(&ctx.record(&left.label), "another id was destroyed")?;
        }
    }
    Ok(())
}

async fn returned_record_is_a_copy(ctx: &Context) -> Result<(), Failure> {
    let (id, stored) = (ctx.id("copied"), ctx.record("stored"));
    {
        let written = stored.clone();
        ctx.h1.set(&id, &written).await.ok()?;
    }
    for _ in 0..2 {
        let returned = ctx.h1.get(&id).await.some("it was written")?;
        let mut changed = returned.data();
        changed.clear();
        drop((changed, returned));
        for handle in [&ctx.h1, &ctx.h2] {
            handle
                .get(&id)
                .await
                .record(&stored, "a caller changed and dropped its copy")?;
        }
    }
    Ok(())
}

async fn undecodable_is_an_error(ctx: &Context) -> Result<(), Failure> {
    let (broken, whole) = (ctx.id("broken"), ctx.id("whole"));
    let record = ctx.record("whole");
    ctx.h1.set(&whole, &record).await.ok()?;
    ctx.remark("the harness writes undecodable bytes under id broken");
    ctx.h1.wrote(&broken);
    ctx.space.hooks.write_undecodable(&broken.id).await?;
    for handle in [&ctx.h1, &ctx.h2, &ctx.h1] {
        let because = "what is stored is no record, and stays where it is";
        let error = handle
            .get(&broken)
            .await
            .refused(ErrorKind::Decode, because)?;
        let text = format!("{error} {error:?}");
        ensure(
            !text.contains(broken.id.as_str()),
            "an error whose text holds no id",
            "the id is in its text",
        )?;
    }
    ctx.h1
        .get(&whole)
        .await
        .record(&record, "its neighbour is broken, not itself")?;
    ctx.h1.destroy(&broken).await.ok()?;
    ctx.h2.get(&broken).await.none("it was destroyed")
}
