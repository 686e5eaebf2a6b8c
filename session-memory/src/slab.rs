//! The sessions of a shard, side by side and without holes.

use session_core::{Record, SessionId};

/// Slots per chunk: about 6 KiB, so that a growing shard neither copies nor doubles.
const CHUNK: usize = 64;

/// A slot that has no deadline.
pub(crate) const NO_DEADLINE: u32 = u32::MAX;

/// One session, placed so that it never spans three cache lines.
#[derive(Debug)]
#[repr(align(32))]
pub(crate) struct Slot {
    pub(crate) id: SessionId,
    pub(crate) record: Record,
    /// Its place among the shard's deadlines, or [`NO_DEADLINE`].
    pub(crate) deadline: u32,
}

/// A vector in chunks. Removing moves the last slot into the hole, so that memory follows the
/// number of sessions whichever of them end.
#[derive(Debug, Default)]
pub(crate) struct Slab {
    /// Thin pointers, so that the list of chunks stays in the cache.
    chunks: Vec<Box<[Option<Slot>; CHUNK]>>,
    len: usize,
}

impl Slab {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.chunks.iter().flat_map(|chunk| chunk.iter()).flatten()
    }

    pub(crate) fn get(&self, at: u32) -> &Slot {
        let at = at as usize;
        let slot = self.chunks[at / CHUNK][at % CHUNK].as_ref();
        slot.expect("a slot in use")
    }

    pub(crate) fn get_mut(&mut self, at: u32) -> &mut Slot {
        self.place(at as usize).as_mut().expect("a slot in use")
    }

    /// Appends a slot and says where it is.
    pub(crate) fn push(&mut self, slot: Slot) -> u32 {
        let at = u32::try_from(self.len).expect("a shard holds fewer than 2^32 sessions");
        if self.len == self.chunks.len() * CHUNK {
            self.chunks.push(Box::new([const { None }; CHUNK]));
        }
        *self.place(self.len) = Some(slot);
        self.len += 1;
        at
    }

    /// Takes a slot out; the last one, if it was another, is then at `at`.
    pub(crate) fn swap_remove(&mut self, at: u32) -> Slot {
        self.len -= 1;
        let last = self.place(self.len).take();
        // One empty chunk is kept, so that a shard at the edge of a chunk does not allocate each
        // time.
        let kept = self.len.div_ceil(CHUNK) + 1;
        if kept < self.chunks.len() {
            self.chunks.truncate(kept);
            self.chunks.shrink_to(2 * kept);
        }
        let removed = if at as usize == self.len {
            last
        } else {
            std::mem::replace(self.place(at as usize), last)
        };
        removed.expect("a slot in use")
    }

    /// Lets two different slots change places.
    pub(crate) fn swap(&mut self, one: u32, other: u32) {
        let moved = self.place(one as usize).take();
        let back = std::mem::replace(self.place(other as usize), moved);
        *self.place(one as usize) = back;
    }

    fn place(&mut self, at: usize) -> &mut Option<Slot> {
        &mut self.chunks[at / CHUNK][at % CHUNK]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use session_core::{Data, SessionCookie};

    fn slot(id: usize) -> Slot {
        Slot {
            id: SessionId::new(id.to_string()).unwrap(),
            record: Record::new(SessionCookie::new(), &Data::new()),
            deadline: NO_DEADLINE,
        }
    }

    fn ids(slab: &Slab) -> Vec<&str> {
        slab.iter().map(|slot| slot.id.as_str()).collect()
    }

    #[test]
    fn the_last_slot_fills_the_hole() {
        let mut slab = Slab::default();
        for id in 0..4 {
            slab.push(slot(id));
        }
        assert_eq!(slab.swap_remove(1).id.as_str(), "1");
        assert_eq!(ids(&slab), ["0", "3", "2"]);
        slab.swap(0, 2);
        assert_eq!(ids(&slab), ["2", "3", "0"]);
        slab.swap(2, 0);
        assert_eq!(slab.swap_remove(2).id.as_str(), "2");
        assert_eq!(ids(&slab), ["0", "3"]);
    }

    #[test]
    fn memory_follows_the_number_of_slots() {
        let mut slab = Slab::default();
        for id in 0..10 * CHUNK {
            assert_eq!(slab.push(slot(id)) as usize, id);
        }
        assert_eq!(slab.chunks.len(), 10);
        for _ in 0..9 * CHUNK {
            slab.swap_remove(0);
        }
        assert_eq!((slab.len(), slab.chunks.len()), (CHUNK, 2));
    }

    #[test]
    fn the_size_of_a_slot_is_known() {
        assert_eq!(size_of::<Option<Slot>>(), 96);
    }
}
