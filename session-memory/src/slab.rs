//! The sessions of a shard, side by side and without holes.

use session_core::{Record, SessionId};

/// Slots per chunk: about 6 KiB, so that a growing shard neither copies nor doubles.
const CHUNK: usize = 64;

/// A slot that has no deadline.
pub(crate) const NO_DEADLINE: u32 = u32::MAX;

/// One session.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) id: SessionId,
    pub(crate) record: Record,
    /// Its place among the shard's deadlines, or [`NO_DEADLINE`].
    pub(crate) deadline: u32,
    /// Whether it was used since it was last considered for eviction.
    pub(crate) used: bool,
}

/// A vector in chunks. Removing moves the last slot into the hole, so that memory follows the
/// number of sessions whichever of them end.
#[derive(Debug, Default)]
pub(crate) struct Slab {
    chunks: Vec<Vec<Slot>>,
    len: usize,
}

impl Slab {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.chunks.iter().flatten()
    }

    pub(crate) fn get(&self, at: u32) -> &Slot {
        let at = at as usize;
        &self.chunks[at / CHUNK][at % CHUNK]
    }

    pub(crate) fn get_mut(&mut self, at: u32) -> &mut Slot {
        let at = at as usize;
        &mut self.chunks[at / CHUNK][at % CHUNK]
    }

    /// Appends a slot and says where it is.
    pub(crate) fn push(&mut self, slot: Slot) -> u32 {
        let at = u32::try_from(self.len).expect("a shard holds fewer than 2^32 sessions");
        let chunk = self.len / CHUNK;
        if chunk == self.chunks.len() {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        self.chunks[chunk].push(slot);
        self.len += 1;
        at
    }

    /// Takes a slot out; the last one, if it was another, is then at `at`.
    pub(crate) fn swap_remove(&mut self, at: u32) -> Slot {
        self.len -= 1;
        let last = self.chunks[self.len / CHUNK].pop().expect("the last slot");
        // One empty chunk is kept, so that a shard at the edge of a chunk does not allocate each
        // time.
        let kept = self.len.div_ceil(CHUNK) + 1;
        if kept < self.chunks.len() {
            self.chunks.truncate(kept);
            self.chunks.shrink_to(2 * kept);
        }
        if at as usize == self.len {
            last
        } else {
            std::mem::replace(self.get_mut(at), last)
        }
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
            used: false,
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
        assert_eq!(size_of::<Slot>(), 96);
    }
}
