use std::collections::HashSet;

use redis::{Pipeline, RedisResult, Value};
use session_core::Result;

use crate::error::{answer_error, unexpected};
use crate::options::Options;

/// A walk over the keys of a store: `SCAN` sends some at a time, and some more than once.
pub(crate) struct Scan<'a> {
    options: &'a Options,
    operation: &'static str,
    /// Where to go on; `None` at the end.
    cursor: Option<u64>,
    /// What was seen, where a key may count only once.
    seen: Option<HashSet<Box<[u8]>>>,
}

impl<'a> Scan<'a> {
    /// Gives each key once; remembers them all.
    pub(crate) fn once(options: &'a Options, operation: &'static str) -> Self {
        Self {
            options,
            operation,
            cursor: Some(0),
            seen: Some(HashSet::new()),
        }
    }

    /// May give a key more than once; remembers nothing.
    pub(crate) fn repeating(options: &'a Options, operation: &'static str) -> Self {
        Self {
            seen: None,
            ..Self::once(options, operation)
        }
    }

    pub(crate) fn operation(&self) -> &'static str {
        self.operation
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.cursor.is_none()
    }

    /// Asks for the next page, behind what `pipeline` asks already. Sessions are strings: keys of
    /// other types are somebody else's, also with the same prefix.
    pub(crate) fn ask(&self, pipeline: &mut Pipeline) {
        if let Some(cursor) = self.cursor {
            pipeline
                .cmd("SCAN")
                .arg(cursor)
                .arg("MATCH")
                .arg(self.options.keys.pattern())
                .arg("COUNT")
                .arg(self.options.scan_count)
                .arg("TYPE")
                .arg("string");
        }
    }

    /// The page that was asked for, without what was seen before.
    pub(crate) fn page(&mut self, answer: Option<RedisResult<Value>>) -> Result<Vec<Vec<u8>>> {
        let answer = answer.unwrap_or(Ok(Value::Nil));
        let answer = answer.map_err(|error| answer_error(self.operation, &error))?;
        let (next, mut keys): (u64, Vec<Vec<u8>>) =
            redis::from_redis_value(answer).map_err(|_| unexpected(self.operation, &Value::Nil))?;
        self.cursor = (next != 0).then_some(next);
        if let Some(seen) = &mut self.seen {
            keys.retain(|key| seen.insert(key.as_slice().into()));
        }
        Ok(keys)
    }

    /// How many different keys there were.
    pub(crate) fn seen(&self) -> usize {
        self.seen.as_ref().map_or(0, HashSet::len)
    }
}
