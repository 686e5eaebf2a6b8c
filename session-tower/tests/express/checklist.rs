//! Holds `CHECKLIST.md` to its word.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

const CASES: usize = 160;
const DEPARTURES: u32 = 15;

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "express"]
        .iter()
        .collect()
}

/// The names of all test functions in this folder.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder()).expect("the tests' folder is there") {
        let path = entry.expect("a file").path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).expect("a source file");
            let mut lines = source.lines();
            while let Some(line) = lines.next() {
                if line == "#[test]" || line == "#[tokio::test]" {
                    let function = lines.next().expect("a test has a function");
                    let (_, rest) = function.split_once("fn ").expect("a test is a function");
                    let (name, _) = rest.split_once('(').expect("a function has parameters");
                    names.insert(name.to_owned());
                }
            }
        }
    }
    names
}

/// The rows of the table: number, behaviour, where it is.
fn rows() -> Vec<(usize, String, String)> {
    let text = fs::read_to_string(folder().join("CHECKLIST.md")).expect("the list is there");
    text.lines()
        .filter(|line| {
            line.starts_with("| ") && line[2..].starts_with(|c: char| c.is_ascii_digit())
        })
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [number, behaviour, place] = cells[..] else {
                panic!("a row has three cells: {line}");
            };
            let number = number.parse().expect("a row starts with its number");
            (number, behaviour.to_owned(), place.to_owned())
        })
        .collect()
}

fn named_tests(place: &str) -> Vec<&str> {
    place.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_checklist_has_every_case_once() {
    let numbers: Vec<usize> = rows().iter().map(|row| row.0).collect();
    assert_eq!(numbers, (1..=CASES).collect::<Vec<_>>());
}

#[test]
fn every_case_has_a_test_that_exists_or_a_reason() {
    let tests = tests();
    for (number, behaviour, place) in rows() {
        assert!(!behaviour.is_empty(), "case {number} says nothing");
        if let Some(reason) = place.strip_prefix("not applicable: ") {
            assert!(reason.len() > 20, "case {number} has no reason");
            continue;
        }
        if let Some(departure) = place.strip_prefix("departure ") {
            let (departure, what) = departure.split_once(':').expect("`departure N: ..`");
            let departure: u32 = departure.parse().expect("a departure has a number");
            assert!((1..=DEPARTURES).contains(&departure), "case {number}");
            assert!(
                what.trim().len() > 20,
                "case {number} does not say what happens instead"
            );
        }
        let named = named_tests(&place);
        assert!(!named.is_empty(), "case {number} names no test: {place}");
        for name in named {
            assert!(
                tests.contains(name),
                "case {number}: there is no test {name}"
            );
        }
    }
}

/// A test's name begins with its group's letter and its numbers, `b23_b24_..` or `a01_a05_..`.
#[test]
fn every_numbered_test_is_in_the_checklist() {
    let places: String = rows().into_iter().map(|row| row.2).collect();
    let listed: BTreeSet<&str> = named_tests(&places).into_iter().collect();
    for name in tests() {
        let (first, _) = name.split_once('_').expect("names have several words");
        let is_numbered = first.len() > 1 && first[1..].chars().all(|c| c.is_ascii_digit());
        assert!(
            !is_numbered || listed.contains(&*name),
            "{name} is not in CHECKLIST.md"
        );
    }
}
