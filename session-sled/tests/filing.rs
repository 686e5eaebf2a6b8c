//! Where the expiries name a session: under its end, or an earlier time.
#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::time::{Duration, SystemTime};

use session_core::{Clock, Data, Record, Replaced, SessionCookie, SessionId, Store, Touched};
use session_sled::{SledStore, sled};

const MINUTE: Duration = Duration::from_secs(60);

struct Filed {
    _directory: tempfile::TempDir,
    db: sled::Db,
    clock: Clock,
    store: SledStore,
}

fn open() -> Filed {
    let directory = tempfile::tempdir().unwrap();
    let db = sled::open(directory.path()).unwrap();
    let clock = Clock::manual(SystemTime::UNIX_EPOCH + 1_000_000 * MINUTE);
    let store = SledStore::builder().clock(clock.clone());
    Filed {
        store: store.build_on(&db).unwrap(),
        _directory: directory,
        db,
        clock,
    }
}

fn id(number: u64) -> SessionId {
    SessionId::new(format!("session {number}")).unwrap()
}

impl Filed {
    fn cookie(&self, max_age: Duration) -> SessionCookie {
        let mut cookie = SessionCookie::new();
        cookie.set_max_age(Some(max_age), self.clock.now());
        cookie
    }

    fn record(&self, max_age: Duration, n: u64) -> Record {
        let mut data = Data::new();
        data.insert("n", &n).unwrap();
        Record::new(self.cookie(max_age), &data)
    }

    async fn set(&self, number: u64, max_age: Duration) {
        let record = self.record(max_age, 0);
        self.store.set(&id(number), &record).await.unwrap();
    }

    async fn touch(&self, number: u64, max_age: Duration) {
        let cookie = self.cookie(max_age);
        let touched = self.store.touch(&id(number), &cookie).await.unwrap();
        assert_eq!(touched, Touched::Touched);
    }

    /// How many were removed, and whether there are more.
    async fn sweep(&self, limit: u64) -> (u64, bool) {
        let limit = usize::try_from(limit).unwrap();
        let swept = self.store.sweep(limit).await.unwrap();
        (swept.removed as u64, swept.more)
    }

    /// The minutes from now under which sessions are filed, in order.
    fn filed(&self) -> Vec<i64> {
        let keys = self
            .db
            .open_tree("sessions/expiries")
            .unwrap()
            .iter()
            .keys();
        let times = keys.map(|key| key.unwrap()).filter(|key| key.len() > 8);
        let millis = times.map(|key| {
            let time = u64::from_be_bytes(key[..8].try_into().unwrap());
            (time ^ 1 << 63).cast_signed() - self.clock.now_millis()
        });
        millis.map(|millis| millis / 60_000).collect()
    }

    /// Each record is filed once, no later than its end, and the count is theirs.
    fn check(&self) {
        let records = self.db.open_tree("sessions/records").unwrap();
        let expiries = self.db.open_tree("sessions/expiries").unwrap();
        for pair in &records {
            let (key, value) = pair.unwrap();
            let (end, filed) = (&value[1..9], &value[9..17]);
            assert!(filed <= end);
            assert!(expiries.contains_key([filed, &key].concat()).unwrap());
        }
        let count = expiries
            .get([0])
            .unwrap()
            .map_or(0, |count| u64::from_be_bytes(count[..].try_into().unwrap()));
        assert_eq!(count, records.len() as u64);
        let others = expiries
            .iter()
            .keys()
            .filter(|key| key.as_ref().unwrap().len() > 8);
        assert_eq!(others.count(), records.len());
    }
}

