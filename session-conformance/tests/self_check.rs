//! The suite is tested by broken stores: each is found by every rule that claims it, each rule
//! finds at least one, and the reference store keeps them all.

use std::collections::BTreeSet;
use std::time::Duration;

use session_conformance::broken::{Broken, Fault};
use session_conformance::reference::ReferenceHarness;
use session_conformance::{CATALOGUE, Options, Rule, RuleResult, Verdict, run};

/// How many seeds a rule that depends on chance must catch its broken stores with.
const SEEDS: u64 = 20;

/// The properties whose faults may wait for ever.
const HANG: &[&str] = &["CUT", "OUT", "PAN", "RUN"];

fn options(rule: &Rule, seed: u64) -> Options {
    Options::new()
        .filter(rule.id)
        .exact(true)
        .seed(seed)
        // However busy the machine is.
        .programs(250)
        .scale(true)
        // Megabytes take their time in a debug build; a store that hangs is waited for in vain.
        .limit(Duration::from_secs(if rule.group() == "SIZ" {
            20
        } else {
            5
        }))
}

#[test]
fn the_reference_keeps_every_rule() {
    let report = run(ReferenceHarness::default(), Options::new().strict(true));
    assert_eq!(report.exit_code(), 0, "{}", report.to_text());
    let warned = report.warnings().count();
    assert_eq!(warned, 0, "{}", report.to_text());
}

#[test]
fn every_rule_catches_the_stores_that_it_claims() {
    let mut escaped = Vec::new();
    for rule in CATALOGUE {
        for name in rule.catches {
            if rule.method.is_some() {
                continue;
            }
            let Some(broken) = Broken::named(name) else {
                escaped.push(format!(
                    "{} claims {name}, which is no broken store",
                    rule.id
                ));
                continue;
            };
            for seed in 0..if rule.probabilistic { SEEDS } else { 1 } {
                let report = broken.run(&options(rule, seed));
                let result = report.result(rule.id).expect("the rule that was asked for");
                if let Err(complaint) = is_good_failure(result) {
                    escaped.push(format!(
                        "{} on {broken:?}, seed {seed}: {complaint}\n{}",
                        rule.id,
                        report.to_text()
                    ));
                }
            }
        }
    }
    assert!(escaped.is_empty(), "\n{}", escaped.join("\n"));
}

/// Each fault in each method that can have it is found by the rule of its cell.
#[test]
fn every_cell_catches_its_faults() {
    let cells = CATALOGUE
        .iter()
        .filter_map(|rule| Some((rule, rule.method?)));
    let mut escaped = Vec::new();
    let mut tried = 0;
    for (rule, method) in cells {
        for name in rule.catches {
            let Some(fault) = Fault::named(name) else {
                escaped.push(format!("{} claims {name}, which is no fault", rule.id));
                continue;
            };
            tried += 1;
            let mut options = options(rule, 0);
            // Some of these hang: that is what is wrong with them.
            if HANG.contains(&rule.group()) {
                options = options.limit(Duration::from_millis(800));
            }
            let report = fault.run(method, &options);
            let result = report.result(rule.id).expect("the rule that was asked for");
            if let Err(complaint) = is_good_failure(result) {
                let steps = report.to_text();
                let end = &steps[steps.len().saturating_sub(1_500)..];
                escaped.push(format!(
                    "{} on {fault:?} in {method}: {complaint}\n{end}",
                    rule.id
                ));
            }
        }
    }
    assert!(
        escaped.is_empty(),
        "{} of {tried}\n{}",
        escaped.len(),
        escaped.join("\n")
    );
}

/// A failure that a store author can act on.
fn is_good_failure(result: &RuleResult) -> Result<(), String> {
    if result.verdict != Verdict::Fail {
        let reason = result.reason.as_deref().unwrap_or_default();
        return Err(format!("{} {reason}", result.verdict));
    }
    let found = result.found.as_deref().unwrap_or_default();
    let expected = result.expected.as_deref().unwrap_or_default();
    if result.steps.is_empty() || expected.is_empty() || found.is_empty() {
        return Err("the failure has no steps, or does not say what was expected and found".into());
    }
    if [found, expected]
        .iter()
        .any(|text| text.contains("called `"))
    {
        return Err(format!("the failure is a bare unwrap: {found}"));
    }
    Ok(())
}

#[test]
fn every_broken_store_is_claimed() {
    let claimed: BTreeSet<_> = CATALOGUE
        .iter()
        .flat_map(|rule| rule.catches)
        .copied()
        .collect();
    let mut seen = BTreeSet::new();
    for fault in Fault::every() {
        assert!(seen.insert(fault.name), "{} stands twice", fault.name);
        assert!(claimed.contains(fault.name), "no rule claims {fault:?}");
    }
    for broken in Broken::every() {
        assert!(seen.insert(broken.name), "{} stands twice", broken.name);
        assert!(
            broken.bug.len() > 10,
            "{} does not say what is wrong",
            broken.name
        );
        assert!(claimed.contains(broken.name), "no rule claims {broken:?}");
    }
}
