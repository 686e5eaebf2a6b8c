use std::borrow::Cow;

use redis::{ErrorKind, RedisError, ServerErrorKind};

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

pub(crate) const REFUSED: &str =
    "the server's access rules (ACL) do not allow this user what the store needs";

/// What the access rules (ACL) of a server do not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    Command(&'static str),
    Keys,
    /// The server has other words for it than are known here.
    Something,
}

impl Missing {
    pub(crate) fn of(error: &RedisError) -> Option<Self> {
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
pub(crate) fn message(error: &RedisError) -> Cow<'static, str> {
    match Missing::of(error) {
        Some(Missing::Command(command)) => format!("{REFUSED}: +{command}").into(),
        Some(Missing::Keys) => {
            format!("{REFUSED}: ~PREFIX* (the keys that begin with the store's prefix)").into()
        }
        _ => REFUSED.into(),
    }
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
        assert!(!message(&error).contains("hunter2"));
    }
}
