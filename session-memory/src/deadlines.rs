//! When the sessions of a shard are to be looked at again: a binary heap in which every entry
//! knows its slot and every slot its entry.
//!
//! A session has at most one entry, and nothing stale is left behind when it goes.

use crate::slab::{NO_DEADLINE, Slab};

/// Heaps below this size are not worth giving back.
const SMALL: usize = 64;

/// Twelve bytes: the time is kept as bytes so that it needs no alignment.
#[derive(Clone, Copy, Debug)]
struct Deadline {
    at: [u8; 8],
    slot: u32,
}

impl Deadline {
    fn new(at: i64, slot: u32) -> Self {
        Self {
            at: at.to_ne_bytes(),
            slot,
        }
    }

    fn at(self) -> i64 {
        i64::from_ne_bytes(self.at)
    }
}

/// Times are milliseconds since 1970.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    heap: Vec<Deadline>,
}

impl Deadlines {
    /// The earliest deadline and its slot.
    pub(crate) fn first(&self) -> Option<(i64, u32)> {
        self.heap.first().map(|first| (first.at(), first.slot))
    }

    /// When the entry at `position` is due.
    pub(crate) fn at(&self, position: u32) -> i64 {
        self.heap[position as usize].at()
    }

    pub(crate) fn push(&mut self, at: i64, slot: u32, slab: &mut Slab) {
        if self.heap.len() == self.heap.capacity() {
            // A quarter at a time: doubling would leave half of it empty.
            self.heap.reserve_exact(self.heap.len() / 4 + 4);
        }
        self.heap.push(Deadline::new(at, slot));
        self.sift_up(self.heap.len() - 1, slab);
    }

    /// Moves the entry at `position` to another time.
    pub(crate) fn reschedule(&mut self, position: u32, at: i64, slab: &mut Slab) {
        let position = position as usize;
        self.heap[position].at = at.to_ne_bytes();
        self.settle(position, slab);
    }

    /// Removes the entry at `position`; its slot has none from then on.
    pub(crate) fn remove(&mut self, position: u32, slab: &mut Slab) {
        let position = position as usize;
        let removed = self.heap.swap_remove(position);
        slab.get_mut(removed.slot).deadline = NO_DEADLINE;
        if position < self.heap.len() {
            self.settle(position, slab);
        }
        if self.heap.capacity() > SMALL && self.heap.len() < self.heap.capacity() / 4 {
            self.heap.shrink_to(self.heap.len() * 2);
        }
    }

    /// The slot of the entry at `position` is now at `slot`.
    pub(crate) fn slot_moved(&mut self, position: u32, slot: u32) {
        self.heap[position as usize].slot = slot;
    }

    fn settle(&mut self, position: usize, slab: &mut Slab) {
        if self.sift_up(position, slab) == position {
            self.sift_down(position, slab);
        }
    }

    /// Carries the entry at `position` towards the root as far as it has to go.
    fn sift_up(&mut self, mut position: usize, slab: &mut Slab) -> usize {
        let entry = self.heap[position];
        while position > 0 {
            let parent = (position - 1) / 2;
            if self.heap[parent].at() <= entry.at() {
                break;
            }
            self.put(position, self.heap[parent], slab);
            position = parent;
        }
        self.put(position, entry, slab);
        position
    }

    fn sift_down(&mut self, mut position: usize, slab: &mut Slab) {
        let entry = self.heap[position];
        loop {
            let left = 2 * position + 1;
            let Some(children) = self.heap.get(left..self.heap.len().min(left + 2)) else {
                break;
            };
            let Some((offset, child)) = children
                .iter()
                .enumerate()
                .min_by_key(|(_, child)| child.at())
            else {
                break;
            };
            if entry.at() <= child.at() {
                break;
            }
            let child = *child;
            self.put(position, child, slab);
            position = left + offset;
        }
        self.put(position, entry, slab);
    }

    fn put(&mut self, position: usize, entry: Deadline, slab: &mut Slab) {
        self.heap[position] = entry;
        slab.get_mut(entry.slot).deadline =
            u32::try_from(position).expect("there are no more deadlines than slots");
    }
}

#[cfg(test)]
impl Deadlines {
    /// The earliest is first, and entries and slots know each other.
    pub(crate) fn check(&self, slab: &Slab) {
        for (position, entry) in self.heap.iter().enumerate() {
            assert!(self.heap[position.saturating_sub(1) / 2].at() <= entry.at());
            assert_eq!(slab.get(entry.slot).deadline as usize, position);
        }
        let with_deadline = slab.iter().filter(|slot| slot.deadline != NO_DEADLINE);
        assert_eq!(with_deadline.count(), self.heap.len());
    }
}
