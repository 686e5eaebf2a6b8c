//! Ids, byte by byte, whichever method they are given to.

use session_core::{Created, ErrorKind, Record, Replaced, Touched};

use super::until;
use crate::Method;
use crate::context::Context;
use crate::describe;
use crate::failure::{Failure, ensure};
use crate::handle::Id;
use crate::need::Need;
use crate::property::property;
use crate::rules::all::exactly;
use crate::rules::des::stored;

property! {
    group: "IDS", title: "ids exact", name: "takes_ids_as_they_are",
    says: [
        "",
        " takes an id as it is, while its prefixes, its other spellings and what it would match as \
         a pattern are there as well, and finds nothing where they alone are; what is longer than \
         the store declares, in bytes, is refused with `InvalidId`."
    ],
    why: "A method that folds, cuts or matches ids where the others do not works on another \
          visitor's session.",
    hint: "Make the key of an id in one place, for all methods; compare it with `=` in a binary \
           collation, never with LIKE, and count its length in bytes.",
    needs: [],
    run: takes_ids_as_they_are,
    of: [all clear create destroy get ids length replace set sweep touch],
    without: [],
    catches: [
        Prefixed [all clear create destroy get ids length replace set sweep touch],
        Begins [create destroy get replace set sweep touch],
        Ends [all clear create destroy get ids length replace set sweep touch],
        Contains [all clear create destroy get ids length replace set sweep touch],
        FoldsCase [all clear create destroy get ids length replace set sweep touch],
        FoldsUnicode [all clear create destroy get ids length replace set sweep touch],
        PadsSpace [all clear create destroy get ids length replace set sweep touch],
        Strips [all clear create destroy get ids length replace set sweep touch],
        NormalFormC [all clear create destroy get ids length replace set sweep touch],
        Likes [create destroy get replace set sweep touch],
        Globs [create destroy get replace set sweep touch],
        First32 [all clear create destroy get ids length replace set sweep touch],
        First64 [all clear create destroy get ids length replace set sweep touch],
        First128 [all clear create destroy get ids length replace set sweep touch],
        First255 [all clear create destroy get ids length replace set sweep touch],
        Last32 [all clear create destroy get ids length replace set sweep touch],
        StopsAtNul [all clear create destroy get ids length replace set sweep touch],
        StopsAtDot [all clear create destroy get ids length replace set sweep touch],
        StopsAtColon [all clear create destroy get ids length replace set sweep touch],
        DecodesPercent [all clear create destroy get ids length replace set sweep touch],
        LosesQuotes [all clear create destroy get ids length replace set sweep touch],
        Unslashes [all clear create destroy get ids length replace set sweep touch],
        PlusIsSpace [all clear create destroy get ids length replace set sweep touch],
        DashIsUnderscore [all clear create destroy get ids length replace set sweep touch],
        AsciiOnly [all clear create destroy get ids length replace set sweep touch],
        LettersOnly [all clear create destroy get ids length replace set sweep touch],
        HashesShort [all clear create destroy get ids length replace set sweep touch],
        LimitInChars [create destroy get replace set touch],
        LimitCuts [create destroy get replace set touch],
        LimitOneMore [create destroy get replace set touch],
    ],
}

