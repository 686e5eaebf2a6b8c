use std::sync::Arc;

use crate::*;

const NEVER: Duration = Duration::from_secs(1 << 30);

#[test]
fn it_gives_memory_back_without_anybody_reading() {
    let (store, clock) = store();
    let sweeper = store.sweeper(NEVER);
    let mut texts = Vec::new();
    for number in 0..10_000 {
        let record = record(number, Some(start() + SECOND));
        texts.push(Arc::downgrade(record.shared_json()));
        set(&store, number, &record);
    }
    set(
        &store,
        "stays",
        &record("stays", Some(start() + 2 * SECOND)),
    );
    sweeper.sweep_now();
    assert_eq!(stored(&store), 10_001);
    clock.advance(SECOND);
    sweeper.sweep_now();
    assert_eq!(stored(&store), 1);
    assert!(texts.iter().all(|text| text.strong_count() == 0));
    assert!(get(&store, "stays").is_some());
}

#[test]
fn it_wakes_by_itself() {
    let (store, clock) = store();
    let record = record(1, Some(start() + SECOND));
    set(&store, "a", &record);
    let text = Arc::downgrade(record.shared_json());
    drop(record);
    clock.advance(SECOND);
    let _sweeper = store.sweeper(MILLISECOND);
    while text.strong_count() > 0 {
        std::thread::yield_now();
    }
}

#[test]
fn it_stops_when_dropped_and_the_store_goes_on() {
    let (store, clock) = store();
    set(&store, "a", &record(1, Some(start() + SECOND)));
    drop(store.sweeper(MILLISECOND));
    clock.advance(SECOND);
    assert_eq!(stored(&store), 1);
    set(&store, "b", &record(2, None));
    assert!(get(&store, "b").is_some());
}

#[test]
fn it_does_not_keep_the_store_alive() {
    let (store, _) = store();
    let record = record(1, None);
    set(&store, "a", &record);
    let text = Arc::downgrade(record.shared_json());
    drop(record);
    let sweeper = store.sweeper(NEVER);
    drop(store);
    assert_eq!(text.strong_count(), 0);
    sweeper.sweep_now();
    sweeper.sweep_now();
}

#[test]
fn several_handles_can_sweep_at_once() {
    let (store, clock) = store();
    let sweepers = [store.sweeper(MILLISECOND), store.sweeper(NEVER)];
    for number in 0..2_000 {
        let end = start() + SECOND * (1 + u32::from(number % 2 == 0));
        set(&store, number, &record(number, Some(end)));
    }
    clock.advance(SECOND);
    std::thread::scope(|scope| {
        for sweeper in sweepers.iter().cycle().take(6) {
            scope.spawn(|| sweeper.sweep_now());
        }
    });
    assert_eq!(stored(&store), 1_000);
}
