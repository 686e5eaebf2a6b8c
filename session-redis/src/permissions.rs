use std::borrow::Cow;
use std::time::Duration;

use redis::Pipeline;
use session_core::{Error, ErrorKind, Result, SessionId};

use crate::connection::{Answers, pipeline};
use crate::keys::Keys;
use crate::refusal::{Missing, REFUSED};
use crate::script::REPLACE_IF_SAME;

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
            Some(Missing::Something) => "a command or a key".into(),
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
    Err(Error::new(ErrorKind::Config, "connect").with_message(message))
}
