//! The process that writes and is killed: only one that has done all its writes counts.
#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::time::{Duration, SystemTime};

use session_conformance::__doc::MapStore;
use session_conformance::{Write, crash};
use session_core::{Clock, Data, Error, ErrorKind, Record, SessionCookie, SessionId};

/// Where the children begin.
#[test]
fn child() {
    crash::child(async |arguments| match &arguments[..] {
        [what] if what == "cannot be opened" => {
            Err(Error::new(ErrorKind::Unavailable, "open").with_message("no such\ndirectory"))
        }
        [what] if what == "dies" => std::process::abort(),
        // A map alone would be dead with its process: the file proves that the child came so far.
        [what, path] if what == "works" => {
            std::fs::write(path, "opened").unwrap();
            Ok(MapStore::with_clock(Clock::system()))
        }
        other => panic!("unknown arguments: {other:?}"),
    });
}

fn writes() -> [Write; 3] {
    // Ids and texts may hold anything, line ends included.
    let id = |text| SessionId::new(text).unwrap();
    let mut data = Data::new();
    data.insert("text", "a\n\"b\" \u{1F600}").unwrap();
    let ends = SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000);
    let mut cookie = SessionCookie::new();
    cookie.set_expires(Some(ends), SystemTime::UNIX_EPOCH);
    let record = Record::new(cookie, &data);
    [
        Write::Set(id("two\nlines \0"), record),
        Write::Set(id("x"), Record::new(SessionCookie::new(), &Data::new())),
        Write::Destroy(id("x")),
    ]
}

fn refused(argument: &str, expected: &str) {
    let child = crash::Child::test("child").argument(argument);
    let why = format!("{:?}", child.write(&writes()).unwrap_err());
    assert!(why.starts_with("NOT RUN: "), "{why}");
    assert!(why.contains(expected), "{why}");
}

#[test]
fn one_that_wrote_everything_counts() {
    let path = std::env::temp_dir().join(SessionId::random().as_str());
    let child = crash::Child::test("child").argument("works");
    let child = child.argument(path.to_str().unwrap());
    child.write(&writes()).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "opened");
    std::fs::remove_file(path).unwrap();
}

#[test]
fn one_that_cannot_open_its_store_says_why() {
    refused(
        "cannot be opened",
        "open: the session store is unavailable: no such directory",
    );
}

#[test]
fn one_that_dies_on_its_own_does_not_count() {
    refused("dies", "it ended before its writes had returned");
}

#[test]
fn one_that_does_not_exist_does_not_count() {
    let child = crash::Child::test("no_such_test").write(&writes());
    let why = format!("{:?}", child.unwrap_err());
    assert!(
        why.contains("it ended before its writes had returned"),
        "{why}"
    );
}
