//! Rules are data: everything that names, lists, runs or explains a rule reads one [`Rule`].

use std::fmt;

use futures_util::future::BoxFuture;
use session_core::Capabilities;

use crate::backend::Backend;
use crate::context::Context;
use crate::failure::Failure;
use crate::need::Standing;
use crate::{Method, Need};

/// How much a rule weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// Every store keeps it.
    Must,
    /// A store that breaks it gets a warning, or a failure with `--strict`.
    Should,
    /// A store that declares the capability keeps it.
    Capability,
}

impl Level {
    /// The word for it in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Must => "must",
            Self::Should => "should",
            Self::Capability => "capability",
        }
    }
}

/// A version of the catalogue: that of this crate, without the patch number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// The first number.
    pub major: u16,
    /// The second number.
    pub minor: u16,
}

impl Version {
    pub(crate) const V0_1: Self = Self { major: 0, minor: 1 };
    pub(crate) const V0_2: Self = Self { major: 0, minor: 2 };
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// One rule of the catalogue.
///
/// Its id keeps its meaning for ever: a rule that turns out to be wrong goes, and its number is
/// not given to another one.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Rule {
    /// The group and the number, as in `GET-01`.
    pub id: &'static str,
    /// The rule in a few words; with the id it makes the test's name.
    pub name: &'static str,
    /// How much it weighs.
    pub level: Level,
    /// What it needs beyond `get`, `set` and `destroy`; without all of it the rule does not run.
    pub needs: &'static [Need],
    /// What is demanded.
    pub sentence: &'static str,
    /// Why: an issue, a CVE, or what happens to people whose session it is.
    pub why: &'static str,
    /// What usually breaks it, and what to do.
    pub hint: &'static str,
    /// The deliberately broken stores that it must find.
    pub catches: &'static [&'static str],
    /// Whether it depends on the interleaving of threads; it states how many rounds it ran, and
    /// is INCONCLUSIVE where it never came to the point.
    pub probabilistic: bool,
    /// The method whose part of a [`Property`](crate::Property) it is.
    pub method: Option<Method>,
    /// The version of the catalogue that it came with.
    pub since: Version,
    pub(crate) run: Run,
}

/// The steps of a rule.
pub(crate) type Run = for<'a> fn(&'a Context) -> BoxFuture<'a, Result<(), Failure>>;

impl Rule {
    /// A rule for every store, to be filled in.
    pub(crate) const MUST: Self = Self {
        id: "",
        name: "",
        level: Level::Must,
        needs: &[],
        sentence: "",
        why: "",
        hint: "",
        catches: &[],
        probabilistic: false,
        method: None,
        since: Version::V0_1,
        run: |_| Box::pin(std::future::ready(Ok(()))),
    };

    /// A rule for the stores that declare what it needs, to be filled in.
    pub(crate) const CAPABILITY: Self = Self {
        level: Level::Capability,
        ..Self::MUST
    };

    /// A recommendation, to be filled in.
    pub(crate) const SHOULD: Self = Self {
        level: Level::Should,
        ..Self::MUST
    };

    /// The group: the letters of the id.
    #[must_use]
    pub fn group(&self) -> &'static str {
        self.id.split_once('-').map_or(self.id, |(group, _)| group)
    }

    /// The name of its test, as in `get_01_unknown_id_is_none`.
    #[must_use]
    pub fn test_name(&self) -> String {
        format!(
            "{}_{}",
            self.id.to_ascii_lowercase().replace('-', "_"),
            self.name
        )
    }

    /// Whether a store that breaks it does not conform to `catalogue`. From 1.0 on, a rule that
    /// comes with a minor version warns in that version and binds from the next one; before, a
    /// minor version may ask for more.
    #[must_use]
    pub fn binds(&self, catalogue: Version) -> bool {
        let probation = self.since == catalogue && self.since.major > 0 && self.since.minor > 0;
        self.level != Level::Should && !probation
    }

    /// The needs of this rule that are not met, with their standing; absent ones first, since a
    /// rule that does not apply cannot be missed.
    pub(crate) fn unmet(
        &self,
        store: &Capabilities,
        backend: &Backend,
    ) -> Option<(Need, Standing)> {
        let unmet = || {
            self.needs
                .iter()
                .map(|need| (*need, need.standing(store, backend)))
                .filter(|(_, standing)| *standing != Standing::Met)
        };
        unmet()
            .find(|(_, standing)| matches!(standing, Standing::Absent(_)))
            .or_else(|| unmet().next())
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rule({})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_rule_warns_for_one_minor_version() {
        let version = |major, minor| Version { major, minor };
        let rule = Rule {
            since: version(1, 2),
            ..Rule::MUST
        };
        assert!(!rule.binds(version(1, 2)));
        assert!(rule.binds(version(1, 3)));
        assert!(rule.binds(version(2, 0)));
        let before_1_0 = Rule {
            since: version(0, 2),
            ..Rule::MUST
        };
        assert!(before_1_0.binds(version(0, 2)));
        assert!(Rule::MUST.binds(version(0, 1)));
        assert!(!Rule::SHOULD.binds(version(0, 1)));
    }
}
