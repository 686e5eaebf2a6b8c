//! The whole suite at once, as a program that embeds it runs it: one wait for all expiries.

use std::time::{Duration, Instant};

use session_conformance::{Options, run};

use crate::support::harness::SingleNode;

#[test]
fn the_whole_suite_passes_within_ten_seconds() {
    let started = Instant::now();
    let report = run(SingleNode, Options::new());
    let took = started.elapsed();
    println!("{}\n{took:?}", report.to_text());
    assert_eq!(report.exit_code(), 0, "\n{}", report.to_text());
    assert!(took < Duration::from_secs(10), "it took {took:?}");
}
