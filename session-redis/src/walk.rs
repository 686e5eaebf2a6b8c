use std::collections::VecDeque;
use std::time::SystemTime;

use futures_util::stream::{self, Stream};
use redis::RedisResult;
use redis::Value;
use session_core::{Record, Result, SessionId};

use crate::RedisStore;
use crate::connection::pipeline;
use crate::options::Options;
use crate::scan::Scan;

/// `all` and `ids`: page by page, with the values of one page and the keys of the next one in the
/// same round trip.
pub(crate) struct Walk<'a, T> {
    store: &'a RedisStore,
    options: &'a Options,
    scan: Scan<'a>,
    /// Keys whose values are asked for next.
    keys: Vec<Vec<u8>>,
    /// When they were asked for.
    asked: SystemTime,
    ready: VecDeque<Result<T>>,
    failed: bool,
    step: fn(&mut Self, &mut dyn Iterator<Item = RedisResult<Value>>) -> Result<()>,
}

impl<'a> Walk<'a, SessionId> {
    pub(crate) fn ids(store: &'a RedisStore, options: &'a Options) -> Self {
        Self::new(store, options, "ids", |walk, answers| {
            for key in walk.scan.page(answers.next())? {
                walk.ready.push_back(walk.options.keys.id("ids", &key));
            }
            Ok(())
        })
    }
}

impl<'a> Walk<'a, (SessionId, Record)> {
    pub(crate) fn records(store: &'a RedisStore, options: &'a Options) -> Self {
        Self::new(store, options, "all", |walk, answers| {
            for key in std::mem::take(&mut walk.keys) {
                let record = walk
                    .store
                    .decode("all", walk.asked, answers.next(), answers.next());
                let item = match record {
                    Ok(None) => continue,
                    Ok(Some(record)) => walk.options.keys.id("all", &key).map(|id| (id, record)),
                    Err(error) => Err(error),
                };
                walk.ready.push_back(item);
            }
            if !walk.scan.is_finished() {
                walk.keys = walk.scan.page(answers.next())?;
            }
            Ok(())
        })
    }
}

impl<'a, T: Send + 'a> Walk<'a, T> {
    fn new(
        store: &'a RedisStore,
        options: &'a Options,
        operation: &'static str,
        step: fn(&mut Self, &mut dyn Iterator<Item = RedisResult<Value>>) -> Result<()>,
    ) -> Self {
        Self {
            store,
            options,
            scan: Scan::once(options, operation),
            keys: Vec::new(),
            asked: options.clock.now(),
            ready: VecDeque::new(),
            failed: false,
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
            if self.failed || (self.scan.is_finished() && self.keys.is_empty()) {
                return None;
            }
            if let Err(error) = self.turn().await {
                self.failed = true;
                self.ready.push_back(Err(error));
            }
        }
    }

    async fn turn(&mut self) -> Result<()> {
        let mut page = pipeline();
        for key in &self.keys {
            page.cmd("GET").arg(key).cmd("PTTL").arg(key);
        }
        self.scan.ask(&mut page);
        self.asked = self.options.clock.now();
        let answers = self.store.ask_all(self.scan.operation(), &page).await?;
        (self.step)(self, &mut answers.into_iter())
    }
}
