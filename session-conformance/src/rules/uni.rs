//! Content: what a session can hold comes back as it was.

use session_core::{Data, ErrorKind, Record, StoredExpiry};

use crate::Rule;
use crate::context::Context;
use crate::describe;
use crate::failure::{Failure, ensure};
use crate::handle::Id;

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "UNI-01",
        name: "every_json_value_survives",
        sentence: "Every JSON value comes back byte for byte: limits of numbers, emoji, NUL, \
                   quotes, keys with dots and dollars. NUL and lone surrogates may be refused \
                   with `Encode` instead, before anything is written.",
        why: "connect-mongo#87: keys with dots made `set` fail; MySQL's utf8 cuts a text at its \
              first emoji.",
        hint: "Keep the text as it is, in a column of bytes or of utf8mb4 text; not `jsonb`, not \
               a document of the database.",
        catches: &[
            "Utf8mb3",
            "NullStrip",
            "FloatMangle",
            "Latin1",
            "TrimsStrings",
            "MongoKeys",
            "Unescapes",
            "RefusesEmojiLate",
            "LosesEmptyKey",
            "SurrogatesReplaced",
        ],
        run: |ctx| Box::pin(every_json_value_survives(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "UNI-02",
        name: "unknown_fields_and_their_order_survive",
        sentence: "Fields that the store does not know, in the session and in its cookie, and the \
                   order of the fields come back as they were.",
        why: "A Node process that shares the store writes fields of its own into both.",
        hint: "Store `Record::json`; do not write the record anew from what was parsed of it.",
        catches: &["DropUnknown", "DropUnknownCookie", "SortsKeys"],
        run: |ctx| Box::pin(unknown_fields_and_their_order_survive(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "UNI-03",
        name: "data_is_not_taken_for_meta",
        sentence: "Data under keys like `id`, `expires`, `ttl`, `_id`, `__proto__` or `toJSON` is \
                   data: it changes neither the id nor the expiry.",
        why: "An application with a field `expires` would end its visitors' sessions.",
        hint: "Keep the id and the expiry beside the text, not in it.",
        catches: &["MetaCollision", "IdCollision", "TtlCollision"],
        run: |ctx| Box::pin(data_is_not_taken_for_meta(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "UNI-04",
        name: "empty_data_is_a_record",
        sentence: "A session without data is a record, and is not the same as no session.",
        why: "With `saveUninitialized` that is every visitor's first session, which carries the \
              cookie's settings.",
        hint: "Ask whether there is a row, not whether there is something in it.",
        catches: &["EmptyIsMissing", "EmptyIsDestroyed"],
        run: |ctx| Box::pin(empty_data_is_a_record(ctx)),
        ..Rule::MUST
    },
    Rule {
        id: "UNI-05",
        name: "the_text_is_kept_byte_for_byte",
        sentence: "Space between the tokens, escapes, digits and repeated keys come back as they \
                   were.",
        why: "`replace` compares texts, also those that other writers wrote: one that the backend \
              has tidied up never matches again.",
        hint: "`json` or `text` instead of `jsonb` in PostgreSQL, bytes instead of MySQL's JSON; \
               no `serde_json::Value` on the way.",
        catches: &[
            "Jsonb",
            "Reserialises",
            "TrimsText",
            "DropsDuplicateKeys",
            "FloatMangle",
        ],
        run: |ctx| Box::pin(the_text_is_kept_byte_for_byte(ctx)),
        ..Rule::MUST
    },
];

/// A record with these members after its cookie, which is `{{..{cookie}}}`; every space counts.
fn raw(ctx: &Context, members: &str) -> Result<Record, Failure> {
    let text = ctx.record_of(&Data::new(), far(ctx)).json().to_owned();
    decode(&format!("{},{members}}}", &text[..text.len() - 1]))
}

fn far(ctx: &Context) -> Option<std::time::SystemTime> {
    ctx.record("").expires()
}

fn decode(text: &str) -> Result<Record, Failure> {
    Record::decode(text, StoredExpiry::InJson).map_err(|error| {
        Failure::inconclusive(format_args!(
            "this version of the contract reads no such text: {}",
            describe::error(&error)
        ))
    })
}

/// Writes records one after the other under one id and reads each through both handles.
async fn come_back(ctx: &Context, id: &Id, cases: &[(&str, Record)]) -> Result<(), Failure> {
    let (h1, h2) = (ctx.h1.quiet(), ctx.h2.quiet());
    for (label, record) in cases {
        ctx.remark(format!("h1.set({}, {label}), h1.get, h2.get", id.label));
        h1.set(id, record).await.ok()?;
        for handle in [&h1, &h2] {
            handle.get(id).await.record(record, label)?;
        }
    }
    Ok(())
}

/// Values as they stand in a text, each with what is special about it.
const VALUES: &[(&str, &str)] = &[
    ("null", "null"),
    ("true", "true"),
    ("an empty text", r#""""#),
    ("an empty object", "{}"),
    ("an empty array", "[]"),
    ("nested and empty", r#"[[],{},[{}],{"a":[]}]"#),
    ("nulls in an array", "[null,null,[null]]"),
    ("a null in an object", r#"{"a":null,"b":{"c":null}}"#),
    ("the least i64", "-9223372036854775808"),
    ("the greatest i64", "9223372036854775807"),
    ("the greatest u64", "18446744073709551615"),
    ("2^53 + 1, which no double has", "9007199254740993"),
    ("40 digits", "1234567890123456789012345678901234567890"),
    ("a tenth", "0.1"),
    ("a float that is whole", "1.0"),
    ("17 digits", "0.30000000000000004"),
    ("the greatest double", "1.7976931348623157e308"),
    ("the least double", "5e-324"),
    ("an exponent as JavaScript writes it", "1e+21"),
    ("minus zero", "-0"),
    ("digits in a text", r#""00123""#),
    (
        "a text that looks like null",
        r#"["null","NULL","true","undefined","NaN"]"#,
    ),
    ("a date's text", r#""2024-02-29T23:59:60.000Z""#),
    ("é, ß, Ж", r#""é ß Ж""#),
    ("three bytes in UTF-8", r#""€ 語""#),
    ("four bytes in UTF-8", r#""a🍪b""#),
    ("joined emoji", r#""👩‍👩‍👧🏽""#),
    ("the last code point", "\"\u{10ffff}\""),
    ("a replacement character", "\"\u{fffd}\""),
    ("a byte order mark", "\"\u{feff}bom\""),
    ("U+2028 and U+2029", "\"\u{2028}\u{2029}\""),
    ("both forms of é", "\"\u{e9} e\u{301}\""),
    ("DEL and C1", "\"\u{7f}\u{80}\u{9f}\""),
    ("control characters", r#""\u0001\u001f\b\f\n\r\t""#),
    ("quotes", r#""' \" ` '' \\' ''""#),
    ("SQL", r#""'); DROP TABLE sessions; --""#),
    ("backslashes", r#""\\ \\\\ \\n \\x00 \\u0041""#),
    ("format strings", r#""%s %d %n {} {0} $1 ? :id ${x}""#),
    ("markup", r#""<b>&amp;</b>]]><!--""#),
    ("spaces at both ends", r#""  a  ""#),
    ("line ends of both kinds", r#""a\r\nb\nc\r""#),
    (
        "keys with dots and dollars",
        r#"{"a.b":1,"$set":{"c":2},"a.b.c":3,"$":4}"#,
    ),
    (
        "keys with quotes",
        r#"{"a\"b":1,"a'b":2,"a`b":3,"[0]":4,"a\\b":5}"#,
    ),
    ("an empty key", r#"{"":1}"#),
    (
        "keys that are numbers",
        r#"{"0":"a","10":"b","9":"c","-1":"d"}"#,
    ),
    (
        "keys that differ by case or form",
        "{\"a\":1,\"A\":2,\"\u{e9}\":3,\"e\u{301}\":4}",
    ),
    ("keys with emoji", r#"{"🍪":"cookie"}"#),
    ("base64 of all kinds of bytes", r#""AP+A/4AAwYDtoIA=""#),
];

/// What a backend whose texts have no NUL, or which checks them, may refuse.
const REFUSABLE: &[(&str, &str)] = &[
    ("a NUL, escaped", r#""a\u0000b""#),
    ("a lone high surrogate, escaped", r#""a\ud83cb""#),
    ("a lone low surrogate, escaped", r#""a\udf6ab""#),
    ("surrogates in the wrong order", r#""\udf6a\ud83c""#),
];

/// Every JSON value, in a record of its own.
fn values(ctx: &Context) -> Result<Vec<(&'static str, Record)>, Failure> {
    let mut cases = Vec::new();
    for (label, value) in VALUES {
        cases.push((*label, raw(ctx, &format!(r#""value":{value},"after":1"#))?));
    }
    cases.push((
        "keys of the session itself",
        raw(ctx, r#""a.b":1,"$c":2,"d e":3,"🍪":4,"é\"":5"#)?,
    ));
    Ok(cases)
}

/// What a backend may refuse with `Encode`.
pub(super) fn refusable_texts(ctx: &Context) -> Result<Vec<(&'static str, Record)>, Failure> {
    let text = |value| raw(ctx, &format!(r#""value":{value},"after":1"#));
    REFUSABLE
        .iter()
        .map(|(label, value)| Ok((*label, text(value)?)))
        .collect()
}

/// Every value and every spelling of this group, for whatever else is to keep them.
pub(super) fn texts(ctx: &Context) -> Result<Vec<(&'static str, Record)>, Failure> {
    let mut cases = values(ctx)?;
    cases.extend(fields(ctx)?);
    cases.extend(spellings(ctx)?);
    Ok(cases)
}

async fn every_json_value_survives(ctx: &Context) -> Result<(), Failure> {
    let id = ctx.id("written");
    come_back(ctx, &id, &values(ctx)?).await?;
    let kept = ctx.record("kept");
    for (label, record) in refusable_texts(ctx)? {
        ctx.h1.set(&id, &kept).await.ok()?;
        ctx.remark(format!("with {label}:"));
        let wanted = match ctx.h1.set(&id, &record).await.unless(ErrorKind::Encode)? {
            Some(()) => (&record, "it was accepted"),
            None => (&kept, "what was refused has changed nothing"),
        };
        for handle in [&ctx.h1, &ctx.h2] {
            let found = handle.get(&id).await;
            found.record(wanted.0, format_args!("{}: {label}", wanted.1))?;
        }
    }
    Ok(())
}

async fn unknown_fields_and_their_order_survive(ctx: &Context) -> Result<(), Failure> {
    come_back(ctx, &ctx.id("foreign"), &fields(ctx)?).await
}

/// Fields that a store does not know, and their order.
fn fields(ctx: &Context) -> Result<Vec<(&'static str, Record)>, Failure> {
    let plain = ctx.record_of(&Data::new(), far(ctx)).json().to_owned();
    let cookie = plain
        .strip_prefix(r#"{"cookie":{"#)
        .and_then(|rest| rest.strip_suffix("}}"))
        .unwrap_or_default();
    let cookie_of = |fields: &str| format!(r#"{{"cookie":{{{cookie},{fields}}},"user":"alice"}}"#);
    Ok(vec![
        (
            "fields that nobody knows",
            raw(
                ctx,
                r#""passport":{"user":7},"csrfSecret":"s","_garbage":null,"lastAccess":1700000000000"#,
            )?,
        ),
        (
            "keys in no order",
            raw(ctx, r#""z":1,"a":2,"m":{"z":1,"a":2},"B":3,"1":4"#)?,
        ),
        (
            "the cookie last",
            decode(&format!(r#"{{"z":1,"a":2,"cookie":{{{cookie}}}}}"#))?,
        ),
        (
            "the cookie in the middle",
            decode(&format!(r#"{{"z":1,"cookie":{{{cookie}}},"a":2}}"#))?,
        ),
        (
            "a field of a later version in the cookie",
            decode(&cookie_of(r#""madeUp":{"by":["somebody"]}"#))?,
        ),
        (
            "known fields of the cookie",
            decode(&cookie_of(
                r#""secure":true,"sameSite":"lax","domain":"example.com","priority":"high","partitioned":true"#,
            ))?,
        ),
    ])
}

async fn data_is_not_taken_for_meta(ctx: &Context) -> Result<(), Failure> {
    let other = ctx.id("other");
    ctx.h1.set(&other, &ctx.record("other")).await.ok()?;
    let theirs = other.id.as_str();
    let past = "\"1999-01-01T00:00:00.000Z\"";
    let fields = [
        ("expires in the past", format!(r#""expires":{past}"#)),
        ("expires as a number", r#""expires":0"#.to_owned()),
        ("expires null", r#""expires":null"#.to_owned()),
        ("every word for an end", format!(r#""expiresAt":{past},"expire":1,"expiry":1,"exp":1,"expired":true,"deleted":true,"ttl":1,"TTL":1,"maxAge":1,"originalMaxAge":1,"_expires":{past}"#)),
        ("another one's id", format!(r#""id":"{theirs}","_id":"{theirs}","sid":"{theirs}","sessionId":"{theirs}","sessionID":"{theirs}","key":"{theirs}","session_id":"{theirs}""#)),
        ("words of a store's own columns", r#""data":1,"sess":"x","session":{},"json":"{}","value":null,"version":7,"_v":1,"__v":2,"type":"x","Item":{"S":"x"}"#.to_owned()),
        ("a cookie within", format!(r#""inner":{{"cookie":{{"expires":{past},"originalMaxAge":1}}}}"#)),
        ("names that JavaScript has", r#""toJSON":1,"constructor":{"prototype":{"admin":true}},"hasOwnProperty":0,"inner":{"__proto__":{"admin":true}}"#.to_owned()),
        ("__proto__", r#""__proto__":{"admin":true}"#.to_owned()),
    ];
    for (n, (label, members)) in fields.iter().enumerate() {
        let id = ctx.id(&format!("of case {n}"));
        come_back(ctx, &id, &[(*label, raw(ctx, members)?)]).await?;
    }
    let found = ctx.h2.get(&other).await;
    found.record(&ctx.record("other"), "only texts named its id")
}

async fn empty_data_is_a_record(ctx: &Context) -> Result<(), Failure> {
    let empty = ctx.record_of(&Data::new(), far(ctx));
    let endless = ctx.record_of(&Data::new(), None);
    for (id, record) in [
        (ctx.id("empty"), empty.clone()),
        (ctx.id("empty, without an expiry"), endless),
        (
            ctx.id("empty values"),
            raw(ctx, r#""a":null,"b":"","c":{},"d":[],"e":0,"f":false"#)?,
        ),
    ] {
        ctx.h1.set(&id, &record).await.ok()?;
        for handle in [&ctx.h1, &ctx.h2] {
            let found = handle.get(&id).await;
            found.text(&record, "a session without data is a session")?;
        }
    }
    let id = ctx.id("emptied");
    ctx.h1.set(&id, &ctx.record("full")).await.ok()?;
    ctx.h1.set(&id, &empty).await.ok()?;
    let found = ctx.h2.get(&id).await;
    found.record(&empty, "its data was taken away, it was not destroyed")?;
    if ctx.has(crate::Need::Length) {
        let length = ctx.h1.length().await.ok()?;
        ensure(
            length == 4,
            "`h1.length()` to count sessions without data, 4 in all",
            length,
        )?;
    }
    Ok(())
}

async fn the_text_is_kept_byte_for_byte(ctx: &Context) -> Result<(), Failure> {
    come_back(ctx, &ctx.id("exact"), &spellings(ctx)?).await
}

/// Texts that say the same as others, in other bytes.
fn spellings(ctx: &Context) -> Result<Vec<(&'static str, Record)>, Failure> {
    let plain = ctx.record_of(&Data::new(), far(ctx)).json().to_owned();
    let spaced = plain.replacen("{\"cookie\":{", "{ \"cookie\" :\n\t{ ", 1);
    let around = plain.replacen("{\"cookie\":", "{\r\n  \"cookie\" : ", 1);
    Ok(vec![
        ("space between the tokens", decode(&spaced)?),
        ("space before the first key", decode(&around)?),
        ("space at the ends", decode(&format!(" \n{plain}\r\n "))?),
        ("a line end at the end", decode(&format!("{plain}\n"))?),
        (
            "escapes that need not be",
            raw(ctx, r#""a":"\u0041\/\u00e9\ud83c\udf6a\u0022""#)?,
        ),
        ("escapes in capitals", raw(ctx, r#""a":"\u00E9\u00e9""#)?),
        ("an escaped key", raw(ctx, r#""\u0061":1"#)?),
        (
            "digits of a float",
            raw(ctx, r#""a":[1.10,1.0,100e-2,1E5,1e05,0.1e1,-0.0,10.0e0]"#)?,
        ),
        (
            "more digits than a double has",
            raw(
                ctx,
                r#""a":[0.12345678901234567890123,1e400,123456789012345678901234567890.5]"#,
            )?,
        ),
        ("a key twice, within", raw(ctx, r#""a":{"k":1,"k":2}"#)?),
        ("a key twice", raw(ctx, r#""k":1,"k":2"#)?),
        (
            "spaces within arrays and objects",
            raw(ctx, "\"a\":[ 1 ,2,\t3 ] , \"b\" : { }")?,
        ),
    ])
}
