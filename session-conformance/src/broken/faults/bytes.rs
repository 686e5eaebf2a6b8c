//! Texts that do not come back as they were.

use session_core::{Error, ErrorKind};

use crate::broken::mutant::{Fault, How};

pub(super) const FAULTS: &[Fault] = &[
    text("CutsAt65535", "cuts the text at 65,535 bytes", |text| {
        cut(text, 65_535)
    }),
    text(
        "CutsAt65536Chars",
        "cuts the text at 65,536 characters",
        |text| text.chars().take(65_536).collect(),
    ),
    text("CutsAtMegabyte", "cuts the text at a megabyte", |text| {
        cut(text, 1 << 20)
    }),
    text(
        "LengthInTwoBytes",
        "keeps the length in two bytes",
        |text| cut(text, text.len() % 65_536),
    ),
    text(
        "LosesEmoji",
        "drops characters of four bytes (utf8mb3)",
        |text| text.replace(|letter: char| letter.len_utf8() == 4, ""),
    ),
    text(
        "QuestionMarks",
        "writes ? for characters of four bytes",
        |text| text.replace(|letter: char| letter.len_utf8() == 4, "?"),
    ),
    text("WholeFloats", "writes 1.0 as 1 (a JSON column)", |text| {
        text.replace("1.0", "1")
    }),
    text(
        "ShortFloats",
        "takes zeros from the end of a fraction",
        |text| text.replace("1.10", "1.1"),
    ),
    text("BigNumbers", "makes a double of every number", |text| {
        text.replace("9007199254740993", "9007199254740992")
    }),
    text("SortsTheKeys", "sorts the keys of the session", |text| {
        sorted(text)
    }),
    text(
        "KeepsLastKey",
        "keeps the last of several equal keys",
        |text| text.replace(r#""k":1,"k":2"#, r#""k":2"#),
    ),
    text("TightensSpace", "drops space between tokens", |text| {
        text.replace(" : ", ":")
            .replace(": ", ":")
            .replace(" ,", ",")
    }),
    text("TrimsEnds", "drops space around the text", |text| {
        text.trim().to_owned()
    }),
    text("Composes", "writes texts in normal form C", |text| {
        text.replace("e\u{301}", "\u{e9}")
    }),
    text("DropsBom", "drops byte order marks", |text| {
        text.replace('\u{feff}', "")
    }),
    text("UnixLines", "writes line ends as \\n", |text| {
        text.replace("\r\n", "\n")
    }),
    text("CollapsesQuotes", "halves doubled quotes (SQL)", |text| {
        text.replace("''", "'")
    }),
    text("UnescapesSolidus", "writes \\/ as /", |text| {
        text.replace(r"\/", "/")
    }),
    text(
        "UnescapesUnicode",
        "writes escapes as the letters that they mean",
        |text| {
            text.replace(r"\u00e9", "\u{e9}")
                .replace(r"\u00E9", "\u{e9}")
        },
    ),
    text(
        "DropsControls",
        "drops what is no printable character",
        |text| text.replace(|letter: char| ('\u{7f}'..='\u{9f}').contains(&letter), ""),
    ),
    text("DropsNull", "drops members that are null", |text| {
        text.replace(r#""value":null,"#, "")
    }),
    text("Latin", "keeps one byte for each character", |text| {
        text.replace(|letter: char| u32::from(letter) > 0xff, "?")
    }),
    text(
        "RendersAnew",
        "parses the text and writes it anew",
        |text| {
            serde_json::from_str::<serde_json::Value>(text)
                .map_or(text.to_owned(), |it| it.to_string())
        },
    ),
    text("CookieAnew", "writes the cookie anew", |text| {
        text.replacen("\"cookie\" :", "\"cookie\":", 1)
    }),
    text(
        "EscapesPercent",
        "doubles percent signs (a format string)",
        |text| text.replace('%', "%%"),
    ),
    text(
        "CompressesBadly",
        "loses what is repeated more than a hundred times",
        |text| text.replace(&".".repeat(100), ""),
    ),
    Fault {
        name: "RefusesBig",
        bug: "refuses what the store declares to hold, above 100,000 bytes",
        how: How::Call(|mutant, call| {
            Box::pin(async move {
                if call
                    .record()
                    .is_some_and(|record| record.json().len() > 100_000)
                {
                    return Err(Error::new(ErrorKind::TooLarge, "write"));
                }
                mutant.right(call).await
            })
        }),
        ..Fault::PLAIN
    },
    Fault {
        name: "TouchesJson",
        bug: "writes the new expiry into the JSON, too",
        how: How::Text(|text| text.replacen("\"expires\":null", "\"expires\": null", 1)),
        ..Fault::PLAIN
    },
    compares(
        "ComparesLength",
        "compares the lengths of the texts",
        |a, b| a.len() == b.len(),
    ),
    compares(
        "ComparesHead",
        "compares the first 64 KiB of the texts",
        |a, b| cut(a, 1 << 16) == cut(b, 1 << 16),
    ),
    compares("ComparesValues", "compares what the texts say", |a, b| {
        let value = |text| serde_json::from_str::<serde_json::Value>(text).ok();
        value(a) == value(b)
    }),
    compares(
        "ComparesFolded",
        "compares the texts without case",
        |a, b| a.eq_ignore_ascii_case(b),
    ),
    compares(
        "ComparesTrimmed",
        "compares the texts without space at their ends",
        |a, b| a.trim_end() == b.trim_end(),
    ),
];

const fn text(name: &'static str, bug: &'static str, change: fn(&str) -> String) -> Fault {
    Fault {
        name,
        bug,
        how: How::Text(change),
        shared: false,
    }
}

const fn compares(name: &'static str, bug: &'static str, same: fn(&str, &str) -> bool) -> Fault {
    Fault {
        name,
        bug,
        how: How::Compare(same),
        shared: false,
    }
}

/// The beginning of a text, of so many bytes at most.
fn cut(text: &str, bytes: usize) -> String {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

fn sorted(text: &str) -> String {
    text.replacen(r#""z":1,"a":2"#, r#""a":2,"z":1"#, 1)
}
