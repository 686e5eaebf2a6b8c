use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use redis::{Cmd, Value};
use session_core::{
    Capabilities, Created, Error, ErrorKind, Record, Replaced, Result, SessionCookie, SessionId,
    Store, StoreStream, Swept, Touched,
};

use crate::connection::pipeline;
use crate::error::{answer_error, unexpected};
use crate::expiry::Lifetime;
use crate::options::Options;
use crate::row::decode;
use crate::scan::Scan;
use crate::script::{PERSIST_IF_THERE, REPLACE_IF_SAME};
use crate::servers::Servers;
use crate::walk::Walk;

/// The largest value of a Redis string.
const MAX_BYTES: usize = 512 * 1024 * 1024;

/// The digits of a time in milliseconds.
const MILLIS_BYTES: usize = 20;

/// `SET key value PX millis NX`.
const SET_ARGUMENTS: usize = 6;
const SET_BYTES: usize = "SETPXNX".len() + MILLIS_BYTES;

/// A session store on Redis or Valkey: one server, a cluster, or a master that Sentinels watch.
///
/// Clones are handles on the same store and share its connections: one to each server for each
/// tokio runtime, which any number of operations use at the same time. The server answers them in
/// their order: where it keeps writes waiting (`CLIENT PAUSE .. WRITE`, and `FAILOVER` for a moment),
/// the reads behind a write wait as well, for the
/// [`response_timeout`](crate::RedisStoreBuilder::response_timeout) at most.
///
/// # Rows
///
/// A session is the string at `prefix` + id, as connect-redis writes it: processes of both kinds
/// can share a server. Its time to live is the session's remaining time, to the millisecond, or
/// [`ttl`](crate::RedisStoreBuilder::ttl) for a cookie that ends with the browser. The server counts it
/// down by its own clock, so that the clocks of the two machines need not agree.
///
/// # Round trips
///
/// Every operation is one: `get` is `GET` and `PTTL` in one pipeline, `set` is `SET PX`, `create`
/// is `SET PX NX`, `touch` is `PEXPIRE`, `destroy` is `UNLINK`; `replace` is a script on its one
/// key, and so is a `touch` to no end. A server that does not have the script yet costs one more; on
/// a cluster, so does a slot that has moved.
///
/// `length`, `clear`, `all` and `ids` go through the database with `SCAN`, one round trip for
/// [`scan_count`](crate::RedisStoreBuilder::scan_count) keys of it, whosever they are. They hold one page
/// at a time; all but `clear` also hold the keys that they have seen, because `SCAN` repeats some. On
/// a cluster they ask for its map first, and then go through one master after the other; `clear`
/// does so twice, for the sake of sessions that move meanwhile.
///
/// # Durability
///
/// The sessions outlive this process. Whether they outlive the server's is its configuration
/// (`appendonly`, `save`), and a server with an eviction policy other than `noeviction` may drop
/// any of them. What a failover can lose is said in the [crate's docs](crate#what-a-failover-can-lose).
#[derive(Clone)]
pub struct RedisStore {
    inner: Arc<Inner>,
}

struct Inner {
    servers: Servers,
    options: Options,
}

impl RedisStore {
    /// What the store can do with the default [`ttl`](crate::RedisStoreBuilder::ttl). The server removes
    /// expired records by itself.
    pub const CAPABILITIES: Capabilities = Capabilities::NONE
        .with_touch()
        .with_length()
        .with_clear()
        .with_all()
        .with_create()
        .with_replace()
        .with_server_ttl()
        .with_durable()
        .with_default_ttl(Some(Duration::from_secs(86_400)));

    pub(crate) fn new(servers: Servers, options: Options) -> Self {
        Self {
            inner: Arc::new(Inner { servers, options }),
        }
    }

    pub(crate) fn options(&self) -> &Options {
        &self.inner.options
    }

    fn key(&self, id: &SessionId) -> Vec<u8> {
        self.options().keys.key(id)
    }

    /// Sends a command about one key.
    async fn ask(&self, operation: &'static str, key: &[u8], command: &Cmd) -> Result<Value> {
        let answer = self.inner.servers.command(key, command).await;
        answer.map_err(|failure| failure.of(operation))
    }

    /// Removes what one walk finds.
    async fn unlink_all(&self) -> Result<()> {
        let mut scan = Scan::repeating(&self.inner.servers, self.options(), "clear");
        while !scan.is_finished() {
            // One command for each key: on a cluster they live in different slots.
            let unlink = |page: &mut redis::Pipeline, key: &Vec<u8>| {
                page.cmd("UNLINK").arg(key);
            };
            let (_, answers) = scan.turn(unlink).await?;
            for answer in answers {
                answer.map_err(|error| answer_error("clear", &error))?;
            }
        }
        Ok(())
    }

    async fn unlink(&self, operation: &'static str, id: &SessionId) -> Result<()> {
        let key = self.key(id);
        let mut command = redis::cmd("UNLINK");
        command.arg(&key);
        match self.ask(operation, &key, &command).await? {
            Value::Int(_) => Ok(()),
            other => Err(unexpected(operation, &other)),
        }
    }

    /// `SET`, without `NX` or `PX` yet.
    fn set_command(key: &[u8], record: &Record) -> Cmd {
        let size = SET_BYTES + key.len() + record.json().len();
        let mut command = Cmd::with_capacity(SET_ARGUMENTS, size);
        command.arg("SET").arg(key).arg(record.json());
        command
    }
}

