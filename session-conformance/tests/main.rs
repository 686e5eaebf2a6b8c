//! The reference store under a `harness = false` main, as a store author uses it.

use std::process::ExitCode;

use session_conformance::reference::ReferenceHarness;

fn main() -> ExitCode {
    session_conformance::main(ReferenceHarness::default())
}
