//! The bytes of a text, whichever method they pass through.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use session_core::{ErrorKind, Record, Replaced, StoredExpiry};

use super::{prepare, write, written};
use crate::Method;
use crate::context::Context;
use crate::failure::Failure;
use crate::handle::{Handle, Id};
use crate::property::property;
use crate::rules::all::item;
use crate::rules::siz::{NEVER, record_of_size, wide_record_of_size};
use crate::rules::uni::{refusable_texts, texts};

property! {
    group: "BYT", title: "bytes kept", name: "keeps_every_byte",
    says: [
        "",
        " keeps every byte of a text: every JSON value, every spelling of it, spaces and the order \
         of keys, and every length to 5 MiB, counted in bytes; what is too large is refused before \
         anything is written."
    ],
    why: "A store that is careful in `set` alone loses the session in the method that is called \
          next: a cut text is no JSON, and one that was tidied up never matches in `replace`.",
    hint: "Let all methods write and read the text through one place, and bind it as bytes.",
    needs: [],
    run: keeps_every_byte,
    of: [all create get replace set touch],
    without: [
        clear: "leaves no text", destroy: "leaves no text of its own id, and IDS-DESTROY looks at the others",
        ids: "gives no text", length: "gives no text",
        sweep: "leaves no text of what it removes, and IDS-SWEEP looks at the others",
    ],
    catches: [
        CutsAt65535 [all create get replace set touch],
        CutsAt65536Chars [all create get replace set touch],
        CutsAtMegabyte [all create get replace set touch],
        LengthInTwoBytes [all create get replace set touch],
        LosesEmoji [all create get replace set touch],
        QuestionMarks [all create get replace set touch],
        WholeFloats [all create get replace set touch],
        ShortFloats [all create get replace set touch],
        BigNumbers [all create get replace set touch],
        SortsTheKeys [all create get replace set touch],
        KeepsLastKey [all create get replace set touch],
        TightensSpace [all create get replace set touch],
        TrimsEnds [all create get replace set touch],
        Composes [all create get replace set touch],
        DropsBom [all create get replace set touch],
        UnixLines [all create get replace set touch],
        CollapsesQuotes [all create get replace set touch],
        UnescapesSolidus [all create get replace set touch],
        UnescapesUnicode [all create get replace set touch],
        DropsControls [all create get replace set touch],
        DropsNull [all create get replace set touch],
        Latin [all create get replace set touch],
        RendersAnew [all create get replace set touch],
        CookieAnew [all create get replace set touch],
        EscapesPercent [all create get replace set touch],
        CompressesBadly [all create get replace set touch],
        RefusesBig [create replace set],
        TouchesJson [touch],
        ComparesLength [replace],
        ComparesHead [replace],
        ComparesValues [replace],
        ComparesFolded [replace],
        ComparesTrimmed [replace],
    ],
}

async fn keeps_every_byte(ctx: &Context, method: Method) -> Result<(), Failure> {
    let mut cases = texts(ctx)?;
    for (what, size) in sizes(ctx) {
        cases.push(("a text of this size", of_size(ctx, what, size)));
    }
    if method == Method::All {
        return all_gives_every_byte(ctx, &cases).await;
    }
    let (id, mut last) = (ctx.id("rewritten"), ctx.record("first"));
    let (h1, h2) = (ctx.h1.quiet(), ctx.h2.quiet());
    prepare(&h2, method, &id, &last).await?;
    for (n, (label, record)) in cases.iter().enumerate() {
        let bytes = record.json().len();
        ctx.remark(format!("{method}, then get: {label}, {bytes} bytes"));
        match method {
            Method::Touch => {
                h2.set(&id, record).await.ok()?;
                write(&h1, method, &id, record, &last).await?;
                last = record.clone();
                let left = written(method, record, &ctx.record("end"));
                h2.get(&id).await.text(&left, label)?;
                continue;
            }
            Method::Create => h2.destroy(&id).await.ok()?,
            _ => {}
        }
        write(&h1, method, &id, &last, record).await?;
        h2.get(&id).await.record(record, label)?;
        if n % 3 == 0 || method == Method::Get {
            h1.get(&id).await.record(record, label)?;
        }
        last = record.clone();
    }
    if matches!(method, Method::Create | Method::Replace) {
        refusals(ctx, method, &h1).await?;
    }
    if method == Method::Replace {
        compares_every_byte(ctx).await?;
    }
    Ok(())
}

