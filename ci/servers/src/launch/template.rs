//! Data directories that are made once and copied for each server.

use std::fs::DirBuilder;
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::user::User;
use super::{run, user, word};

/// The data directory called `name`, which `make` fills where there is none yet. It stays in the
/// directory for temporary files.
pub(crate) fn template(
    name: &str,
    owner: Option<User>,
    make: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let uid = owner.map_or_else(|| rustix::process::geteuid().as_raw(), |user| user.uid);
    let directory = user::directory(owner)?.join(format!("test-servers-templates-{uid}"));
    match DirBuilder::new().mode(0o700).create(&directory) {
        Ok(()) => {
            if let Some(user) = owner {
                chown(&directory, Some(user.uid), Some(user.gid))?;
            }
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    // Root may have made it a moment ago and be about to give it away.
    let found = directory.symlink_metadata()?;
    if !found.is_dir() || found.mode() & 0o022 != 0 || ![uid, 0].contains(&found.uid()) {
        let directory = directory.display();
        return Err(Error::other(format!(
            "{directory} belongs to somebody else: remove it"
        )));
    }
    let whole = directory.join(name);
    if whole.exists() {
        return Ok(whole);
    }
    let part = directory.join(format!("{name}.{}", word(8)?));
    let made = make(&part).and_then(|()| match std::fs::rename(&part, &whole) {
        // Another process was quicker.
        Err(_) if whole.exists() => Ok(()),
        renamed => renamed,
    });
    let _ = std::fs::remove_dir_all(&part);
    made.map(|()| whole)
}

pub(crate) fn copy(template: &Path, to: &Path, owner: Option<User>) -> Result<()> {
    run(as_user(
        Command::new("cp").arg("-R").arg(template).arg(to),
        owner,
    ))
    .map(drop)
}

pub(crate) fn as_user(command: &mut Command, user: Option<User>) -> &mut Command {
    if let Some(user) = user {
        command.uid(user.uid).gid(user.gid);
    }
    command.current_dir("/")
}

/// A name for a template that is made by this version of a program.
pub(crate) fn name_of(version: &str) -> String {
    version
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '.' {
                c
            } else {
                '-'
            }
        })
        .collect()
}
