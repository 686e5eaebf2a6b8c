//! A. The cookie's constructor. Where express's test passes a value of a wrong type, the cookie
//! options are read from express's JSON form, since Rust's own setters cannot be given one.

use std::time::Duration;

use session_tower::{CookieOptions, Priority, SessionCookie};

use crate::support::{MINUTE, start};

fn plain(options: &CookieOptions) -> SessionCookie {
    options.to_cookie(false, start())
}

fn read(json: &str) -> Result<CookieOptions, serde_json::Error> {
    serde_json::from_str(json)
}

fn refusal(json: &str) -> String {
    read(json).expect_err("this is to be refused").to_string()
}

#[test]
fn a01_a05_a_cookie_without_options_has_the_defaults() {
    for cookie in [SessionCookie::new(), plain(&CookieOptions::new())] {
        assert_eq!(cookie.expires(), None);
        assert!(cookie.http_only());
        assert_eq!(cookie.path(), "/");
        assert_eq!(cookie.max_age(start()), None);
        assert_eq!(cookie.original_max_age(), None);
    }
}

#[test]
fn a06_an_empty_object_gives_the_defaults() {
    let cookie = plain(&read("{}").unwrap());
    assert!(cookie == plain(&CookieOptions::new()));
}

#[test]
fn a07_options_that_are_no_object_are_refused() {
    for json in ["42", "\"foo\"", "true"] {
        let message = refusal(json);
        assert!(message.contains("an object with"), "{json}: {message}");
    }
}

#[test]
fn a08_a_data_option_is_ignored_and_the_path_is_not() {
    let cookie = plain(&read(r#"{"data":{"path":"/bar"},"path":"/foo"}"#).unwrap());
    assert_eq!(cookie.path(), "/foo");
}

#[test]
fn a09_a10_expires_is_kept_and_gives_the_max_age() {
    let expires = start() + MINUTE;
    let cookie = plain(&CookieOptions::new().expires(expires));
    assert_eq!(cookie.expires(), Some(expires));
    assert_eq!(cookie.max_age(start()), Some(MINUTE));
    assert_eq!(cookie.original_max_age(), Some(MINUTE));
}

#[test]
fn a11_http_only_can_be_turned_off() {
    assert!(!plain(&CookieOptions::new().http_only(false)).http_only());
    assert!(!plain(&read(r#"{"httpOnly":false}"#).unwrap()).http_only());
}

#[test]
fn a12_a13_max_age_sets_expires_and_reads_back() {
    let millis = Duration::from_millis(60_000);
    let (built, from_json) = (CookieOptions::new().max_age(millis), r#"{"maxAge":60000}"#);
    for cookie in [plain(&built), plain(&read(from_json).unwrap())] {
        assert_eq!(cookie.expires(), Some(start() + millis));
        assert_eq!(cookie.max_age(start()), Some(millis));
        let later = start() + Duration::from_secs(1);
        let left = Duration::from_secs(59);
        assert_eq!(cookie.max_age(later), Some(left));
    }
}

/// express's `maxAge` takes a date, too, and means `expires` by it, which is the setter here.
#[test]
fn a14_a_date_gives_the_max_age() {
    let json = r#"{"expires":"2026-01-02T03:05:05.678Z"}"#;
    assert_eq!(plain(&read(json).unwrap()).max_age(start()), Some(MINUTE));
}

#[test]
fn a15_a_max_age_of_another_type_is_refused() {
    for json in [r#"{"maxAge":"60000"}"#, r#"{"maxAge":true}"#] {
        let message = refusal(json);
        assert!(message.contains("maxAge must be"), "{json}: {message}");
    }
}

#[test]
fn a16_a18_partitioned_path_and_priority_are_kept() {
    let built = CookieOptions::new()
        .partitioned(true)
        .path("/foo")
        .priority(Priority::High);
    let from_json = read(r#"{"partitioned":true,"path":"/foo","priority":"high"}"#).unwrap();
    for cookie in [plain(&built), plain(&from_json)] {
        assert!(cookie.partitioned());
        assert_eq!(cookie.path(), "/foo");
        assert_eq!(cookie.priority(), Some(Priority::High));
    }
}