/// A text of this size, made once in a run: that takes longer than writing it.
pub(super) fn of_size(ctx: &Context, width: Width, size: usize) -> Record {
    static MADE: Mutex<BTreeMap<(Width, usize), Record>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let make = || match width {
        Width::One(mark) => record_of_size(ctx, size, mark, NEVER),
        Width::Two => wide_record_of_size(ctx, size, NEVER),
    };
    made.entry((width, size)).or_insert_with(make).clone()
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Width {
    /// Letters of one byte, with this mark among them.
    One(&'static str),
    /// Letters of two bytes.
    Two,
}

/// Lengths in bytes at which fields, pages and buffers end, as far as the store goes.
fn sizes(ctx: &Context) -> Vec<(Width, usize)> {
    let around = [256, 1 << 12, 1 << 14, 1 << 15, (1 << 16) - 1, 1 << 17];
    let mut sizes: Vec<_> = around
        .iter()
        .flat_map(|size| [size - 1, *size, size + 1])
        .map(|size| (Width::One("b-"), size))
        .collect();
    sizes.extend([1 << 16, (1 << 16) + 40, 1 << 17].map(|size| (Width::Two, size)));
    sizes.extend([(1 << 20) + 1, 5 << 20].map(|size| (Width::One("b-"), size)));
    sizes.retain(|(_, size)| ctx.fitting(*size) == *size);
    sizes
}

async fn all_gives_every_byte(ctx: &Context, cases: &[(&str, Record)]) -> Result<(), Failure> {
    let quiet = ctx.h1.quiet();
    ctx.remark(format!("h1.set of {} texts, an id for each", cases.len()));
    let mut ids = Vec::new();
    for (n, (_, record)) in cases.iter().enumerate() {
        let id = ctx.id(&format!("of case {n}"));
        quiet.set(&id, record).await.ok()?;
        ids.push(id);
    }
    for handle in [&ctx.h1, &ctx.h2] {
        let all = handle.all().await.ok()?;
        for (id, (label, record)) in ids.iter().zip(cases) {
            item(handle, &all, id).text(record, label)?;
        }
    }
    Ok(())
}

/// What a backend may not hold is refused before anything is written, or kept.
async fn refusals(ctx: &Context, method: Method, h1: &Handle) -> Result<(), Failure> {
    let kept = ctx.record("kept");
    for (n, (label, record)) in refusable_texts(ctx)?.iter().enumerate() {
        let id = ctx.id(&format!("refusable {n}"));
        prepare(h1, method, &id, &kept).await?;
        ctx.remark(format!("h1.{method} with {label}"));
        let accepted = match method {
            Method::Create => {
                let created = h1.create(&id, record).await;
                created.unless(ErrorKind::Encode)?.is_some()
            }
            _ => {
                let replaced = h1.replace(&id, &kept, record).await;
                replaced.unless(ErrorKind::Encode)?.is_some()
            }
        };
        let found = ctx.h2.get(&id).await;
        match (accepted, method) {
            (true, _) => found.record(record, "it was accepted")?,
            (false, Method::Create) => found.none("it was refused")?,
            (false, _) => found.record(&kept, "what was refused has changed nothing")?,
        }
    }
    Ok(())
}

/// A `replace` whose old text is nearly that of the record conflicts.
async fn compares_every_byte(ctx: &Context) -> Result<(), Failure> {
    let bare = ctx.record("nearly").json().to_owned();
    let with = |members: &str| format!("{},{members}}}", &bare[..bare.len() - 1]);
    let long = "x".repeat(ctx.fitting(70_000).saturating_sub(1_000));
    let pairs = [
        (
            "the last byte of a long text",
            with(&format!(r#""a":"{long}1""#)),
            with(&format!(r#""a":"{long}2""#)),
        ),
        (
            "another spelling of a number",
            with(r#""a":1.0"#),
            with(r#""a":1"#),
        ),
        ("another exponent", with(r#""a":100"#), with(r#""a":1e2"#)),
        ("an escape", with(r#""a":"é""#), with(r#""a":"\u00e9""#)),
        (
            "the order of keys",
            with(r#""a":1,"b":2"#),
            with(r#""b":2,"a":1"#),
        ),
        ("a capital", with(r#""a":"x""#), with(r#""a":"X""#)),
        ("an accent", with(r#""a":"e""#), with(r#""a":"é""#)),
        (
            "a normal form",
            with("\"a\":\"\u{e9}\""),
            with("\"a\":\"e\u{301}\""),
        ),
        (
            "a space between tokens",
            with(r#""a":1"#),
            with(r#""a": 1"#),
        ),
        (
            "a space at the end of a text",
            with(r#""a":"x""#),
            with(r#""a":"x ""#),
        ),
        (
            "a space after all",
            with(r#""a":1"#),
            format!("{} ", with(r#""a":1"#)),
        ),
        ("a wildcard", with(r#""a":"xyz""#), with(r#""a":"x%""#)),
        (
            "another wildcard",
            with(r#""a":"xyz""#),
            with(r#""a":"x_z""#),
        ),
        ("a key twice", with(r#""a":2"#), with(r#""a":1,"a":2"#)),
        ("the emoji", with(r#""a":"🍪""#), with(r#""a":"🍩""#)),
    ];
    let new = ctx.record("new");
    for (n, (label, one, other)) in pairs.into_iter().enumerate() {
        let decode = |text: String| {
            Record::decode(text, StoredExpiry::InJson).map_err(Failure::inconclusive)
        };
        let (one, other) = (decode(one)?, decode(other)?);
        for (stored, asked, turn) in [(&one, &other, "a"), (&other, &one, "b")] {
            let id: Id = ctx.id(&format!("compared {n}{turn}"));
            ctx.h2.set(&id, stored).await.ok()?;
            let replaced = ctx.h1.replace(&id, asked, &new).await;
            let because = format!("the record differs by {label}");
            replaced.is(Replaced::Conflict, &because)?;
            ctx.h2.get(&id).await.record(stored, &because)?;
        }
    }
    Ok(())
}
