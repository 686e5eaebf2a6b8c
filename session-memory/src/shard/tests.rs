use super::*;
use session_core::{Data, SessionCookie};
use std::time::Duration;

impl Shard {
    /// Everything that must hold between two operations.
    fn check(&self) {
        assert_eq!(self.index.len(), self.len());
        for (at, slot) in (0..).zip(self.slab.iter()) {
            let found = self.find(self.hasher.hash_one(&slot.id), &slot.id);
            assert_eq!(found, Some(at));
            if slot.deadline == NO_DEADLINE {
                assert_eq!(
                    end(&slot.record),
                    NEVER,
                    "a session that ends has a deadline"
                );
            } else {
                assert!(self.deadlines.at(slot.deadline) <= end(&slot.record));
            }
        }
        self.deadlines.check(&self.slab);
    }
}

fn id(number: u64) -> SessionId {
    SessionId::new(number.to_string()).unwrap()
}

fn record(end: i64) -> Record {
    let end = u64::try_from(end).ok().map(Duration::from_millis);
    let mut record = Record::new(SessionCookie::new(), &Data::new());
    record.touch(
        &SessionCookie::new(),
        end.map(|end| SystemTime::UNIX_EPOCH + end),
    );
    record
}

/// Random operations, many of them removals, with the whole shard checked after each.
#[test]
fn index_slots_and_deadlines_agree() {
    let hasher = RandomState::default();
    let mut shard = Shard::new(hasher.clone());
    let mut random = 1_u64;
    let mut below = |end: u64| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (random >> 33) % end
    };
    let mut most = 0;
    for now in 0..3_000 {
        // Long enough in one direction to grow past a chunk and to shrink again.
        let growing = now / 500 % 2 == 0;
        let id = id(below(400));
        let hash = hasher.hash_one(&id);
        let length = i64::try_from(below(600)).unwrap();
        let end = if below(9) == 0 { -1 } else { now + 1 + length };
        match shard.find(hash, &id) {
            None if growing && shard.len() > 150 => {
                let victim = shard.victim(now).unwrap();
                drop(shard.supplant(victim, hash, id, record(end)));
            }
            None if growing => shard.insert(hash, id, record(end)),
            None => {}
            Some(at) if growing || below(4) == 0 => match below(2) {
                0 => drop(shard.overwrite(at, record(end))),
                _ => {
                    let touched = record(end);
                    shard.touch(at, touched.cookie(), touched.stored_expires());
                }
            },
            Some(at) => drop(shard.remove(at)),
        }
        shard.check();
        let mut removed = ArrayVec::<_, 4>::new();
        let due = shard.reclaim(now, 4, 3, &mut removed);
        assert!(removed.iter().all(|record| has_expired(record, now)));
        let expired = shard.slab.iter().any(|slot| has_expired(&slot.record, now));
        match due {
            Due::Settled => assert!(!expired),
            Due::Expired => assert!(expired && removed.len() == 3),
            Due::Pending => {}
        }
        shard.check();
        most = most.max(shard.len());
    }
    assert_eq!(most, 151);
}

#[test]
fn a_shard_that_empties_shrinks() {
    let hasher = RandomState::default();
    let mut shard = Shard::new(hasher.clone());
    for number in 0..10_000 {
        let id = id(number);
        shard.insert(hasher.hash_one(&id), id, record(1));
    }
    while shard.len() > 0 {
        shard.remove(0);
    }
    assert!(shard.index.size() <= 64);
    shard.check();
}

#[test]
fn the_hand_spares_sessions_in_use_but_not_for_ever() {
    let hasher = RandomState::default();
    let mut shard = Shard::new(hasher.clone());
    assert_eq!(shard.victim(0), None);
    for number in 0..100 {
        let id = id(number);
        shard.insert(hasher.hash_one(&id), id, record(-1));
    }
    (0..3).for_each(|at| shard.mark_used(at));
    assert_eq!([shard.victim(0), shard.victim(0)], [Some(3), Some(4)]);
    (0..100).for_each(|at| shard.mark_used(at));
    assert_eq!(shard.victim(0), Some(5 + 64), "after 64 that were spared");
    shard.slab.get_mut(80).record = record(1);
    assert_eq!(shard.victim(1), Some(80), "it has expired");
    while shard.len() > 1 {
        shard.remove(0);
    }
    assert_eq!(shard.victim(0), Some(0));
}
