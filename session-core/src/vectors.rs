//! What Node printed, held against this crate: `tests/fixtures/express-session-1.19.json` was made
//! by express-session 1.19.0 with cookie-signature 1.0.7 and cookie 0.7.2 on Node 20, its clock
//! standing at the time in the file.

use std::time::SystemTime;

use http::{HeaderMap, HeaderValue, Method, Uri};
use serde::Deserialize;
use serde_json::Value;

use crate::format::date::parse_iso;
use crate::format::percent::encode_component;
use crate::{
    Clock, Connection, CookieOptions, Data, ErrorKind, Record, RequestHead, Secrets, SessionCookie,
    SessionId, StoredExpiry,
};

#[derive(Deserialize)]
struct Vectors {
    clock: String,
    sign: Vec<Sign>,
    sign_bytes_key: Vec<SignBytes>,
    unsign: Vec<Unsign>,
    cookie_header: Vec<Header>,
    rotation: Rotation,
    cookie_options: Vec<Options>,
    load: Vec<Load>,
}

#[derive(Deserialize)]
struct Sign {
    sid: String,
    secret: String,
    set_cookie_value: String,
}

#[derive(Deserialize)]
struct SignBytes {
    secret_hex: String,
    sid: String,
    set_cookie_value: String,
}

#[derive(Deserialize)]
struct Unsign {
    secret: String,
    signed: String,
    result: Value,
}

#[derive(Deserialize)]
struct Header {
    header: String,
    secret: String,
    sid: Option<String>,
}

#[derive(Deserialize)]
struct Rotation {
    cookie_value_signed_with_old: String,
    secrets: [String; 2],
    accepted: bool,
    re_signed_with_first: String,
}

#[derive(Deserialize)]
struct Options {
    options: serde_json::Map<String, Value>,
    session_json: String,
    set_cookie: String,
}

#[derive(Deserialize)]
struct Load {
    row: String,
    error: Option<String>,
    #[serde(default)]
    loaded: String,
    max_age_at_load: Option<Value>,
    #[serde(default)]
    after_touch: String,
    #[serde(default)]
    set_cookie_after_touch: String,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../tests/fixtures/express-session-1.19.json")).unwrap()
}

fn now(vectors: &Vectors) -> SystemTime {
    crate::format::clock::from_millis(parse_iso(&vectors.clock).unwrap())
}

fn signed(secrets: &Secrets, sid: &str) -> String {
    let id = SessionId::new(sid).unwrap();
    let mut value = String::new();
    secrets.write_cookie_value(&id, None, &mut value);
    assert_eq!(value, encode_component(&secrets.sign(&id)).to_string());
    value
}

/// The id that a request with this one cookie is taken to have.
fn read(header: &str, secrets: &Secrets) -> Option<String> {
    let mut headers = HeaderMap::new();
    headers.insert("cookie", HeaderValue::from_str(header).unwrap());
    let (method, uri) = (Method::GET, Uri::from_static("/"));
    let connection = Connection::Plain;
    let head = RequestHead {
        method: &method,
        uri: &uri,
        headers: &headers,
        connection,
    };
    head.cookies_called("connect.sid")
        .signed(secrets)
        .first()
        .map(|signed| signed.id.as_str().to_owned())
}

#[test]
fn signs_as_node_does_and_reads_what_it_signed() {
    for Sign {
        sid,
        secret,
        set_cookie_value,
    } in vectors().sign
    {
        let Ok(secrets) = Secrets::new(&secret) else {
            assert_eq!(
                secret, "",
                "only the empty secret is refused, which Node signs with"
            );
            continue;
        };
        let cookie = format!("connect.sid={set_cookie_value}");
        if sid.is_empty() {
            assert_eq!(
                read(&cookie, &secrets),
                None,
                "a valid signature over no id is no id"
            );
            continue;
        }
        assert_eq!(signed(&secrets, &sid), set_cookie_value);
        assert_eq!(read(&cookie, &secrets), Some(sid));
    }
}

#[test]
fn secrets_may_be_any_bytes() {
    for SignBytes {
        secret_hex,
        sid,
        set_cookie_value,
    } in vectors().sign_bytes_key
    {
        let secret: Vec<u8> = (0..secret_hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&secret_hex[at..at + 2], 16).unwrap())
            .collect();
        assert_eq!(
            signed(&Secrets::new(secret).unwrap(), &sid),
            set_cookie_value
        );
    }
}

#[test]
fn unsigns_and_rejects_as_node_does() {
    for Unsign {
        secret,
        signed,
        result,
    } in vectors().unsign
    {
        let id = Secrets::new(secret).unwrap().unsign(&format!("s:{signed}"));
        // Node returns the empty id, and then takes it for none.
        let expected = result.as_str().filter(|id| !id.is_empty());
        assert_eq!(id.as_ref().map(SessionId::as_str), expected, "{signed}");
    }
}

#[test]
fn reads_cookie_headers_as_node_does() {
    for Header {
        header,
        secret,
        sid,
    } in vectors().cookie_header
    {
        let secrets = Secrets::new(secret).unwrap();
        // Departure 6: Node looks at the first cookie of the name only.
        let sid = if header.starts_with("connect.sid=bad; connect.sid=s%3A") {
            assert_eq!(sid, None);
            Some("apple".to_owned())
        } else {
            sid
        };
        assert_eq!(read(&header, &secrets), sid, "{header}");
    }
}

