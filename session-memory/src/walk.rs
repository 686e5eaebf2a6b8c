use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec;

use futures_core::Stream;
use session_core::{Result, SessionId};

use crate::sessions::Sessions;

/// The stream behind `all` and `ids`.
///
/// It holds the ids of one shard at a time and no lock between two polls. Each id is looked up
/// again when its turn comes: sessions move within a shard, ids do not.
pub(crate) struct Walk<'a, T> {
    sessions: &'a Sessions,
    ids: vec::IntoIter<SessionId>,
    next_shard: usize,
    item: fn(&Sessions, SessionId) -> Option<T>,
}

impl<'a, T> Walk<'a, T> {
    pub(crate) fn new(sessions: &'a Sessions, item: fn(&Sessions, SessionId) -> Option<T>) -> Self {
        Self {
            sessions,
            ids: Vec::new().into_iter(),
            next_shard: 0,
            item,
        }
    }
}

impl<T> Stream for Walk<'_, T> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            while let Some(id) = self.ids.next() {
                if let Some(item) = (self.item)(self.sessions, id) {
                    return Poll::Ready(Some(Ok(item)));
                }
            }
            if self.next_shard == self.sessions.shard_count() {
                return Poll::Ready(None);
            }
            self.ids = self.sessions.ids(self.next_shard).into_iter();
            self.next_shard += 1;
        }
    }
}
