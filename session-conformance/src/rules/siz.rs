//! Size: nothing is cut, and what is too large is refused before anything is written.

use std::time::SystemTime;

use session_core::{Created, Data, ErrorKind, Record, Replaced, StoredExpiry};

use crate::context::{Context, data};
use crate::describe;
use crate::failure::Failure;
use crate::handle::Id;
use crate::need::Need;
use crate::{NotRun, Rule};

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "SIZ-01",
        name: "records_of_64_kib_round_trip",
        sentence: "A record of 64 KiB comes back whole.",
        why: "MySQL's TEXT ends at 65,535 bytes, and cuts without a word outside of strict mode.",
        hint: "MEDIUMTEXT, TEXT of PostgreSQL, BLOB.",
        catches: &["Truncate64K", "Refuses64K"],
        run: |ctx| Box::pin(records_of_64_kib_round_trip(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "SIZ-02",
        name: "records_of_1_mib_are_kept_or_refused",
        sentence: "A record of 1 MiB comes back whole, or is refused with `TooLarge` before \
                   anything is written.",
        why: "A text that was cut is no JSON: the visitor's next request is an error.",
        hint: "Check the size before the first statement, and turn the backend's own refusal into \
               `TooLarge`.",
        catches: &[
            "SilentTruncate",
            "TooLargeIsOther",
            "DestroysBeforeRefusal",
            "RefusesAfterWrite",
        ],
        run: |ctx| Box::pin(records_of_1_mib_are_kept_or_refused(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "SIZ-03",
        name: "the_declared_limit_is_exact",
        needs: &[Need::MaxRecordBytes],
        sentence: "A record of as many bytes of JSON as the store declares is kept; one of a byte \
                   more is refused with `TooLarge` by every method, and what was there stays.",
        why: "A caller that is told a limit relies on it.",
        hint: "`json().len() > limit`, in bytes, in `set`, `create` and `replace`.",
        catches: &[
            "LimitOffByOne",
            "LimitTooLate",
            "LimitCountsChars",
            "LimitOnSetOnly",
            "DestroysBeforeRefusal",
        ],
        run: |ctx| Box::pin(the_declared_limit_is_exact(ctx)),
        ..Rule::CAPABILITY
    },
    Rule {
        id: "SIZ-04",
        name: "many_keys_and_deep_nesting",
        sentence: "A session of 1,000 keys, and one whose data is 100 levels deep, come back as \
                   they were.",
        why: "A parser's limit that `get` has and `set` has not makes a session that can be \
              written once and never read.",
        hint: "Do not parse what need not be understood; raise the parser's limits.",
        catches: &["RecursionLimit", "KeyLimit"],
        run: |ctx| Box::pin(many_keys_and_deep_nesting(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "SIZ-05",
        name: "sizes_around_powers_of_two",
        sentence: "Records of one byte less, as many and one byte more than 256 B, 4 KiB, 16 KiB, \
                   32 KiB, 64 KiB and 128 KiB come back whole.",
        why: "Lengths in one or two bytes, buffers and pages end there.",
        hint: "Look for the length that is kept in too few bits, and for the last piece of a \
               text that is read in pieces.",
        catches: &["WrapsAt64K", "Truncate64K", "LosesLastPage"],
        run: |ctx| Box::pin(sizes_around_powers_of_two(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "SIZ-06",
        name: "incompressible_data_survives",
        sentence: "64 KiB of data that cannot be compressed, and of data that can be compressed a \
                   thousandfold, come back whole.",
        why: "Compressed, the one is longer than it was, and the other looks like an attack.",
        hint: "Leave room for growth, or keep what does not shrink as it is.",
        catches: &["CompressionGrows", "BombGuard"],
        run: |ctx| Box::pin(incompressible_data_survives(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "SIZ-07",
        name: "records_of_16_mib_are_kept_or_refused",
        sentence: "Records of about 16 MiB come back whole, or are refused with `TooLarge` before \
                   anything is written.",
        why: "MySQL's MEDIUMTEXT and max_allowed_packet, and MongoDB's documents end there; some \
              close the connection instead of answering.",
        hint: "Declare `max_record_bytes` and check it yourself.",
        catches: &["SilentTruncate16M", "TooLargeIsOther"],
        run: |ctx| Box::pin(records_of_16_mib_are_kept_or_refused(ctx)),
        ..Rule::MUST
    },
];

/// A record of so many bytes of JSON, filled with a pattern that repeats `mark` and a counter, so
/// that each piece of it can be told from each other one. Of less than 200 bytes there is none.
pub(super) fn record_of_size(
    ctx: &Context,
    bytes: usize,
    mark: &str,
    expires: Option<SystemTime>,
) -> Record {
    let bare = ctx.record_of(&data(&[("fill", "")]), expires).json().len();
    let wanted = bytes.saturating_sub(bare);
    let mut fill = String::with_capacity(wanted + 32);
    let mut counter = 0_u32;
    while fill.len() < wanted {
        fill.push_str(mark);
        fill.push_str(&format!("{counter:06x}."));
        // Long records have few marks: writing numbers is slow without optimisation.
        let dots = (wanted / 256).min(240);
        fill.extend(std::iter::repeat_n('.', dots));
        counter += 1;
    }
    fill.truncate(wanted);
    ctx.record_of(&data(&[("fill", &fill)]), expires)
}

/// The same with two bytes for each character.
pub(super) fn wide_record_of_size(
    ctx: &Context,
    bytes: usize,
    expires: Option<SystemTime>,
) -> Record {
    let bare = ctx.record_of(&data(&[("fill", "")]), expires).json().len();
    let wanted = bytes.saturating_sub(bare);
    let mut fill = "é".repeat(wanted / 2);
    if wanted % 2 == 1 {
        fill.push('e');
    }
    ctx.record_of(&data(&[("fill", &fill)]), expires)
}

/// Sending a large record takes a server and a network their time, which would move its end where
/// the backend counts from its arrival.
pub(super) const NEVER: Option<SystemTime> = None;

async fn comes_back(ctx: &Context, id: &Id, record: &Record) -> Result<(), Failure> {
    ctx.h1.set(id, record).await.ok()?;
    for handle in [&ctx.h1, &ctx.h2] {
        let because = format_args!("a record of {} bytes was set", record.json().len()).to_string();
        handle.get(id).await.record(record, because)?;
    }
    Ok(())
}

/// Demands that a record is kept, or refused with `TooLarge` while the one before it stays. What
/// the store declares to hold it must hold.
async fn kept_or_refused(ctx: &Context, bytes: usize) -> Result<(), Failure> {
    let (id, fresh) = (
        ctx.id(&format!("of {bytes} B")),
        ctx.id(&format!("new, of {bytes} B")),
    );
    let before = ctx.record("before");
    let declared = ctx.capabilities().max_record_bytes;
    ctx.h1.set(&id, &before).await.ok()?;
    let large = record_of_size(ctx, bytes, "big-", NEVER);
    for (id, before) in [(&id, Some(&before)), (&fresh, None)] {
        let set = ctx.h1.set(id, &large).await;
        let written = match declared {
            Some(limit) if bytes <= limit => Some(set.ok()?),
            _ => set.unless(ErrorKind::TooLarge)?,
        };
        for handle in [&ctx.h1, &ctx.h2] {
            let found = handle.get(id).await;
            match (written, before) {
                (Some(()), _) => found.record(&large, "its `set` has returned Ok")?,
                (None, Some(before)) => {
                    found.record(before, "what was refused has changed nothing")?;
                }
                (None, None) => found.none("what was refused was not written")?,
            }
        }
    }
    ctx.h1.destroy(&id).await.ok()?;
    ctx.h1.destroy(&fresh).await.ok()
}

async fn records_of_64_kib_round_trip(ctx: &Context) -> Result<(), Failure> {
    let bytes = ctx.fitting(64 * 1024);
    comes_back(
        ctx,
        &ctx.id("large"),
        &record_of_size(ctx, bytes, "p-", NEVER),
    )
    .await?;
    comes_back(
        ctx,
        &ctx.id("wide"),
        &wide_record_of_size(ctx, bytes, NEVER),
    )
    .await
}

async fn records_of_1_mib_are_kept_or_refused(ctx: &Context) -> Result<(), Failure> {
    for bytes in [1_000_000, 1 << 20, (1 << 20) + 200] {
        kept_or_refused(ctx, bytes).await?;
    }
    // With its own check or the backend's, there is an end somewhere.
    if let Some(limit) = ctx
        .capabilities()
        .max_record_bytes
        .filter(|limit| *limit < 16 << 20)
    {
        kept_or_refused(ctx, limit + 1_000).await?;
    }
    Ok(())
}

async fn records_of_16_mib_are_kept_or_refused(ctx: &Context) -> Result<(), Failure> {
    // Beyond every 16 MiB limit, and sent once: it takes a server and a network their time.
    let (id, before) = (ctx.id("huge"), ctx.record("before"));
    let huge = record_of_size(ctx, (16 << 20) + 1, "huge-", NEVER);
    ctx.h1.set(&id, &before).await.ok()?;
    let written = ctx.h1.set(&id, &huge).await.unless(ErrorKind::TooLarge)?;
    let found = ctx.h2.get(&id).await;
    match written {
        Some(()) => found.record(&huge, "its `set` has returned Ok")?,
        None => found.record(&before, "what was refused has changed nothing")?,
    }
    ctx.h1.destroy(&id).await.ok()
}

async fn the_declared_limit_is_exact(ctx: &Context) -> Result<(), Failure> {
    let Some(limit) = ctx.capabilities().max_record_bytes else {
        return Ok(());
    };
    if limit > 32 << 20 {
        return Err(NotRun::because(format!(
            "the declared limit of {limit} bytes is more than this suite sends; let the harness \
             open the store with one of 32 MiB at most"
        ))
        .into());
    }
    let (id, fresh) = (ctx.id("full"), ctx.id("fresh"));
    let full = record_of_size(ctx, limit, "full-", NEVER);
    comes_back(ctx, &id, &full).await?;
    comes_back(ctx, &id, &wide_record_of_size(ctx, limit, NEVER)).await?;
    let before = ctx.record("before");
    ctx.h1.set(&id, &before).await.ok()?;
    let because = format!("it has a byte more than the {limit} that the store declares");
    for large in [
        record_of_size(ctx, limit + 1, "over-", NEVER),
        wide_record_of_size(ctx, limit + 1, NEVER),
    ] {
        ctx.h1
            .set(&id, &large)
            .await
            .refused(ErrorKind::TooLarge, &because)?;
        if ctx.has(Need::Replace) {
            let replaced = ctx.h1.replace(&id, &before, &large).await;
            replaced.refused(ErrorKind::TooLarge, &because)?;
        }
        ctx.h1
            .set(&fresh, &large)
            .await
            .refused(ErrorKind::TooLarge, &because)?;
        if ctx.has(Need::Create) {
            let created = ctx.h1.create(&fresh, &large).await;
            created.refused(ErrorKind::TooLarge, &because)?;
        }
        for handle in [&ctx.h1, &ctx.h2] {
            let found = handle.get(&id).await;
            found.record(&before, "what was refused has changed nothing")?;
            let found = handle.get(&fresh).await;
            found.none("what was refused was not written")?;
        }
    }
    if ctx.has(Need::Create) {
        let created = ctx.h1.create(&fresh, &full).await;
        created.is(
            Created::Created,
            "it has as many bytes as the store declares",
        )?;
    }
    if ctx.has(Need::Replace) {
        let replaced = ctx.h1.replace(&id, &before, &full).await;
        replaced.is(
            Replaced::Replaced,
            "it has as many bytes as the store declares",
        )?;
    }
    Ok(())
}

async fn many_keys_and_deep_nesting(ctx: &Context) -> Result<(), Failure> {
    let mut many = Data::new();
    for n in 0..1_000 {
        // Numbers always have a JSON form, and these keys are not reserved.
        let _ = many.insert(&format!("key{n}"), &n);
    }
    let many = ctx.record_of(&many, NEVER);
    if many.json().len() <= ctx.fitting(usize::MAX) {
        comes_back(ctx, &ctx.id("of 1000 keys"), &many).await?;
    }
    let plain = ctx.record_of(&Data::new(), NEVER).json().to_owned();
    let plain = &plain[..plain.len() - 1];
    let arrays = format!("{plain},\"deep\":{}1{}}}", "[".repeat(100), "]".repeat(100));
    let objects = format!(
        "{plain},\"deep\":{}1{}}}",
        r#"{"a":"#.repeat(100),
        "}".repeat(100)
    );
    for (name, text) in [("100 arrays deep", arrays), ("100 objects deep", objects)] {
        let record = Record::decode(text, StoredExpiry::InJson).map_err(|error| {
            Failure::inconclusive(format_args!(
                "this version of the contract reads no such text: {}",
                describe::error(&error)
            ))
        })?;
        if record.json().len() <= ctx.fitting(usize::MAX) {
            comes_back(ctx, &ctx.id(name), &record).await?;
        }
    }
    Ok(())
}

async fn sizes_around_powers_of_two(ctx: &Context) -> Result<(), Failure> {
    let id = ctx.id("growing");
    for kib in [1, 16, 64, 128, 256, 512] {
        let middle = kib * 256;
        for bytes in [middle - 1, middle, middle + 1] {
            if ctx.fitting(bytes) == bytes {
                comes_back(ctx, &id, &record_of_size(ctx, bytes, "s-", NEVER)).await?;
            }
        }
    }
    Ok(())
}

async fn incompressible_data_survives(ctx: &Context) -> Result<(), Failure> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bytes = ctx.fitting(64 * 1024).saturating_sub(256);
    let mut random = ctx.random("incompressible");
    let noise: String = (0..bytes)
        .map(|_| char::from(ALPHABET[random.below(ALPHABET.len())]))
        .collect();
    for (name, fill) in [("noise", noise), ("one letter", "a".repeat(bytes))] {
        let record = ctx.record_of(&data(&[("fill", &fill)]), NEVER);
        comes_back(ctx, &ctx.id(name), &record).await?;
    }
    Ok(())
}
