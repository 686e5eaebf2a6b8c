use std::collections::VecDeque;
use std::time::SystemTime;
use std::vec;

use futures_util::stream::{self, Stream};
use redis::{Pipeline, RedisResult, Value};
use session_core::{Record, Result, SessionId};

use crate::options::Options;
use crate::row::decode;
use crate::scan::{Key, Scan};
use crate::servers::Servers;

/// `all` and `ids`: page by page, with the values of one page and the keys of the next one in the
/// same round trip.
pub(crate) struct Walk<'a, T> {
    options: &'a Options,
    scan: Scan<'a>,
    /// When the last page was asked about.
    asked: SystemTime,
    ready: VecDeque<Result<T>>,
    failed: bool,
    about: fn(&mut Pipeline, &Key),
    step: Step<'a, T>,
}

/// Makes items of some keys and the answers about them.
type Step<'a, T> = fn(&mut Walk<'a, T>, Vec<Key>, vec::IntoIter<RedisResult<Value>>);

impl<'a> Walk<'a, SessionId> {
    pub(crate) fn ids(servers: &'a Servers, options: &'a Options) -> Self {
        Self::new(
            servers,
            options,
            "ids",
            |_, _| {},
            |walk, _, _| {
                for key in walk.scan.take_keys() {
                    walk.ready.push_back(walk.options.keys.id("ids", &key));
                }
            },
        )
    }
}

impl<'a> Walk<'a, (SessionId, Record)> {
    pub(crate) fn records(servers: &'a Servers, options: &'a Options) -> Self {
        let about = |page: &mut Pipeline, key: &Key| {
            page.cmd("GET").arg(key).cmd("PTTL").arg(key);
        };
        Self::new(servers, options, "all", about, |walk, keys, mut answers| {
            for key in keys {
                let (text, pttl) = (answers.next(), answers.next());
                let item = match decode("all", walk.asked, text, pttl) {
                    Ok(None) => continue,
                    Ok(Some(record)) => {
                        let id = walk.options.keys.id("all", &key);
                        id.map(|id| (id, record))
                    }
                    Err(error) => Err(error),
                };
                walk.ready.push_back(item);
            }
        })
    }
}

impl<'a, T: Send + 'a> Walk<'a, T> {
    fn new(
        servers: &'a Servers,
        options: &'a Options,
        operation: &'static str,
        about: fn(&mut Pipeline, &Key),
        step: Step<'a, T>,
    ) -> Self {
        Self {
            options,
            scan: Scan::once(servers, options, operation),
            asked: options.clock.now(),
            ready: VecDeque::new(),
            failed: false,
            about,
            step,
        }
    }

    pub(crate) fn stream(self) -> impl Stream<Item = Result<T>> + Send + 'a {
        stream::unfold(self, |mut walk| async move {
            let item = walk.next().await?;
            Some((item, walk))
        })
    }

    async fn next(&mut self) -> Option<Result<T>> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some(item);
            }
            if self.failed || self.scan.is_finished() {
                return None;
            }
            self.asked = self.options.clock.now();
            match self.scan.turn(self.about).await {
                Ok((keys, answers)) => (self.step)(self, keys, answers),
                Err(error) => {
                    self.failed = true;
                    self.ready.push_back(Err(error));
                }
            }
        }
    }
}
