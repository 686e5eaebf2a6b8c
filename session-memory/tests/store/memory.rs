use crate::*;
use allocation_counter::measure;

const SESSIONS: u64 = 100_000;

/// Records with about 200 bytes of JSON, all with the settings of one cookie, as an application's.
fn records(end: Option<SystemTime>) -> Vec<(SessionId, Record)> {
    let cookie = cookie(end);
    let mut data = Data::new();
    data.insert("csrf", &"x".repeat(80)).unwrap();
    (0..SESSIONS)
        .map(|number| {
            data.insert("user", &number).unwrap();
            (SessionId::random(), Record::new(cookie.clone(), &data))
        })
        .collect()
}

/// What a session costs beside its JSON, in bytes: the store's own and the text's two counters.
fn overhead(end: Option<SystemTime>) -> f64 {
    let records = records(end);
    let json: usize = records.iter().map(|(_, record)| record.json().len()).sum();
    assert!((150..250).contains(&(json / records.len())));
    let (store, _) = store();
    let info = measure(|| {
        for (id, record) in &records {
            ready(store.set(id, record)).unwrap();
        }
    });
    let counters = 2 * size_of::<usize>();
    info.bytes_current as f64 / SESSIONS as f64 + counters as f64
}

#[test]
fn a_session_costs_at_most_150_bytes_on_top_of_its_json() {
    for end in [Some(start() + SECOND), None] {
        let overhead = overhead(end);
        println!("{overhead:.1} bytes per session, ends: {}", end.is_some());
        assert!(overhead <= 150.0, "{overhead}");
    }
}

#[test]
fn the_memory_of_expired_sessions_is_given_back() {
    let (store, clock) = store();
    let records = records(Some(start() + SECOND));
    let mut removed = 0;
    let info = measure(|| {
        for (id, record) in &records {
            ready(store.set(id, record)).unwrap();
        }
        for (id, _) in &records[..1_000] {
            let _ = ready(store.touch(id, &cookie(None))).unwrap();
        }
        clock.advance(SECOND);
        removed = ready(store.sweep(usize::MAX)).unwrap().removed;
    });
    assert_eq!(removed, records.len() - 1_000);
    let (peak, now) = (info.bytes_max, info.bytes_current);
    println!("{peak} bytes at most, {now} with 1,000 sessions left");
    assert!(now < 1_000_000, "{now}");
}
