//! What scripts do to `req.session.cookie`, in JavaScript's terms.

use std::time::{Duration, SystemTime};

use session_core::{Data, Record};
use session_tower::{Clock, Session, SessionCookie};

use crate::json::Json;

/// The cookie's JSON, as Node's `toJSON` makes it.
pub(crate) fn json(cookie: &SessionCookie) -> Result<Json, String> {
    let record = Record::new(cookie.clone(), &Data::new());
    let row = Json::parse(record.json())?;
    row.member("cookie")
        .cloned()
        .ok_or_else(|| "the row has no cookie".to_owned())
}

/// `cookie.maxAge`: negative when the end has passed.
pub(crate) fn max_age(session: &Session) -> Json {
    let now = Clock::system().now();
    session.expires().map_or(Json::Null, |expires| {
        let left = match expires.duration_since(now) {
            Ok(left) => left.as_secs_f64(),
            Err(past) => -past.duration().as_secs_f64(),
        };
        Json::Number((left * 1000.0).round())
    })
}

/// `cookie.maxAge = value`.
pub(crate) fn set_max_age(session: &Session, value: &Json) -> Result<(), String> {
    session.update_cookie(|cookie| assign_max_age(cookie, value))
}

/// `cookie.expires =` this many milliseconds from now, `false` or `null`.
pub(crate) fn set_expires(session: &Session, value: &Json) -> Result<(), String> {
    let now = Clock::system().now();
    session.update_cookie(|cookie| match value {
        Json::Number(millis) => {
            cookie.set_expires(Some(from_now(*millis)), now);
            Ok(())
        }
        value => assign_no_end(cookie, value)
            .ok_or_else(|| "expires must be a number of milliseconds, false or null".to_owned()),
    })
}

/// `Object.assign(cookie, fields)`: of `maxAge`, `expires` and `originalMaxAge` the last one
/// counts. An `expires` is a date's text, `false` or `null`. Nothing is assigned if a field cannot
/// be.
pub(crate) fn assign(session: &Session, fields: &Json) -> Result<(), String> {
    let Json::Object(fields) = fields else {
        return Err("setCookie needs fields to assign".to_owned());
    };
    let mut cookie = session.cookie();
    for (key, value) in fields {
        match key.as_str() {
            "maxAge" => assign_max_age(&mut cookie, value)?,
            "expires" => assign_expires(&mut cookie, value)?,
            key => cookie = with_member(&cookie, key, value)?,
        }
    }
    session.update_cookie(|current| *current = cookie);
    Ok(())
}

fn assign_max_age(cookie: &mut SessionCookie, value: &Json) -> Result<(), String> {
    let now = Clock::system().now();
    match value {
        // A `Duration` is not negative; the way round by the end is the same to express-session.
        Json::Number(millis) if *millis < 0.0 => cookie.set_expires(Some(from_now(*millis)), now),
        Json::Number(millis) => cookie.set_max_age(Some(duration(*millis)), now),
        value => assign_no_end(cookie, value)
            .ok_or_else(|| "maxAge must be a number, false or null".to_owned())?,
    }
    Ok(())
}

fn assign_expires(cookie: &mut SessionCookie, value: &Json) -> Result<(), String> {
    if !matches!(value, Json::Text(_)) {
        return assign_no_end(cookie, value)
            .ok_or_else(|| "expires must be a date, false or null".to_owned());
    }
    let date = parse(&Json::Object(vec![("expires".to_owned(), value.clone())]))?
        .expires()
        .ok_or_else(|| "expires is not a date".to_owned())?;
    cookie.set_expires(Some(date), Clock::system().now());
    Ok(())
}

/// The cookie that ends with the browser. `None` if that is not what `value` says.
fn assign_no_end(cookie: &mut SessionCookie, value: &Json) -> Option<()> {
    match value {
        Json::Null => cookie.set_expires(None, Clock::system().now()),
        Json::Bool(false) => cookie.expire_with_browser(),
        _ => return None,
    }
    Some(())
}

/// The cookie with another value of a member that its JSON has, or may have.
fn with_member(cookie: &SessionCookie, key: &str, value: &Json) -> Result<SessionCookie, String> {
    let Json::Object(mut members) = json(cookie)? else {
        return Err("the cookie is no object".to_owned());
    };
    let undefined = !members
        .iter()
        .any(|(key, _)| matches!(key.as_str(), "originalMaxAge" | "expires"));
    match members.iter_mut().find(|(known, _)| known == key) {
        Some((_, old)) => *old = value.clone(),
        None => members.push((key.to_owned(), value.clone())),
    }
    let mut cookie = parse(&Json::Object(members))?;
    if undefined && cookie.original_max_age().is_none() {
        // JSON has no `undefined`; a touch brings it back.
        cookie.touch(Clock::system().now());
    }
    Ok(cookie)
}

fn parse(cookie: &Json) -> Result<SessionCookie, String> {
    serde_json::from_str(&cookie.to_string()).map_err(|error| error.to_string())
}

/// Whole milliseconds, regardless of the sign.
fn duration(millis: f64) -> Duration {
    Duration::try_from_secs_f64(millis.floor().abs() / 1000.0).unwrap_or(Duration::MAX)
}

fn from_now(millis: f64) -> SystemTime {
    let now = Clock::system().now();
    let distance =
        Duration::try_from_secs_f64(millis.floor().abs() / 1000.0).unwrap_or(Duration::MAX);
    let end = if millis >= 0.0 {
        now.checked_add(distance)
    } else {
        now.checked_sub(distance)
    };
    // Beyond what the platform counts to, JavaScript's dates have long ended.
    end.unwrap_or(now + Duration::from_secs(8_640_000_000_000 / 2))
}
