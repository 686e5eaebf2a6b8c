use crate::*;
use futures_util::TryStreamExt;
use session_core::{Created, ErrorKind, Touched};

/// The live sessions in order, without using any.
fn names(store: &MemoryStore) -> String {
    let ids: Vec<_> = ready(store.ids().try_collect()).unwrap();
    let mut names: Vec<_> = ids.iter().map(SessionId::as_str).collect();
    names.sort_unstable();
    names.concat()
}

#[test]
fn a_session_that_has_come_back_is_never_evicted() {
    let (store, _) = build(|builder| builder.max_sessions(6).shards(1));
    for name in ["a", "b", "c", "d", "e", "f"] {
        set(&store, name, &record(name, None));
    }
    // Read, touched, read; to write it again, as its own request may, is no return.
    assert!(get(&store, "a").is_some());
    let touched = ready(store.touch(&id("c"), &cookie(None))).unwrap();
    assert_eq!(touched, Touched::Touched);
    assert!(get(&store, "e").is_some());
    set(&store, "f", &record("written again", None));
    assert!(ready(store.all().try_collect::<Vec<_>>()).unwrap().len() == 6);

    for number in 0..100 {
        let created = ready(store.create(&id(number), &record(number, None))).unwrap();
        assert_eq!(created, Created::Created);
        let left = names(&store);
        assert!(
            ["a", "c", "e"].iter().all(|name| left.contains(name)),
            "{left}"
        );
        assert_eq!(length(&store), 6);
        // The others go in turn: the three newest ones are there.
        if number >= 2 {
            let newest = [number - 2, number - 1, number];
            assert!(
                newest.iter().all(|new| left.contains(&new.to_string())),
                "{left}"
            );
        }
    }
}

#[test]
fn a_store_whose_sessions_have_all_come_back_refuses_new_ones() {
    for shards in [1, 4] {
        let (store, clock) = build(|builder| builder.max_sessions(8).shards(shards));
        for number in 0..8 {
            let end = (number == 3).then_some(start() + SECOND);
            set(&store, number, &record(number, end));
            assert!(get(&store, number).is_some());
        }
        let new = record("new", None);
        for (method, refused) in [
            ("set", ready(store.set(&id("new"), &new))),
            ("create", ready(store.create(&id("new"), &new)).map(drop)),
        ] {
            let error = refused.unwrap_err();
            assert_eq!(
                (error.kind(), error.operation()),
                (ErrorKind::Unavailable, method)
            );
            assert!(
                error.to_string().contains("holds its 8 sessions"),
                "{error}"
            );
        }
        // Those that are there go on.
        set(&store, 0, &record("changed", None));
        assert_eq!(value(&get(&store, 0).unwrap()), "changed");
        assert_eq!(length(&store), 8);

        // There is room again when one has ended, or was destroyed.
        clock.advance(SECOND);
        set(&store, "new", &new);
        assert!(get(&store, "new").is_some());
        assert!(ready(store.set(&id("newer"), &new)).is_err());
        ready(store.destroy(&id(5))).unwrap();
        set(&store, "newer", &new);
        assert_eq!(length(&store), 8);
    }
}

#[test]
fn an_expired_session_is_no_obstacle_wherever_it_is() {
    let (store, clock) = build(|builder| builder.max_sessions(4));
    for name in ["a", "b", "c", "d"] {
        let end = (name == "c").then_some(start() + SECOND);
        set(&store, name, &record(name, end));
        assert!(get(&store, name).is_some());
    }
    clock.advance(SECOND);
    set(&store, "e", &record("e", None));
    assert_eq!(names(&store), "abde");
}

/// Crawlers do not come back: by default they can fill 100,000 places, and no more.
#[test]
fn the_default_bound_holds_against_visitors_who_never_come_back() {
    let (store, _) = store();
    set(&store, "visitor", &record("cart", None));
    assert!(get(&store, "visitor").is_some());
    for number in 0..150_000 {
        set(&store, number, &record("", None));
    }
    assert_eq!(length(&store), 100_000);
    assert_eq!(value(&get(&store, "visitor").unwrap()), "cart");
}

#[test]
fn a_store_may_be_without_a_bound() {
    let (store, _) = build(|builder| builder.max_sessions(None).shards(1));
    for number in 0..100_001 {
        set(&store, number, &record("", None));
    }
    assert_eq!(length(&store), 100_001);
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
            assert!(names(&store).contains(&number.to_string()));
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
fn sessions_that_have_come_back_survive_a_flood_of_new_ones() {
    let (store, _) = build(|builder| builder.max_sessions(2_000));
    for number in 0..200 {
        set(&store, number, &record(number, None));
        assert!(get(&store, number).is_some());
    }
    for flood in 1_000..20_000 {
        set(&store, flood, &record(flood, None));
    }
    assert!((0..200).all(|number| get(&store, number).is_some()));
}
