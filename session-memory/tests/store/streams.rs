use std::collections::BTreeSet;

use crate::*;
use futures_util::{StreamExt, TryStreamExt};

fn filled(count: u64) -> (MemoryStore, Clock) {
    let (store, clock) = store();
    for number in 0..count {
        set(&store, number, &record(number, Some(start() + SECOND)));
    }
    (store, clock)
}

#[test]
fn all_and_ids_give_each_live_session_once() {
    let (store, clock) = filled(1_200);
    for number in 0..100 {
        let _ = ready(store.touch(&id(number), &cookie(Some(start() + 2 * SECOND)))).unwrap();
    }
    for live in [1_200, 100] {
        let all: Vec<_> = ready(store.all().try_collect()).unwrap();
        let ids: Vec<_> = ready(store.ids().try_collect()).unwrap();
        assert!(all.iter().map(|(id, _)| id).eq(&ids));
        assert!(all.iter().all(|(id, record)| id.as_str() == value(record)));
        let distinct: BTreeSet<_> = ids.iter().map(SessionId::as_str).collect();
        assert_eq!((distinct.len(), ids.len()), (live, live));
        clock.advance(SECOND);
    }
    clock.advance(SECOND);
    assert_eq!(ready(store.all().count()), 0);
}

#[test]
fn sessions_that_come_and_go_meanwhile_disturb_no_other() {
    let (store, _) = filled(1_000);
    let mut seen = BTreeSet::new();
    let mut all = store.all();
    while let Some(item) = ready(all.next()) {
        let (id, _) = item.unwrap();
        assert!(seen.insert(id.as_str().to_owned()), "seen twice");
        // Each removal moves another session within its shard.
        let number: u64 = id.as_str().parse().unwrap();
        if number.is_multiple_of(3) {
            ready(store.destroy(&id)).unwrap();
        }
        ready(store.destroy(&crate::id((number + 3) / 3 * 3))).unwrap();
        set(&store, number + 10_000, &record(number + 10_000, None));
    }
    for number in (0..1_000).filter(|number| number % 3 != 0) {
        assert!(seen.contains(&number.to_string()), "{number} was left out");
    }
}

#[test]
fn what_ends_before_its_turn_is_left_out() {
    let (store, clock) = filled(1_000);
    let mut ids = store.ids();
    assert!(ready(ids.next()).is_some());
    clock.advance(SECOND);
    assert!(ready(ids.next()).is_none());
    assert!(ready(ids.next()).is_none());
}
