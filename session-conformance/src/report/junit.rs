//! The report for continuous integration: the XML of `JUnit`.

use std::fmt::Write;

use super::{Report, RuleResult, Verdict};

impl Report {
    /// The report as the XML of `JUnit`. What was not run is an `error`, unless that is
    /// [allowed](crate::Options::allow_incomplete); NOT SUPPORTED and warnings are `skipped` with
    /// the reason, so that neither looks like a pass.
    #[must_use]
    pub fn to_junit(&self) -> String {
        let not_run = self.count(Verdict::NotRun);
        let (errors, allowed) = if self.allow_incomplete {
            (0, not_run)
        } else {
            (not_run, 0)
        };
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        let _ = writeln!(
            out,
            "<testsuites>\n  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{errors}\" \
             skipped=\"{}\" time=\"{:.3}\">",
            escape(&format!("session-conformance: {}", self.store)),
            self.results.len(),
            self.failures().count(),
            self.count(Verdict::NotSupported) + self.warnings().count() + allowed,
            self.elapsed.as_secs_f64(),
        );
        for result in &self.results {
            let _ = write!(
                out,
                "    <testcase classname=\"{}\" name=\"{}\" time=\"{:.3}\"",
                escape(&self.store),
                escape(&result.rule.test_name()),
                result.took.as_secs_f64(),
            );
            match self.child(result) {
                Some(child) => {
                    let _ = writeln!(out, ">\n      {child}\n    </testcase>");
                }
                None => out.push_str("/>\n"),
            }
        }
        out.push_str("  </testsuite>\n</testsuites>\n");
        out
    }

    fn child(&self, result: &RuleResult) -> Option<String> {
        let reason = result.reason.as_deref().unwrap_or_default();
        let (element, message, body) = match result.verdict {
            Verdict::Pass => return None,
            Verdict::Fail => {
                let binds = self.binds(result.rule);
                let element = if binds { "failure" } else { "skipped" };
                let body = self.failure_text(result);
                (element, result.rule.sentence, body)
            }
            Verdict::NotRun if !self.allow_incomplete => ("error", reason, String::new()),
            Verdict::NotSupported | Verdict::NotRun => ("skipped", reason, String::new()),
        };
        let word = self.word(result);
        Some(format!(
            "<{element} type=\"{word}\" message=\"{}\">{}</{element}>",
            escape(&format!("{word}: {message}")),
            escape(&body)
        ))
    }
}

/// Text for an attribute or an element; characters that XML cannot hold become U+FFFD.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\r' => out.push_str("&#13;"),
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_breaks_the_xml() {
        assert_eq!(
            escape("a\0<b>&\"\n\u{1f600}"),
            "a\u{fffd}&lt;b&gt;&amp;&quot;&#10;\u{1f600}"
        );
    }
}