/// Ids that a store may take for each other. The first of each pair is like the second one under
/// some folding, cutting or matching.
fn family(ctx: &Context) -> Vec<Id> {
    let base = format!("{}aZ", &ctx.id("base").id.as_str()[2..]);
    let long = base.repeat(8);
    let mut texts = vec![base.clone()];
    texts.extend(["a", "0", "-", "_", " ", "  ", ".", "\u{301}"].map(|end| format!("{base}{end}")));
    texts.extend([" ", "0", "x", "../", "sess:", "-"].map(|start| format!("{start}{base}")));
    texts.extend([1, 8, 16, 31].map(|at| base[..at].to_owned()));
    texts.extend([1, 16].map(|at| base[at..].to_owned()));
    texts.extend([base.to_ascii_lowercase(), base.to_ascii_uppercase()]);
    // As patterns, these match the base: one for each way to write one.
    let head = &base[..20];
    let last = &base[..base.len() - 1];
    texts.extend(
        ["%", "*", "?", "_", "[a-zA-Z]", "[A-Z]", ".", ".*", "\\Z"]
            .map(|end| format!("{last}{end}")),
    );
    texts.extend([
        format!("{head}%"),
        format!("{head}*"),
        "%".to_owned(),
        "*".to_owned(),
    ]);
    texts.extend(
        [
            "\0", "\0b", "%00", "%20", "%41", "+", "'", "''", "\"", "\\", "/", "//", "/.", "\t",
            "\n", ":", ":a", ";", "#", "&", "=", ",", "{a}", "}", "$", "^", "|", "<", "`",
        ]
        .map(|end| format!("{base}{end}")),
    );
    texts.extend(
        ["-_", "_-", "--", "__"].map(|middle| format!("{}{middle}{}", &base[..15], &base[17..])),
    );
    texts.extend(
        [
            "caf\u{e9}",
            "cafe\u{301}",
            "cafe",
            "CAF\u{c9}",
            "caf\u{e8}",
            "caf\u{44d}",
            "stra\u{df}e",
            "strasse",
            "\u{131}d",
            "id",
            "ID",
            "\u{130}d",
            "\u{fb01}",
            "fi",
            "\u{ff41}",
            "a",
            "\u{1f36a}",
            "\u{1f369}",
            "\u{200b}a",
            "\u{feff}a",
            "\u{3c3}",
            "\u{3c2}",
            "\u{e9}".repeat(60).as_str(),
            "\u{e9}".repeat(61).as_str(),
        ]
        .map(str::to_owned),
    );
    // Lengths at which columns and file names end.
    for length in [32, 36, 40, 64, 100, 128, 200, 255] {
        texts.extend(["a", "b", "c"].map(|end| format!("{}{end}", &long[..length])));
        texts.push(long[..length].to_owned());
        texts.push(long[..length - 1].to_owned());
    }
    texts.sort();
    texts.dedup();
    // Neighbours in this order are alike: every other one is a bystander.
    ctx.odd_ids("like", &texts)
}

async fn takes_ids_as_they_are(ctx: &Context, method: Method) -> Result<(), Failure> {
    let (h1, h2) = (ctx.h1.quiet(), ctx.h2.quiet());
    let old = |id: &Id| ctx.record(&id.label);
    let mut ids = Vec::new();
    for id in family(ctx) {
        if h2
            .set(&id, &old(&id))
            .await
            .unless(ErrorKind::InvalidId)?
            .is_some()
        {
            ids.push(id);
        }
    }
    ctx.remark(format!(
        "h2.set of {} ids that are alike, and the others are refused",
        ids.len()
    ));
    match method {
        Method::All => {
            let all = ctx.h1.all().await.ok()?;
            exactly("h1.all()", all.iter().map(|(id, _)| id), &ids)?;
        }
        Method::Ids => exactly("h1.ids()", &ctx.h1.ids().await.ok()?, &ids)?,
        Method::Length => {
            let length = ctx.h1.length().await;
            length.is(ids.len() as u64, "each of them is a record of its own")?;
        }
        Method::Clear => {
            ctx.h1.clear().await.ok()?;
            for id in &ids {
                h2.get(id)
                    .await
                    .none("all were cleared, whatever their ids")?;
            }
            if ctx.has(Need::Count) {
                stored(ctx, 0).await?;
            }
        }
        _ => {}
    }
    if method == Method::Sweep {
        // Those that are alike are less than eight places apart: one of these tells them apart.
        for bit in 0..3 {
            for turn in 0..2 {
                sweeps_its_own(ctx, &ids, |n| (n >> bit) % 2 == turn).await?;
            }
        }
    }
    for turn in 0..if method.takes_an_id() { 2 } else { 0 } {
        let mine = |n: usize| n % 2 == turn;
        ctx.remark(format!("{method} for every other id"));
        // All are there; then those that are asked for are not.
        for there in [true, false] {
            for (n, id) in ids.iter().enumerate() {
                if there || !mine(n) {
                    h2.set(id, &old(id)).await.ok()?;
                } else {
                    h2.destroy(id).await.ok()?;
                }
            }
            let mut left = Vec::new();
            for (n, id) in ids.iter().enumerate() {
                left.push(match mine(n) {
                    true => call(ctx, method, id, &old(id), there).await?,
                    false => Some(old(id)),
                });
            }
            for (n, (id, left)) in ids.iter().zip(left).enumerate() {
                let found = h2.get(id).await;
                let because = match mine(n) {
                    true => format!("`{method}` was called for it, as for every other id"),
                    false => format!("`{method}` was called for others only"),
                };
                match left {
                    Some(record) => found.record(&record, because)?,
                    None => found.none(because)?,
                }
            }
        }
    }
    if method.takes_an_id() {
        limit(ctx, method).await?;
    }
    for id in &ids {
        h1.destroy(id).await.ok()?;
    }
    Ok(())
}

