//! Runs rules against a deliberately broken store, to see what a failure looks like:
//!
//! ```text
//! cargo run -p session-conformance --features self-check --example broken -- ErrOnMissing GET-01
//! ```
//!
//! More rules (or groups) and `--seed N` may follow. Without a rule it runs all of them; without a store it lists the stores.

use std::process::ExitCode;

use session_conformance::broken::{Broken, Fault};
use session_conformance::{Method, Options};

#[expect(clippy::print_stdout, reason = "a command line")]
fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    // A fault and the method that has it, as in `CutsAt65535.replace`.
    let fault = name.split_once('.').and_then(|(fault, method)| {
        let method = Method::EVERY
            .into_iter()
            .find(|known| known.name() == method);
        Fault::named(fault).zip(method)
    });
    let broken = Broken::named(&name);
    if broken.is_none() && fault.is_none() {
        for broken in Broken::every() {
            println!("{:<24} {}", broken.name, broken.bug);
        }
        for fault in Fault::every() {
            println!("{:<24} {}", format!("{}.METHOD", fault.name), fault.bug);
        }
        return ExitCode::from(64);
    }
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
    let report = match (fault, broken) {
        (Some((fault, method)), _) => fault.run(method, &options),
        (None, Some(broken)) => broken.run(&options),
        (None, None) => return ExitCode::from(64),
    };
    print!("{}", report.to_text());
    ExitCode::from(report.exit_code())
}
