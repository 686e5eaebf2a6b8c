use std::sync::LazyLock;

use redis::{Cmd, ErrorKind, ServerErrorKind, Value};

use crate::error::Failure;
use crate::servers::Servers;

/// The name, the script, the number of keys, the key, and the arguments of ours that has most.
const MOST_ARGUMENTS: usize = 4 + 3;

/// A script on one key, run by its hash. A server that does not know it (restarted, or another
/// one after a failover) is sent the whole text, once.
pub(crate) struct Script {
    text: &'static str,
    hash: LazyLock<String>,
}

/// The server's error as it is: 6.2 puts the place in the script before some.
macro_rules! plain {
    () => {
        "\
local function plain(failed)
return redis.error_reply(string.match(failed.err, '^@[^:]+: %d+: %-(.-)%s*$') or failed.err)
end
"
    };
}

/// Writes ARGV[2] if the value is ARGV[1]; ARGV[3] is the time to live in milliseconds, 0 for one
/// that is over, -1 for none. Answers 0 missing, 1 something else is there, 2 written.
const REPLACE: &str = concat!(
    plain!(),
    "\
local current = redis.pcall('GET', KEYS[1])
if type(current) == 'table' then return current end
if not current then return 0 end
if current ~= ARGV[1] then return 1 end
local written
if ARGV[3] == '0' then written = redis.pcall('UNLINK', KEYS[1])
elseif ARGV[3] == '-1' then written = redis.pcall('SET', KEYS[1], ARGV[2])
else written = redis.pcall('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
if type(written) == 'table' and written.err then return plain(written) end
return 2"
);

/// `PERSIST` answers 0 for a key without a time to live as for one that is not there.
const PERSIST: &str = concat!(
    plain!(),
    "\
local kept = redis.pcall('PERSIST', KEYS[1])
if type(kept) == 'table' then return plain(kept) end
if kept == 1 then return 1 end
return redis.call('EXISTS', KEYS[1])"
);

pub(crate) static REPLACE_IF_SAME: Script = Script {
    text: REPLACE,
    hash: LazyLock::new(|| redis::Script::new(REPLACE).get_hash().to_owned()),
};

pub(crate) static PERSIST_IF_THERE: Script = Script {
    text: PERSIST,
    hash: LazyLock::new(|| redis::Script::new(PERSIST).get_hash().to_owned()),
};

impl Script {
    /// The commands that run it, with what they name it by.
    pub(crate) fn forms(&self) -> [(&'static str, &str); 2] {
        [("EVAL", self.text), ("EVALSHA", &self.hash)]
    }

    /// Runs the script on `key`. `arguments` adds its arguments, of about `bytes` bytes together,
    /// to the command: twice, if the server has to be sent the text.
    pub(crate) async fn run(
        &self,
        servers: &Servers,
        key: &[u8],
        bytes: usize,
        arguments: impl Fn(&mut Cmd),
    ) -> Result<Value, Failure> {
        let command = |name: &str, script: &str| {
            let size = name.len() + script.len() + key.len() + bytes + 1;
            let mut command = Cmd::with_capacity(MOST_ARGUMENTS, size);
            command.arg(name).arg(script).arg(1).arg(key);
            arguments(&mut command);
            command
        };
        match servers.command(key, &command("EVALSHA", &self.hash)).await {
            Err(failure)
                if failure.kind() == Some(ErrorKind::Server(ServerErrorKind::NoScript)) =>
            {
                servers.command(key, &command("EVAL", self.text)).await
            }
            answer => answer,
        }
    }
}
