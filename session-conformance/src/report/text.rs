//! The report for a terminal.

use std::fmt::Write;

use super::{Report, RuleResult, Verdict};
use crate::describe;
use crate::steps::Step;

/// How many steps at either end of a long list are shown.
const SHOWN: usize = 25;
/// So many failures are told in full.
const IN_FULL: usize = 12;

impl Report {
    /// The report as text: [what the declarations mean](Self::remarks) if the run was of more than
    /// one rule, [where to begin](Self::root), what failed with all that is known of it, then what
    /// was not run, then the summary. Of many failures all but the first are told in brief.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        if self.results.len() > 1 {
            for remark in self.remarks() {
                line(&mut out, format_args!("note: {remark}"));
            }
        }
        if let Some(start) = self.start_with() {
            line(&mut out, format_args!("{start}\n"));
        }
        let root = self.root().map(|result| result.rule.id);
        let mut failed: Vec<_> = self
            .results
            .iter()
            .filter(|result| result.verdict == Verdict::Fail)
            .collect();
        failed.sort_by_key(|result| Some(result.rule.id) != root);
        for (n, result) in failed.iter().enumerate() {
            if n == 0 || failed.len() <= IN_FULL {
                out.push_str(&self.failure_text(result));
                out.push('\n');
                continue;
            }
            let found = result.found.as_deref().unwrap_or_default();
            let found = found.lines().next().unwrap_or_default();
            let (word, rule) = (self.word(result), result.rule);
            line(
                &mut out,
                format_args!("{word} {} {}: {found}", rule.id, rule.name),
            );
        }
        for verdict in [Verdict::NotSupported, Verdict::NotRun] {
            let mut results = self
                .results
                .iter()
                .filter(|result| result.verdict == verdict)
                .peekable();
            if results.peek().is_some() {
                line(&mut out, format_args!("{verdict}:"));
            }
            for result in results {
                let reason = result.reason.as_deref().unwrap_or_default();
                line(
                    &mut out,
                    format_args!("  {} {}: {reason}", result.rule.id, result.rule.name),
                );
            }
        }
        line(
            &mut out,
            format_args!(
                "{}: {} by catalogue {} in {} (seed {}): {}",
                self.store,
                self.outcome(),
                self.catalogue,
                describe::duration(std::time::Duration::from_millis(
                    u64::try_from(self.elapsed.as_millis()).unwrap_or(u64::MAX)
                )),
                self.seed,
                self.summary()
            ),
        );
        out
    }

    /// All that is known of one failure.
    pub(crate) fn failure_text(&self, result: &RuleResult) -> String {
        let mut out = String::new();
        let rule = result.rule;
        line(
            &mut out,
            format_args!("{} {} {}", self.word(result), rule.id, rule.name),
        );
        field(&mut out, "rule", rule.sentence);
        field(&mut out, "store", &self.store);
        let steps = numbered(&result.steps);
        field(
            &mut out,
            "steps",
            if steps.is_empty() { "none" } else { &steps },
        );
        field(
            &mut out,
            "expected",
            result.expected.as_deref().unwrap_or_default(),
        );
        field(
            &mut out,
            "found",
            result.found.as_deref().unwrap_or_default(),
        );
        field(&mut out, "why", rule.why);
        field(&mut out, "hint", rule.hint);
        if !result.leftovers.is_empty() {
            field(&mut out, "left over", &result.leftovers.join("\n"));
        }
        field(&mut out, "again", &self.command(result));
        out
    }
}

pub(super) fn numbered(steps: &[Step]) -> String {
    let mut lines = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        if steps.len() > 2 * SHOWN && (SHOWN..steps.len() - SHOWN).contains(&index) {
            if index == SHOWN {
                lines.push(format!("... {} steps ...", steps.len() - 2 * SHOWN));
            }
            continue;
        }
        lines.push(match &step.answer {
            Some(answer) => format!("{}. {} -> {answer}", index + 1, step.what),
            None => format!("{}. ({})", index + 1, step.what),
        });
    }
    lines.join("\n")
}

fn field(out: &mut String, name: &str, text: &str) {
    for (index, part) in text.lines().enumerate() {
        let name = if index == 0 { name } else { "" };
        line(out, format_args!("  {name:<9} {part}"));
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{text}");
}
