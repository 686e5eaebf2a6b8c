//! The report for programs.

use serde::Serialize;

use super::{Report, Verdict};
use crate::steps::Step;

#[derive(Serialize)]
struct Document<'a> {
    store: &'a str,
    catalogue: String,
    outcome: &'a str,
    exit_code: u8,
    summary: String,
    remarks: Vec<&'static str>,
    seed: u64,
    milliseconds: u128,
    rules_left_out: usize,
    rules: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    id: &'a str,
    name: String,
    level: &'a str,
    needs: Vec<&'a str>,
    sentence: &'a str,
    verdict: Verdict,
    binding: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    inconclusive: bool,
    milliseconds: u128,
    seed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<FailureEntry<'a>>,
}

#[derive(Serialize)]
struct FailureEntry<'a> {
    expected: &'a str,
    found: &'a str,
    why: &'a str,
    hint: &'a str,
    steps: &'a [Step],
    left_over: &'a [String],
    again: String,
}

impl Report {
    /// The report as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let rules = self.results.iter().map(|result| Entry {
            id: result.rule.id,
            name: result.rule.test_name(),
            level: result.rule.level.name(),
            needs: result.rule.needs.iter().map(|need| need.name()).collect(),
            sentence: result.rule.sentence,
            verdict: result.verdict,
            binding: self.binds(result.rule),
            inconclusive: result.inconclusive,
            milliseconds: result.took.as_millis(),
            seed: result.seed,
            reason: result.reason.as_deref(),
            failure: (result.verdict == Verdict::Fail).then(|| FailureEntry {
                expected: result.expected.as_deref().unwrap_or_default(),
                found: result.found.as_deref().unwrap_or_default(),
                why: result.rule.why,
                hint: result.rule.hint,
                steps: &result.steps,
                left_over: &result.leftovers,
                again: self.command(result),
            }),
        });
        let document = Document {
            store: &self.store,
            catalogue: self.catalogue.to_string(),
            outcome: self.outcome(),
            exit_code: self.exit_code(),
            summary: self.summary(),
            remarks: self.remarks(),
            seed: self.seed,
            milliseconds: self.elapsed.as_millis(),
            rules_left_out: self.left_out,
            rules: rules.collect(),
        };
        // Texts and numbers always have a JSON form.
        serde_json::to_string_pretty(&document).unwrap_or_default()
    }
}
