use crate::*;
use session_core::{Created, Replaced, StoredExpiry, Swept, Touched};

#[test]
fn a_session_is_gone_at_its_last_millisecond() {
    let (store, clock) = store();
    set(&store, "a", &record(1, Some(start() + SECOND)));
    clock.advance(SECOND - MILLISECOND);
    assert!(get(&store, "a").is_some());
    clock.advance(MILLISECOND);
    assert_eq!(get(&store, "a"), None);
    set(&store, "a", &record(2, Some(start() + 5 * SECOND)));
    assert_eq!(value(&get(&store, "a").unwrap()), "2");
}

#[test]
fn what_has_already_expired_leaves_nothing_live() {
    let before_1970 = SystemTime::UNIX_EPOCH - 5 * SECOND;
    for past in [
        start(),
        start() - SECOND,
        SystemTime::UNIX_EPOCH,
        before_1970,
    ] {
        let (store, _) = store();
        let (live, ended) = (record("live", None), record("ended", Some(past)));
        set(&store, "set", &live);
        set(&store, "set", &ended);
        assert_eq!(
            ready(store.create(&id("new"), &ended)).unwrap(),
            Created::Created
        );

        set(&store, "kept", &live);
        assert_eq!(
            ready(store.create(&id("kept"), &ended)).unwrap(),
            Created::Exists
        );
        let replace = |old| ready(store.replace(&id("kept"), old, &ended)).unwrap();
        assert_eq!(replace(&ended), Replaced::Conflict);
        assert_eq!(get(&store, "kept"), Some(live.clone()));
        assert_eq!(replace(&live), Replaced::Replaced);
        assert_eq!(replace(&live), Replaced::Missing);

        for name in ["set", "new", "kept"] {
            assert_eq!(get(&store, name), None);
        }
        assert_eq!(stored(&store), 0);
    }
}

#[test]
fn replace_does_not_revive() {
    let (store, clock) = store();
    let old = record(1, Some(start() + SECOND));
    set(&store, "a", &old);
    clock.advance(SECOND);
    let replaced = ready(store.replace(&id("a"), &old, &record(2, None))).unwrap();
    assert_eq!(replaced, Replaced::Missing);
}

#[test]
fn any_instant_can_be_an_end() {
    let (store, clock) = store();
    let far = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    let farther = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 60);
    for (name, end) in [("far", far), ("farther", farther)] {
        set(&store, name, &record(name, Some(end)));
    }
    clock.set(far - MILLISECOND);
    assert_eq!(get(&store, "far").unwrap().expires(), Some(far));
    clock.set(far);
    assert_eq!(get(&store, "far"), None);
    assert!(get(&store, "farther").is_some());

    let (store, clock) = crate::store();
    clock.set(SystemTime::UNIX_EPOCH - 60 * SECOND);
    let before = SystemTime::UNIX_EPOCH - 30 * SECOND;
    set(&store, "a", &record("a", Some(before)));
    assert!(get(&store, "a").is_some());
    clock.set(before);
    assert_eq!((get(&store, "a"), length(&store)), (None, 0));
}

#[test]
fn sessions_without_an_end_live_for_the_default_ttl_after_a_write_or_touch() {
    let (store, clock) = build(|builder| builder.ttl(10 * SECOND));
    for name in ["written", "touched"] {
        set(&store, name, &record(name, None));
    }
    clock.advance(9 * SECOND);
    let touched = ready(store.touch(&id("touched"), &cookie(None))).unwrap();
    assert_eq!(touched, Touched::Touched);
    clock.advance(SECOND);
    assert_eq!(get(&store, "written"), None);
    let read = get(&store, "touched").unwrap();
    assert_eq!(read.expires(), None);
    assert_eq!(read.stored_expires(), Some(start() + 19 * SECOND));

    // What another store said about the record does not count here.
    set(
        &store,
        "again",
        &read.with_stored_expires(StoredExpiry::At(start())),
    );
    clock.advance(10 * SECOND - MILLISECOND);
    assert!(get(&store, "again").is_some());
    clock.advance(MILLISECOND);
    assert_eq!(get(&store, "again"), None);

    let (store, _) = build(|builder| builder.ttl(Duration::MAX));
    set(&store, "a", &record("a", None));
    assert!(get(&store, "a").is_some());
}

#[test]
fn sessions_without_an_end_last_a_day_unless_told_otherwise() {
    const DAY: Duration = Duration::from_secs(86_400);
    let (forgetful, clock) = store();
    let (keeping, keeping_clock) = build(|builder| builder.ttl(None));
    assert_eq!(forgetful.capabilities(), MemoryStore::CAPABILITIES);
    assert_eq!(MemoryStore::CAPABILITIES.default_ttl, Some(DAY));
    assert_eq!(keeping.capabilities().default_ttl, None);
    for store in [&forgetful, &keeping] {
        set(store, "a", &record("a", None));
    }
    clock.advance(DAY - MILLISECOND);
    keeping_clock.advance(1_000 * DAY);
    assert_eq!([length(&forgetful), length(&keeping)], [1, 1]);
    clock.advance(MILLISECOND);
    assert_eq!(length(&forgetful), 0);
}

#[test]
fn length_counts_live_sessions_only() {
    let (store, clock) = store();
    for number in 0..1_000 {
        set(
            &store,
            number,
            &record(number, Some(start() + number * SECOND)),
        );
    }
    for gone in [1, 10, 500, 999] {
        clock.set(start() + gone * SECOND);
        assert_eq!(length(&store), u64::from(999 - gone));
    }
    assert_eq!(stored(&store), 0);
}

#[test]
fn sweep_removes_what_has_expired_and_tells_the_truth() {
    let (store, clock) = store();
    for number in 0..300 {
        let end = start() + if number < 200 { SECOND } else { 2 * SECOND };
        set(&store, number, &record(number, Some(end)));
    }
    // Sessions whose end has moved since they were written come up, and stay.
    for number in 0..50 {
        let _ = ready(store.touch(&id(number), &cookie(Some(start() + 3 * SECOND)))).unwrap();
    }
    let sweep = |limit| ready(store.sweep(limit)).unwrap();
    let swept = |removed, more| Swept { removed, more };
    assert_eq!(sweep(usize::MAX), swept(0, false));
    clock.advance(SECOND);
    assert_eq!(sweep(0), swept(0, true));
    assert_eq!(sweep(100), swept(100, true));
    assert_eq!(sweep(50), swept(50, false));
    assert_eq!(sweep(50), swept(0, false));
    assert_eq!(stored(&store), 150);
    clock.advance(SECOND);
    assert_eq!(sweep(1_000), swept(100, false));
    clock.advance(SECOND);
    assert_eq!(sweep(1_000), swept(50, false));
}

#[test]
fn operations_clear_expired_sessions_away_a_few_at_a_time() {
    let (store, clock) = build(|builder| builder.shards(1));
    for number in 0..100 {
        set(&store, number, &record(number, Some(start() + SECOND)));
    }
    clock.advance(SECOND);
    for done in 1..=50 {
        assert_eq!(get(&store, "unknown"), None);
        assert_eq!(stored(&store), 100 - 2 * done);
    }
}
