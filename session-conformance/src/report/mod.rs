//! What a run found.

mod json;
mod junit;
mod markdown;
mod text;

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};
use session_core::Capabilities;

use crate::failure::Failure;
use crate::options::Rerun;
use crate::rule::{Rule, Version};
use crate::steps::Step;
use crate::subject::Subject;
use crate::{CATALOGUE, CATALOGUE_VERSION, Options};

/// How a rule ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The store keeps the rule.
    Pass,
    /// The store breaks the rule.
    Fail,
    /// What the rule needs is declared absent; where that is a capability, the store was seen to
    /// answer `Unsupported` and to change nothing.
    NotSupported,
    /// The environment is missing, or the rule did not come to the point.
    NotRun,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::NotSupported => "NOT SUPPORTED",
            Self::NotRun => "NOT RUN",
        })
    }
}

impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What became of one rule.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RuleResult {
    /// The rule.
    pub rule: &'static Rule,
    /// How it ended.
    pub verdict: Verdict,
    /// With [`Verdict::NotRun`]: whether it ran, but never came to the point.
    pub inconclusive: bool,
    /// With [`Verdict::Fail`]: what was expected.
    pub expected: Option<String>,
    /// With [`Verdict::Fail`]: what was found instead.
    pub found: Option<String>,
    /// With [`Verdict::NotSupported`] and [`Verdict::NotRun`]: why.
    pub reason: Option<String>,
    /// What was done and what came back.
    pub steps: Vec<Step>,
    /// What a failed rule left in the backend, by name.
    pub leftovers: Vec<String>,
    /// The seed of this rule's run.
    pub seed: u64,
    /// How long it worked, without waiting for records to expire.
    pub took: Duration,
}

impl RuleResult {
    pub(crate) fn new(rule: &'static Rule, seed: u64, outcome: Result<(), Failure>) -> Self {
        let mut result = Self {
            rule,
            verdict: Verdict::Pass,
            inconclusive: false,
            expected: None,
            found: None,
            reason: None,
            steps: Vec::new(),
            leftovers: Vec::new(),
            seed,
            took: Duration::ZERO,
        };
        match outcome {
            Ok(()) => {}
            Err(Failure::Broken(finding)) => {
                result.verdict = Verdict::Fail;
                result.expected = Some(finding.expected);
                result.found = Some(finding.found);
            }
            Err(Failure::NotRun(reason)) => {
                result.verdict = Verdict::NotRun;
                result.reason = Some(reason);
            }
            Err(Failure::Inconclusive(reason)) => {
                result.verdict = Verdict::NotRun;
                result.inconclusive = true;
                result.reason = Some(format!("INCONCLUSIVE: {reason}"));
            }
        }
        result
    }

    pub(crate) fn not_run(rule: &'static Rule, reason: String) -> Self {
        Self::new(rule, 0, Err(Failure::NotRun(reason)))
    }
}

/// What a run found, rule by rule.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The store's name.
    pub store: String,
    /// The version of the catalogue.
    pub catalogue: Version,
    /// The run's seed.
    pub seed: u64,
    /// The rules that were selected, in the order of the catalogue.
    pub results: Vec<RuleResult>,
    /// How many rules were not selected.
    pub left_out: usize,
    /// How long the run took.
    pub elapsed: Duration,
    strict: bool,
    allow_incomplete: bool,
    rerun: Rerun,
    capabilities: Capabilities,
}

impl Report {
    pub(crate) fn new(
        subject: &Subject,
        options: &Options,
        seed: u64,
        results: Vec<RuleResult>,
        elapsed: Duration,
    ) -> Self {
        Self {
            store: subject.name.clone(),
            catalogue: CATALOGUE_VERSION,
            seed,
            left_out: CATALOGUE.len() - results.len(),
            results,
            elapsed,
            strict: options.strict,
            allow_incomplete: options.allow_incomplete,
            rerun: options.rerun,
            capabilities: subject.capabilities,
        }
    }

    /// The result of the rule with this id.
    #[must_use]
    pub fn result(&self, id: &str) -> Option<&RuleResult> {
        self.results.iter().find(|result| result.rule.id == id)
    }

