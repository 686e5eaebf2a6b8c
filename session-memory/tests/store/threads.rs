use std::thread;

use crate::*;
use session_core::{Created, Replaced};

const THREADS: u32 = 8;

#[test]
fn no_increment_is_lost() {
    let store = MemoryStore::new();
    set(&store, "a", &record(0, None));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| (0..1_000).for_each(|_| increment(&store)));
        }
    });
    assert_eq!(
        value(&get(&store, "a").unwrap()),
        (THREADS * 1_000).to_string()
    );
}

fn increment(store: &MemoryStore) {
    loop {
        let old = get(store, "a").unwrap();
        let next = record(value(&old).parse::<u32>().unwrap() + 1, None);
        match ready(store.replace(&id("a"), &old, &next)).unwrap() {
            Replaced::Replaced => return,
            Replaced::Conflict => {}
            Replaced::Missing => panic!("the session is there"),
        }
    }
}

#[test]
fn one_of_many_creates_wins() {
    let store = MemoryStore::new();
    for round in 0..500 {
        let created: Vec<_> = thread::scope(|scope| {
            let create = |thread| {
                let store = &store;
                move || ready(store.create(&id(round), &record(thread, None))).unwrap()
            };
            let threads: Vec<_> = (0..4).map(|thread| scope.spawn(create(thread))).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        let won = created
            .iter()
            .position(|created| *created == Created::Created);
        assert_eq!(
            value(&get(&store, round).unwrap()),
            won.unwrap().to_string()
        );
        assert_eq!(
            created
                .iter()
                .filter(|created| **created == Created::Created)
                .count(),
            1
        );
    }
}

#[test]
fn the_bound_holds_under_load() {
    let store = MemoryStore::builder().max_sessions(50).shards(4).build();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let store = &store;
            scope.spawn(move || {
                for number in 0..2_000 {
                    let name = format!("{thread}-{}", number % 40);
                    set(store, &name, &record(number, None));
                    if number % 7 == 0 {
                        ready(store.destroy(&id(&name))).unwrap();
                    }
                }
            });
        }
    });
    assert!(stored(&store) <= 50);
    // Every place is still known: the store can be filled to its bound and no further.
    for number in 0..200 {
        set(&store, number, &record(number, None));
    }
    assert_eq!(stored(&store), 50);
}

#[test]
fn a_panic_elsewhere_does_no_harm() {
    let store = MemoryStore::new();
    let handle = store.clone();
    let panicked = thread::spawn(move || {
        set(&handle, "a", &record(1, None));
        panic!("expected by the test");
    });
    assert!(panicked.join().is_err());
    assert!(get(&store, "a").is_some());
}
