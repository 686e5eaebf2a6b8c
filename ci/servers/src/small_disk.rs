//! A disk that is soon full.

use std::fs::{DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::guard::DIRECTORY;
use crate::launch::{user, word};

const PATH: &str = "SESSION_TEST_SMALL_DISK";

/// Mounts the file system for this process and its children alone. Root needs no more for that;
/// whoever is not plays root first, and then no more, as some servers refuse to run for one.
const MOUNT: &str = r#"mount -t tmpfs -o "mode=1777,size=$1m" tmpfs "$2" || exit
shift 2
if [ -n "$AS" ]; then exec unshare --map-user="$AS" --map-group="$AS" "$@"; else exec "$@"; fi"#;

/// A file system of a few megabytes, and a ballast on it that can be thrown off.
#[derive(Debug)]
pub struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    /// Runs `body` with a disk of so many megabytes, in memory, on which the servers are that it
    /// starts. This is for the whole of a test: it runs once more in a process that has the disk,
    /// and this one fails if that one does.
    ///
    /// # Panics
    ///
    /// `NOT RUN:` where nothing can be mounted, with what to do about it; and with the output of
    /// `body`, if that panics.
    pub fn with(megabytes: u32, body: impl FnOnce(&Self)) {
        if let Some(path) = std::env::var_os(PATH) {
            return body(&Self { path: path.into() });
        }
        // Where any user that a server runs as can go.
        let parent = user::other_than_root(&["postgres", "nobody"])
            .and_then(user::directory)
            .expect("a directory for temporary files");
        let directory = parent.join(format!("small-{}", word(8).expect("a name")));
        DirBuilder::new()
            .mode(0o755)
            .create(&directory)
            .expect("a directory to mount on");
        let thread = std::thread::current();
        let test = thread.name().expect("the name of a test");
        let mut command = Command::new("unshare");
        command.arg("--mount");
        if user::is_root() {
            command.env("AS", "");
        } else {
            command.arg("--map-root-user").env("AS", "1000");
        }
        let output = command
            .args(["sh", "-c", MOUNT, "sh", &megabytes.to_string()])
            .arg(&directory)
            .arg(std::env::current_exe().expect("this program"))
            .args(["--exact", "--nocapture", test])
            .env(PATH, &directory)
            .env(DIRECTORY, &directory)
            .output();
        let _ = std::fs::remove_dir(&directory);
        let output = output.expect("NOT RUN: this test needs `unshare` (Debian: util-linux)");
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        let refused = text.contains("unshare: ") || text.contains("mount: ");
        assert!(
            output.status.success() && text.contains("1 passed"),
            "{}{text}",
            if refused {
                "NOT RUN: a file system cannot be mounted here; that takes root (in a container, \
                 with CAP_SYS_ADMIN) or user namespaces (sysctl kernel.unprivileged_userns_clone=1)\n"
            } else {
                ""
            }
        );
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Fills it with ballast, all but so many megabytes.
    ///
    /// # Panics
    ///
    /// If there is less room than that, or some ballast already.
    pub fn leave(&self, megabytes: u64) {
        let mut file = File::create_new(self.ballast()).expect("no ballast before");
        let (part, mut laid) = ([0; 1 << 16], 0);
        while let Ok(written) = file.write(&part) {
            laid += written as u64;
        }
        let kept = laid.checked_sub(megabytes << 20);
        file.set_len(kept.expect("so much room"))
            .expect("a shorter file");
    }

    /// Throws the ballast off.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn make_room(&self) {
        std::fs::remove_file(self.ballast()).expect("the ballast");
    }

    fn ballast(&self) -> PathBuf {
        self.path.join("ballast")
    }
}
