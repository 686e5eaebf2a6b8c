use std::collections::VecDeque;

use futures_util::stream::{self, Stream};
use session_core::{Error, ErrorKind, Record, Result, SessionId};

use crate::driver::{Row, Values};
use crate::inner::Inner;
use crate::template::Statement;

/// How many records and how many ids a page has.
const RECORDS: i64 = 100;
const IDS: i64 = 1_000;

/// `all` and `ids`: page by page, in the order of the ids.
pub(crate) struct Walk<'a, T> {
    store: &'a Inner,
    operation: &'static str,
    statements: &'a [Statement; 2],
    page: i64,
    /// The last id of the page before.
    after: Option<Vec<u8>>,
    ended: bool,
    ready: VecDeque<Result<T>>,
    item: fn(&Inner, SessionId, Row) -> Result<T>,
}

impl<'a> Walk<'a, SessionId> {
    pub(crate) fn ids(store: &'a Inner) -> Self {
        Self {
            store,
            operation: "ids",
            statements: &store.statements.ids,
            page: IDS,
            after: None,
            ended: false,
            ready: VecDeque::new(),
            item: |_, id, _| Ok(id),
        }
    }
}

impl<'a> Walk<'a, (SessionId, Record)> {
    pub(crate) fn records(store: &'a Inner) -> Self {
        Self {
            store,
            operation: "all",
            statements: &store.statements.all,
            page: RECORDS,
            after: None,
            ended: false,
            ready: VecDeque::new(),
            item: |store, id, row| Ok((id, store.decode("all", row)?)),
        }
    }
}

impl<'a, T: Send + 'a> Walk<'a, T> {
    pub(crate) fn stream(self) -> impl Stream<Item = Result<T>> + Send + 'a {
        stream::unfold(self, |mut walk| async move {
            while walk.ready.is_empty() && !walk.ended {
                if let Err(error) = walk.turn().await {
                    walk.ended = true;
                    walk.ready.push_back(Err(error));
                }
            }
            Some((walk.ready.pop_front()?, walk))
        })
    }

    /// The next page.
    async fn turn(&mut self) -> Result<()> {
        let values = Values {
            after: self.after.as_deref().unwrap_or_default(),
            limit: self.page,
            ..Values::default()
        };
        let statement = &self.statements[usize::from(self.after.is_some())];
        let answer = self.store.ask(self.operation, statement, values).await?;
        self.ended = i64::try_from(answer.rows.len()).is_ok_and(|rows| rows < self.page);
        for mut row in answer.rows {
            let id = row.id.take().unwrap_or_default();
            let item = match std::str::from_utf8(&id) {
                Ok(id) => SessionId::new(id).and_then(|id| (self.item)(self.store, id, row)),
                Err(_) => {
                    let error = Error::new(ErrorKind::Decode, self.operation)
                        .with_message("the id of a row is no text");
                    if !self.store.layout.binary {
                        // There is no way to ask for what comes after it.
                        return Err(error);
                    }
                    Err(error)
                }
            };
            self.ready.push_back(item);
            self.after = Some(id);
        }
        Ok(())
    }
}
