use super::*;
use session_core::{Data, SessionCookie};
use std::time::Duration;

impl Shard {
    /// Everything that must hold between two operations.
    fn check(&self) {
        assert_eq!(self.index.len(), self.len());
        assert!(self.returned as usize <= self.len());
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
            None if growing && shard.len() > 150 => match shard.victim() {
                Some(victim) => drop(shard.supplant(victim, hash, id, record(end))),
                None => drop(shard.remove(0)),
            },
            None if growing => shard.insert(hash, id, record(end)),
            None => {}
            Some(at) if growing || below(4) == 0 => match below(3) {
                0 => drop(shard.overwrite(at, record(end))),
                1 => {
                    let at = shard.keep(at);
                    assert_eq!(shard.find(hash, &id), Some(at));
                    assert!(at < shard.returned);
                }
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
    assert!(most >= 151, "{most}");
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
fn the_hand_goes_round_those_that_have_not_come_back() {
    let hasher = RandomState::default();
    let mut shard = Shard::new(hasher.clone());
    assert_eq!(shard.victim(), None);
    let find = |shard: &Shard, number| {
        let id = id(number);
        shard.find(hasher.hash_one(&id), &id).expect("it is there")
    };
    for number in 0..5 {
        let id = id(number);
        shard.insert(hasher.hash_one(&id), id, record(-1));
    }
    for number in [3, 0, 3] {
        let at = find(&shard, number);
        shard.keep(at);
    }
    let mut victims: Vec<_> = (0..6).map(|_| shard.victim().expect("three")).collect();
    assert_eq!(victims, [2, 3, 4, 2, 3, 4]);
    victims.truncate(3);
    assert!(
        [0, 3]
            .iter()
            .all(|&kept| !victims.contains(&find(&shard, kept)))
    );

    // One of each goes: the others stay what they are.
    drop(shard.remove(find(&shard, 3)));
    drop(shard.remove(find(&shard, 4)));
    shard.check();
    assert_eq!((find(&shard, 0), shard.returned, shard.len()), (0, 1, 3));
    for number in [1, 2] {
        let at = find(&shard, number);
        shard.keep(at);
    }
    assert_eq!(shard.victim(), None);
}
