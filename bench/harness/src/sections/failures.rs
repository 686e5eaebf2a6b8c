//! What others got wrong.

use crate::stack::{Program, Stack};

/// Peers that failed. This project and what is written by hand may not; a peer that does is no
/// reason to measure nothing else, but the tables say so.
#[derive(Debug, Default)]
pub(super) struct Failures(Vec<String>);

impl Failures {
    /// Keeps a peer's failure. Any other is an error.
    pub(super) fn note(&mut self, stack: Stack, result: Result<(), String>) -> Result<(), String> {
        match result {
            Err(error) if !matches!(stack.program, Program::Ours | Program::Limit) => {
                eprintln!("failed: {error}");
                self.0.push(error);
                Ok(())
            }
            result => result,
        }
    }

    /// A sentence for the reader of the tables, or nothing.
    pub(super) fn sentence(&self) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        format!(
            " Failed, and was not measured further in that round: {}.",
            self.0.join("; ")
        )
    }
}
