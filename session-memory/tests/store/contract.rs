use crate::*;
use session_core::{Created, Replaced, StoredExpiry, Touched};

#[test]
fn a_record_comes_back_as_it_is_and_shares_its_text() {
    let (store, _) = store();
    assert_eq!(get(&store, "a"), None);
    let record = record("x", Some(start() + SECOND));
    let other_handle = store.clone();
    set(&other_handle, "a", &record);
    let read = get(&store, "a").unwrap();
    assert_eq!(read, record);
    assert_eq!(read.stored_expires(), record.expires());
    assert!(std::sync::Arc::ptr_eq(
        read.shared_json(),
        record.shared_json()
    ));
}

#[test]
fn set_replaces_the_record_and_its_expiry() {
    let (store, clock) = store();
    let ends = [Some(9), Some(1), None, Some(5)];
    for (number, end) in ends.into_iter().enumerate() {
        let record = record(number, end.map(|end| start() + end * SECOND));
        set(&store, "a", &record);
        assert_eq!(get(&store, "a"), Some(record));
        assert_eq!(length(&store), 1);
    }
    clock.advance(5 * SECOND);
    assert_eq!(get(&store, "a"), None);
}

#[test]
fn ids_of_every_form_stay_apart() {
    let (store, _) = store();
    let long = "x".repeat(10_240);
    let ids = [
        "a", "A", "a ", "aa", "a:", "*", "a\0b", "é", "e\u{301}", &long,
    ];
    for name in ids {
        set(&store, name, &record(name, None));
    }
    for name in ids {
        assert_eq!(value(&get(&store, name).unwrap()), name);
    }
    assert_eq!(length(&store), 10);
}

#[test]
fn destroy_removes_one_session_expired_or_not_known_or_not() {
    let (store, clock) = store();
    set(&store, "a", &record(1, None));
    set(&store, "b", &record(2, Some(start() + SECOND)));
    clock.advance(SECOND);
    for name in ["a", "b", "a", "never"] {
        ready(store.destroy(&id(name))).unwrap();
        assert_eq!(get(&store, name), None);
    }
    assert_eq!(stored(&store), 0);
}

#[test]
fn touch_moves_the_expiry_and_nothing_else() {
    let (store, clock) = store();
    let original = record("x", Some(start() + 10 * SECOND));
    set(&store, "a", &original);
    let mut elsewhere = cookie(Some(start() + 20 * SECOND));
    elsewhere.set_path("/elsewhere");
    assert_eq!(
        ready(store.touch(&id("a"), &elsewhere)).unwrap(),
        Touched::Touched
    );
    clock.advance(10 * SECOND);

    let read = get(&store, "a").unwrap();
    assert_eq!(read.expires(), elsewhere.expires());
    assert_eq!(read.stored_expires(), elsewhere.expires());
    assert_eq!(read.json(), original.json());
    assert_eq!(read.cookie().path(), "/");
    assert_eq!(
        read.cookie().original_max_age(),
        original.cookie().original_max_age()
    );
    clock.advance(10 * SECOND);
    assert_eq!(get(&store, "a"), None);
}

#[test]
fn touch_can_shorten_and_remove_the_expiry() {
    let (store, clock) = build(|builder| builder.ttl(None));
    for name in ["short", "none", "past"] {
        set(&store, name, &record(name, Some(start() + 10 * SECOND)));
    }
    let touch = |name, end| ready(store.touch(&id(name), &cookie(end))).unwrap();
    assert_eq!(touch("short", Some(start() + SECOND)), Touched::Touched);
    assert_eq!(touch("none", None), Touched::Touched);
    assert_eq!(touch("past", Some(start())), Touched::Touched);
    assert_eq!(get(&store, "past"), None);
    assert_eq!(get(&store, "none").unwrap().expires(), None);

    clock.advance(SECOND);
    assert_eq!(get(&store, "short"), None);
    clock.advance(3_650 * 86_400 * SECOND);
    assert!(get(&store, "none").is_some());
}

