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
    match value {
        Json::Null => session.set_max_age(None),
        Json::Bool(false) => session.expire_with_browser(),
        // A `Duration` is not negative; the way round by the end is the same to express-session.
        Json::Number(millis) if *millis < 0.0 => session.set_expires(Some(from_now(*millis))),
        Json::Number(millis) => session.set_max_age(Some(duration(*millis))),
        _ => return Err("maxAge must be a number or null".to_owned()),
    }
    Ok(())
}

/// `cookie.expires =` this many milliseconds from now, `false` or `null`.
pub(crate) fn set_expires(session: &Session, value: &Json) -> Result<(), String> {
    match value {
        Json::Null => session.set_expires(None),
        Json::Bool(false) => session.expire_with_browser(),
        Json::Number(millis) => session.set_expires(Some(from_now(*millis))),
        _ => return Err("expires must be a number of milliseconds, false or null".to_owned()),
    }
    Ok(())
}

/// `Object.assign(cookie, fields)`. An `expires` is a date's text, `false` or `null`. Nothing is
/// assigned if a field cannot be.
pub(crate) fn assign(session: &Session, fields: &Json) -> Result<(), String> {
    let Json::Object(fields) = fields else {
        return Err("setCookie needs fields to assign".to_owned());
    };
    let Json::Object(mut members) = json(&session.cookie())? else {
        return Err("the cookie is no object".to_owned());
    };
    let undefined = !members
        .iter()
        .any(|(key, _)| matches!(key.as_str(), "originalMaxAge" | "expires"));
    for (key, value) in fields {
        match (key.as_str(), value) {
            ("maxAge", Json::Null | Json::Bool(false) | Json::Number(_)) => {}
            ("maxAge", _) => return Err("maxAge must be a number or null".to_owned()),
            ("expires", Json::Null | Json::Bool(false) | Json::Text(_)) => {}
            ("expires", _) => return Err("expires must be a date, false or null".to_owned()),
            _ => match members.iter_mut().find(|(known, _)| known == key) {
                Some((_, old)) => *old = value.clone(),
                None => members.push((key.clone(), value.clone())),
            },
        }
    }
    let mut cookie = parse(&Json::Object(members))?;
    if undefined && cookie.original_max_age().is_none() {
        // JSON has no `undefined`; a touch brings it back.
        cookie.touch(Clock::system().now());
    }
    let dates = fields
        .iter()
        .map(|(key, value)| match (key.as_str(), value) {
            ("expires", Json::Text(_)) => {
                let one = Json::Object(vec![(key.clone(), value.clone())]);
                let expires = parse(&one)?.expires();
                expires
                    .map(|expires| (key, value, Some(expires)))
                    .ok_or_else(|| "expires is not a date".to_owned())
            }
            _ => Ok((key, value, None)),
        })
        .collect::<Result<Vec<_>, _>>()?;
    session.update_cookie(|current| *current = cookie);
    for (key, value, date) in dates {
        match (key.as_str(), date) {
            ("maxAge", _) => set_max_age(session, value)?,
            ("expires", Some(date)) => session.set_expires(Some(date)),
            ("expires", None) => set_expires(session, value)?,
            _ => {}
        }
    }
    Ok(())
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
