//! Ids that a store might take for one another.

use crate::context::Context;
use crate::handle::Id;
use crate::random::Random;

/// How many ids a program uses: few enough to meet one another.
const USED: usize = 6;

/// Ids that become one when they are folded, trimmed, decoded or taken for a pattern.
const FAMILIES: &[&[&str]] = &[
    // Case, as ASCII and as Unicode fold it.
    &["Key", "key", "KEY", "\u{212a}ey", "keY", "kEY"],
    &[
        "stra\u{df}e",
        "strasse",
        "STRASSE",
        "stra\u{1e9e}e",
        "\u{17f}trasse",
    ],
    &["\u{130}d", "id", "Id", "\u{131}d", "i\u{307}d"],
    // Accents, normal forms, width.
    &[
        "caf\u{e9}",
        "cafe\u{301}",
        "cafe",
        "caf\u{c9}",
        "cafe\u{300}",
    ],
    &["\u{fb01}n", "fin", "\u{ff46}in", "f\u{131}n", "fi\u{f1}"],
    &["\u{212b}", "\u{c5}", "A\u{30a}", "\u{e5}", "A"],
    // What is trimmed, cut off or not seen.
    &["id", "id ", " id", "id  ", "id\t", "id\n"],
    &["id", "id\0", "id\0x", "id.", "id..", "id\r"],
    &[
        "id",
        "\u{feff}id",
        "i\u{200b}d",
        "id\u{a0}",
        "id\u{3000}",
        "i\u{ad}d",
    ],
    // One begins with the other, or ends with it.
    &["a", "ab", "abc", "abcd", "bcd", "cd"],
    &["1", "11", "111", "10", "01", "1 1"],
    // Patterns.
    &["a_c", "a%", "abc", "a%c", "%", "_"],
    &["a*", "a?c", "abc", "a[b]c", "*", "a\\*"],
    &["a.c", "abc", ".*", "^abc$", "a+c", "(abc)"],
    &["a\\_c", "a_c", "a\\\\_c", "abc", "a\\", "a\\\\"],
    // Paths.
    &["a/b", "a//b", "a/./b", "b/../a/b", "a\\b", "a%2Fb"],
    &["a", "./a", "../a", "a/", "/a", "a/."],
    &["a:b", "a.b", "a-b", "a_b", "a~b", "ab"],
    &["con", "con.txt", "nul", "~", "-rf", "a.json"],
    // Quotes and what follows them.
    &["a'", "a''", "a\"", "a`", "a';--", "a"],
    &["$1", "?1", ":a", "@a", "${a}", "{a}"],
    // Encodings.
    &["a b", "a+b", "a%20b", "a%2520b", "a&b", "a=b"],
    &["a-b_", "a+b/", "a-b_=", "a-b_==", "a+b/=", "ab"],
    // Numbers and words.
    &["1", "01", "1.0", "+1", "1e0", "0x1"],
    &["null", "NULL", "true", "TRUE", "undefined", "NaN"],
    &[
        "9007199254740993",
        "9007199254740992",
        "-0",
        "0",
        "00",
        "0.0",
    ],
    &[
        "6e8bc430-9c3a-11d9-9669-0800200c9a66",
        "6E8BC430-9C3A-11D9-9669-0800200C9A66",
        "6e8bc4309c3a11d996690800200c9a66",
        "{6e8bc430-9c3a-11d9-9669-0800200c9a66}",
    ],
    // The same sum, and the same hash of Java.
    &["Aa", "BB", "AaBB", "BBAa", "AaAa", "BBBB"],
    &["abcd", "dcba", "bacd", "acbd", "badc", "cdab"],
];

/// With the name of a namespace before it, whatever joins the two, one is the other of a namespace
/// whose name goes on with `_b`.
const JOINED: &[&str] = &["c", "_bc", "b_c", "_b_c", "b:c", ":c"];

/// How many bytes or letters of an id a store might look at.
const CUTS: &[usize] = &[8, 16, 24, 31, 32, 36, 64, 127, 128, 191, 255, 256, 512];

/// The ids of one program: of one family, beside two of express-session's own form.
pub(super) fn family(ctx: &Context, neighbour: bool, random: &mut Random) -> Vec<Id> {
    let own = random.id();
    // Two that a lookup by their first or last letters takes for one.
    let (first, last) = (format!("{}A", &own[..31]), format!("{}B", &own[..31]));
    let owned = |family: &[&str]| family.iter().copied().map(str::to_owned).collect();
    let mut texts: Vec<String> = match random.below(16) {
        0..=3 => cut(random, &own),
        4..=7 => cases(&own),
        8 | 9 if neighbour => owned(JOINED),
        _ => owned(FAMILIES[random.below(FAMILIES.len())]),
    };
    // Programs prefer the first ones.
    let turn = random.below(texts.len());
    if !neighbour {
        texts.rotate_left(turn);
    }
    texts.truncate(USED);
    texts.extend([first, last]);
    let limit = ctx.capabilities().max_id_bytes.unwrap_or(usize::MAX);
    let mut different: Vec<String> = Vec::new();
    for text in texts {
        if text.len() <= limit && !different.contains(&text) {
            different.push(text);
        }
    }
    different
        .iter()
        .enumerate()
        .map(|(n, text)| ctx.odd_id(format!("id {n} {}", label(text)), text))
        .collect()
}

/// An id in a few letters: its beginning and its end, where it is long.
fn label(text: &str) -> String {
    const SHOWN: usize = 40;
    let letters = text.chars().count();
    if letters <= SHOWN {
        return format!("{text:?}");
    }
    let begin: String = text.chars().take(SHOWN / 2).collect();
    let end: String = text.chars().skip(letters - SHOWN / 4).collect();
    format!("{begin:?}..{end:?} of {} bytes", text.len())
}

/// Ids of the same beginning or end, as many bytes or letters long as a store may look at.
fn cut(random: &mut Random, own: &str) -> Vec<String> {
    let length = CUTS[random.below(CUTS.len())];
    let same: String = own.chars().cycle().take(length).collect();
    if random.below(3) == 0 {
        // As many letters, each of two bytes.
        let wide = "\u{e9}".repeat(length / 2);
        let more = "\u{e9}".repeat(length);
        return [&wide, &more]
            .iter()
            .flat_map(|same| ["x", "y", ""].map(|end| format!("{same}{end}")))
            .filter(|text| !text.is_empty())
            .collect();
    }
    ["x", "y", "xx", "xy", ""]
        .map(|end| format!("{same}{end}"))
        .into_iter()
        .chain([format!("x{same}")])
        .collect()
}

/// An id of the own form in other cases.
fn cases(own: &str) -> Vec<String> {
    let mut swapped = own.to_owned();
    // One letter alone differs.
    if let Some(at) = own.find(|letter: char| letter.is_ascii_alphabetic()) {
        let letter = &own[at..=at];
        let other = match letter.to_ascii_lowercase() == letter {
            true => letter.to_ascii_uppercase(),
            false => letter.to_ascii_lowercase(),
        };
        swapped.replace_range(at..=at, &other);
    }
    let texts = [
        own.to_owned(),
        own.to_ascii_lowercase(),
        own.to_ascii_uppercase(),
        swapped,
        own[..31].to_owned(),
        own[1..].to_owned(),
    ];
    texts.to_vec()
}
