//! Who runs a server that refuses to run as root.

use std::io::{Error, Result};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// For root, the first of these users that there is; otherwise nobody else.
pub(crate) fn other_than_root(names: &[&str]) -> Result<Option<User>> {
    if !is_root() {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd")?;
    names
        .iter()
        .find_map(|name| entry(&users, name))
        .map(Some)
        .ok_or_else(|| {
            Error::other(format!(
                "root has no user to run it as: {}",
                names.join(", ")
            ))
        })
}

fn entry(users: &str, name: &str) -> Option<User> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let found = fields.next() == Some(name);
        let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
        found.then_some(User { uid, gid })
    })
}

/// Where that user may have a directory, and remove it: the directory for temporary files, unless
/// it is root's alone, or lies in one that is.
pub(crate) fn directory(user: Option<User>) -> Result<PathBuf> {
    let usual = std::env::temp_dir();
    if user.is_none() {
        return Ok(usual);
    }
    // To write into it, and to pass through what is above it.
    let mut wanted = 0o3;
    for ancestor in usual.ancestors() {
        if ancestor.as_os_str().is_empty() {
            break;
        }
        if ancestor.metadata()?.permissions().mode() & wanted != wanted {
            return Ok("/tmp".into());
        }
        wanted = 0o1;
    }
    Ok(usual)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_the_whole_name() {
        let users = "root:x:0:0:root:/root:/bin/bash\nmy:x:1:2::/:/bin/false\nmysql:x:103:106::/:/bin/false\n";
        assert_eq!(entry(users, "mysql"), Some(User { uid: 103, gid: 106 }));
        assert_eq!(entry(users, "sql"), None);
    }
}