#[tokio::test]
async fn an_extended_session_stays_filed_until_a_sweep_comes_to_it() {
    let at = open();
    at.set(0, MINUTE).await;
    at.touch(0, 3 * MINUTE).await;
    let old = at.store.get(&id(0)).await.unwrap().unwrap();
    let new = at.record(5 * MINUTE, 1);
    let replaced = at.store.replace(&id(0), &old, &new).await.unwrap();
    assert_eq!(replaced, Replaced::Replaced);
    at.set(0, 7 * MINUTE).await;
    assert_eq!(at.filed(), [1]);
    at.check();

    at.clock.advance(2 * MINUTE);
    assert_eq!(at.sweep(10).await, (0, false));
    assert_eq!(at.filed(), [5]);
    assert!(at.store.get(&id(0)).await.unwrap().is_some());
    at.check();

    at.clock.advance(5 * MINUTE);
    assert_eq!(at.sweep(10).await, (1, false));
    assert!(at.filed().is_empty());
    at.check();
}

#[tokio::test]
async fn a_session_that_is_to_end_earlier_is_filed_there_at_once() {
    let at = open();
    at.set(0, 9 * MINUTE).await;
    at.touch(0, 5 * MINUTE).await;
    assert_eq!(at.filed(), [5]);
    at.set(0, 2 * MINUTE).await;
    assert_eq!(at.filed(), [2]);
    let old = at.store.get(&id(0)).await.unwrap().unwrap();
    let new = at.record(MINUTE, 1);
    let replaced = at.store.replace(&id(0), &old, &new).await.unwrap();
    assert_eq!(replaced, Replaced::Replaced);
    assert_eq!(at.filed(), [1]);
    at.check();
    at.clock.advance(MINUTE);
    assert_eq!(at.sweep(10).await, (1, false));
    at.check();
}

/// More of both than one transaction looks at.
#[tokio::test]
async fn sweeps_and_lengths_tell_extended_sessions_from_ended_ones() {
    const EACH: u64 = 150;
    let at = open();
    for number in 0..2 * EACH {
        at.set(number, MINUTE).await;
        if number % 2 == 0 {
            at.touch(number, 3 * MINUTE).await;
        }
    }
    at.set(2 * EACH, 3 * MINUTE).await;
    assert_eq!(at.store.length().await.unwrap(), 2 * EACH + 1);
    at.clock.advance(MINUTE);
    assert_eq!(at.store.length().await.unwrap(), EACH + 1);
    // Whoever counts writes nothing, and whoever sweeps files again what lives on.
    let due = || at.filed().iter().filter(|minutes| **minutes == 0).count() as u64;
    assert_eq!(due(), 2 * EACH);
    assert_eq!(at.sweep(EACH - 1).await, (EACH - 1, true));
    assert!(due() < EACH);
    at.check();
    assert_eq!(at.sweep(1).await, (1, false));
    assert_eq!(at.store.length().await.unwrap(), EACH + 1);
    at.check();
    at.clock.advance(2 * MINUTE);
    assert_eq!(at.store.length().await.unwrap(), 0);
    assert_eq!(at.sweep(10 * EACH).await, (EACH + 1, false));
    at.check();
}

/// Each transaction of a sweep ends with what is enough for it.
#[tokio::test]
async fn large_sessions_are_filed_again_a_few_at_a_time() {
    let at = open();
    let mut data = Data::new();
    data.insert("large", &"x".repeat(400_000)).unwrap();
    for number in 0..10 {
        for max_age in [MINUTE, 3 * MINUTE] {
            let record = Record::new(at.cookie(max_age), &data);
            at.store.set(&id(number), &record).await.unwrap();
        }
    }
    at.set(10, 2 * MINUTE).await;
    at.clock.advance(2 * MINUTE);
    assert_eq!(at.sweep(10).await, (1, false));
    assert_eq!(at.filed(), [1; 10]);
    at.check();
}

/// The sweeper's thread works in turns: it stops, and goes on.
#[tokio::test]
async fn a_sweeper_files_more_than_one_turn_of_sessions() {
    const MANY: u64 = 3_000;
    let at = open();
    for number in 0..MANY {
        at.set(number, MINUTE).await;
        at.touch(number, 3 * MINUTE).await;
    }
    at.set(MANY, MINUTE).await;
    at.clock.advance(2 * MINUTE);
    let sweeper = at.store.sweeper(60 * MINUTE);
    sweeper.sweep_now();
    drop(sweeper);
    let filed = at.filed();
    assert_eq!(filed.len() as u64, MANY);
    assert!(filed.iter().all(|minutes| *minutes == 1));
    at.check();
}

