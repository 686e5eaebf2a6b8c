//! Everything that is generated from the catalogue is up to date. `UPDATE=1 cargo test -p
//! session-conformance --test generated` writes it anew.

use std::fmt::Write;
use std::path::Path;

use session_conformance::{CATALOGUE, Need, catalogue_markdown};

/// Compares a file, or a part of it between two markers, with what it should be.
fn check(file: &str, markers: Option<(&str, &str)>, wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let wanted = match markers {
        None => wanted.to_owned(),
        Some((begin, end)) => {
            let start = found.find(begin).expect("the first marker") + begin.len();
            let stop = start + found[start..].find(end).expect("the second marker");
            format!("{}\n{wanted}{}", &found[..start], &found[stop..])
        }
    };
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, wanted).expect("the source tree is writable");
    } else {
        assert!(
            found == wanted,
            "{file} is out of date: UPDATE=1 cargo test -p session-conformance --test generated"
        );
    }
}

/// The macro that `suite!` calls: macros cannot read an array, so that its rules are written out.
#[test]
fn the_suite_macro_lists_every_rule() {
    let mut out = String::from(
        "//! Generated from the catalogue; see tests/generated.rs.\n\n\
         /// A test for each rule: its name, and what it needs.\n\
         #[doc(hidden)]\n\
         #[macro_export]\n\
         #[rustfmt::skip]\n\
         macro_rules! __suite_tests {\n\
         \x20   ($harness:path, $without:tt, $not_run:tt) => {\n",
    );
    for rule in CATALOGUE {
        let needs: Vec<_> = rule.needs.iter().map(|need| need.name()).collect();
        writeln!(
            out,
            "        $crate::__suite_test!($harness, {}, [{}], $without, $not_run);",
            rule.test_name(),
            needs.join(" ")
        )
        .unwrap();
    }
    out.push_str(
        "    };\n}\n\n\
         /// An ignored test if the need stands in the list, else what comes last.\n\
         #[doc(hidden)]\n\
         #[macro_export]\n\
         #[rustfmt::skip]\n\
         macro_rules! __suite_listed {\n",
    );
    for need in Need::EVERY {
        let name = need.name();
        let words = if need.is_capability() || *need == Need::SecondHandle {
            vec![name]
        } else {
            vec![name, "hooks"]
        };
        for word in words {
            writeln!(
                out,
                "    ({name} [{word} $($rest:ident)*] {{$($test:tt)*}} $otherwise:tt) => {{\n        \
                 $crate::__suite_ignored!(\n            \
                 \"NOT SUPPORTED: `{name}` is declared absent\",\n            \
                 \"NOT RUN: the harness cannot reach `{name}`\",\n            \
                 $($test)*\n        );\n    }};"
            )
            .unwrap();
        }
    }
    out.push_str(
        "    ($need:ident [$first:ident $($rest:ident)*] $test:tt $otherwise:tt) => {\n\
         \x20       $crate::__suite_listed!($need [$($rest)*] $test $otherwise);\n\
         \x20   };\n\
         \x20   ($need:ident [] $test:tt {$($otherwise:tt)*}) => { $($otherwise)* };\n}\n",
    );
    check("src/suite_tests.rs", None, &out);
}

#[test]
fn the_markdown_catalogue_is_the_catalogue() {
    check("CATALOGUE.md", None, &catalogue_markdown());
}

#[test]
fn the_readme_lists_the_rules() {
    let mut table = String::from("\n| rule | | |\n|---|---|---|\n");
    for rule in CATALOGUE {
        writeln!(
            table,
            "| {} | {} | {} |",
            rule.id,
            rule.level.name(),
            rule.sentence
        )
        .unwrap();
    }
    table.push('\n');
    check(
        "README.md",
        Some(("<!-- rules -->", "<!-- end of rules -->")),
        &table,
    );
}
