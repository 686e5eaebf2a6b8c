use std::time::SystemTime;

use redis::{RedisResult, Value};
use session_core::{Error, ErrorKind, Record, Result};

use crate::error::{answer_error, unexpected};
use crate::expiry::stored_expiry;

/// The record of a `GET` and a `PTTL` that were sent at `asked`. The time to live counts from
/// then: the question is short, and the answer may be long in coming.
pub(crate) fn decode(
    operation: &'static str,
    asked: SystemTime,
    text: Option<RedisResult<Value>>,
    pttl: Option<RedisResult<Value>>,
) -> Result<Option<Record>> {
    let (Some(text), Some(pttl)) = (text, pttl) else {
        return Err(unexpected(operation, &Value::Nil));
    };
    let text = match text.map_err(|error| answer_error(operation, &error))? {
        Value::Nil => return Ok(None),
        Value::BulkString(bytes) => bytes,
        other => return Err(unexpected(operation, &other)),
    };
    let pttl = match pttl.map_err(|error| answer_error(operation, &error))? {
        Value::Int(millis) => millis,
        other => return Err(unexpected(operation, &other)),
    };
    let Some(expiry) = stored_expiry(pttl, asked) else {
        return Ok(None);
    };
    let text = String::from_utf8(text).map_err(|_| {
        Error::new(ErrorKind::Decode, operation).with_message("the value is not UTF-8")
    })?;
    Record::decode(text, expiry).map(Some)
}
