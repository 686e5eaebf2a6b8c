use std::collections::{HashSet, VecDeque};
use std::vec;

use redis::{Pipeline, RedisResult, Value};
use session_core::Result;

use crate::connection::pipeline;
use crate::error::{answer_error, unexpected};
use crate::node::Node;
use crate::options::Options;
use crate::servers::Servers;

pub(crate) type Key = Vec<u8>;

/// A walk over the keys of a store, server by server: `SCAN` sends some at a time, and some more
/// than once.
pub(crate) struct Scan<'a> {
    servers: &'a Servers,
    options: &'a Options,
    operation: &'static str,
    /// The server that is being asked.
    node: Node,
    /// Those that come next; unknown at the beginning.
    nodes: Option<VecDeque<Node>>,
    /// Where to go on at this server; `None` at its end.
    cursor: Option<u64>,
    /// What this server has sent last.
    keys: Vec<Key>,
    /// What was seen, where a key may count only once.
    seen: Option<HashSet<Box<[u8]>>>,
}

impl<'a> Scan<'a> {
    /// Gives each key once; remembers them all.
    pub(crate) fn once(
        servers: &'a Servers,
        options: &'a Options,
        operation: &'static str,
    ) -> Self {
        Self {
            servers,
            options,
            operation,
            node: Node::Only,
            nodes: None,
            cursor: None,
            keys: Vec::new(),
            seen: Some(HashSet::new()),
        }
    }

    /// May give a key more than once; remembers nothing.
    pub(crate) fn repeating(
        servers: &'a Servers,
        options: &'a Options,
        operation: &'static str,
    ) -> Self {
        Self {
            seen: None,
            ..Self::once(servers, options, operation)
        }
    }

    pub(crate) fn is_finished(&self) -> bool {
        let last_node = self.nodes.as_ref().is_some_and(VecDeque::is_empty);
        last_node && self.cursor.is_none() && self.keys.is_empty()
    }

    /// The keys of the last page, which the next [`turn`](Self::turn) then leaves alone.
    pub(crate) fn take_keys(&mut self) -> Vec<Key> {
        std::mem::take(&mut self.keys)
    }

    /// Asks for the next page, and `about` each key of the last one, at once. Gives those keys and
    /// the answers about them.
    pub(crate) async fn turn(
        &mut self,
        about: impl Fn(&mut Pipeline, &Key),
    ) -> Result<(Vec<Key>, vec::IntoIter<RedisResult<Value>>)> {
        self.find_node().await?;
        let mut page = pipeline();
        let keys = self.take_keys();
        for key in &keys {
            about(&mut page, key);
        }
        if let Some(cursor) = self.cursor {
            self.ask(&mut page, cursor);
        }
        let answers = self.servers.pipeline_at(&self.node, &page).await;
        let mut answers = answers.map_err(|failure| failure.of(self.operation))?;
        if self.cursor.is_some() {
            let answer = answers.pop().unwrap_or(Ok(Value::Nil));
            self.read(answer)?;
        }
        Ok((keys, answers.into_iter()))
    }

    /// Goes to the next server after the last page of one and the keys in it.
    async fn find_node(&mut self) -> Result<()> {
        let nodes = match &mut self.nodes {
            Some(nodes) => nodes,
            None => {
                let nodes = self.servers.nodes().await;
                let nodes = nodes.map_err(|failure| failure.of(self.operation))?;
                self.nodes.insert(nodes.into())
            }
        };
        if self.cursor.is_none()
            && self.keys.is_empty()
            && let Some(node) = nodes.pop_front()
        {
            self.node = node;
            self.cursor = Some(0);
        }
        Ok(())
    }

    /// Sessions are strings: keys of other types are somebody else's, also with the same prefix.
    fn ask(&self, page: &mut Pipeline, cursor: u64) {
        page.cmd("SCAN")
            .arg(cursor)
            .arg("MATCH")
            .arg(self.options.keys.pattern())
            .arg("COUNT")
            .arg(self.options.scan_count)
            .arg("TYPE")
            .arg("string");
    }

    /// Takes the page that was asked for, without what was seen before.
    fn read(&mut self, answer: RedisResult<Value>) -> Result<()> {
        let answer = answer.map_err(|error| answer_error(self.operation, &error))?;
        let (next, mut keys): (u64, Vec<Key>) =
            redis::from_redis_value(answer).map_err(|_| unexpected(self.operation, &Value::Nil))?;
        self.cursor = (next != 0).then_some(next);
        if let Some(seen) = &mut self.seen {
            keys.retain(|key| seen.insert(key.as_slice().into()));
        }
        self.keys = keys;
        Ok(())
    }

    /// How many different keys there were.
    pub(crate) fn seen(&self) -> usize {
        self.seen.as_ref().map_or(0, HashSet::len)
    }
}
