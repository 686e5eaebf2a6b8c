use std::sync::Arc;
use std::vec;

use futures_util::stream::{self, Stream};
use session_core::{Record, Result, SessionId};
use sled::IVec;

use crate::error::failed;
use crate::layout::{End, id, parse_value, record};
use crate::pool::{Lane, offload};
use crate::sessions::Sessions;

/// A page ends with the record that brings it to either.
const PAGE_RECORDS: usize = 256;
const PAGE_BYTES: usize = 1 << 20;

/// What an item is made of: the key, the end and the JSON.
type Make<T> = fn(&[u8], End, &[u8]) -> Result<T>;

/// Where the walk is. It goes in the order of the ids, which do not move, so that each comes once.
struct Walk<T> {
    sessions: Arc<Sessions>,
    operation: &'static str,
    make: Make<T>,
    page: vec::IntoIter<Result<T>>,
    /// The key to go on from; `None` at the end.
    from: Option<Vec<u8>>,
}

pub(crate) fn records(
    sessions: Arc<Sessions>,
) -> impl Stream<Item = Result<(SessionId, Record)>> + Send {
    stream(sessions, "all", |key, end, json| {
        Ok((id("all", key)?, record("all", end, json)?))
    })
}

pub(crate) fn ids(sessions: Arc<Sessions>) -> impl Stream<Item = Result<SessionId>> + Send {
    stream(sessions, "ids", |key, _, _| id("ids", key))
}

fn stream<T: Send + 'static>(
    sessions: Arc<Sessions>,
    operation: &'static str,
    make: Make<T>,
) -> impl Stream<Item = Result<T>> + Send {
    let walk = Walk {
        sessions,
        operation,
        make,
        page: Vec::new().into_iter(),
        from: Some(Vec::new()),
    };
    stream::unfold(walk, |mut walk| async move {
        loop {
            if let Some(item) = walk.page.next() {
                return Some((item, walk));
            }
            let from = walk.from.take()?;
            let (sessions, operation, make) =
                (Arc::clone(&walk.sessions), walk.operation, walk.make);
            let page = offload(Lane::Long, operation, move || {
                sessions.page(operation, from, make)
            })
            .await;
            match page {
                Ok((items, from)) => (walk.page, walk.from) = (items.into_iter(), from),
                // It is not known how to go on.
                Err(error) => return Some((Err(error), walk)),
            }
        }
    })
}

impl Sessions {
    /// Live records from a key on, those that cannot be decoded included, and the key after them.
    #[expect(clippy::type_complexity, reason = "items and the key to go on from")]
    fn page<T>(
        &self,
        operation: &'static str,
        from: Vec<u8>,
        make: Make<T>,
    ) -> Result<(Vec<Result<T>>, Option<Vec<u8>>)> {
        let now = self.now();
        let (mut items, mut bytes) = (Vec::new(), 0);
        for (seen, pair) in self.records.range(from..).enumerate() {
            let (key, value): (IVec, IVec) = pair.map_err(|error| failed(operation, error))?;
            bytes += value.len();
            match parse_value(operation, &value) {
                Ok((times, json)) if times.end.is_live(now) => {
                    items.push(make(&key, times.end, json));
                }
                Ok(_) => {}
                Err(error) => items.push(Err(error)),
            }
            if seen + 1 == PAGE_RECORDS || bytes >= PAGE_BYTES {
                return Ok((items, Some([&key, &[0][..]].concat())));
            }
        }
        Ok((items, None))
    }
}