/// Refuses what the server would answer by closing the connection.
fn check_size(operation: &'static str, record: &Record) -> Result<()> {
    if record.json().len() > MAX_BYTES {
        return Err(Error::new(ErrorKind::TooLarge, operation));
    }
    Ok(())
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("prefix", &self.options().keys.prefix())
            .field("ttl", &self.options().ttl)
            .field("scan_count", &self.options().scan_count)
            .finish_non_exhaustive()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for RedisStore {
    async fn get(&self, id: &SessionId) -> Result<Option<Record>> {
        let key = self.key(id);
        let mut both = pipeline();
        both.cmd("GET").arg(&key).cmd("PTTL").arg(&key);
        let asked = self.options().clock.now();
        let answers = self.inner.servers.pipeline(&key, &both).await;
        let mut answers = answers.map_err(|failure| failure.of("get"))?.into_iter();
        decode("get", asked, answers.next(), answers.next())
    }

    async fn set(&self, id: &SessionId, record: &Record) -> Result<()> {
        check_size("set", record)?;
        let key = self.key(id);
        let mut command = Self::set_command(&key, record);
        match self.options().lifetime(record.expires()) {
            Lifetime::Over => return self.unlink("set", id).await,
            Lifetime::Endless => {}
            Lifetime::Millis(millis) => {
                command.arg("PX").arg(millis);
            }
        }
        match self.ask("set", &key, &command).await? {
            Value::Okay => Ok(()),
            other => Err(unexpected("set", &other)),
        }
    }

    async fn destroy(&self, id: &SessionId) -> Result<()> {
        self.unlink("destroy", id).await
    }

    fn capabilities(&self) -> Capabilities {
        Self::CAPABILITIES.with_default_ttl(self.options().ttl)
    }

    async fn length(&self) -> Result<u64> {
        let mut scan = Scan::once(&self.inner.servers, self.options(), "length");
        while !scan.is_finished() {
            scan.turn(|_, _| {}).await?;
            drop(scan.take_keys());
        }
        Ok(scan.seen() as u64)
    }

    async fn clear(&self) -> Result<()> {
        // A key whose slot moves from a master that is still to be asked to one that has been asked
        // escapes the first walk.
        for _ in 0..self.inner.servers.walks() {
            self.unlink_all().await?;
        }
        Ok(())
    }

    async fn touch(&self, id: &SessionId, cookie: &SessionCookie) -> Result<Touched> {
        let key = self.key(id);
        let answer = match self.options().lifetime(cookie.expires()) {
            Lifetime::Endless => PERSIST_IF_THERE
                .run(&self.inner.servers, &key, 0, |_| {})
                .await
                .map_err(|failure| failure.of("touch"))?,
            lifetime => {
                // A time that is over removes the key, and says whether there was one.
                let millis = match lifetime {
                    Lifetime::Millis(millis) => millis,
                    Lifetime::Over | Lifetime::Endless => 0,
                };
                let mut command = redis::cmd("PEXPIRE");
                command.arg(&key).arg(millis);
                self.ask("touch", &key, &command).await?
            }
        };
        match answer {
            Value::Int(1) => Ok(Touched::Touched),
            Value::Int(0) => Ok(Touched::Missing),
            other => Err(unexpected("touch", &other)),
        }
    }

    async fn create(&self, id: &SessionId, record: &Record) -> Result<Created> {
        check_size("create", record)?;
        let key = self.key(id);
        let mut command = Self::set_command(&key, record);
        match self.options().lifetime(record.expires()) {
            Lifetime::Over => {
                command = redis::cmd("EXISTS");
                command.arg(&key);
            }
            Lifetime::Endless => {
                command.arg("NX");
            }
            Lifetime::Millis(millis) => {
                command.arg("PX").arg(millis).arg("NX");
            }
        }
        match self.ask("create", &key, &command).await? {
            Value::Okay | Value::Int(0) => Ok(Created::Created),
            Value::Nil | Value::Int(_) => Ok(Created::Exists),
            other => Err(unexpected("create", &other)),
        }
    }

    async fn replace(&self, id: &SessionId, old: &Record, new: &Record) -> Result<Replaced> {
        check_size("replace", new)?;
        let millis = match self.options().lifetime(new.expires()) {
            Lifetime::Over => 0,
            Lifetime::Endless => -1,
            Lifetime::Millis(millis) => millis,
        };
        let bytes = old.json().len() + new.json().len() + MILLIS_BYTES;
        let arguments = |command: &mut Cmd| {
            command.arg(old.json()).arg(new.json()).arg(millis);
        };
        let answer = REPLACE_IF_SAME
            .run(&self.inner.servers, &self.key(id), bytes, arguments)
            .await
            .map_err(|failure| failure.of("replace"))?;
        match answer {
            Value::Int(0) => Ok(Replaced::Missing),
            Value::Int(1) => Ok(Replaced::Conflict),
            Value::Int(2) => Ok(Replaced::Replaced),
            other => Err(unexpected("replace", &other)),
        }
    }

    fn all(&self) -> StoreStream<'_, (SessionId, Record)> {
        Walk::records(&self.inner.servers, self.options())
            .stream()
            .boxed()
    }

    fn ids(&self) -> StoreStream<'_, SessionId> {
        Walk::ids(&self.inner.servers, self.options())
            .stream()
            .boxed()
    }

    async fn sweep(&self, _: usize) -> Result<Swept> {
        Err(Error::unsupported("sweep"))
    }
}