#[test]
fn touch_creates_nothing_and_revives_nothing() {
    let (store, clock) = store();
    let later = cookie(Some(start() + 60 * SECOND));
    set(&store, "expired", &record(1, Some(start() + SECOND)));
    set(&store, "destroyed", &record(2, None));
    ready(store.destroy(&id("destroyed"))).unwrap();
    clock.advance(SECOND);
    for name in ["unknown", "expired", "destroyed"] {
        assert_eq!(
            ready(store.touch(&id(name), &later)).unwrap(),
            Touched::Missing
        );
        assert_eq!(get(&store, name), None);
    }
}

#[test]
fn create_leaves_a_live_session_alone_and_takes_over_an_expired_one() {
    let (store, clock) = store();
    let create = |record: &Record| ready(store.create(&id("a"), record)).unwrap();
    assert_eq!(create(&record(1, Some(start() + SECOND))), Created::Created);
    assert_eq!(create(&record(2, None)), Created::Exists);
    assert_eq!(value(&get(&store, "a").unwrap()), "1");
    clock.advance(SECOND);
    assert_eq!(create(&record(3, None)), Created::Created);
    assert_eq!(value(&get(&store, "a").unwrap()), "3");
}

#[test]
fn replace_compares_the_text_and_not_the_expiry() {
    let (store, _) = store();
    let replace = |old: &Record, new: &Record| ready(store.replace(&id("a"), old, new)).unwrap();
    let (one, two, three) = (record(1, None), record(2, None), record(3, None));
    assert_eq!(replace(&one, &two), Replaced::Missing);
    assert_eq!(get(&store, "a"), None);

    set(&store, "a", &one);
    assert_eq!(replace(&two, &three), Replaced::Conflict);
    assert_eq!(get(&store, "a").as_ref(), Some(&one));

    let _ = ready(store.touch(&id("a"), &cookie(Some(start() + SECOND)))).unwrap();
    let decoded = Record::decode(one.json(), StoredExpiry::InJson).unwrap();
    assert_eq!(replace(&decoded, &two), Replaced::Replaced);
    assert_eq!(get(&store, "a").as_ref(), Some(&two));

    ready(store.destroy(&id("a"))).unwrap();
    assert_eq!(replace(&two, &three), Replaced::Missing);
    set(&store, "a", &three);
    assert_eq!(replace(&two, &one), Replaced::Conflict);
}

#[test]
fn clear_removes_everything_and_the_store_goes_on() {
    let (store, clock) = store();
    ready(store.clear()).unwrap();
    for number in 0..500 {
        set(
            &store,
            number,
            &record(number, Some(start() + number * SECOND)),
        );
    }
    clock.advance(100 * SECOND);
    ready(store.clear()).unwrap();
    ready(store.clear()).unwrap();
    assert_eq!((stored(&store), length(&store)), (0, 0));
    set(&store, 1, &record(1, None));
    assert_eq!((stored(&store), length(&store)), (1, 1));
}

#[test]
fn every_capability_is_declared() {
    let (store, _) = build(|builder| builder.ttl(SECOND));
    let capabilities = store.capabilities();
    assert!(capabilities.touch && capabilities.create && capabilities.replace);
    assert!(capabilities.length && capabilities.clear && capabilities.all && capabilities.sweep);
    assert!(!capabilities.durable && !capabilities.server_ttl);
    assert_eq!(capabilities.granularity, MILLISECOND);
    assert_eq!(capabilities.default_ttl, Some(SECOND));
}

#[test]
fn debug_shows_counts_only() {
    let (store, _) = store();
    set(&store, "secret-id", &record("secret-data", None));
    let debug = format!("{store:?}");
    assert!(!debug.contains("secret"), "{debug}");
    assert_eq!(stored(&store), 1);
}