    /// How many rules ended with `verdict`.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.results
            .iter()
            .filter(|result| result.verdict == verdict)
            .count()
    }

    /// Whether a failure of this rule is one of the run: not for a *should* without
    /// [`strict`](Options::strict), nor for a *must* in the version that brought it.
    #[must_use]
    pub fn binds(&self, rule: &Rule) -> bool {
        self.strict || rule.binds(self.catalogue)
    }

    /// The rules that the store breaks and must not.
    pub fn failures(&self) -> impl Iterator<Item = &RuleResult> {
        self.failed(true)
    }

    /// The rules that the store breaks and had better not.
    pub fn warnings(&self) -> impl Iterator<Item = &RuleResult> {
        self.failed(false)
    }

    fn failed(&self, binding: bool) -> impl Iterator<Item = &RuleResult> {
        self.results.iter().filter(move |result| {
            result.verdict == Verdict::Fail && self.binds(result.rule) == binding
        })
    }

    /// 0 if every rule that binds passed and nothing was left not run, 1 for a failure, 2 for an
    /// incomplete run. A run in which no rule came to a verdict of its own is incomplete, too.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let judged = self.count(Verdict::Pass) + self.count(Verdict::Fail);
        if self.failures().next().is_some() {
            1
        } else if judged == 0 || (self.count(Verdict::NotRun) > 0 && !self.allow_incomplete) {
            2
        } else {
            0
        }
    }

    /// The run in one line.
    #[must_use]
    pub fn summary(&self) -> String {
        let warnings = self.warnings().count();
        let mut text = format!(
            "{} passed, {} failed, {} not supported, {} not run",
            self.count(Verdict::Pass),
            self.count(Verdict::Fail) - warnings,
            self.count(Verdict::NotSupported),
            self.count(Verdict::NotRun),
        );
        if warnings > 0 {
            text.push_str(&format!(", {warnings} warnings"));
        }
        if self.left_out > 0 {
            text.push_str(&format!(", {} rules left out", self.left_out));
        }
        text
    }

    /// The verdict of the run in one word.
    fn outcome(&self) -> &'static str {
        match self.exit_code() {
            0 => "CONFORMS",
            1 => "DOES NOT CONFORM",
            _ => "INCOMPLETE",
        }
    }

    /// What the declarations of a store mean for its visitors, whatever the rules say; a line each.
    #[must_use]
    pub fn remarks(&self) -> Vec<&'static str> {
        let declared = self.capabilities;
        let mut remarks = Vec::new();
        if !declared.replace {
            remarks.push(
                "last write wins: a request under way during a logout signs its visitor in again",
            );
        }
        if !declared.sweep && !declared.server_ttl {
            remarks.push(
                "nothing is declared that removes ended records: neither `sweep` nor \
                 `server_ttl`; say what does",
            );
        }
        remarks
    }

    /// Of several failures the one to begin with: the simplest, which the others may come from.
    #[must_use]
    pub fn root(&self) -> Option<&RuleResult> {
        // What most rules rest on comes first; a store is opened before it is read from, but a
        // wrong answer to its first `get` is told best by the rule on `get`.
        const SIMPLEST: &[&str] = &["GET-01", "SET-01", "SET-07", "DES-01", "PRE-04"];
        const LAST: &[&str] = &["CON", "MOD", "PAR", "SCL"];
        let rank = |result: &&RuleResult| {
            let simple = SIMPLEST.iter().position(|id| *id == result.rule.id);
            let late = LAST.contains(&result.rule.group());
            (simple.unwrap_or(SIMPLEST.len()), late)
        };
        // Of equals the first one, in the order of the catalogue.
        self.failures().min_by_key(rank)
    }

    /// Where to begin, in one line, if there is more than one failure.
    fn start_with(&self) -> Option<String> {
        let root = self.root()?;
        let mut groups: Vec<(&str, usize)> = Vec::new();
        for result in self
            .failures()
            .filter(|result| result.rule.id != root.rule.id)
        {
            let group = result.rule.group();
            match groups.iter_mut().find(|(known, _)| *known == group) {
                Some((_, count)) => *count += 1,
                None => groups.push((group, 1)),
            }
        }
        let others: usize = groups.iter().map(|(_, count)| count).sum();
        // Of equals the first one.
        let most = groups.iter().rev().max_by_key(|(_, count)| *count)?;
        Some(format!(
            "start with {} {}; {others} other failures may come of the same cause, most of them ({}) \
             in the group {}",
            root.rule.id, root.rule.name, most.1, most.0
        ))
    }

    /// How to run a rule again with the same seed.
    fn command(&self, result: &RuleResult) -> String {
        crate::cli::rerun_command(self.rerun, result.rule, result.seed)
    }

    /// The word for a result: its verdict, or a warning.
    fn word(&self, result: &RuleResult) -> &'static str {
        match result.verdict {
            Verdict::Fail if !self.binds(result.rule) => "WARNING",
            Verdict::Pass => "PASS",
            Verdict::Fail => "FAIL",
            Verdict::NotSupported => "NOT SUPPORTED",
            Verdict::NotRun => "NOT RUN",
        }
    }
}
