//! Whether a history of reads and writes of one value has an order that explains it.

use std::collections::HashSet;

/// A value that was written: the number of the `set`, or `None` for a destroyed session.
pub(crate) type Value = Option<usize>;

/// What a call did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Register {
    /// `get`, and what it found.
    Read(Value),
    /// `set`, or `destroy` for `None`.
    Write(Value),
}

/// A call with the moments, on one clock for all, at which it began and ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Op {
    pub(crate) task: usize,
    pub(crate) handle: usize,
    pub(crate) what: Register,
    pub(crate) began: u64,
    pub(crate) ended: u64,
}

/// The calls of one round, at most 64, in the order of their beginnings. Before them there is
/// nothing. No value is written twice, but for `None`.
#[derive(Clone, Debug)]
pub(crate) struct History(Vec<Op>);

impl History {
    pub(crate) fn new(mut ops: Vec<Op>) -> Self {
        ops.sort_by_key(|op| op.began);
        assert!(ops.len() <= 64, "a set of calls is one word");
        Self(ops)
    }

    /// Whether two calls were under way at the same time.
    pub(crate) fn overlaps(&self) -> bool {
        self.0.windows(2).any(|pair| pair[1].began < pair[0].ended)
    }

    /// Whether the calls can be put in one order, each between its beginning and its end, in which
    /// each read finds what was written last.
    ///
    /// The search of Wing and Gong with the memory of Lowe: a set of calls that have been put in
    /// order and the value after them are looked at once.
    pub(crate) fn is_linearizable(&self) -> bool {
        let all = match self.0.len() {
            64 => u64::MAX,
            calls => (1 << calls) - 1,
        };
        let mut seen = HashSet::new();
        let mut open = vec![(0_u64, None)];
        while let Some((done, value)) = open.pop() {
            if done == all {
                return true;
            }
            if !seen.insert((done, value)) {
                continue;
            }
            let left = || {
                let left = self.0.iter().enumerate();
                left.filter(move |(n, _)| done & (1 << n) == 0)
            };
            // Nothing can come before a call that had ended when it began.
            let first_end = left().map(|(_, op)| op.ended).min().unwrap_or(u64::MAX);
            for (n, op) in left().filter(|(_, op)| op.began <= first_end) {
                match op.what {
                    Register::Read(found) if found != value => {}
                    Register::Read(_) => open.push((done | (1 << n), value)),
                    Register::Write(written) => open.push((done | (1 << n), written)),
                }
            }
        }
        false
    }

    /// As few calls as show that there is no order.
    ///
    /// Only what cannot be the reason is left out: if the rest has no order, then neither has the
    /// whole. A read can go. A write can go with the reads that may have found it. One of None
    /// can go alone if another write covered it before any of them began, since there is
    /// nothing at the start.
    pub(crate) fn shrunk(&self) -> Self {
        let mut smallest = self.clone();
        loop {
            let smaller = (0..smallest.0.len())
                .rev()
                .flat_map(|n| smallest.without(n))
                .find(|rest| !rest.is_linearizable());
            match smaller {
                Some(rest) => smallest = rest,
                None => return smallest,
            }
        }
    }

    fn without(&self, n: usize) -> Vec<Self> {
        let gone = self.0[n];
        let rest: Vec<Op> = (0..self.0.len())
            .filter(|other| *other != n)
            .map(|other| self.0[other])
            .collect();
        let Register::Write(value) = gone.what else {
            return vec![Self(rest)];
        };
        let may_have_found = |op: &Op| op.what == Register::Read(value) && op.ended > gone.began;
        let covered = rest.iter().any(|cover| {
            matches!(cover.what, Register::Write(_))
                && cover.began > gone.ended
                && rest
                    .iter()
                    .filter(|op| may_have_found(op))
                    .all(|op| op.began > cover.ended)
        });
        let unread = rest.iter().filter(|op| !may_have_found(op)).copied();
        let mut ways = vec![Self(unread.collect())];
        if covered && value.is_none() {
            ways.push(Self(rest));
        }
        ways
    }

    /// The calls in words.
    pub(crate) fn lines(&self) -> Vec<String> {
        let name = |value: Value| match value {
            None => "None".to_owned(),
            Some(usize::MAX) => "a value of before this round".to_owned(),
            Some(value) => format!("v{value}"),
        };
        self.0
            .iter()
            .map(|op| {
                let (began, ended, thread) = (op.began, op.ended, op.task);
                let handle = op.handle + 1;
                let call = match op.what {
                    Register::Read(found) => format!("get -> {}", name(found)),
                    Register::Write(None) => "destroy".to_owned(),
                    Register::Write(written) => format!("set {}", name(written)),
                };
                format!("[{began:>2} to {ended:>2}] thread {thread}: h{handle}.{call}")
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Register::{Read, Write};
    use super::*;

    fn history(ops: &[(Register, u64, u64)]) -> History {
        let op = |(what, began, ended): &(Register, u64, u64)| Op {
            task: 0,
            handle: 0,
            what: *what,
            began: *began,
            ended: *ended,
        };
        History::new(ops.iter().map(op).collect())
    }

    #[test]
    fn what_overlaps_may_be_in_either_order() {
        for found in [None, Some(1)] {
            let history = history(&[(Write(Some(1)), 0, 3), (Read(found), 1, 2)]);
            assert!(history.is_linearizable() && history.overlaps());
        }
        // Once seen, it stays.
        let back = history(&[
            (Write(Some(1)), 0, 9),
            (Read(Some(1)), 1, 2),
            (Read(None), 3, 4),
        ]);
        assert!(!back.is_linearizable());
    }

    #[test]
    fn what_ended_before_comes_before() {
        let stale = history(&[
            (Write(Some(1)), 0, 1),
            (Write(Some(2)), 2, 3),
            (Read(Some(1)), 4, 5),
        ]);
        assert!(!stale.is_linearizable() && !stale.overlaps());
        assert!(!history(&[(Read(Some(usize::MAX)), 0, 1)]).is_linearizable());
    }

    #[test]
    fn a_witness_has_what_it_takes_and_no_more() {
        let long = history(&[
            (Write(None), 0, 1),
            (Read(None), 2, 3),
            (Write(Some(1)), 4, 5),
            (Write(Some(2)), 6, 7),
            (Read(Some(2)), 8, 9),
            (Write(Some(3)), 10, 13),
            (Read(Some(2)), 11, 12),
            (Read(None), 14, 15),
            (Write(Some(4)), 16, 17),
        ]);
        let witness = long.shrunk();
        assert!(!witness.is_linearizable());
        let calls: Vec<_> = witness.0.iter().map(|op| op.what).collect();
        assert_eq!(calls.len(), 2, "{}", witness.lines().join("\n"));
        assert_eq!(calls[1], Read(None));
    }
}
