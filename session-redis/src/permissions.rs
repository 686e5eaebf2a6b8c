use std::borrow::Cow;
use std::time::Duration;

use redis::{ErrorKind, Pipeline, RedisError, ServerErrorKind};
use session_core::{Error, Result, SessionId};

use crate::connection::{Answers, pipeline};
use crate::keys::Keys;
use crate::script::REPLACE_IF_SAME;

/// What a server's refusal may name, as it spells it.
const COMMANDS: [&str; 23] = [
    "asking",
    "auth",
    "client|setinfo",
    "cluster",
    "cluster|slots",
    "eval",
    "evalsha",
    "exists",
    "get",
    "hello",
    "persist",
    "pexpire",
    "ping",
    "pttl",
    "role",
    "scan",
    "select",
    "sentinel",
    "sentinel|get-master-addr-by-name",
    "sentinel|master",
    "set",
    "subscribe",
    "unlink",
];

const REFUSED: &str = "the server's access rules (ACL) do not allow this user what the store needs";

/// What the access rules (ACL) of a server do not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missing {
    Command(&'static str),
    Keys,
    /// The server has other words for it than are known here.
    Something,
}

impl Missing {
    fn of(error: &RedisError) -> Option<Self> {
        if error.kind() != ErrorKind::Server(ServerErrorKind::NoPerm) {
            return None;
        }
        // `this user has no permissions to run the 'get' command or its subcommand`
        let text = error.detail().unwrap_or_default();
        let mut words = text.split('\'');
        let command = words.find_map(|word| COMMANDS.iter().find(|command| **command == word));
        Some(match command {
            Some(command) => Self::Command(command),
            None if text.contains(" key") => Self::Keys,
            None => Self::Something,
        })
    }
}

/// What to say about a command that was refused. The server's own text may hold the user's name.
pub(crate) fn refused(error: &RedisError) -> Cow<'static, str> {
    match Missing::of(error) {
        Some(Missing::Command(command)) => format!("{REFUSED}: +{command}").into(),
        Some(Missing::Keys) => {
            format!("{REFUSED}: ~PREFIX* (the keys that begin with the store's prefix)").into()
        }
        _ => REFUSED.into(),
    }
}

/// Every command of the store on the key of a session that is not there: all of them change
/// nothing. (`ACL DRYRUN` would tell without, to those who may run it.)
pub(crate) fn probes(keys: &Keys, ttl: Option<Duration>) -> Pipeline {
    let key = keys.key(&SessionId::random());
    let mut probes = pipeline();
    for name in ["GET", "PTTL", "EXISTS", "UNLINK"] {
        probes.cmd(name).arg(&key);
    }
    if ttl.is_none() {
        probes.cmd("PERSIST").arg(&key);
    }
    probes.cmd("PEXPIRE").arg(&key).arg(1);
    probes
        .cmd("SET")
        .arg(&key)
        .arg("")
        .arg("PX")
        .arg(1)
        .arg("XX");
    // The first leaves the script where the second finds it.
    for (name, script) in REPLACE_IF_SAME.forms() {
        let command = probes.cmd(name).arg(script).arg(1).arg(&key);
        command.arg("").arg("").arg(0);
    }
    let scan = probes.cmd("SCAN").arg(0).arg("MATCH").arg(keys.pattern());
    scan.arg("COUNT").arg(1).arg("TYPE").arg("string");
    probes
}

/// Whether the answers to [`probes`] say that something is not allowed, and what: as it is written
/// in the server's access rules. Whatever else does not work may pass.
pub(crate) fn check(keys: &Keys, answers: &Answers) -> Result<()> {
    let mut grants: Vec<Cow<'static, str>> = Vec::new();
    for error in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        let grant = match Missing::of(error) {
            Some(Missing::Command(command)) => format!("+{command}").into(),
            Some(Missing::Keys) => {
                let prefix = keys.pattern().strip_suffix("?*").unwrap_or_default();
                format!("~{prefix}*").into()
            }
            Some(Missing::Something) => "more".into(),
            None => continue,
        };
        if !grants.contains(&grant) {
            grants.push(grant);
        }
    }
    if grants.is_empty() {
        return Ok(());
    }
    let message = format!("{REFUSED}: {}", grants.join(" "));
    Err(Error::new(session_core::ErrorKind::Config, "connect").with_message(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> RedisError {
        let text = format!("-NOPERM {text}\r\n");
        let error = redis::parse_redis_value(text.as_bytes()).unwrap();
        error.extract_error().unwrap_err()
    }

    #[test]
    fn what_is_missing_is_read_from_the_words_of_every_version() {
        for (text, missing) in [
            (
                "this user has no permissions to run the 'evalsha' command or its subcommand",
                Missing::Command("evalsha"),
            ),
            (
                "User 'x' has no permissions to run the 'cluster|slots' command",
                Missing::Command("cluster|slots"),
            ),
            (
                "this user has no permissions to access one of the keys used as arguments",
                Missing::Keys,
            ),
            ("No permissions to access a key", Missing::Keys),
            ("no", Missing::Something),
        ] {
            assert_eq!(Missing::of(&refusal(text)), Some(missing), "{text}");
        }
    }

    #[test]
    fn no_word_of_the_server_goes_on() {
        let error = refusal("User hunter2 has no permissions to run the 'hunter2' command");
        assert!(!refused(&error).contains("hunter2"));
    }
}
