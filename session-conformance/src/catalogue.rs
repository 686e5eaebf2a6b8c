//! All rules, in the order in which they are listed.

use crate::rule::{Rule, Version};
use crate::rules::{self, GROUPS};
use crate::{Method, Property};

/// The version of [`CATALOGUE`].
pub const CATALOGUE_VERSION: Version = Version::V0_2;

const COUNT: usize = {
    let mut count = 0;
    let mut group = 0;
    while group < GROUPS.len() {
        count += GROUPS[group].1.len();
        group += 1;
    }
    count
};

static RULES: [Rule; COUNT] = {
    let mut rules = [Rule::MUST; COUNT];
    let mut at = 0;
    let mut group = 0;
    while group < GROUPS.len() {
        let mut index = 0;
        while index < GROUPS[group].1.len() {
            rules[at] = GROUPS[group].1[index];
            at += 1;
            index += 1;
        }
        group += 1;
    }
    rules
};

/// Every rule. Test names, lists, reports and the suite's own check come from this array.
pub static CATALOGUE: &[Rule] = &RULES;

/// The properties that are demanded of every method that they can hold for; their rules are in
/// [`CATALOGUE`], too.
pub static PROPERTIES: &[Property] = rules::PROPERTIES;

/// The rule with this id (`GET-01`) or test name, whatever the case of its letters.
#[must_use]
pub fn rule(name: &str) -> Option<&'static Rule> {
    CATALOGUE
        .iter()
        .find(|rule| rule.id.eq_ignore_ascii_case(name) || rule.test_name() == name)
}

/// The catalogue as Markdown: a table for each group, and one of properties and methods.
#[must_use]
pub fn catalogue_markdown() -> String {
    let mut out = format!(
        "<!-- Generated from the catalogue; see session-conformance/tests/generated.rs. -->\n\n\
         # Conformance rules, version {CATALOGUE_VERSION}\n\n\
         A rule's id keeps its meaning. Level *must* binds every store, *capability* those that \
         declare what the rule needs, *should* is a warning.\n"
    );
    table_of_properties(&mut out);
    for (title, rules) in GROUPS {
        let Some(first) = rules.first() else { continue };
        out.push_str(&format!("\n## {}: {title}\n\n", first.group()));
        out.push_str("| id | level | needs | rule | why | catches |\n|---|---|---|---|---|---|\n");
        for rule in *rules {
            let level = match rule.probabilistic {
                true => format!("{}, probabilistic", rule.level.name()),
                false => rule.level.name().to_owned(),
            };
            let needs: Vec<_> = rule.needs.iter().map(|need| need.name()).collect();
            out.push_str(&format!(
                "| {} | {level} | {} | {} | {} | {} |\n",
                rule.id,
                needs.join(", "),
                cell(rule.sentence),
                cell(rule.why),
                rule.catches.join(", "),
            ));
        }
    }
    out
}

/// Which property is demanded of which method, and why not of the others.
fn table_of_properties(out: &mut String) {
    out.push_str("\n## Properties and methods\n\n| property |");
    for method in Method::EVERY {
        out.push_str(&format!(" {method} |"));
    }
    out.push_str(&format!("\n|---|{}\n", "---|".repeat(Method::EVERY.len())));
    for property in PROPERTIES {
        out.push_str(&format!("| {} |", property.title));
        for method in Method::EVERY {
            let rule = property.of(method).map_or("", |rule| rule.id);
            out.push_str(&format!(" {rule} |"));
        }
        out.push('\n');
    }
    out.push_str("\nThe empty cells:\n\n");
    for property in PROPERTIES.iter().filter(|row| !row.without.is_empty()) {
        let reasons: Vec<_> = property
            .without
            .iter()
            .map(|(method, why)| format!("`{method}` {why}"))
            .collect();
        out.push_str(&format!("- {}: {}.\n", property.title, reasons.join("; ")));
    }
}

/// Text that does not end a table's cell.
pub(crate) fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Level;
    use std::collections::HashSet;

    #[test]
    fn every_rule_is_complete_and_has_its_own_id_and_name() {
        let (mut seen, mut names) = (HashSet::new(), HashSet::new());
        for rule in CATALOGUE {
            assert!(seen.insert(rule.id), "{} stands twice", rule.id);
            let name = rule.test_name();
            assert!(names.insert(name), "{} stands twice", rule.name);
            assert!(
                rule.name
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'),
                "{}: `{}` is no function name",
                rule.id,
                rule.name
            );
            for text in [rule.sentence, rule.why, rule.hint] {
                assert!(
                    text.len() > 10 && text.ends_with(['.', '?']),
                    "{}: `{text}` is no sentence",
                    rule.id
                );
            }
            assert!(!rule.catches.is_empty(), "{} catches nothing", rule.id);
            assert!(rule.since <= CATALOGUE_VERSION, "{}", rule.id);
            match rule.level {
                Level::Must => assert!(
                    !rule.needs.iter().any(|need| need.is_capability()),
                    "{}: binds every store, but needs a capability",
                    rule.id
                ),
                Level::Capability => assert!(!rule.needs.is_empty(), "{} needs nothing", rule.id),
                Level::Should => {}
            }
        }
    }

    #[test]
    fn each_cell_of_a_property_is_a_rule_or_a_reason() {
        for property in PROPERTIES {
            for method in Method::EVERY {
                let empty = property.without.iter().any(|(other, _)| *other == method);
                let rule = property.of(method).is_some();
                assert!(rule != empty, "{}: {method}", property.group);
            }
        }
    }

    #[test]
    fn groups_hold_their_own_rules_in_order() {
        for (title, rules) in GROUPS {
            assert!(rules.is_sorted_by_key(|rule| rule.id), "{title}");
            assert!(
                rules
                    .windows(2)
                    .all(|pair| pair[0].group() == pair[1].group()),
                "{title}"
            );
        }
    }
}
