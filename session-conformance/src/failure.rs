//! How a rule ends when it does not pass.

use std::fmt::Display;

use crate::NotRun;

/// Why a rule stopped.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// The store broke the rule.
    Broken(Box<Finding>),
    /// The environment is missing.
    NotRun(String),
    /// The rule ran, but did not come to the point: too slow a machine, an interleaving that did
    /// not happen.
    Inconclusive(String),
}

/// What was expected and what was found.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) expected: String,
    pub(crate) found: String,
}

impl Failure {
    pub(crate) fn new(expected: impl Display, found: impl Display) -> Self {
        Self::Broken(Box::new(Finding {
            expected: expected.to_string(),
            found: found.to_string(),
        }))
    }

    pub(crate) fn inconclusive(reason: impl Display) -> Self {
        Self::Inconclusive(reason.to_string())
    }

    /// The text of a caught panic.
    pub(crate) fn panicked(who: &str, payload: &(dyn std::any::Any + Send)) -> Self {
        let text = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("without a text");
        Self::new(
            "an answer or an error; a store never panics",
            format_args!("{who} panicked: {text}"),
        )
    }
}

impl From<NotRun> for Failure {
    fn from(missing: NotRun) -> Self {
        Self::NotRun(missing.0)
    }
}

/// `Ok` if `holds`, otherwise a failure with what was expected and what was found instead.
pub(crate) fn ensure(
    holds: bool,
    expected: impl Display,
    found: impl Display,
) -> Result<(), Failure> {
    if holds {
        Ok(())
    } else {
        Err(Failure::new(expected, found))
    }
}
