//! The machine, how it is shared out, and what else it is doing.

use std::process::Command;

use serde_json::{Map, Value, json};

/// Which CPU the server has, and which the load and the stores.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pinning {
    /// The first for the server, the second for the rest.
    Pinned,
    /// One CPU, or no `taskset`: everything shares what there is.
    Free,
}

impl Pinning {
    pub(crate) fn choose() -> Self {
        if cpus() >= 2 && output("taskset", &["--version"]).is_some() {
            Self::Pinned
        } else {
            Self::Free
        }
    }

    /// Moves this process, and what it starts, to the load's CPU.
    pub(crate) fn pin_load(self) {
        if let Self::Pinned = self {
            let own = std::process::id().to_string();
            let _ = output("taskset", &["-a", "-p", "-c", "1", &own]);
        }
    }

    /// The words before a server's command.
    pub(crate) fn server_prefix(self) -> Vec<String> {
        match self {
            Self::Pinned => ["taskset", "-c", "0"].map(str::to_owned).to_vec(),
            Self::Free => Vec::new(),
        }
    }

    /// The words before the command of a program that measures itself with several threads.
    pub(crate) fn micro_prefix(self) -> Vec<String> {
        match self {
            Self::Pinned => ["taskset", "-c", "0-1"].map(str::to_owned).to_vec(),
            Self::Free => Vec::new(),
        }
    }
}

fn cpus() -> usize {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    text.lines()
        .filter(|line| line.starts_with("processor"))
        .count()
}

/// What ran this: for the results.
pub(crate) fn describe() -> Value {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = memory
        .split_ascii_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse::<f64>().ok())
        .map(|kib| (kib / 1_048_576.0).round());
    json!({
        "cpus": cpus(),
        "cpu": model.unwrap_or("unknown"),
        "memory GiB": memory,
        "kernel": output("uname", &["-sr"]),
        "load average at the start": load_average(),
        "rustc": output("rustc", &["--version"]),
        "node": output("node", &["--version"]),
        "redis-server": output("redis-server", &["--version"]),
        "postgres": output("/usr/lib/postgresql/15/bin/postgres", &["--version"]),
        "mariadbd": output("mariadbd", &["--version"]),
        "libraries": libraries(),
    })
}

/// The versions of what is compared, from the lock files.
fn libraries() -> Value {
    const NAMES: [&str; 16] = [
        "axum",
        "hyper",
        "tokio",
        "redis",
        "fred",
        "sqlx",
        "tokio-postgres",
        "sled",
        "tower-sessions",
        "tower-sessions-redis-store",
        "tower-sessions-sqlx-store",
        "axum_session",
        "axum_session_redispool",
        "axum_session_sqlx",
        "actix-session",
        "actix-web",
    ];
    const PACKAGES: [&str; 7] = [
        "express",
        "express-session",
        "connect-redis",
        "redis",
        "connect-pg-simple",
        "pg",
        "express-mysql-session",
    ];
    let mut found = Map::new();
    let locks = [
        include_str!("../../Cargo.lock"),
        include_str!("../../stacks/tower-sessions/Cargo.lock"),
    ];
    for name in NAMES {
        let mut versions: Vec<_> = locks
            .iter()
            .flat_map(|lock| lock.split("[[package]]"))
            .filter(|package| package.contains(&format!("\nname = \"{name}\"\n")))
            .filter_map(|package| package.split("version = \"").nth(1)?.split('"').next())
            .collect();
        versions.sort_unstable();
        versions.dedup();
        found.insert(name.to_owned(), versions.join(", ").into());
    }
    let lock = include_str!("../../stacks/express/package-lock.json");
    let lock: Value = serde_json::from_str(lock).unwrap_or_default();
    for name in PACKAGES {
        let version = &lock["packages"][format!("node_modules/{name}")]["version"];
        found.insert(format!("{name} (npm)"), version.clone());
    }
    found.into()
}

fn load_average() -> Option<String> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    Some(text.split(' ').take(3).collect::<Vec<_>>().join(" "))
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// CPU time that all processes of the machine have used so far, in ticks.
pub(crate) fn busy_ticks() -> u64 {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let all = text.lines().next().unwrap_or_default();
    let ticks: Vec<u64> = all
        .split_ascii_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    // user, nice, system, idle, iowait, irq, softirq, steal
    ticks
        .iter()
        .enumerate()
        .filter(|(place, _)| !matches!(*place, 3 | 4 | 7..))
        .map(|(_, ticks)| ticks)
        .sum()
}

/// The CPU time of this process so far, in nanoseconds.
pub(crate) fn own_cpu() -> u64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    text.split(' ')
        .next()
        .and_then(|word| word.parse().ok())
        .unwrap_or(0)
}
