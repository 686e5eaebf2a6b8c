//! Where each session of a shard is: hashes and slots in one array, so that finding a session reads
//! one cache line here.
//!
//! Open addressing with linear probing in Robin Hood order: an entry gives its position up to one
//! that is further from home, so that a search ends early also when there is nothing to be found.

/// Arrays of this size are not worth giving back.
const SMALL: usize = 64;

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Kept here, so that a growing index need not read the slots.
    hash: u32,
    slot: u32,
}

impl Entry {
    const FREE: Self = Self {
        hash: 0,
        slot: u32::MAX,
    };

    fn is_free(self) -> bool {
        self.slot == u32::MAX
    }
}

#[derive(Debug, Default)]
pub(crate) struct Index {
    /// None at all, or a power of two, at most seven eighths in use.
    entries: Vec<Entry>,
    /// The last position that is searched: of all, but while the array is being halved.
    mask: usize,
    len: usize,
}

impl Index {
    /// The slot with this hash for which `is_it` holds.
    pub(crate) fn find(&self, hash: u32, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let position = self.position(hash, is_it)?;
        Some(self.entries[position].slot)
    }

    /// Adds a slot that is not there yet.
    pub(crate) fn insert(&mut self, hash: u32, slot: u32) {
        if self.len >= self.entries.len() / 8 * 7 {
            self.grow((self.entries.len() * 2).max(8));
        }
        self.place(Entry { hash, slot });
        self.len += 1;
    }

    pub(crate) fn remove(&mut self, hash: u32, slot: u32) {
        let mut position = self.position_of(hash, slot);
        // What follows in the run moves up, so that no mark of the removed entry has to stay.
        loop {
            let next = self.after(position);
            let entry = self.entries[next];
            if entry.is_free() || self.distance(entry, next) == 0 {
                break;
            }
            self.entries[position] = entry;
            position = next;
        }
        self.entries[position] = Entry::FREE;
        self.len -= 1;
        if self.entries.len() > SMALL && self.len < self.entries.len() / 4 {
            self.halve();
        }
    }

    /// The session at `from` is now at `to`.
    pub(crate) fn relocate(&mut self, hash: u32, from: u32, to: u32) {
        let position = self.position_of(hash, from);
        self.entries[position].slot = to;
    }

    /// The sessions at these two slots have changed places.
    pub(crate) fn swap(&mut self, one: (u32, u32), other: (u32, u32)) {
        let here = self.position_of(one.0, one.1);
        let there = self.position_of(other.0, other.1);
        self.entries[here].slot = other.1;
        self.entries[there].slot = one.1;
    }

    fn position_of(&self, hash: u32, slot: u32) -> usize {
        self.position(hash, |found| found == slot)
            .expect("every session is in the index")
    }

    fn position(&self, hash: u32, is_it: impl Fn(u32) -> bool) -> Option<usize> {
        if self.entries.is_empty() {
            return None;
        }
        let mut position = self.home(hash);
        for distance in 0.. {
            let entry = self.entries[position];
            if entry.is_free() || self.distance(entry, position) < distance {
                break;
            }
            if entry.hash == hash && is_it(entry.slot) {
                return Some(position);
            }
            position = self.after(position);
        }
        None
    }

    fn place(&mut self, mut entry: Entry) {
        let mut position = self.home(entry.hash);
        let mut distance = 0;
        loop {
            let here = self.entries[position];
            if here.is_free() {
                self.entries[position] = entry;
                return;
            }
            let closer = self.distance(here, position);
            if closer < distance {
                self.entries[position] = entry;
                (entry, distance) = (here, closer);
            }
            position = self.after(position);
            distance += 1;
        }
    }

    fn grow(&mut self, size: usize) {
        let old = std::mem::replace(&mut self.entries, vec![Entry::FREE; size]);
        self.mask = size - 1;
        for entry in old.into_iter().filter(|entry| !entry.is_free()) {
            self.place(entry);
        }
    }

    /// Halves the array in its place. Another one would have to be allocated while the shard is
    /// locked, and where a sweep frees very many records, that takes glibc milliseconds (measured):
    /// it sorts what was freed first.
    fn halve(&mut self) {
        let half = self.entries.len() / 2;
        let (lower, upper) = self.entries.split_at_mut(half);
        let mut free = upper.iter_mut().filter(|entry| entry.is_free());
        for entry in lower.iter_mut().filter(|entry| !entry.is_free()) {
            let place = free
                .next()
                .expect("all entries are fewer than half of these");
            *place = std::mem::replace(entry, Entry::FREE);
        }
        self.mask = half - 1;
        for position in half..2 * half {
            let entry = self.entries[position];
            if !entry.is_free() {
                self.place(entry);
            }
        }
        self.entries.truncate(half);
        self.entries.shrink_to_fit();
    }

    fn home(&self, hash: u32) -> usize {
        hash as usize & self.mask
    }

    fn after(&self, position: usize) -> usize {
        (position + 1) & self.mask
    }

    /// How far an entry at `position` is from its home.
    fn distance(&self, entry: Entry, position: usize) -> usize {
        position.wrapping_sub(self.home(entry.hash)) & self.mask
    }
}

#[cfg(test)]
impl Index {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn size(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_found_moved_and_removed_whatever_their_hashes() {
        // All different, all the same, and runs that go round the end.
        for hash in [|slot| slot * 0x9e37, |_| 7, |slot| u32::MAX - slot / 3] {
            let mut index = Index::default();
            assert_eq!(index.find(hash(0), |_| true), None);
            for slot in 0..500 {
                index.insert(hash(slot), slot);
            }
            for slot in (0..500).filter(|slot| slot % 3 == 0) {
                index.remove(hash(slot), slot);
            }
            for slot in (0..500).filter(|slot| slot % 3 == 1) {
                index.relocate(hash(slot), slot, slot + 1_000);
            }
            for slot in 0..500 {
                let find = |slot_now| index.find(hash(slot), |found| found == slot_now);
                assert_eq!(find(slot).is_some(), slot % 3 == 2);
                assert_eq!(find(slot + 1_000).is_some(), slot % 3 == 1);
            }
            assert_eq!(index.len(), 333);
        }
    }

    #[test]
    fn what_is_left_is_found_after_each_halving() {
        for hash in [|slot| slot * 0x9e37, |_| 7, |slot| u32::MAX - slot / 3] {
            let mut index = Index::default();
            for slot in 0..2_000 {
                index.insert(hash(slot), slot);
            }
            let mut size = index.size();
            for slot in 0..2_000 {
                index.remove(hash(slot), slot);
                if index.size() < size {
                    size = index.size();
                    for left in 0..2_000 {
                        let found = index.find(hash(left), |found| found == left);
                        assert_eq!(found.is_some(), left > slot, "{left}");
                    }
                }
            }
            assert_eq!((index.len(), index.size()), (0, SMALL));
        }
    }

    #[test]
    fn the_array_follows_the_number_of_entries() {
        let mut index = Index::default();
        for slot in 0..7 * 128 {
            index.insert(slot, slot);
        }
        assert_eq!(index.size(), 1_024);
        for slot in 0..7 * 128 {
            index.remove(slot, slot);
        }
        assert_eq!((index.len(), index.size()), (0, SMALL));
    }
}
