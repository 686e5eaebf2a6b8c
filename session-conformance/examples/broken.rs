//! Runs rules against a deliberately broken store, to see what a failure looks like:
//!
//! ```text
//! cargo run -p session-conformance --features self-check --example broken -- ErrOnMissing GET-01
//! ```
//!
//! More rules (or groups) and `--seed N` may follow. Without a rule it runs all of them; without a store it lists the stores.

use std::process::ExitCode;

use session_conformance::Options;
use session_conformance::broken::Broken;

#[expect(clippy::print_stdout, reason = "a command line")]
fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let Some(broken) = Broken::named(&name) else {
        for broken in Broken::every() {
            println!("{:<24} {}", broken.name, broken.bug);
        }
        return ExitCode::from(64);
    };
    let mut options = Options::new();
    while let Some(argument) = arguments.next() {
        options = match &*argument {
            "--seed" => match arguments.next().and_then(|seed| seed.parse().ok()) {
                Some(seed) => options.seed(seed),
                None => return ExitCode::from(64),
            },
            _ => options.filter(argument),
        };
    }
    let report = broken.run(&options);
    print!("{}", report.to_text());
    ExitCode::from(report.exit_code())
}
