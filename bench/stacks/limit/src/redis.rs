//! On Redis: one multiplexed connection, `GET`, and a script that writes if nobody else did.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, FromRedisValue};

use crate::cookie::Id;
use crate::site::Sessions;

const TTL: usize = bench_shared::MAX_AGE.as_secs() as usize;

const PATIENCE: Duration = Duration::from_secs(60);

const REPLACE: &str = "\
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1";

pub(crate) struct Keys {
    connection: MultiplexedConnection,
    script: String,
}

pub(crate) async fn open(url: &str) -> Keys {
    let client = redis::Client::open(url).expect("a URL");
    // Under a profiler everything takes longer.
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE));
    let mut connection = client
        .get_multiplexed_async_connection_with_config(&config)
        .await
        .expect("a Redis");
    let script = redis::cmd("SCRIPT")
        .arg("LOAD")
        .arg(REPLACE)
        .query_async(&mut connection)
        .await
        .expect("a script");
    Keys { connection, script }
}

impl Keys {
    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> T {
        let mut connection = self.connection.clone();
        command.query_async(&mut connection).await.expect("done")
    }
}

fn key(id: &Id) -> [u8; 38] {
    let mut key = [0; 38];
    key[..6].copy_from_slice(b"limit:");
    key[6..].copy_from_slice(id);
    key
}

impl Sessions for Keys {
    type Text = String;

    async fn get(&self, id: &Id) -> String {
        self.ask(redis::cmd("GET").arg(&key(id))).await
    }

    async fn get_and_extend(&self, id: &Id) -> String {
        let mut command = redis::cmd("GETEX");
        self.ask(command.arg(&key(id)).arg("EX").arg(TTL)).await
    }

    async fn create(&self, id: &Id, text: String) {
        let mut command = redis::cmd("SET");
        command.arg(&key(id)).arg(text).arg("EX").arg(TTL).arg("NX");
        self.ask(&command).await
    }

    async fn replace(&self, id: &Id, old: &String, new: String) -> bool {
        let mut command = redis::cmd("EVALSHA");
        command.arg(&self.script).arg(1).arg(&key(id));
        command.arg(old).arg(new).arg(TTL);
        self.ask(&command).await
    }
}
