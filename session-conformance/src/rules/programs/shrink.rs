//! Makes a program that fails shorter and plainer, as long as it fails.
//!
//! By hand, and the programs with it. proptest 1.12 runs a test as a blocking closure, in which a
//! store's futures cannot be awaited on the runtime that watches them; driven from outside, what
//! is left of it takes a vector apart one element at a time, where each attempt costs a namespace
//! on a server. bolero 0.13 is made for fuzzers and shrinks the bytes that they give. Both would
//! bring a generator of random numbers into each store's tests, beside the seed that all rules have.

use super::program::{By, End, From, Step, What};

/// Programs that are shorter by a part, the largest parts first.
pub(super) fn shorter(steps: &[Step], part: usize) -> impl Iterator<Item = Vec<Step>> {
    // What comes last fails: what is before it goes first.
    (0..steps.len()).step_by(part.max(1)).map(move |from| {
        let to = (from + part.max(1)).min(steps.len());
        [&steps[..from], &steps[to..]].concat()
    })
}

/// Programs in which one step is plainer.
pub(super) fn plainer(steps: &[Step]) -> impl Iterator<Item = Vec<Step>> {
    (0..steps.len()).flat_map(move |at| {
        simpler(steps[at]).into_iter().map(move |step| {
            let mut steps = steps.to_vec();
            steps[at] = step;
            steps
        })
    })
}

fn simpler(step: Step) -> Vec<Step> {
    const HOUR: End = End::In(3_600_000);
    let Step::Call(by, what, fault) = step else {
        return Vec::new();
    };
    let mut simpler = Vec::new();
    if fault.is_some() {
        simpler.push(Step::Call(by, what, None));
    }
    if by == By::Second {
        simpler.push(Step::Call(By::First, what, fault));
    }
    let mut plain = |what: What| simpler.push(Step::Call(by, what, fault));
    match what {
        What::Set(id, value, end) => {
            if value != value.plainer() {
                plain(What::Set(id, value.plainer(), end));
            }
            if end != HOUR {
                plain(What::Set(id, value, HOUR));
            }
        }
        What::Create(id, value, end) => {
            if value != value.plainer() {
                plain(What::Create(id, value.plainer(), end));
            }
            if end != HOUR {
                plain(What::Create(id, value, HOUR));
            }
            plain(What::Set(id, value, end));
        }
        What::Touch(id, end) if end != HOUR => plain(What::Touch(id, HOUR)),
        What::Replace(id, from, value, end) => {
            if from != From::Current {
                plain(What::Replace(id, From::Current, value, end));
            }
            if value != value.plainer() {
                plain(What::Replace(id, from, value.plainer(), end));
            }
            if end != HOUR {
                plain(What::Replace(id, from, value, HOUR));
            }
        }
        _ => {}
    }
    simpler
}
