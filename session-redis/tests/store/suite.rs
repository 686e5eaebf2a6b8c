//! The whole suite at once, as a program that embeds it runs it: one wait for all expiries.

use std::time::{Duration, Instant};

use session_conformance::{Options, run};

use crate::support::harness::SingleNode;

/// A handful of seconds on a machine that does nothing else; the limit is for one that does.
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn the_whole_suite_passes_in_one_run() {
    let started = Instant::now();
    let report = run(SingleNode, Options::new());
    let took = started.elapsed();
    println!("{}\n{took:?}", report.to_text());
    assert_eq!(report.exit_code(), 0, "\n{}", report.to_text());
    assert!(took < LIMIT, "it took {took:?}");
}