/// Calls the method for one id, whose record is there or not; what is there afterwards.
async fn call(
    ctx: &Context,
    method: Method,
    id: &Id,
    old: &Record,
    there: bool,
) -> Result<Option<Record>, Failure> {
    let h1 = ctx.h1.quiet();
    let new = ctx.record_until(&format!("new {}", id.label), Some(ctx.late() + super::HOUR));
    let because = match there {
        true => "it was written, and nothing has changed it",
        false => "it is not there: only ids that are alike are",
    };
    let before = there.then(|| old.clone());
    Ok(match method {
        Method::Get => {
            let found = h1.get(id).await;
            match there {
                true => found.record(old, because)?,
                false => found.none(because)?,
            }
            before
        }
        Method::Destroy => {
            h1.destroy(id).await.ok()?;
            None
        }
        Method::Touch => {
            let touched = if there {
                Touched::Touched
            } else {
                Touched::Missing
            };
            h1.touch(id, new.cookie()).await.is(touched, because)?;
            before.map(|old| until(&old, new.expires()))
        }
        Method::Replace => {
            let replaced = if there {
                Replaced::Replaced
            } else {
                Replaced::Missing
            };
            h1.replace(id, old, &new).await.is(replaced, because)?;
            there.then_some(new)
        }
        Method::Create => {
            let created = if there {
                Created::Exists
            } else {
                Created::Created
            };
            h1.create(id, &new).await.is(created, because)?;
            Some(if there { old.clone() } else { new })
        }
        _ => {
            h1.set(id, &new).await.ok()?;
            Some(new)
        }
    })
}

/// Some records end and are swept; the others are spared.
async fn sweeps_its_own(
    ctx: &Context,
    ids: &[Id],
    ends: impl Fn(usize) -> bool,
) -> Result<(), Failure> {
    let (h1, h2) = (ctx.h1.quiet(), ctx.h2.quiet());
    let soon = ctx.ticks(1);
    let mut left = 0;
    for (n, id) in ids.iter().enumerate() {
        left += u64::from(!ends(n));
        let end = if ends(n) { soon } else { ctx.late() };
        h2.set(id, &ctx.record_until(&id.label, Some(end)))
            .await
            .ok()?;
    }
    ctx.wait_until_gone(soon).await;
    for _ in 0..ids.len() {
        if !h1.sweep(1_000).await.ok()?.more {
            break;
        }
    }
    for (n, id) in ids.iter().enumerate() {
        let found = h2.get(id).await;
        if ends(n) {
            found.none("it has expired")?;
        } else {
            found.some("it is live: only ids that are alike were swept")?;
        }
    }
    if ctx.has(Need::Count) {
        stored(ctx, left).await?;
    }
    Ok(())
}

/// A declared limit is one of bytes, for this method, too.
async fn limit(ctx: &Context, method: Method) -> Result<(), Failure> {
    let limit = ctx.capabilities().max_id_bytes;
    let Some(limit) = limit.filter(|limit| (8..1 << 20).contains(limit)) else {
        return Ok(());
    };
    let wide = |bytes: usize| format!("{}{}", "w".repeat(bytes % 2), "\u{e9}".repeat(bytes / 2));
    for fits in ["f".repeat(limit), wide(limit)] {
        let id = ctx.odd_id(format!("an id of {limit} bytes"), &fits);
        let record = ctx.record("long");
        // A wide one may be refused for its letters.
        if ctx
            .h2
            .set(&id, &record)
            .await
            .unless(ErrorKind::InvalidId)?
            .is_some()
        {
            call(ctx, method, &id, &record, true).await?;
            ctx.h2.destroy(&id).await.ok()?;
        }
    }
    let bystander = ctx.odd_id("its first bytes", &"f".repeat(limit));
    let record = ctx.record("bystander");
    ctx.h2.set(&bystander, &record).await.ok()?;
    let because = "it is a byte longer than the store declares";
    for over in ["f".repeat(limit + 1), wide(limit + 1)] {
        let id = ctx.odd_id(format!("an id of {} bytes", limit + 1), &over);
        let h1 = &ctx.h1;
        let invalid = ErrorKind::InvalidId;
        let error = match method {
            Method::Get => h1.get(&id).await.refused(invalid, because)?,
            Method::Destroy => h1.destroy(&id).await.refused(invalid, because)?,
            Method::Touch => h1
                .touch(&id, record.cookie())
                .await
                .refused(invalid, because)?,
            Method::Create => h1.create(&id, &record).await.refused(invalid, because)?,
            Method::Replace => h1
                .replace(&id, &record, &record)
                .await
                .refused(invalid, because)?,
            _ => h1.set(&id, &record).await.refused(invalid, because)?,
        };
        ensure(
            !error.to_string().contains(&over),
            "an error without the id in its text",
            describe::error(&error).replace(&over, "(the id)"),
        )?;
    }
    let found = ctx.h2.get(&bystander).await;
    found.record(&record, "a longer id was refused")
}
