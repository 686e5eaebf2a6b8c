//! The report for a README or a pull request.

use std::fmt::Write;

use super::{Report, Verdict};
use crate::catalogue::cell;

impl Report {
    /// The report as Markdown: the summary, a table of all rules, and the failures in full.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut out = String::new();
        let notes: String = self
            .remarks()
            .iter()
            .map(|remark| format!("> {remark}\n\n"))
            .collect();
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "## {}: {}\n\n{notes}Catalogue {}, seed {}: {}.\n\n| rule | verdict | |\n|---|---|---|",
            self.store,
            self.outcome(),
            self.catalogue,
            self.seed,
            self.summary()
        );
        for result in &self.results {
            let note = match result.verdict {
                Verdict::Pass => result.rule.sentence,
                Verdict::Fail => result.found.as_deref().unwrap_or_default(),
                Verdict::NotSupported | Verdict::NotRun => {
                    result.reason.as_deref().unwrap_or_default()
                }
            };
            let _ = writeln!(
                out,
                "| {} | {} | {} |",
                result.rule.id,
                self.word(result),
                cell(note)
            );
        }
        for result in self
            .results
            .iter()
            .filter(|result| result.verdict == Verdict::Fail)
        {
            let _ = write!(out, "\n```text\n{}```\n", self.failure_text(result));
        }
        out
    }
}