#[test]
fn rotates_as_node_does() {
    let rotation = vectors().rotation;
    let secrets = Secrets::rotating(&rotation.secrets).unwrap();
    let cookie = format!("connect.sid={}", rotation.cookie_value_signed_with_old);
    let id = read(&cookie, &secrets);
    assert_eq!(id.is_some(), rotation.accepted);
    assert_eq!(
        signed(&secrets, &id.unwrap()),
        rotation.re_signed_with_first
    );
}

#[test]
fn cookie_options_become_nodes_json_and_header() {
    let vectors = vectors();
    let now = now(&vectors);
    for Options {
        mut options,
        session_json,
        set_cookie,
    } in vectors.cookie_options
    {
        let undefined = options
            .get("maxAge")
            .is_some_and(|age| age.get("$undefined").is_some());
        if undefined {
            options.remove("maxAge");
        }
        if let Some(millis) = options
            .get("expires")
            .and_then(|date| date.get("$date"))
            .cloned()
        {
            options.insert("expires".to_owned(), millis);
        }
        let json = serde_json::to_string(&options).unwrap();
        let mut parsed: CookieOptions = serde_json::from_str(&json).unwrap();
        if undefined {
            parsed = parsed.without_lifetime();
        }
        let cookie = parsed.to_cookie(false, now);
        assert_eq!(
            Record::new(cookie.clone(), &Data::new()).json(),
            session_json
        );
        assert_eq!(cookie.to_header("connect.sid", "V").unwrap(), set_cookie);
    }
}

#[test]
fn rows_load_and_touch_as_in_node() {
    let vectors = vectors();
    let now = now(&vectors);
    for load in vectors.load {
        let record = match (
            Record::decode(load.row.as_str(), StoredExpiry::InJson),
            &load.error,
        ) {
            (Ok(record), None) => record,
            (Err(error), Some(_)) => {
                assert_eq!(error.kind(), ErrorKind::Decode, "{}", load.row);
                continue;
            }
            (decoded, _) => panic!("{}: {decoded:?}", load.row),
        };
        assert_eq!(record.json(), load.row, "reading leaves the text alone");

        let loaded = Record::new(record.cookie().clone(), &record.data());
        if let Some(Value::Number(number)) = load
            .max_age_at_load
            .filter(|_| load.row.contains(r#""expires":1767323105678"#))
        {
            // Node keeps a number as it is, until the touch that comes before each save; here it
            // counts as the time that it is.
            assert_eq!(number.as_i64(), Some(1_767_323_105_678));
            assert_eq!(
                loaded.json(),
                load.loaded
                    .replace("1767323105678", r#""2026-01-02T03:05:05.678Z""#)
            );
        } else {
            assert_eq!(loaded.json(), load.loaded);
        }

        let mut cookie = record.cookie().clone();
        cookie.touch(now);
        assert_eq!(
            Record::new(cookie.clone(), &record.data()).json(),
            load.after_touch
        );
        assert_eq!(
            cookie.to_header("connect.sid", "V").unwrap(),
            load.set_cookie_after_touch
        );
    }
}

#[test]
fn the_time_left_is_nodes() {
    let vectors = vectors();
    let now = now(&vectors);
    for load in vectors.load.iter().filter(|load| load.error.is_none()) {
        let record = Record::decode(load.row.as_str(), StoredExpiry::InJson).unwrap();
        let left = record
            .cookie()
            .max_age(now)
            .map(|left| i64::try_from(left.as_millis()).unwrap());
        let expected = match &load.max_age_at_load {
            // Null, false and NaN all mean that the cookie ends with the browser.
            None | Some(Value::Null | Value::Bool(false) | Value::String(_)) => None,
            Some(number) if load.row.contains(r#""expires":1767323105678"#) => {
                assert_eq!(number.as_i64(), Some(1_767_323_105_678));
                Some(60_000)
            }
            // A Duration has no negative values.
            Some(number) => number.as_i64().map(|millis| millis.max(0)),
        };
        assert_eq!(left, expected, "{}", load.row);
    }
}

#[test]
fn the_setters_of_max_age_and_expires_are_essentially_equivalent() {
    use std::time::Duration;
    let clock = Clock::manual(now(&vectors()));
    let hour = Duration::from_secs(3_600);
    let mut by_age = SessionCookie::new();
    by_age.set_max_age(Some(hour), clock.now());
    let mut by_date = SessionCookie::new();
    by_date.set_expires(Some(clock.now() + hour), clock.now());
    assert_eq!(by_age, by_date);
    assert_eq!(by_date.original_max_age(), Some(hour));

    clock.advance(hour / 2);
    assert_eq!(by_age.max_age(clock.now()), Some(hour / 2));
    clock.advance(hour);
    assert_eq!(by_age.max_age(clock.now()), Some(Duration::ZERO));
    assert!(by_age.is_expired(clock.now()));
    by_age.touch(clock.now());
    assert_eq!(by_age.max_age(clock.now()), Some(hour));

    by_age.expire_with_browser();
    assert_eq!(
        (by_age.max_age(clock.now()), by_age.expires()),
        (None, None)
    );
    by_age.touch(clock.now());
    assert_eq!(by_age.expires(), None);
    by_date.set_max_age(None, clock.now());
    assert_eq!(by_date, SessionCookie::new());
}
