//! What [`suite!`](crate::suite) found, for programs: a line of JSON for each rule.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{LazyLock, Mutex, PoisonError};

use serde::Serialize;

use crate::need::Standing;
use crate::report::{Report, Verdict};
use crate::subject::Subject;
use crate::{CATALOGUE, random};

/// The rule that looks at every absent capability, and so speaks for the rules that are ignored.
const SPEAKER: &str = "PRE-04";

/// A process writes to one file only, and no other one to it, so that no two lines mix. The number
/// keeps processes apart that have the same id in different containers.
static FILE: LazyLock<Mutex<String>> = LazyLock::new(|| {
    let (process, number) = (std::process::id(), random::fresh());
    Mutex::new(format!("suite-{process}-{number:016x}.jsonl"))
});

#[derive(Serialize)]
struct Line<'a> {
    store: &'a str,
    rule: &'a str,
    verdict: &'a str,
}

const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::NotSupported => "not supported",
        Verdict::NotRun => "not run",
    }
}

/// The rules that the run of one test of `suite!` speaks for, with their verdicts.
fn verdicts(subject: &Subject, report: &Report) -> Vec<(&'static str, Verdict)> {
    let unmet = |rule: &crate::Rule| rule.unmet(&subject.capabilities, &subject.backend);
    let mut found: Vec<_> = report
        .results
        .iter()
        // Ignored tests that were run all the same: the speaker has written them down.
        .filter(|result| unmet(result.rule).is_none())
        .map(|result| (result.rule.id, result.verdict))
        .collect();
    let Some(speaker) = report.result(SPEAKER) else {
        return found;
    };
    found.extend(CATALOGUE.iter().filter_map(|rule| {
        let verdict = match unmet(rule)?.1 {
            Standing::Absent(_) if speaker.verdict == Verdict::Pass => Verdict::NotSupported,
            // Out of reach, or not seen to answer `Unsupported`.
            _ => Verdict::NotRun,
        };
        Some((rule.id, verdict))
    }));
    found
}

/// Appends what a test of `suite!` found to this process's file in `directory`, which is made if
/// need be.
pub(crate) fn write(directory: &Path, subject: &Subject, report: &Report) -> io::Result<()> {
    let verdicts = verdicts(subject, report);
    if verdicts.is_empty() {
        return Ok(());
    }
    let file = FILE.lock().unwrap_or_else(PoisonError::into_inner);
    fs::create_dir_all(directory)?;
    let mut out = OpenOptions::new()
        .create(true)
        .append(true)
        .open(directory.join(&*file))?;
    for (rule, verdict) in verdicts {
        let store = &report.store;
        let verdict = word(verdict);
        let mut line = serde_json::to_string(&Line {
            store,
            rule,
            verdict,
        })?;
        line.push('\n');
        out.write_all(line.as_bytes())?;
    }
    Ok(())
}
