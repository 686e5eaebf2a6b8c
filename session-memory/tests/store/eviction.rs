use crate::*;
use futures_util::TryStreamExt;
use session_core::{Created, Touched};

/// The live sessions in order, without using any.
fn names(store: &MemoryStore) -> String {
    let ids: Vec<_> = ready(store.ids().try_collect()).unwrap();
    let mut names: Vec<_> = ids.iter().map(SessionId::as_str).collect();
    names.sort_unstable();
    names.concat()
}

#[test]
fn a_session_in_use_is_spared_once_in_each_round() {
    let (store, _) = build(|builder| builder.max_sessions(4));
    for name in ["a", "b", "c", "d"] {
        set(&store, name, &record(name, None));
    }
    // Read, touched, written: only "c" was not used.
    assert!(get(&store, "a").is_some());
    let touched = ready(store.touch(&id("b"), &cookie(None))).unwrap();
    assert_eq!(touched, Touched::Touched);
    set(&store, "d", &record("d", None));

    // The hand passes "a" and "b" and takes "c"; then it passes "d" and comes round to "a".
    let created = ready(store.create(&id("e"), &record("e", None))).unwrap();
    assert_eq!(created, Created::Created);
    assert_eq!(names(&store), "abde");
    set(&store, "f", &record("f", None));
    assert_eq!(names(&store), "bdef");
}

#[test]
fn an_expired_session_goes_before_a_live_one() {
    let (store, clock) = build(|builder| builder.max_sessions(4));
    for name in ["a", "b", "c", "d"] {
        let end = (name == "c").then_some(start() + SECOND);
        set(&store, name, &record(name, end));
    }
    assert!(get(&store, "c").is_some());
    clock.advance(SECOND);
    set(&store, "e", &record("e", None));
    assert_eq!(names(&store), "abde");
}

#[test]
fn writing_what_is_there_evicts_nothing() {
    let (store, _) = build(|builder| builder.max_sessions(2));
    set(&store, "a", &record(1, None));
    set(&store, "b", &record(1, None));
    for number in 0..10 {
        set(&store, "a", &record(number, None));
        assert_eq!(
            ready(store.create(&id("b"), &record(number, None))).unwrap(),
            Created::Exists
        );
    }
    set(&store, "ended", &record(1, Some(start())));
    assert_eq!(names(&store), "ab");
}

#[test]
fn the_bound_holds_for_any_number_of_shards_and_the_new_session_stays() {
    for (shards, max) in [(1, 1), (64, 1), (64, 3), (8, 100), (64, 1_000)] {
        let (store, _) = build(|builder| builder.shards(shards).max_sessions(max));
        for number in 0..3 * max {
            set(&store, number, &record(number, None));
            assert!(get(&store, number).is_some());
            assert_eq!(stored(&store), max.min(number + 1));
        }
        assert_eq!(length(&store), max as u64);
    }
    assert_eq!(stored(&build(|builder| builder.max_sessions(0)).0), 0);
}

#[test]
fn room_that_was_given_back_is_used_before_anything_is_evicted() {
    let (store, clock) = build(|builder| builder.max_sessions(200));
    let fill = |names: std::ops::Range<usize>, end| {
        for name in names {
            set(&store, name, &record(name, end));
        }
    };
    fill(0..200, None);
    (0..50).for_each(|name| ready(store.destroy(&id(name))).unwrap());
    fill(200..250, Some(start() + SECOND));
    assert_eq!(length(&store), 200);
    clock.advance(SECOND);
    let _ = ready(store.sweep(usize::MAX)).unwrap();
    fill(300..350, None);
    assert!((50..200).all(|name| get(&store, name).is_some()));
    ready(store.clear()).unwrap();
    fill(0..200, None);
    assert_eq!(length(&store), 200);
}

#[test]
fn sessions_in_use_survive_a_flood_of_new_ones() {
    let (store, _) = build(|builder| builder.max_sessions(2_000));
    for number in 0..200 {
        set(&store, number, &record(number, None));
    }
    for flood in 1_000..20_000 {
        set(&store, flood, &record(flood, None));
        assert!(get(&store, flood % 200).is_some(), "{flood}");
    }
}