/// Another version of the crate may have written it, and may come back to it.
#[tokio::test]
async fn a_record_that_cannot_be_decoded_stays_where_it_is() {
    let at = open();
    at.set(0, MINUTE).await;
    at.set(1, MINUTE).await;
    let records = at.db.open_tree("sessions/records").unwrap();
    let key = id(0).as_str().to_owned();
    let mut value = records.get(&key).unwrap().unwrap().to_vec();
    value[0] = 9;
    records.insert(&key, &value[..]).unwrap();
    at.clock.advance(MINUTE);
    assert_eq!(at.store.length().await.unwrap(), 0);
    assert_eq!(at.sweep(10).await, (1, false));
    assert_eq!(at.filed(), [0]);
    assert_eq!(records.get(&key).unwrap().unwrap(), value);
    // Back again: it is swept as it would have been.
    value[0] = 2;
    records.insert(&key, value).unwrap();
    assert_eq!(at.sweep(10).await, (1, false));
    at.check();

    // Written over and removed in the meantime: its old entry goes.
    for end in [MINUTE, 3 * MINUTE] {
        at.set(2, MINUTE).await;
        records.insert(id(2).as_str(), b"nothing").unwrap();
        if end == MINUTE {
            at.store.destroy(&id(2)).await.unwrap();
        } else {
            at.set(2, end).await;
        }
        at.clock.advance(2 * MINUTE);
        assert_eq!(at.sweep(10).await, (0, false));
        at.check();
    }
    assert_eq!(at.store.length().await.unwrap(), 1);
}

/// The last one that is looked at is the one that has ended.
#[tokio::test]
async fn a_sweep_looks_past_living_sessions_for_more() {
    let at = open();
    at.set(0, MINUTE).await;
    for number in 1..100 {
        at.set(number, MINUTE).await;
        at.touch(number, 9 * MINUTE).await;
    }
    at.set(100, 2 * MINUTE).await;
    at.clock.advance(2 * MINUTE);
    assert_eq!(at.sweep(1).await, (1, true));
    assert_eq!(at.sweep(1).await, (1, false));
    assert_eq!(at.store.length().await.unwrap(), 99);
    at.check();
}

#[test]
fn writes_of_many_threads_leave_each_session_filed_once() {
    let at = open();
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let at = &at;
            scope.spawn(move || {
                let mut seed = thread + 1;
                let mut below = |end: u64| {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (seed >> 33) % end
                };
                for turn in 0..1_500 {
                    let id = id(below(8));
                    let age = MINUTE * u32::try_from(below(10)).unwrap();
                    let store = &at.store;
                    pollster::block_on(async {
                        match below(7) {
                            0 => store.set(&id, &at.record(age, turn)).await,
                            1 | 2 => store.touch(&id, &at.cookie(age)).await.map(drop),
                            3 => match store.get(&id).await.unwrap() {
                                Some(old) => {
                                    let new = at.record(age, turn);
                                    store.replace(&id, &old, &new).await.map(drop)
                                }
                                None => store.create(&id, &at.record(age, turn)).await.map(drop),
                            },
                            4 => store.destroy(&id).await,
                            5 => store.sweep(3).await.map(drop),
                            _ => store.length().await.map(|length| assert!(length <= 8)),
                        }
                        .unwrap();
                    });
                    if thread == 0 && turn % 50 == 0 {
                        at.clock.advance(MINUTE);
                    }
                }
            });
        }
    });
    at.check();
    let live = |number: &u64| {
        let found = pollster::block_on(at.store.get(&id(*number)));
        found.unwrap().is_some()
    };
    let live = (0..8).filter(live).count() as u64;
    assert_eq!(pollster::block_on(at.store.length()).unwrap(), live);
    at.clock.advance(10 * MINUTE);
    while pollster::block_on(at.store.sweep(100)).unwrap().more {}
    at.check();
    assert_eq!(pollster::block_on(at.store.length()).unwrap(), 0);
    assert!(at.filed().is_empty());
}
