//! Answers in words. Ids and data of the suite are made up, so that they may be shown.

use std::time::{Duration, SystemTime};

use session_core::{Error, Record};

/// As much of a record's data as a reader can take in.
const SHOWN: usize = 72;

pub(crate) fn record(record: &Record, now: SystemTime) -> String {
    format!("{}, {}", data(record), expiry(record.expires(), now))
}

/// A record without its expiry.
pub(crate) fn data(record: &Record) -> String {
    // Nobody reads them, and to take them apart is slow.
    if record.json().len() > 4_096 {
        return format!("record of {} bytes", record.json().len());
    }
    let data = record.data();
    let mut text = String::from("{");
    for (key, value) in data.iter() {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&format!("{key:?}:{value}"));
    }
    text.push('}');
    if text.len() > SHOWN {
        text = format!("of {} bytes", record.json().len());
    }
    format!("record {text}")
}

pub(crate) fn optional_record(found: Option<&Record>, now: SystemTime) -> String {
    match found {
        Some(found) => format!("Some({})", record(found, now)),
        None => "None".into(),
    }
}

/// When a record ends, seen from now.
pub(crate) fn expiry(expires: Option<SystemTime>, now: SystemTime) -> String {
    match expires {
        None => "no expiry".into(),
        Some(expires) => match expires.duration_since(now) {
            Ok(left) if left.is_zero() => "expires now".into(),
            Ok(left) => format!("expires in {}", duration(left)),
            Err(past) => format!("expired {} ago", duration(past.duration())),
        },
    }
}

/// A duration as people say it: exact below a day, in days or years beyond.
pub(crate) fn duration(duration: Duration) -> String {
    const DAY: u64 = 86_400;
    match duration.as_secs() {
        seconds if seconds >= 730 * DAY => format!("{} years", seconds / (365 * DAY)),
        seconds if seconds >= 2 * DAY => format!("{} days", seconds / DAY),
        seconds if duration.subsec_millis() == 0 => format!("{seconds} s"),
        0 => format!("{} ms", duration.as_millis()),
        seconds => format!("{seconds}.{:03} s", duration.subsec_millis()),
    }
}

/// An error with its sources, as far as they say more than it does.
pub(crate) fn error(error: &Error) -> String {
    let mut text = format!("Err({:?}: {error}", error.kind());
    let mut source = std::error::Error::source(error);
    // A chain that goes round is one of ERR-04's failures.
    for _ in 0..8 {
        let Some(cause) = source else { break };
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(&format!(": {cause_text}"));
        }
        source = cause.source();
    }
    text + ")"
}
