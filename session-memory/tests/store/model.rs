use std::collections::{BTreeMap, BTreeSet};

use crate::*;
use futures_util::TryStreamExt;
use session_core::{Created, Replaced, Touched};

/// A xorshift generator: the same numbers in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as u32 % end
    }
}

/// What the store is to do, in the plainest form.
struct Model {
    sessions: BTreeMap<u32, (Record, Option<SystemTime>)>,
    clock: Clock,
    default_ttl: Option<Duration>,
}

impl Model {
    fn end(&self, expires: Option<SystemTime>) -> Option<SystemTime> {
        expires.or_else(|| Some(self.clock.now() + self.default_ttl?))
    }

    fn drop_expired(&mut self) {
        let now = self.clock.now();
        self.sessions
            .retain(|_, (_, end)| end.is_none_or(|end| end > now));
    }

    fn write(&mut self, name: u32, record: &Record) {
        let end = self.end(record.expires());
        self.sessions.insert(name, (record.clone(), end));
        self.drop_expired();
    }
}

fn check(store: &MemoryStore, model: &Model, name: u32) {
    let expected = model.sessions.get(&name);
    let read = get(store, name);
    assert_eq!(read.as_ref(), expected.map(|(record, _)| record));
    assert_eq!(
        read.and_then(|read| read.stored_expires()),
        expected.and_then(|(_, end)| *end)
    );
}

fn run(seed: u64, shards: usize, default_ttl: Option<Duration>) {
    let (store, clock) = build(|builder| builder.shards(shards).ttl(default_ttl));
    let mut model = Model {
        sessions: BTreeMap::new(),
        clock: clock.clone(),
        default_ttl,
    };
    let mut numbers = Numbers(seed);
    for step in 0..6_000 {
        model.drop_expired();
        let name = numbers.below(120);
        let expires = match numbers.below(8) {
            0 => None,
            1 => Some(clock.now() - SECOND),
            _ => Some(clock.now() + numbers.below(5_000) * MILLISECOND),
        };
        let new = record(numbers.below(3), expires);
        let current = model.sessions.get(&name).cloned();
        match numbers.below(20) {
            0..5 => {
                set(&store, name, &new);
                model.write(name, &new);
            }
            5..8 => {
                let created = ready(store.create(&id(name), &new)).unwrap();
                assert_eq!(created == Created::Exists, current.is_some());
                if created == Created::Created {
                    model.write(name, &new);
                }
            }
            8..11 => {
                let old = record(
                    numbers.below(3),
                    current.as_ref().and_then(|c| c.0.expires()),
                );
                let replaced = ready(store.replace(&id(name), &old, &new)).unwrap();
                assert_eq!(
                    replaced,
                    match &current {
                        None => Replaced::Missing,
                        Some((current, _)) if current.same_json(&old) => Replaced::Replaced,
                        Some(_) => Replaced::Conflict,
                    }
                );
                if replaced == Replaced::Replaced {
                    model.write(name, &new);
                }
            }
            11..14 => {
                let touched = ready(store.touch(&id(name), new.cookie())).unwrap();
                assert_eq!(touched == Touched::Touched, current.is_some());
                let end = model.end(expires);
                if let Some((record, model_end)) = model.sessions.get_mut(&name) {
                    record.touch(new.cookie(), end);
                    *model_end = end;
                }
                model.drop_expired();
            }
            14..16 => {
                ready(store.destroy(&id(name))).unwrap();
                model.sessions.remove(&name);
            }
            16 => {
                let before = stored(&store);
                let limit = numbers.below(6) as usize;
                let swept = ready(store.sweep(limit)).unwrap();
                assert!(swept.removed <= limit);
                assert_eq!(stored(&store), before - swept.removed);
                assert_eq!(swept.more, stored(&store) > model.sessions.len());
            }
            17 => clock.advance(numbers.below(800) * MILLISECOND),
            18 => assert_eq!(length(&store), model.sessions.len() as u64),
            _ if step % 50 == 0 => {
                ready(store.clear()).unwrap();
                model.sessions.clear();
            }
            _ => {
                let ids: Vec<_> = ready(store.ids().try_collect()).unwrap();
                let names: BTreeSet<u32> =
                    ids.iter().map(|id| id.as_str().parse().unwrap()).collect();
                assert_eq!(ids.len(), names.len());
                assert!(names.iter().eq(model.sessions.keys()));
            }
        }
        model.drop_expired();
        check(&store, &model, name);
        check(&store, &model, numbers.below(120));
    }
}

#[test]
fn behaves_as_a_plain_map_does() {
    for seed in [3, 41, 592, 6_535] {
        for shards in [1, 4, 64] {
            run(seed, shards, None);
            run(seed, shards, Some(2 * SECOND));
        }
    }
}
