//! Ids that are taken for others.

use session_core::SessionId;

use crate::broken::mutant::{Fault, How};

pub(super) const FAULTS: &[Fault] = &[
    ids(
        "Prefixed",
        "takes the first row whose id the asked one begins with",
        |row, id| id.starts_with(row),
    ),
    // Behind the right one in the order of ids: a row that is longer.
    ids(
        "Begins",
        "takes a row whose id begins with the asked one",
        |row, id| row.starts_with(id),
    ),
    ids(
        "Ends",
        "takes the first row whose id ends with the asked one",
        |row, id| row.ends_with(id),
    ),
    ids(
        "Contains",
        "takes the first row whose id has the asked one in it",
        |row, id| row.contains(id),
    ),
    ids("FoldsCase", "folds the case of ASCII letters", |row, id| {
        row.eq_ignore_ascii_case(id)
    }),
    ids(
        "FoldsUnicode",
        "folds the case of all letters",
        |row, id| row.to_lowercase() == id.to_lowercase(),
    ),
    ids(
        "PadsSpace",
        "ignores spaces at the end of an id (PAD SPACE)",
        |row, id| row.trim_end_matches(' ') == id.trim_end_matches(' '),
    ),
    ids("Strips", "ignores white space around an id", |row, id| {
        row.trim() == id.trim()
    }),
    ids("NormalFormC", "compares ids in normal form C", |row, id| {
        let form = |text: &str| text.replace("e\u{301}", "\u{e9}");
        form(row) == form(id)
    }),
    ids("Likes", "compares ids with LIKE", |row, id| {
        like(row, id, '%', '_')
    }),
    ids("Globs", "compares ids as patterns of a shell", |row, id| {
        like(row, id, '*', '?')
    }),
    ids("First32", "keeps 32 bytes of an id", |row, id| {
        first(row, 32) == first(id, 32)
    }),
    ids("First64", "keeps 64 bytes of an id", |row, id| {
        first(row, 64) == first(id, 64)
    }),
    ids("First128", "keeps 128 bytes of an id", |row, id| {
        first(row, 128) == first(id, 128)
    }),
    ids("First255", "keeps 255 bytes of an id", |row, id| {
        first(row, 255) == first(id, 255)
    }),
    ids("Last32", "keeps the last 32 bytes of an id", |row, id| {
        let last = |text: &str| text.as_bytes()[text.len().saturating_sub(32)..].to_vec();
        last(row) == last(id)
    }),
    ids("StopsAtNul", "ends an id at a NUL", |row, id| {
        head(row, '\0') == head(id, '\0')
    }),
    ids(
        "StopsAtDot",
        "ends an id at a dot (a signature)",
        |row, id| head(row, '.') == head(id, '.'),
    ),
    ids(
        "StopsAtColon",
        "ends an id at a colon (a key)",
        |row, id| head(row, ':') == head(id, ':'),
    ),
    ids(
        "DecodesPercent",
        "decodes percent codes in an id",
        |row, id| {
            let decoded = |text: &str| {
                text.replace("%20", " ")
                    .replace("%41", "A")
                    .replace("%00", "\0")
            };
            decoded(row) == decoded(id)
        },
    ),
    ids("LosesQuotes", "drops quotes from an id", |row, id| {
        row.replace('\'', "") == id.replace('\'', "")
    }),
    ids("Unslashes", "drops slashes from an id", |row, id| {
        row.replace(['/', '\\'], "") == id.replace(['/', '\\'], "")
    }),
    ids("PlusIsSpace", "reads a plus as a space", |row, id| {
        row.replace('+', " ") == id.replace('+', " ")
    }),
    ids(
        "DashIsUnderscore",
        "mixes the two alphabets of base64",
        |row, id| row.replace('-', "_") == id.replace('-', "_"),
    ),
    ids(
        "AsciiOnly",
        "drops what is not ASCII from an id",
        |row, id| {
            let ascii = |text: &str| text.replace(|letter: char| !letter.is_ascii(), "");
            ascii(row) == ascii(id)
        },
    ),
    ids(
        "LettersOnly",
        "writes _ for what is no letter (a file name)",
        |row, id| {
            let name = |text: &str| text.replace(|letter: char| !letter.is_alphanumeric(), "_");
            name(row) == name(id)
        },
    ),
    ids(
        "HashesShort",
        "keeps a hash of the first and last bytes and the length",
        |row, id| {
            let hash = |text: &str| {
                let bytes = text.as_bytes();
                (bytes.first().copied(), bytes.get(20).copied(), bytes.len())
            };
            hash(row) == hash(id)
        },
    ),
    limit(
        "LimitInChars",
        "counts the length of an id in characters",
        |id| id.chars().count() <= LIMIT,
    ),
    limit(
        "LimitOneMore",
        "allows an id one byte more than declared",
        |id| id.len() <= LIMIT + 1,
    ),
    Fault {
        name: "LimitCuts",
        bug: "cuts an id that is too long",
        how: How::Call(|mutant, call| {
            Box::pin(async move {
                let cut = call.id().map(|id| first(id.as_str(), LIMIT).to_vec());
                let cut = cut.and_then(|cut| String::from_utf8(cut).ok());
                match cut.and_then(|cut| SessionId::new(cut).ok()) {
                    Some(cut) => mutant.right(call.with_id(cut)).await,
                    None => mutant.right(call).await,
                }
            })
        }),
        ..Fault::PLAIN
    },
];

/// What the reference declares.
const LIMIT: usize = 16 * 1024;

const fn ids(name: &'static str, bug: &'static str, same: fn(&str, &str) -> bool) -> Fault {
    Fault {
        name,
        bug,
        how: How::Ids(same),
        shared: false,
    }
}

const fn limit(name: &'static str, bug: &'static str, takes: fn(&str) -> bool) -> Fault {
    Fault {
        name,
        bug,
        how: How::Limit(takes),
        shared: false,
    }
}

fn first(text: &str, bytes: usize) -> &[u8] {
    &text.as_bytes()[..bytes.min(text.len())]
}

fn head(text: &str, end: char) -> &str {
    text.split(end).next().unwrap_or_default()
}

/// Whether a text matches a pattern, as LIKE and GLOB do, without their brackets.
fn like(text: &str, pattern: &str, any: char, one: char) -> bool {
    let Some(first) = pattern.chars().next() else {
        return text.is_empty();
    };
    let rest = &pattern[first.len_utf8()..];
    if first == any {
        let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
        return ends.into_iter().any(|at| like(&text[at..], rest, any, one));
    }
    let mut letters = text.chars();
    letters.next().is_some_and(|letter| {
        (first == one || letter == first) && like(letters.as_str(), rest, any, one)
    })
}
